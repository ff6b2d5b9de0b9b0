"""The only place that knows what time it is, and how a clock on the wall tells it.

The clock of a zone may be put forward, so that it leaps over times, or back, so that it shows some
twice; also by half an hour, also at midnight. So a day and a time become a moment only here, and
all sums are of moments, in UTC: adding to what a clock shows is wrong on such a day.

Programs on several hosts compare the times that they write, so all go by one clock: PostgreSQL's,
which `app.db` asks for now and then. In between a steady clock counts, which nobody sets. With
SQLite there is one host, and its own clock.
"""

import time as steady
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from typing import NamedTuple
from zoneinfo import ZoneInfo

SKEW = timedelta(seconds=60)
"""What is stamped later than that from now was stamped before the clock was set back."""

_ASK_EVERY = 5.0  # seconds
_QUICK = 0.1  # seconds; the answer is wrong by half of what it took at the most
_GOOD_FOR = 60.0  # seconds that an answer that took longer is not worth taking
_BOOT = getattr(steady, "CLOCK_BOOTTIME", steady.CLOCK_MONOTONIC)  # counts while asleep, on Linux


class _Known(NamedTuple):
    """The database's time `at` a moment of the steady clock."""

    at: datetime
    steady_at: float


_moved: ContextVar[datetime | None] = ContextVar("moved", default=None)
_known: _Known | None = None
_asked_at: float | None = None


def now() -> datetime:
    """The current time, aware, in UTC; in a block of `at`, that one."""
    return _moved.get() or shared()


@contextmanager
def at(moment: datetime) -> Iterator[None]:
    """Make it `moment` (aware) for what this block does, and for nobody else: other threads go on.

    So a past can be told by the services that would have made it.
    """
    token = _moved.set(moment.astimezone(UTC))
    try:
        yield
    finally:
        _moved.reset(token)


def is_usable(at: datetime | None) -> bool:
    """Whether it has an offset, and is not so far off that it has no equal in UTC; as has none."""
    return at is None or (at.tzinfo is not None and 1 < at.year < 9999)


def shared() -> datetime:
    """The time that all programs go by, aware, in UTC."""
    known = _known
    if known is None:
        return host()
    return known.at + timedelta(seconds=_steady() - known.steady_at)


def host() -> datetime:
    """The time of this host's own clock, aware, in UTC, which may be wrong: to compare it only."""
    return datetime.now(UTC)


def is_to_be_asked() -> bool:
    """Whether it is time to ask the database for its time."""
    return _asked_at is None or _steady() - _asked_at > _ASK_EVERY


def agree(ask: Callable[[], datetime]) -> None:
    """Go by the database's clock: `ask` returns its time, aware. Raises what that raises."""
    global _known
    asked_at = _steady()
    at = ask()
    ask_later()
    took = _steady() - asked_at
    known = _known
    if known is None or took <= _QUICK or asked_at - known.steady_at > _GOOD_FOR:
        _known = _Known(at.astimezone(UTC), asked_at + took / 2)


def ask_later() -> None:
    """Ask not again for some seconds, whatever came of it."""
    global _asked_at
    _asked_at = _steady()


def _steady() -> float:
    return steady.clock_gettime(_BOOT)


@lru_cache(maxsize=4_096)  # opening and closing of two years of days, which Numbers looks at
def first_moment(day: date, at: time, zone: ZoneInfo) -> datetime:
    """When the clock of `zone` shows that time that day, for the first time; in UTC.

    If it leaps over it, when it leaps. Raises OverflowError at either end of the calendar.
    """
    return _moment(day, at.replace(fold=0), zone)


def last_moment(day: date, at: time, zone: ZoneInfo) -> datetime:
    """The same for the last time that the clock shows it: another moment if it is put back."""
    return _moment(day, at.replace(fold=1), zone)


def midnight(day: date, zone: ZoneInfo) -> datetime:
    """When the day begins, in UTC."""
    return first_moment(day, time(), zone)


def is_leapt_over(day: date, at: time, zone: ZoneInfo) -> bool:
    """Whether the clock never shows that time that day."""
    wall = datetime.combine(day, at, zone)
    return wall.astimezone(UTC).astimezone(zone).replace(tzinfo=None) != wall.replace(tzinfo=None)


def comes_twice(at: datetime, zone: ZoneInfo) -> bool:
    """Whether the clock shows the time that it shows at `at` (aware) at another moment too."""
    local = at.astimezone(zone)
    return local.replace(fold=0).utcoffset() != local.replace(fold=1).utcoffset()


def zone_name(at: datetime, zone: ZoneInfo) -> str:
    """What the zone's time is called at `at` (aware): `BST`, or `UTC-03` where it has no name."""
    name = at.astimezone(zone).tzname() or ""
    return f"UTC{name}" if name.startswith(("+", "-")) else name


def _moment(day: date, at: time, zone: ZoneInfo) -> datetime:
    if is_leapt_over(day, at, zone):
        return _leap(day, at, zone)
    return datetime.combine(day, at, zone).astimezone(UTC)


def _leap(day: date, at: time, zone: ZoneInfo) -> datetime:
    """When the clock leaps over that time: to the second, as all changes are."""
    before, after = (  # each is what the clock would show then if it were not put forward
        datetime.combine(day, at.replace(fold=fold), zone).astimezone(UTC) for fold in (1, 0)
    )
    offset = before.astimezone(zone).utcoffset()
    while after - before > timedelta(seconds=1):
        middle = before + timedelta(seconds=(after - before) // timedelta(seconds=2))
        if middle.astimezone(zone).utcoffset() == offset:
            before = middle
        else:
            after = middle
    return after.replace(microsecond=0)


OFFSET_HINT = "This needs an offset, e.g. 2026-11-23T18:00:00Z."
"""What is wrong with a time without a zone."""

USABLE_HINT = "This needs an offset, and a year from 2 to 9998, e.g. 2026-11-23T18:00:00Z."
"""What is wrong with a time that is not `is_usable`."""
