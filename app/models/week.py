"""A week of hours, which is one value: it is read whole, replaced whole and compared whole."""

from collections.abc import Sequence
from datetime import time
from typing import NamedTuple

from sqlalchemy import JSON, Dialect
from sqlalchemy.types import TypeDecorator

DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


class Hours(NamedTuple):
    """From when to when on the shop's clock; to a time no later than `opens` is to the next day."""

    opens: time
    closes: time


Week = tuple[tuple[Hours, ...], ...]
"""The hours of each day, Monday's first, in their order; none on a day that is closed. What lies
between two of a day is a break, and only a day's last ones go past midnight.
"""


def every_day(opens: time, closes: time) -> Week:
    """A week in which each day has the same hours."""
    return ((Hours(opens, closes),),) * len(DAYS)


class WeekType(TypeDecorator[Week]):
    """A Week as JSON that one can read: `[[["09:00", "13:00"], ["14:00", "19:00"]], …]`."""

    impl = JSON(none_as_null=True)
    cache_ok = True

    def process_bind_param(self, value: Week | None, _dialect: Dialect) -> list[object] | None:
        if value is None:
            return None
        return [[[f"{at:%H:%M}" for at in hours] for hours in day] for day in value]

    def process_result_value(
        self, value: Sequence[Sequence[Sequence[str]]] | None, _dialect: Dialect
    ) -> Week | None:
        if value is None:
            return None
        return tuple(
            tuple(Hours(*map(time.fromisoformat, hours)) for hours in day) for day in value
        )
