"""Reading the shop: its single row, its services and its barbers.

All are kept (`app.kept`): plain rows, which nobody can change, with the columns of their tables.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple, cast
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.orm import Session
from sqlalchemy.orm.util import identity_key

from app.kept import Kept
from app.models.shop import PARTS_JOIN, Barber, Service, ServiceBarber, Shop
from app.rows import table_of
from app.settings import settings


class _Catalogue(NamedTuple):
    """What can be booked and with whom, by id, in the shop's order; also what is switched off.

    `done_by` has the barbers of those services that not every barber does.
    """

    services: Mapping[str, Service]
    barbers: Mapping[str, Barber]
    done_by: Mapping[str, frozenset[str]]


def shop(session: Session) -> Shop:
    """The single row, which the first migration makes."""
    held = session.identity_map.get(_KEY)  # a lock, say, has read it anew
    return _SHOP.of(session, None) if held is None else held


COLUMNS = tuple(table_of(Shop).c)


@lru_cache(maxsize=4)
def of_values(values: tuple[Any, ...]) -> Shop:
    """The row whose COLUMNS a statement has read along with something else.

    For what must hold from the moment that it is saved. It is one object as long as its values are,
    and must not be changed.
    """
    return Shop(**{column.key: value for column, value in zip(COLUMNS, values, strict=True)})


def time_zone(shop: Shop) -> ZoneInfo:
    """The shop's time zone: its own, else SHOP_TIMEZONE."""
    return ZoneInfo(shop.time_zone or settings().shop_timezone)


def service(session: Session, id: str) -> Service | None:
    """The service with this id, also if it is switched off."""
    known = _CATALOGUE.of(session, None).services.get(id)
    return known or session.get(Service, id)  # it may be quite new


def barber(session: Session, id: str) -> Barber | None:
    """The barber with this id, also if they are switched off."""
    known = _CATALOGUE.of(session, None).barbers.get(id)
    return known or session.get(Barber, id)


def services(session: Session) -> Sequence[Service]:
    """What can be booked, in the shop's order."""
    return [each for each in _CATALOGUE.of(session, None).services.values() if each.active]


def barbers(session: Session) -> Sequence[Barber]:
    """Who takes bookings, in the shop's order."""
    return [each for each in _CATALOGUE.of(session, None).barbers.values() if each.active]


def hold_catalogue(session: Session) -> None:
    """Have a session that has changed services or barbers, and will not again, read them once."""
    _CATALOGUE.hold(session, None)


def parts_of(session: Session, service_id: str) -> Sequence[str]:
    """The ids of what is done, in order: several are one service or written as one
    (`app.shop.several`).
    """
    known = service(session, service_id)
    return ids_in(known) if known else service_id.split(PARTS_JOIN)


def ids_in(service: Service) -> Sequence[str]:
    """The same of a service that is there."""
    return (service.parts or service.id).split(PARTS_JOIN)


def names_of(session: Session, service_id: str) -> Sequence[str]:
    """The names of what is done, in order."""
    parts = (service(session, id) for id in parts_of(session, service_id))
    return [part.name for part in parts if part is not None]


def is_offered(session: Session, service_id: str) -> bool:
    """Whether it can be booked: all that is done."""
    parts = (service(session, id) for id in parts_of(session, service_id))
    return all(part is not None and part.active for part in parts)


def does(session: Session, barber_id: str, service_id: str) -> bool:
    """Whether the barber does that service, or all of several."""
    done_by = _CATALOGUE.of(session, None).done_by
    return all(barber_id in done_by.get(id, {barber_id}) for id in parts_of(session, service_id))


def done_by(session: Session) -> Mapping[str, frozenset[str]]:
    """Of each service that not every barber does, who does it: ids."""
    return _CATALOGUE.of(session, None).done_by


def _read_catalogue(session: Session, _: None) -> _Catalogue:
    services, barbers = (session.execute(each).all() for each in _LISTS)
    done_by: dict[str, set[str]] = defaultdict(set)
    for service_id, barber_id in session.execute(_DOERS):
        done_by[service_id].add(barber_id)
    return _Catalogue(
        {row.id: cast(Service, row) for row in services},
        {row.id: cast(Barber, row) for row in barbers},
        {service_id: frozenset(barbers) for service_id, barbers in done_by.items()},
    )


_KEY = identity_key(Shop, 1)
_ROW = select(*COLUMNS)
_LISTS = [select(*table_of(kind).c).order_by(kind.position, kind.id) for kind in (Service, Barber)]
_SHOP: Kept[None, Shop] = Kept(lambda session, _: cast(Shop, session.execute(_ROW).one()), Shop)
_DOERS = select(ServiceBarber.service_id, ServiceBarber.barber_id)
_CATALOGUE = Kept(_read_catalogue, Service, Barber, ServiceBarber)
