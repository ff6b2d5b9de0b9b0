"""The state of a message in a word for staff, with the name of its colour, and as beads in a row.

The words are those of design.md §4; the colours are the tokens in `static/css/tokens.css`.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import NamedTuple

from app.messages.receipt_ranks import ASK_AFTER
from app.models.message import Message

NOT_DELIVERED_YET = (
    "WhatsApp has had it for a day. The phone is off, or the customer has blocked us: call them."
)

MOST_BEADS = 8
"""Beads that fit on a block of the board."""

_LEAST_DONE = 2  # of them, before those that are planned


class Word(NamedTuple):
    """A state: `text` for people, `colour` one of planned, due, sending, sent, ok, bad, none.

    `advice` says what to do about it, if there is anything.
    """

    text: str
    colour: str
    advice: str = ""


_Words = tuple[tuple[Word, int], ...]
"""Each with how many there are of it."""

_PLANNED, _RETRYING, _DUE = (
    Word("Planned", "planned"),
    Word("Retrying", "sending"),
    Word("Due", "due"),
)
_STUCK = Word("Not delivered yet", "due", NOT_DELIVERED_YET)
_WORDS = {
    "sending": Word("Sending", "sending"),
    "uncertain": Word("Checking", "sending"),
    "sent": Word("Sent", "sent"),
    "failed": Word("Failed", "bad"),
    "cancelled": Word("Cancelled", "none"),
    "skipped": Word("Skipped", "none"),
}
_RECEIPTS = {"delivered": Word("Delivered", "ok"), "read": Word("Read", "ok")}
_BOOKINGS = {
    "confirmed": Word("Confirmed", "ok"),
    "cancelled": Word("Cancelled", "none"),
    "completed": Word("Completed", "planned"),
    "no_show": Word("No-show", "due"),
}


@dataclass(frozen=True)
class Reminders:
    """A booking's reminders that were not cancelled: samples, each with how many are like it.

    Those `near` the present are by number, so that like ones follow each other. The `rest` were
    done before those, or are to come after them.
    """

    near: Sequence[tuple[Message, int]] = ()
    rest: Sequence[tuple[Message, int]] = ()


@dataclass(frozen=True, eq=False)
class Beads:
    """A row of beads: those that are shown, how many more there are, and all of them in words.

    There is one of all that look the same, so that they are told apart by what they are.
    """

    shown: Sequence[Word]
    earlier: int
    later: int
    summary: str


def staff_word(message: Message, now: datetime) -> Word:
    """What staff see of a message."""
    if message.state == "pending":
        return _waiting(message, now)
    if message.state == "sent" and message.delivery_status in _RECEIPTS:
        return _RECEIPTS[message.delivery_status]
    if message.state == "sent" and message.asks == len(ASK_AFTER) and message.ask_at is None:
        return _STUCK
    return _WORDS[message.state]


def booking_word(status: str) -> Word:
    """What staff see of a booking's status."""
    return _BOOKINGS[status]


def outcome(status: str, paid_at: datetime | None) -> str:
    """What became of a booking, in a word; empty as long as nobody has said."""
    if paid_at:
        return "Paid"
    return {"completed": "Came", "no_show": "No-show"}.get(status, "")


def beads(reminders: Reminders, now: datetime) -> Beads:
    """The beads of a booking's reminders: those that are done, then those to come.

    Of more than MOST_BEADS, the last ones that are done and the first that are to come are shown.
    """
    return _row(*_in_words(reminders.near, now), *_in_words(reminders.rest, now))


@lru_cache(maxsize=1_024)
def _row(done: _Words, coming: _Words, before: _Words, after: _Words) -> Beads:
    """Of those near the present, and of those before and after them."""
    all_done, all_coming = _number([*before, *done]), _number([*coming, *after])
    shown_done = min(all_done, max(_LEAST_DONE, MOST_BEADS - all_coming))
    shown_coming = min(all_coming, MOST_BEADS - shown_done)
    last, first = _each(done), _each(coming)
    return Beads(
        (*last[len(last) - shown_done :], *first[:shown_coming]),
        all_done - shown_done,
        all_coming - shown_coming,
        _summary([*before, *done, *coming, *after]),
    )


def _waiting(message: Message, now: datetime) -> Word:
    if message.due_at <= now:
        return _DUE
    return _RETRYING if message.attempts else _PLANNED


def _in_words(counted: Iterable[tuple[Message, int]], now: datetime) -> tuple[_Words, _Words]:
    """The words of those that are done, and of those to come."""
    done: list[tuple[Word, int]] = []
    coming: list[tuple[Word, int]] = []
    for message, count in counted:
        where = coming if message.state == "pending" else done
        where.append((staff_word(message, now), count))
    return tuple(done), tuple(coming)


def _each(words: _Words) -> list[Word]:
    return [word for word, count in words for _ in range(count)]


def _number(words: Iterable[tuple[Word, int]]) -> int:
    return sum(count for _, count in words)


def _summary(words: Iterable[tuple[Word, int]]) -> str:
    """How many there are of each word, in the order of the first of them."""
    counts: Counter[str] = Counter()
    for word, count in words:
        counts[word.text.lower()] += count
    return ", ".join(f"{count} {text}" for text, count in counts.items()) or "no reminders"
