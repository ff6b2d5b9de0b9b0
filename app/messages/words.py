"""The state of a message in a word for staff, with the name of its colour, and as beads in a row.

The words are those of design.md §4; the colours are the tokens in `static/css/tokens.css`.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from app.messages.models import Message

MOST_BEADS = 8
"""Beads that fit on a block of the board."""

_LEAST_DONE = 2  # of them, before those that are planned

_WORDS = {
    "sending": ("Sending", "sending"),
    "uncertain": ("Checking", "sending"),
    "sent": ("Sent", "sent"),
    "failed": ("Failed", "bad"),
    "cancelled": ("Cancelled", "none"),
    "skipped": ("Skipped", "none"),
}
_RECEIPTS = {"delivered": ("Delivered", "ok"), "read": ("Read", "ok")}
_BOOKINGS = {
    "confirmed": ("Confirmed", "ok"),
    "cancelled": ("Cancelled", "none"),
    "completed": ("Completed", "planned"),
    "no_show": ("No-show", "due"),
}


@dataclass(frozen=True)
class Word:
    """A state: `text` for people, `colour` one of planned, due, sending, sent, ok, bad, none."""

    text: str
    colour: str


@dataclass(frozen=True)
class Beads:
    """A row of beads: those that are shown, how many more there are, and all of them in words."""

    shown: Sequence[Word]
    earlier: int
    later: int
    summary: str


def staff_word(message: Message, now: datetime) -> Word:
    """What staff see of a message."""
    if message.state == "pending":
        return _waiting(message, now)
    if message.state == "sent" and message.delivery_status in _RECEIPTS:
        return Word(*_RECEIPTS[message.delivery_status])
    return Word(*_WORDS[message.state])


def booking_word(status: str) -> Word:
    """What staff see of a booking's status."""
    return Word(*_BOOKINGS[status])


def beads(messages: Iterable[Message], now: datetime, at_most: int = MOST_BEADS) -> Beads:
    """A booking's reminders in the order of their numbers, without those that were cancelled.

    Of more than `at_most`, the last ones that are done and the first that are to come are shown.
    """
    rows = sorted(
        (each for each in messages if each.kind == "reminder" and each.state != "cancelled"),
        key=lambda message: message.number,
    )
    words = [staff_word(row, now) for row in rows]
    first = _first_shown(rows, at_most)
    shown = words[first : first + at_most]
    counts = Counter(word.text.lower() for word in words)
    summary = ", ".join(f"{count} {text}" for text, count in counts.items())
    return Beads(shown, first, len(words) - first - len(shown), summary or "no reminders")


def _waiting(message: Message, now: datetime) -> Word:
    if message.due_at <= now:
        return Word("Due", "due")
    return Word("Retrying", "sending") if message.attempts else Word("Planned", "planned")


def _first_shown(rows: Sequence[Message], at_most: int) -> int:
    done = sum(row.state != "pending" for row in rows)
    wanted = max(done - at_most + 1, done - max(_LEAST_DONE, at_most - (len(rows) - done)))
    return max(0, min(wanted, len(rows) - at_most))
