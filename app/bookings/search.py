"""The list of bookings: filters, and pages by cursor in the order of time, either way."""

import re
import unicodedata
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from sqlalchemy import ColumnElement, Select, false, literal, or_, select, tuple_
from sqlalchemy.orm import Session, joinedload

from app import clock, cursors
from app.clock import USABLE_HINT
from app.customers import phones
from app.db import UtcDateTime
from app.errors import FieldError, Invalid
from app.models.booking import STATUSES, Booking
from app.models.folding import fold
from app.models.identity import person_of
from app.models.message import Message
from app.models.shop import PARTS_JOIN, Service
from app.shop import service as shop_service
from app.sql import is_one_of

MAX_LIMIT = 200
MAX_QUERY = 100

_EARLIER, _LATER = "earlier", "later"
_INDEXED = 3  # letters that PostgreSQL's index of parts needs
_ID = re.compile(r"[A-Za-z0-9_-]{1,40}")
_BOOKING_ID = re.compile(r"booking_[A-Za-z0-9]{1,32}")
_PHONE_PART = re.compile(r"\+?[0-9 ().\-/]{3,40}")


@dataclass(frozen=True, kw_only=True)
class Filters:
    """What must be true of a booking: it starts at or after `starts_from`, before `starts_to`, and
    was made or changed at or after `updated_since`.

    `q` is a part of the name (one or two letters begin one of its words), a phone number or a
    part of one, or a booking's id. `person` is the customer's. With `has_failures`, at
    least one of its messages has failed.
    """

    status: str | None = None
    barber_id: str | None = None
    service_id: str | None = None
    starts_from: datetime | None = None
    starts_to: datetime | None = None
    updated_since: datetime | None = None
    q: str | None = None
    person: str | None = None
    has_failures: bool = False


@dataclass(frozen=True)
class Page:
    """A page of the list: `earlier` and `later` are the cursors of the pages beside it in time."""

    bookings: list[Booking]
    earlier: str | None
    later: str | None


@dataclass(frozen=True)
class Order:
    """By which time a list goes, and whether the latest comes first."""

    by: Literal["starts_at", "updated_at"] = "starts_at"
    backwards: bool = False


_BY_TIME = Order()
_MARKS = {"starts_at": "", "updated_at": "changed "}
"""What a cursor begins with."""

ORDERS = {
    "scheduledTime": Order(),
    "-scheduledTime": Order(backwards=True),
    "updatedAt": Order("updated_at"),
    "-updatedAt": Order("updated_at", backwards=True),
}
"""As the API calls them."""


def search(
    session: Session,
    filters: Filters,
    limit: int = 50,
    cursor: str | None = None,
    sort: str = "scheduledTime",
) -> tuple[list[Booking], str | None]:
    """A page of bookings in one of ORDERS, and the cursor of the next one, None at the end.

    A booking that is there during the whole walk is on exactly one page, whatever is made or
    moved meanwhile; by `updatedAt`, one that is changed meanwhile comes again, as it is then.
    Raises Invalid, with the filters' names in the API.
    """
    order = ORDERS.get(sort)
    after = _check(filters, limit, cursor, order)
    assert order is not None  # else the check would have refused it
    query = _filtered(session, filters)
    read = _read(session, query, after, limit + 1, order)
    page = read[:limit]
    return page, _cursor(page[-1], order) if len(read) > limit else None


def page(
    session: Session,
    filters: Filters,
    limit: int,
    cursor: str | None = None,
    *,
    newest_first: bool = False,
) -> Page:
    """A page that leads both ways, its bookings with service and barber loaded.

    Without a cursor it is the first one of that order. Raises Invalid as `search` does.
    """
    direction, place = _EARLIER if newest_first else _LATER, None
    if cursor is not None:
        direction, _, cursor = cursor.partition("-")
        place = _check(filters, limit, cursor if direction in {_EARLIER, _LATER} else "")
    else:
        _check(filters, limit, None)
    backwards = direction == _EARLIER
    query = _filtered(session, filters).options(
        joinedload(Booking.service), joinedload(Booking.barber)
    )
    read = _read(session, query, place, limit + 1, Order(backwards=backwards))
    rows, has_more = read[:limit], len(read) > limit
    if backwards:
        rows.reverse()
    came_from = place is not None and bool(rows)
    earlier = f"{_EARLIER}-{_cursor(rows[0])}" if (has_more if backwards else came_from) else None
    later = f"{_LATER}-{_cursor(rows[-1])}" if (came_from if backwards else has_more) else None
    return Page(rows[::-1] if newest_first else rows, earlier, later)


def fits(session: Session, text: str) -> ColumnElement[bool]:
    """What `Filters.q` asks of a booking. Raises Invalid, with the field `q`."""
    _check(Filters(q=text), MAX_LIMIT, None)
    return _is_like(text, shop_service.shop(session).country)


def is_id(text: str) -> bool:
    """Whether `text` is written as a booking's id, which is looked up."""
    return _BOOKING_ID.fullmatch(text) is not None


