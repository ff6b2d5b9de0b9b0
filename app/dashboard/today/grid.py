"""The rows of a board: five minutes each, counted from its top.

Rows are real time, so the day of a change to or from summer time has an hour less or more.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from app import clock
from app.models.booking import Booking
from app.shop import hours
from app.shop.hours import Span

ROW = timedelta(minutes=5)
SLOT_ROWS = 6
"""Half an hour: how long a free time is that can be clicked (`.slot` in board.css)."""

SHORTEST = 3
"""Rows that a block needs to be read."""

_NEARLY_AN_HOUR = timedelta(minutes=59, seconds=59)


@dataclass(frozen=True)
class Grid:
    """From when to when a board goes (UTC), the shop's zone and the time."""

    begins: datetime
    ends: datetime
    zone: ZoneInfo
    now: datetime

    def row(self, at: datetime) -> int:
        """The row in which `at` lies."""
        return max(0, (min(at, self.ends) - self.begins) // ROW)

    def rows(self, booking: Booking) -> tuple[int, int]:
        """The booking's first row, and the first one after it."""
        first = self.row(booking.starts_at)
        after = -((self.begins - min(booking.ends_at, self.ends)) // ROW)
        return first, max(after, first + SHORTEST)

    @property
    def height(self) -> int:
        """How many rows there are."""
        return (self.ends - self.begins) // ROW

    @property
    def now_row(self) -> int | None:
        """The row of the present, if it is on the board."""
        return self.row(self.now) if self.begins <= self.now < self.ends else None

    def hours(self) -> Iterator[tuple[int, datetime]]:
        """The rows in which the clock shows a whole hour, and when that is."""
        at = self.begins
        while at < self.ends:
            if at.astimezone(self.zone).minute == 0:
                yield self.row(at), at
            at += SLOT_ROWS * ROW


def of_day(day: date, zone: ZoneInfo, shown: Sequence[Span]) -> Grid:
    """A grid of all that is to be shown, widened to whole hours, within the day."""
    midnight, next_midnight = hours.of_calendar_day(day, zone)
    first = min(begin for begin, _ in shown)
    last = max(first + ROW, *(end for _, end in shown))  # hours that the clock leaps over are none
    return Grid(
        begins=max(midnight, whole_hour(first, zone)),
        ends=min(next_midnight, _whole_hour_after(last, zone)),
        zone=zone,
        now=clock.now(),
    )


def whole_hour(at: datetime, zone: ZoneInfo) -> datetime:
    """The beginning of the hour of the shop's clock, in UTC."""
    local = at.astimezone(zone)
    hour = local.date(), time(local.hour), zone
    again = clock.last_moment(*hour)
    return again if again <= at else clock.first_moment(*hour)


def _whole_hour_after(at: datetime, zone: ZoneInfo) -> datetime:
    """`at`, or when the clock next shows a whole hour: that takes 90 minutes where it is put back
    by half an hour."""
    later = at + _NEARLY_AN_HOUR
    while (hour := whole_hour(later, zone)) < at:
        later += _NEARLY_AN_HOUR
    return hour
