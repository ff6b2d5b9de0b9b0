"""When a barber can be booked: the shop's hours, less what is booked."""

from collections.abc import Iterator, Sequence
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, select
from sqlalchemy.orm import Session

from app import clock
from app.models.booking import Booking
from app.shop import hours
from app.shop.service import shop, time_zone

LONGEST = timedelta(hours=12)
"""Of a service: how far back a booking may begin and still go on."""

_STEP = timedelta(minutes=15)


def free_times(
    session: Session, barber_id: str, length: timedelta, day: date, but: str = ""
) -> list[datetime]:
    """When the barber has so much time that day (of the shop's zone): UTC, every 15 minutes.

    Within the opening hours, in the future, and clear of the barber's bookings other than `but`.
    What begins that day may end after midnight, if the shop is open then.
    """
    row = shop(session)
    zone = time_zone(row)
    first = max(clock.midnight(day, zone), clock.now() + timedelta.resolution)
    last = clock.midnight(day + timedelta(days=1), zone)
    taken = _taken(session, barber_id, first, last + length, but)
    return [
        start
        for opens, closes in hours.around(row, day)
        for start in _steps(opens, closes - length)
        if first <= start < last
        and not any(start < end and begin < start + length for begin, end in taken)
    ]


def overlapping(
    barber_id: str, starts_at: datetime, ends_at: datetime, but: str = ""
) -> Select[Booking]:
    """The barber's bookings at that time, other than `but`, the earliest first.

    A customer who is marked as having come still has the chair until the end. A cancelled booking
    and a no-show leave it free.
    """
    is_there = in_the_way(barber_id, starts_at - LONGEST, starts_at, ends_at)
    query = select(Booking).where(is_there, Booking.id != but)
    return query.order_by(Booking.starts_at, Booking.id)


def in_the_way(barber_id: Any, earliest: Any, starts_at: Any, ends_at: Any) -> ColumnElement[bool]:
    """Whether a Booking is the barber's at that time: values, or parameters of a statement.

    `earliest` is LONGEST before `starts_at`.
    """
    return and_(
        Booking.barber_id == barber_id,
        Booking.starts_at < ends_at,
        Booking.starts_at > earliest,
        Booking.ends_at > starts_at,
        Booking.status.in_(("confirmed", "completed")),
    )


def _taken(
    session: Session, barber_id: str, since: datetime, until: datetime, but: str
) -> Sequence[tuple[datetime, datetime]]:
    query = overlapping(barber_id, since, until, but)
    rows = session.execute(query.with_only_columns(Booking.starts_at, Booking.ends_at))
    return [(row.starts_at, row.ends_at) for row in rows]


def _steps(first: datetime, last: datetime) -> Iterator[datetime]:
    at = first
    while at <= last:
        yield at
        at += _STEP
