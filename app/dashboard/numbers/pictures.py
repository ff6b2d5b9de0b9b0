"""What is drawn of the numbers: bars in parts of a hundred, and how dark a cell is."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from app.models.shop import Barber
from app.reports.no_shows import Group
from app.reports.periods import Column
from app.reports.weeks import Tally, Weeks

HEIGHT = 100
"""Units of the highest bar; a page stretches it."""

SHADES = 8
"""How many shades a cell can have."""

_LEAST_TOP = 10  # bookings; so that two in a quiet week are no tower
_LOOK_FROM = 1.5  # times the rate of all
_LOOK_AT_LEAST = 3  # no-shows; one is chance


@dataclass(frozen=True)
class Rate:
    """A group of bookings as a bar: `width` of 100; `is_bad` if more stay away than of all."""

    name: str
    group: Group
    width: float
    is_bad: bool


@dataclass(frozen=True)
class Part:
    """A part of a column's bar, counted from its top."""

    kind: str
    y: float
    height: float


@dataclass(frozen=True)
class Stack:
    """A column of the period: what came of its bookings, as parts of a bar."""

    column: Column
    tally: Tally
    parts: Sequence[Part]
    is_before: bool


@dataclass(frozen=True)
class Cell:
    """Which part of a barber's open hours was booked (None: they did not work), and its shade."""

    part: float | None
    shade: int


@dataclass(frozen=True)
class Load:
    """A barber's cells, one for each column, and of the whole period."""

    barber: Barber
    cells: Sequence[Cell]
    whole: float | None


def rates(names: Sequence[str], groups: Sequence[Group]) -> list[Rate]:
    """A bar for each group; the longest is of the greatest rate."""
    most = max((each.rate or 0 for each in groups), default=0) or 1
    every = sum(groups, Group()).rate or 0
    return [
        Rate(name, each, round(100 * (each.rate or 0) / most, 1), _is_bad(each, every))
        for name, each in zip(names, groups, strict=True)
    ]


def _is_bad(group: Group, every: float) -> bool:
    return group.no_shows >= _LOOK_AT_LEAST and (group.rate or 0) > _LOOK_FROM * every


def stacks(weeks: Weeks) -> list[Stack]:
    """The columns that are shown, the earliest first."""
    columns = _shown(weeks)
    tallies = [weeks.tally([at]) for at in columns]
    top = max(_LEAST_TOP, *(each.bookings + each.cancelled for each in tallies))
    begin = len(weeks.period.columns) - weeks.period.count
    return [
        Stack(weeks.period.columns[at], each, _parts(each, top), at < begin)
        for at, each in zip(columns, tallies, strict=True)
    ]


def _parts(tally: Tally, top: int) -> list[Part]:
    numbers = (
        ("came", tally.came),
        ("unmarked", tally.unmarked),
        ("no-show", tally.no_shows),
        ("cancelled", tally.cancelled),
    )
    parts, floor = [], float(HEIGHT)
    for kind, number in numbers:
        if number:
            height = round(HEIGHT * number / top, 2)
            floor = round(floor - height, 2)
            parts.append(Part(kind, floor, height))
    return parts


def loads(weeks: Weeks) -> list[Load]:
    """A row for each barber."""
    period = range(len(weeks.period.columns) - weeks.period.count, len(weeks.period.columns))
    return [
        Load(
            each,
            [_cell(weeks.occupancy([at], [each])) for at in _shown(weeks)],
            weeks.occupancy(period, [each]),
        )
        for each in weeks.barbers
    ]


def first_days(weeks: Weeks) -> list[date]:
    """Of the columns that are shown."""
    return [weeks.period.columns[at].first for at in _shown(weeks)]


def _shown(weeks: Weeks) -> range:
    return range(len(weeks.period.columns) - weeks.period.shown, len(weeks.period.columns))


def _cell(part: float | None) -> Cell:
    return Cell(part, min(int((part or 0) * SHADES), SHADES - 1))
