"""Times of a shop's own at which it reminds: `3 days, 1 day, 90 minutes` before the appointment."""

import re
from collections.abc import Iterable
from datetime import timedelta
from functools import lru_cache

MOST = 10
"""So many there can be."""

LONGEST = timedelta(days=366)

_UNITS = {"week": 7 * 1440, "day": 1440, "hour": 60, "minute": 1}
"""Minutes of each, the longest first."""

_TIME = re.compile(r"([0-9]{1,6})\s*(w|weeks?|d|days?|h|hrs?|hours?|m|mins?|minutes?)")
_BETWEEN = re.compile(r"[,;\n]|\band\b")
_HINT = "This must be such as 3 days, 1 day, 90 minutes."


@lru_cache(maxsize=64)
def read(text: str) -> tuple[timedelta, ...]:
    """How long before the appointment each is, the longest first, each once. Raises ValueError."""
    parts = [part.strip() for part in _BETWEEN.split(text.lower()) if part.strip()]
    times = {_time(part) for part in parts}
    if not times:
        raise ValueError(_HINT)
    if len(times) > MOST:
        raise ValueError(f"This has {len(times)} times: {MOST} at the most.")
    return tuple(sorted(times, reverse=True))


def words(times: Iterable[timedelta]) -> str:
    """As `read` reads it: `3 days, 1 day, 90 minutes`."""
    return ", ".join(_words(each // timedelta(minutes=1)) for each in times)


def of_seconds(seconds: Iterable[int]) -> str:
    """As somebody would type them; `read` says what is wrong with them."""
    return ", ".join(f"{each} seconds" if each % 60 else f"{each // 60}m" for each in seconds)


def _time(part: str) -> timedelta:
    match = _TIME.fullmatch(part)
    if not match:
        raise ValueError(f"“{part[:30]}” is no time. {_HINT}")
    [minutes] = [each for unit, each in _UNITS.items() if unit[0] == match[2][0]]
    time = timedelta(minutes=int(match[1]) * minutes)
    if not timedelta() < time <= LONGEST:
        raise ValueError(f"“{part}” must be from 1 minute to {LONGEST.days} days.")
    return time


def _words(minutes: int) -> str:
    """In the longest unit that it is whole in."""
    unit, of_it = next((unit, each) for unit, each in _UNITS.items() if minutes % each == 0)
    number = minutes // of_it
    return f"{number} {unit}{'s' if number != 1 else ''}"
