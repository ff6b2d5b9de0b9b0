"""The rows of a board: five minutes each, counted from its top.

On a day's board rows are real time, so the day of a change to or from summer time has an hour less
or more. Where several days stand side by side they are the time of the clock, or the days would not
be level.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from app import clock
from app.dashboard.today.booked import Booked
from app.shop import hours
from app.shop.hours import Span

ROW = timedelta(minutes=5)
SLOT_ROWS = 6
"""Half an hour: how long a free time is that can be clicked (`.slot` in board.css)."""

SHORTEST = 3
"""Rows that a block needs to be read."""

_DAY = timedelta(days=1)
_HOUR = timedelta(hours=1)
_MOMENT = timedelta.resolution
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

    def rows(self, booking: Booked) -> tuple[int, int]:
        """The booking's first row, and the first one after it."""
        first = self.row(booking.starts_at)
        after = -((self.begins - min(booking.ends_at, self.ends)) // ROW)
        return first, max(after, first + SHORTEST)

    @property
    def height(self) -> int:
        """How many rows there are."""
        return (self.ends - self.begins) // ROW

    @property
    def hours_before(self) -> bool:
        """Whether the day has hours before the first row."""
        return self.begins > hours.of_calendar_day(self._day, self.zone)[0]

    @property
    def hours_after(self) -> bool:
        """Whether the day has hours after the last row."""
        return self.ends < hours.of_calendar_day(self._day, self.zone)[1]

    @property
    def _day(self) -> date:
        return self.begins.astimezone(self.zone).date()

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


@dataclass(frozen=True)
class ClockGrid(Grid):
    """The same by the shop's clock; `top` (without a zone) is where it begins. When the clock is
    put back, an hour's rows stand for two.
    """

    top: datetime
    clock_rows: int

    def row(self, at: datetime) -> int:
        wall = min(max(at, self.begins), self.ends).astimezone(self.zone).replace(tzinfo=None)
        return min(max(0, (wall - self.top) // ROW), self.clock_rows)

    def rows(self, booking: Booked) -> tuple[int, int]:
        first, after = self.row(booking.starts_at), self.row(booking.ends_at - _MOMENT) + 1
        return first, max(after, first + SHORTEST)

    @property
    def height(self) -> int:
        return self.clock_rows


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


def of_days(
    days: Sequence[date], zone: ZoneInfo, shown: Mapping[date, Sequence[Span]]
) -> list[ClockGrid]:
    """Level grids of several days: from the first whole hour of all that is to be shown on any of
    them to the last.
    """
    walls = [_wall(day, span, zone) for day in days for span in shown.get(day, ())]
    first = min(begin for begin, _ in walls) // _HOUR * _HOUR
    last = -(-max(end for _, end in walls) // _HOUR) * _HOUR
    now = clock.now()
    return [_clock_grid(day, first, max(last, first + _HOUR), zone, now) for day in days]


def _wall(day: date, span: Span, zone: ZoneInfo) -> tuple[timedelta, timedelta]:
    """How far into that day the clock is, as the span begins and as it ends."""
    begins, ends = hours.of_calendar_day(day, zone)
    first, last = max(span[0], begins), min(span[1], ends) - _MOMENT
    top = datetime.combine(day, time())
    begin, end = (at.astimezone(zone).replace(tzinfo=None) - top for at in (first, last))
    return begin, max(end, begin) + _MOMENT


def _clock_grid(
    day: date, first: timedelta, last: timedelta, zone: ZoneInfo, now: datetime
) -> ClockGrid:
    top = datetime.combine(day, time()) + first
    end = datetime.combine(day, time()) + last
    begins, ends = (clock.first_moment(at.date(), at.time(), zone) for at in (top, end))
    return ClockGrid(begins, ends, zone, now, top, clock_rows=(end - top) // ROW)


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
