"""Which weeks a report is of: whole ones that are over, and as many before them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Literal, get_args

from sqlalchemy.orm import Session

from app import clock
from app.models.shop import Shop
from app.shop.service import shop, time_zone
from app.web.times import first_weekday

Length = Literal["week", "4weeks", "year"]
LENGTHS: tuple[Length, ...] = get_args(Length)

EARLIEST = date(2000, 1, 1)

AT_ONCE = 4
"""Columns that a statement reads: of more PostgreSQL would rather read the whole table."""

_WEEK = timedelta(weeks=1)


@dataclass(frozen=True)
class _Shape:
    """A period is `count` columns of some `weeks`, shown with those before it, `shown` in all."""

    weeks: int
    count: int
    shown: int


_SHAPES: dict[Length, _Shape] = {
    "week": _Shape(weeks=1, count=1, shown=8),
    "4weeks": _Shape(weeks=1, count=4, shown=8),
    "year": _Shape(weeks=4, count=13, shown=13),
}


@dataclass(frozen=True)
class Column:
    """Some whole weeks on the shop's clock, from their first day to their last."""

    first: date
    last: date


@dataclass(frozen=True)
class Period:
    """What is looked at: the last `count` of the `columns`, beside as many before them.

    The last `shown` of them are drawn, so that one week is not all that one sees.
    """

    length: Length
    columns: Sequence[Column]
    count: int
    shown: int

    @property
    def first(self) -> date:
        """Its first day."""
        return self.columns[-self.count].first

    @property
    def last(self) -> date:
        """Its last day."""
        return self.columns[-1].last


def of(session: Session, length: Length, day: date | None = None) -> Period:
    """The period that ends with the week of that day, or with the last week that is over."""
    row, shape = shop(session), _SHAPES[length]
    last = last_day(row)
    if day is not None:
        last = min(last, _week_of(row, day) + _WEEK - timedelta(days=1))
    width = shape.weeks * _WEEK
    number = max(shape.shown, 2 * shape.count)
    after = last + timedelta(days=1)
    firsts = [after - turn * width for turn in range(number, 0, -1)]
    columns = [Column(first, first + width - timedelta(days=1)) for first in firsts]
    return Period(length, columns, shape.count, shape.shown)


def last_day(row: Shop) -> date:
    """The end of the last week that is over in the shop."""
    today = clock.now().astimezone(time_zone(row)).date()
    return _week_of(row, today) - timedelta(days=1)


def _week_of(row: Shop, day: date) -> date:
    """With which day the week of `day` begins where the shop is."""
    return day - timedelta(days=(day.weekday() - first_weekday(row.locale)) % 7)
