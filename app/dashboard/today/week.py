"""A week: of a barber as a board with a column for each day, of the shop as a list for each day and
barber.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from itertools import chain

from sqlalchemy.orm import Session

from app.bookings import availability
from app.bookings.availability import Calendar
from app.dashboard.today import booked, grid, lines, load
from app.dashboard.today.booked import Booked
from app.dashboard.today.cells import Column, column
from app.dashboard.today.grid import Grid
from app.dashboard.today.lines import Line
from app.dashboard.today.load import Load
from app.models.shop import Barber
from app.shop import hours
from app.shop import service as shop_service
from app.shop.hours import Span
from app.web import times

_DAY = timedelta(days=1)


@dataclass(frozen=True)
class Day:
    """What the head of a day's column says. `closed` is what the shop is closed for."""

    date: date
    load: Load
    closed: str


@dataclass(frozen=True)
class BarberWeek:
    """A barber's week: each day with its column and the moment at which its rows begin.

    `begins`, `ends` and `folded` are as of `day.Board`, of the first day.
    """

    barber: Barber
    days: Sequence[tuple[Day, Column, datetime]]
    begins: datetime
    ends: datetime
    folded: tuple[bool, bool]
    rows: int
    hours: Sequence[tuple[int, datetime]]
    now_row: int | None
    cancelled: int


@dataclass(frozen=True)
class Cell:
    """A barber's day in the week of the shop. `away`: why they take no bookings that day, if so."""

    barber: Barber
    lines: tuple[Line, ...]
    load: Load
    away: str | None

    def booked(self, currency: str) -> Decimal:
        """As `Column.booked`."""
        return load.total(self.lines, currency)


@dataclass(frozen=True)
class ShopWeek:
    """The shop's week: each day with a cell for each barber."""

    barbers: Sequence[Barber]
    days: Sequence[tuple[Day, Sequence[Cell]]]


def days_of(session: Session, day: date) -> list[date]:
    """The week of that day, from the day with which weeks begin where the shop is."""
    first = times.first_weekday(shop_service.shop(session).locale)
    begins = day - (day.weekday() - first) % 7 * _DAY
    return [begins + away * _DAY for away in range(7)]


def of_barber(
    session: Session, barber: Barber, days: Sequence[date], *, is_whole: bool = False
) -> BarberWeek:
    """As many statements as a day's board. `is_whole` is as of that."""
    calendar = availability.calendar(session, days[0], days[-1])
    bookings = booked.bookings(session, *_limits(calendar), barber.id)
    kept = [each for each in bookings if each.status != "cancelled"]
    whole = {days[0]: [hours.of_calendar_day(days[0], calendar.zone)]}
    shown = whole if is_whole else _shown(calendar, barber, days, kept)
    grids = grid.of_days(days, calendar.zone, shown)
    reminders = booked.reminders(session, bookings)
    columns = [
        column(frame, calendar, barber, day, _of_day(calendar, bookings, day), reminders)
        for day, frame in zip(days, grids, strict=True)
    ]
    return BarberWeek(
        barber,
        [
            (_day(calendar, [barber], each.day, each.bookings), each, _begins(frame))
            for each, frame in zip(columns, grids, strict=True)
        ],
        begins=grids[0].begins,
        ends=grids[0].ends,
        folded=(grids[0].hours_before, grids[0].hours_after),
        rows=grids[0].height,
        hours=list(grids[0].hours()),
        now_row=next((each.now_row for each in grids if each.now_row is not None), None),
        cancelled=len(bookings) - len(kept),
    )


def of_shop(session: Session, days: Sequence[date]) -> ShopWeek:
    """The barbers who take bookings, and those switched off who have some that week."""
    calendar = availability.calendar(session, days[0], days[-1])
    found = lines.lines(session, *_limits(calendar))
    cells: dict[tuple[date, str], list[Line]] = defaultdict(list)
    for each in found:
        cells[each.starts_at.astimezone(calendar.zone).date(), each.barber_id].append(each)
    barbers = booked.barbers_of(session, {each.barber_id for each in found})
    return ShopWeek(
        barbers,
        [
            (
                _day(calendar, barbers, day, chain(*(cells[day, each.id] for each in barbers))),
                [_cell(calendar, each, day, cells[day, each.id]) for each in barbers],
            )
            for day in days
        ],
    )


def _limits(calendar: Calendar) -> Span:
    begins, _ = hours.of_calendar_day(calendar.first, calendar.zone)
    _, ends = hours.of_calendar_day(calendar.last, calendar.zone)
    return begins, ends


def _shown(
    calendar: Calendar, barber: Barber, days: Sequence[date], bookings: Iterable[Booked]
) -> Mapping[date, Sequence[Span]]:
    """What the board must have room for: the barber's hours, or such as usual, and the bookings."""
    days = [
        calendar.first + away * _DAY for away in range((calendar.last - calendar.first).days + 1)
    ]
    taken = [(each.starts_at, each.ends_at) for each in bookings]
    shown = {
        day: [
            *calendar.open_on(barber, day),
            *hours.within(taken, hours.of_calendar_day(day, calendar.zone)),
        ]
        for day in days
    }
    return shown if any(shown.values()) else {days[0]: [calendar.usual_on(days[0])]}


def _of_day(calendar: Calendar, bookings: Iterable[Booked], day: date) -> list[Booked]:
    begins, ends = hours.of_calendar_day(day, calendar.zone)
    return [each for each in bookings if each.starts_at < ends and begins < each.ends_at]


def _begins(frame: Grid) -> datetime:
    """When the rows would begin by their end: right after a change of the clock at night."""
    return frame.ends - frame.height * grid.ROW


def _day(
    calendar: Calendar, barbers: Sequence[Barber], day: date, bookings: Iterable[Booked | Line]
) -> Day:
    return Day(day, load.of_day(calendar, barbers, day, bookings), calendar.closed.get(day, ""))


def _cell(calendar: Calendar, barber: Barber, day: date, found: Sequence[Line]) -> Cell:
    outside = calendar.day_off(barber, day)
    why = (outside.closed or (outside.away.name if outside.away else "")) if outside else None
    return Cell(barber, tuple(found), load.of_day(calendar, [barber], day, found), why)
