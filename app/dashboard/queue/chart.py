"""The last hour as bars, drawn by the server: where each bar stands, and what it shows in words."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from app.messages.statistics import Minute

WIDTH, HEIGHT = 720, 120
"""Units of the drawing; a page stretches its width."""

_GAP = 2
_LEAST = 3  # units of the lowest bar that can be seen
_LEAST_TOP = 5  # messages; so one message in an hour is no tower


@dataclass(frozen=True)
class Bar:
    """A part of a minute's bar: `kind` is `sent` or `failed`, the failed on top."""

    kind: str
    x: float
    y: float
    width: float
    height: float
    minute: Minute


@dataclass(frozen=True)
class Chart:
    """Bars, the value at the top, and the sums for those who do not see them."""

    bars: list[Bar]
    top: int
    sent: int
    failed: int
    busiest: Minute | None
    begins_at: datetime
    ends_at: datetime


def draw(minutes: Sequence[Minute]) -> Chart:
    """The chart of these minutes, the oldest first; there is at least one."""
    top = max(_LEAST_TOP, *(each.sent + each.failed for each in minutes))
    step = WIDTH / len(minutes)
    bars = [bar for turn, each in enumerate(minutes) for bar in _bars(each, turn * step, step, top)]
    busiest = max(minutes, key=lambda each: each.sent)
    return Chart(
        bars=bars,
        top=top,
        sent=sum(each.sent for each in minutes),
        failed=sum(each.failed for each in minutes),
        busiest=busiest if busiest.sent else None,
        begins_at=minutes[0].starts_at,
        ends_at=minutes[-1].starts_at,
    )


def _bars(minute: Minute, x: float, step: float, top: int) -> list[Bar]:
    bars = []
    floor = float(HEIGHT)
    for kind, count in (("sent", minute.sent), ("failed", minute.failed)):
        if count:
            height = round(max(_LEAST, HEIGHT * count / top), 1)
            floor = max(0.0, round(floor - height, 1))
            bars.append(
                Bar(kind, round(x + _GAP / 2, 1), floor, round(step - _GAP, 1), height, minute)
            )
    return bars
