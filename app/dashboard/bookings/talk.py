"""The conversation about a booking as its page shows it: runs of reminders are folded to a line."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby

from app.conversations.service import ChatLine
from app.dashboard.labels import staff_word

SHOWN = 6
"""Turns that are in sight, before the older ones are folded."""


@dataclass(frozen=True)
class Turn:
    """Something that was said: a line, or reminders that followed each other, with a `summary`."""

    lines: Sequence[ChatLine]
    summary: str = ""

    @property
    def at(self) -> datetime:
        """When it began."""
        return self.lines[0].at

    @property
    def key(self) -> str:
        """What tells a fold from the others, whatever is said after it."""
        message = self.lines[0].message
        return message.id if message else ""


def turns_of(lines: Iterable[ChatLine], now: datetime) -> list[Turn]:
    """The turns of lines that are in the order of time."""
    turns: list[Turn] = []
    for is_reminder, group in groupby(lines, key=_is_reminder):
        run = list(group)
        if is_reminder:
            turns.append(Turn(run, _summary(run, now)))
        else:
            turns += [Turn([line]) for line in run]
    return turns


def _is_reminder(line: ChatLine) -> bool:
    return line.message is not None and line.message.kind == "reminder"


def _summary(run: Sequence[ChatLine], now: datetime) -> str:
    """`1 reminder, read`, `3 reminders, all read`, `3 reminders: 2 read, 1 delivered`."""
    counts = Counter(staff_word(line.message, now).text.lower() for line in run if line.message)
    if len(run) == 1:
        return f"1 reminder, {next(iter(counts))}"
    if len(counts) == 1:
        return f"{len(run)} reminders, all {next(iter(counts))}"
    each = ", ".join(f"{count} {word}" for word, count in counts.items())
    return f"{len(run)} reminders: {each}"
