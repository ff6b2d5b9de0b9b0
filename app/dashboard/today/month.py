"""A month as an overview: how many bookings each day has, how full it is, and when the shop is
closed.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import Select, case, func, select
from sqlalchemy.orm import Session

from app.bookings import availability
from app.dashboard.today import load
from app.dashboard.today.load import Load
from app.models.booking import Booking
from app.models.shop import Barber
from app.shop import hours
from app.shop import service as shop_service
from app.shop.hours import Span
from app.web import times

_DAY = timedelta(days=1)


@dataclass(frozen=True)
class Day:
    """`closed` is what the shop is closed for, `is_within` whether the day is of the month."""

    date: date
    is_within: bool
    load: Load
    closed: str


@dataclass(frozen=True)
class Month:
    """Whole weeks around the month that begins on `first`, and what all its days come to."""

    first: date
    weeks: Sequence[Sequence[Day]]
    booked: Decimal

    @property
    def bookings(self) -> int:
        """How many the month has."""
        return sum(day.load.bookings for week in self.weeks for day in week if day.is_within)


def of(session: Session, day: date, barber: Barber | None, currency: str) -> Month:
    """The month of that day, of a barber or of all. One statement for the bookings of all days."""
    first = day.replace(day=1)
    days = _days(first, times.first_weekday(shop_service.shop(session).locale))
    calendar = availability.calendar(session, days[0], days[-1])
    begins, _ = hours.of_calendar_day(days[0], calendar.zone)
    _, ends = hours.of_calendar_day(days[-1], calendar.zone)
    counts: dict[date, int] = defaultdict(int)
    taken: dict[date, timedelta] = defaultdict(timedelta)
    booked = Decimal(0)
    for row in session.execute(_bookings(currency, (begins, ends), barber)):
        on = row.starts_at.astimezone(calendar.zone).date()
        counts[on] += row.number
        taken[on] += row.number * (row.ends_at - row.starts_at)
        booked += row.booked or 0 if on.month == first.month else 0
    barbers = [barber] if barber else shop_service.barbers(session)
    found = [
        Day(
            each,
            each.month == first.month,
            Load(counts[each], taken[each], load.open_time(calendar, barbers, each)),
            calendar.closed.get(each, ""),
        )
        for each in days
    ]
    return Month(first, [found[turn : turn + 7] for turn in range(0, len(found), 7)], booked)


def _days(first: date, first_weekday: int) -> list[date]:
    """From the beginning of its first week to the end of its last."""
    begins = first - (first.weekday() - first_weekday) % 7 * _DAY
    after = (first + 31 * _DAY).replace(day=1)
    weeks = -(-(after - begins).days // 7)
    return [begins + away * _DAY for away in range(7 * weeks)]


def _bookings(currency: str, limits: Span, barber: Barber | None) -> Select[*tuple[Any, ...]]:
    """How many there are of each time and length: a full shop has few of these."""
    begins, ends = limits
    price = case((Booking.currency == currency, Booking.due))
    query = (
        select(
            Booking.starts_at,
            Booking.ends_at,
            func.count().label("number"),
            func.sum(price).label("booked"),
        )
        .where(
            Booking.starts_at >= begins,
            Booking.starts_at < ends,
            Booking.status.not_in(("cancelled", "no_show")),
        )
        .group_by(Booking.starts_at, Booking.ends_at)
    )
    return query.where(Booking.barber_id == barber.id) if barber else query
