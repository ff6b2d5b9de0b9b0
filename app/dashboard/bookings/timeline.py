"""A booking's timeline as its page tells it: what matters is in sight, the rest is folded away."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from app.conversations.service import ReplyEntry
from app.messages.entries import EventEntry, MessageEntry
from app.messages.quiet import QUIET_HOURS
from app.models.message import Message

Entry = MessageEntry | EventEntry | ReplyEntry

RECENT = 8
"""Entries of what happened that are in sight, before the older ones are folded."""

NEXT = 3
"""Planned reminders that are in sight."""

_CANCELLED_BY = {
    "rescheduled": "booking.rescheduled",
    "rule_changed": "booking.replanned",
    "booking_cancelled": "booking.cancelled",
    "undone": "booking.cancellation_undone",
}


@dataclass(frozen=True)
class TimelineItem:
    """An entry, and the messages that never began because of it, by their planned time."""

    entry: Entry
    cancelled: list[Message] = field(default_factory=list)

    @property
    def is_message(self) -> bool:
        return isinstance(self.entry, MessageEntry)

    @property
    def is_reply(self) -> bool:
        return isinstance(self.entry, ReplyEntry)


@dataclass(frozen=True)
class Timeline:
    """`earlier` and `later` are folded; `recent` is what happened, `upcoming` what is planned.

    `sent`, `failed` and `to_go` count the reminders. `last_sent` is what the customer saw last;
    `next` is the message that goes out next.
    """

    earlier: Sequence[TimelineItem]
    recent: Sequence[TimelineItem]
    upcoming: Sequence[TimelineItem]
    later: Sequence[TimelineItem]
    sent: int
    failed: int
    to_go: int
    last_sent: MessageEntry | None
    next: Message | None


def timeline_of(entries: Sequence[Entry], now: datetime) -> Timeline:
    """The timeline of entries that are in the order of time."""
    messages = [entry for entry in entries if isinstance(entry, MessageEntry)]
    planned = [entry for entry in messages if _is_planned(entry.message, now)]
    past = _past(entries, now)
    pending = [entry.message for entry in messages if entry.message.state == "pending"]
    sent = [entry for entry in messages if entry.message.state == "sent"]
    states = Counter(entry.message.state for entry in messages if entry.message.kind == "reminder")
    return Timeline(
        earlier=past[:-RECENT],
        recent=past[-RECENT:],
        upcoming=[TimelineItem(entry) for entry in planned[:NEXT]],
        later=[TimelineItem(entry) for entry in planned[NEXT:]],
        sent=states["sent"],
        failed=states["failed"],
        to_go=states["pending"],
        last_sent=sent[-1] if sent else None,
        next=min(pending, key=lambda message: message.due_at, default=None),
    )


def _is_planned(message: Message, now: datetime) -> bool:
    """To come and not tried; also what the quiet hours will leave out then."""
    is_quiet = message.state == "skipped" and message.reason == QUIET_HOURS
    is_waiting = message.state == "pending" or is_quiet
    return is_waiting and message.attempts == 0 and message.due_at > now


def _past(entries: Sequence[Entry], now: datetime) -> list[TimelineItem]:
    """What happened; what was cancelled before its first try goes with the event that did it."""
    events = [entry for entry in entries if isinstance(entry, EventEntry)]
    cancelled: dict[int, list[Message]] = {}
    items = []
    for entry in entries:
        if isinstance(entry, EventEntry):
            items.append(TimelineItem(entry, cancelled.setdefault(entry.event.id, [])))
        elif isinstance(entry, ReplyEntry):
            items.append(TimelineItem(entry))
        elif not _is_planned(entry.message, now):
            event = _cause(entry.message, events)
            if event is None:
                items.append(TimelineItem(entry))
            else:
                cancelled.setdefault(event.event.id, []).append(entry.message)
    return items


def _cause(message: Message, events: Sequence[EventEntry]) -> EventEntry | None:
    """The event that cancelled the message before it was ever tried: the first one after it."""
    if message.state != "cancelled" or message.attempts:
        return None
    action = _CANCELLED_BY.get(str(message.reason))
    fitting = [each for each in events if each.event.action == action]
    after = [each for each in fitting if each.at >= message.updated_at]
    return next(iter(after or fitting[-1:]), None)
