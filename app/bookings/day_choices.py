"""The days that the form of a booking offers beside each other, and what is free on each."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Literal

from app import clock, forms
from app.bookings.availability import Calendar
from app.bookings.fields import FARTHEST
from app.models.shop import Barber

SHOWN = 7

_DAY = timedelta(days=1)
_BEFORE = 3 * _DAY  # a day that is farther away stands in the middle


@dataclass(frozen=True)
class DayChoice:
    """A day of the shop's zone, and `free`: how many times of it are.

    `state` is "closed" if the shop is, "off" if nobody of those who could do it works, "over" if
    their hours have ended, else "free" or "full"; empty until it is known what is to be booked.
    """

    day: date
    state: Literal["closed", "off", "over", "free", "full", ""]
    free: int = 0


def days_from(begun: str, day: date | None, today: date) -> list[date]:
    """The days that are offered: from the one that the form began with (2026-11-23), else from
    today, or around `day` if that is more than a week away.
    """
    first = _begun(begun, today)
    if first is None:
        is_near = day is None or day < today + SHOWN * _DAY
        first = today if is_near or day is None else day - _BEFORE
    return [first + away * _DAY for away in range(SHOWN)]


def of_calendar(
    days: Calendar, barbers: Sequence[Barber], free: Mapping[date, Sequence[datetime]] | None
) -> list[DayChoice]:
    """What can be said of each day: of these barbers, or without them of the shop."""
    count = (days.last - days.first).days + 1
    return [_of_day(days, days.first + away * _DAY, barbers, free) for away in range(count)]


def _of_day(
    days: Calendar,
    day: date,
    barbers: Sequence[Barber],
    free: Mapping[date, Sequence[datetime]] | None,
) -> DayChoice:
    who: Sequence[Barber | None] = barbers or [None]
    ends = [end for each in who for _, end in days.open_on(each, day)]
    if not ends:
        return DayChoice(day, "off" if days.open_on(None, day) else "closed")
    if max(ends) <= clock.now():
        return DayChoice(day, "over")
    if free is None:
        return DayChoice(day, "")
    times = len(free.get(day, ()))
    return DayChoice(day, "free" if times else "full", times)


def _begun(begun: str, today: date) -> date | None:
    try:
        first = forms.day(begun)
    except ValueError:
        return None
    return first if abs(first - today) <= FARTHEST else None
