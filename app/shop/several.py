"""Several services in one visit: a cut and a beard are one block, whose times and prices add up.

What is booked together is a service of its own, made when it is booked first: a row with the ids of
its `parts`, which nobody lists or changes. So whatever reads a booking's service, for a text, a
board or a file, reads it too. It follows its parts when they change.
"""

import hashlib
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from babel.lists import format_list
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.errors import FieldError, Invalid
from app.models.shop import PARTS_JOIN, Service
from app.rows import insert_rows, table_of
from app.shop import service as shop_service

MOST = 5
"""In one visit."""
LONGEST = 720
"""Minutes of one visit, as of one service."""

_LAST = 1_000_000  # its position: it is in no list
_MOST_NAME = 100


def key(ids: Sequence[str]) -> str:
    """How services of one visit, in their order, are written as one: `haircut+beard-trim`.

    Of one it is its id. Raises ValueError.
    """
    if not 1 <= len(ids) <= MOST:
        raise ValueError(f"This must have 1 to {MOST} services.")
    if len(set(ids)) < len(ids):
        raise ValueError("Each service can be there once.")
    return PARTS_JOIN.join(ids)


def key_of(session: Session, service_id: str) -> str:
    """The same of a booking's service."""
    return PARTS_JOIN.join(shop_service.parts_of(session, service_id))


def ids_of(session: Session, service_id: str) -> list[str]:
    """The services of a visit, in their order."""
    return list(shop_service.parts_of(session, service_id))


def as_one(session: Session, key: str) -> Service | None:
    """The service that `key` means, which need not be stored; None if one is unknown."""
    if PARTS_JOIN not in key:
        return shop_service.service(session, key)
    parts = [shop_service.service(session, id) for id in key.split(PARTS_JOIN)]
    known = [part for part in parts if part is not None]
    return Service(**_columns(session, known)) if len(known) == len(parts) else None


def made(session: Session, key: str) -> str:
    """The id of the service that `key` means, made if it is the first time.

    Raises Invalid for one that is unknown, and for more than LONGEST together.
    """
    if PARTS_JOIN not in key:
        return key
    whole = as_one(session, key)
    if whole is None:
        ids = [id for id in key.split(PARTS_JOIN) if shop_service.service(session, id) is None]
        raise Invalid([FieldError("service_id", f"There is no service {ids[0]!r}.")])
    if whole.minutes > LONGEST:
        says = f"Together these take {whole.minutes} minutes: {LONGEST} at the most."
        raise Invalid([FieldError("service_id", says)])
    if shop_service.service(session, whole.id) is None:
        names = [column.name for column in table_of(Service).columns]
        insert_rows(session, Service, [{name: getattr(whole, name) for name in names}])
    return whole.id


def follow(session: Session, part: Service) -> None:
    """Make what has this part, which has changed, what its parts come to."""
    session.flush()
    for whole in session.scalars(select(Service).where(Service.parts.is_not(None))):
        ids = (whole.parts or "").split(PARTS_JOIN)
        if part.id in ids:
            columns = _columns(session, [session.get_one(Service, id) for id in ids])
            for name, value in columns.items():
                setattr(whole, name, value)


def has_part(session: Session, id: str) -> bool:
    """Whether it was ever booked together with others."""
    keys = session.scalars(select(Service.parts).where(Service.parts.is_not(None)))
    return any(id in (each or "").split(PARTS_JOIN) for each in keys)


def in_words(names: Sequence[str], locale: str) -> str:
    """The names of services of one visit as one: `Haircut and Beard trim`, in that language."""
    name = format_list(list(names), locale=locale)
    return name if len(name) <= _MOST_NAME else f"{name[: _MOST_NAME - 1]}…"


def _columns(session: Session, parts: Sequence[Service]) -> dict[str, Any]:
    """Of parts that are one: it is kept free before the first and after the last of them."""
    written = PARTS_JOIN.join(part.id for part in parts)
    prices = [part.price for part in parts if part.price is not None]
    return {
        "id": f"several-{hashlib.sha256(written.encode()).hexdigest()[:24]}",
        "name": in_words([part.name for part in parts], shop_service.shop(session).locale),
        "minutes": sum(part.minutes for part in parts),
        "buffer_minutes_before": parts[0].buffer_minutes_before,
        "buffer_minutes": parts[-1].buffer_minutes,
        "position": _LAST,
        "active": False,
        "price": sum(prices, Decimal(0)) if prices else None,
        "colour": parts[0].colour,
        "parts": written,
    }
