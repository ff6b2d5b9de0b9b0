"""How full a day is, and what it comes to."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal

from app.bookings.availability import Calendar
from app.dashboard.today.booked import Booked
from app.dashboard.today.lines import Line
from app.models.shop import Barber


@dataclass(frozen=True)
class Load:
    """Bookings that were neither cancelled nor missed, how many and how long, and for how long
    barbers take bookings.
    """

    bookings: int
    booked: timedelta
    open: timedelta

    @property
    def percent(self) -> int | None:
        """How full, at most 100; None if nobody works."""
        return min(round(100 * (self.booked / self.open)), 100) if self.open else None


def of_day(
    calendar: Calendar, barbers: Sequence[Barber], day: date, bookings: Iterable[Booked | Line]
) -> Load:
    """Of these bookings of the day, none of them cancelled."""
    there = [each for each in bookings if each.status != "no_show"]
    taken = sum((each.ends_at - each.starts_at for each in there), timedelta())
    return Load(len(there), taken, open_time(calendar, barbers, day))


def open_time(calendar: Calendar, barbers: Iterable[Barber], day: date) -> timedelta:
    """For how long they take bookings that day, all together."""
    working = (each for each in barbers if each.active)
    spans = (span for each in working for span in calendar.open_on(each, day))
    return sum((end - begin for begin, end in spans), timedelta())


def total(bookings: Iterable[Booked | Line], currency: str) -> Decimal:
    """What they come to in that currency, without those who did not come."""
    counted = (each for each in bookings if each.status != "no_show")
    prices = (each.due for each in counted if each.currency == currency)
    return sum((price for price in prices if price is not None), Decimal(0))