def _read(
    session: Session,
    query: Select[Booking],
    place: tuple[datetime, str] | None,
    limit: int,
    order: Order,
) -> list[Booking]:
    """Bookings after `place` in the order of time, or before it, the nearest first."""
    columns = (getattr(Booking, order.by), Booking.id)
    backwards = order.backwards
    if place is not None:
        here = tuple_(literal(place[0], UtcDateTime), literal(place[1]))
        query = query.where(tuple_(*columns) < here if backwards else tuple_(*columns) > here)
    by = [column.desc() for column in columns] if backwards else columns
    return list(session.scalars(query.order_by(*by).limit(limit)))


def _check(
    filters: Filters, limit: int, cursor: str | None, order: Order | None = _BY_TIME
) -> tuple[datetime, str] | None:
    """The place that `cursor` marks. Raises Invalid with everything that is wrong."""
    errors: list[FieldError] = []

    def check(is_right: bool, field: str, message: str) -> None:
        if not is_right:
            errors.append(FieldError(field, message))

    after = None if cursor is None else cursors.read(cursor, _MARKS[(order or _BY_TIME).by])
    check(order is not None, "sort", f"This must be one of {', '.join(ORDERS)}.")
    is_service = filters.service_id is None or _ID.fullmatch(filters.service_id) is not None
    is_barber = filters.barber_id is None or _ID.fullmatch(filters.barber_id) is not None
    check(
        cursor is None or after is not None,
        "cursor",
        cursors.HINT,
    )
    check(1 <= limit <= MAX_LIMIT, "limit", f"This must be from 1 to {MAX_LIMIT}.")
    check(
        filters.status in {None, *STATUSES}, "status", f"This must be one of {', '.join(STATUSES)}."
    )
    check(is_barber, "barber_id", "There is no such barber.")
    check(is_service, "service_id", "There is no such service.")
    check(clock.is_usable(filters.updated_since), "updatedSince", USABLE_HINT)
    check(clock.is_usable(filters.starts_from), "from", USABLE_HINT)
    check(clock.is_usable(filters.starts_to), "to", USABLE_HINT)
    check(
        _is_searchable(filters.q or ""),
        "q",
        f"This must be at most {MAX_QUERY} visible characters.",
    )
    if errors:
        raise Invalid(errors)
    return after


def _is_searchable(text: str) -> bool:
    return len(text) <= MAX_QUERY and not any(
        unicodedata.category(char) in {"Cc", "Cs"} for char in text
    )


def _with(service_id: str) -> Select[str]:
    """The service, and what several have it."""
    parts = PARTS_JOIN + Service.parts + PARTS_JOIN
    among = parts.contains(f"{PARTS_JOIN}{service_id}{PARTS_JOIN}", autoescape=True)
    return select(Service.id).where((Service.id == service_id) | among)


def _filtered(session: Session, filters: Filters) -> Select[Booking]:
    query = select(Booking)
    if filters.status is not None:
        query = query.where(Booking.status == filters.status)
    if filters.barber_id is not None:
        query = query.where(Booking.barber_id == filters.barber_id)
    if filters.service_id is not None:
        query = query.where(Booking.service_id.in_(_with(filters.service_id)))
    if filters.updated_since is not None:
        query = query.where(Booking.updated_at >= filters.updated_since)
    if filters.starts_from is not None:
        query = query.where(Booking.starts_at >= filters.starts_from)
    if filters.starts_to is not None:
        query = query.where(Booking.starts_at < filters.starts_to)
    if filters.person is not None:
        query = query.where(Booking.person == filters.person)
    if filters.has_failures:
        has_failed = is_one_of(Message.state, "failed") & Message.dismissed_at.is_(None)
        failed = select(Message.booking_id).where(has_failed)
        query = query.where(Booking.id.in_(failed))
    if text := (filters.q or "").strip():
        query = query.where(fits(session, text))
    return query


def _is_like(text: str, country: str | None) -> ColumnElement[bool]:
    """An id or a whole number is looked up; one or two letters begin a word of the name, which is
    compared without case and accents.

    For parts PostgreSQL has an index of three letters each, which words are begun by too.
    SQLite reads bookings in the order of time until the page is full.
    """
    if is_id(text):
        return Booking.id == text
    try:
        return Booking.person == person_of(phones.parse(text, country))
    except ValueError:
        pass
    if _PHONE_PART.fullmatch(text):
        digits = re.sub(r"\D", "", text)
        return Booking.spellings.contains(digits.lstrip("0") or digits)
    name, part = Booking.name_folded, fold(text)
    if len(part) >= _INDEXED:
        return name.contains(part, autoescape=True)
    begins = or_(name.startswith(part, autoescape=True), name.contains(f" {part}", autoescape=True))
    return begins if part else false()


def _cursor(last: Booking, order: Order = _BY_TIME) -> str:
    """It names what it is a place of, unless that is the time of the appointment."""
    return cursors.write(getattr(last, order.by), last.id, _MARKS[order.by])
