"""A booking's timeline: its messages with their attempts and receipts, and what was done to it."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import Session

from app.messages import planned
from app.models.message import Attempt, Message, Receipt
from app.models.staff import AuditEvent, User

_EVER = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True)
class MessageEntry:
    """One message, as a plain row: `attempts` by number, `receipts` by time of arrival."""

    message: Message
    at: datetime
    attempts: list[Attempt] = field(default_factory=list)
    receipts: list[Receipt] = field(default_factory=list)


@dataclass(frozen=True)
class EventEntry:
    """Something that was done to the booking; `who` is a name, or what kind of actor it was."""

    event: AuditEvent
    at: datetime
    who: str

    @property
    def moved(self) -> tuple[datetime, datetime] | None:
        """From when to when the booking was moved; None if it was not."""
        times = self.event.details
        if "was" not in times:
            return None
        return datetime.fromisoformat(times["was"]), datetime.fromisoformat(times["starts_at"])

    @property
    def has_begun(self) -> bool:
        """Whether a message came of it, though that may have been stored a moment earlier."""
        return self.event.action == "booking.answered"

    @property
    def message(self) -> str:
        """The message that it was done to, in words: `reminder 3`; empty if it was the booking."""
        _, _, words = str(self.event.details.get("job_id", "")).partition("-")
        return words.replace("-", " ")


Entry = MessageEntry | EventEntry


def timeline(session: Session, booking_id: str) -> list[Entry]:
    """All that happened and is planned, in the order of time. Five queries, whatever the length."""
    messages = of_messages(session, booking_id)
    done = events(session, booking_id)
    begun = {each.event.details.get("job_id"): each.at for each in done if each.has_begun}
    entries: list[Entry] = [
        replace(entry, at=max(entry.at, begun.get(entry.message.id, _EVER))) for entry in messages
    ]
    # Of what has the same time, the event comes first: a message is what it led to.
    return sorted([*done, *entries], key=lambda entry: entry.at)


def of_messages(session: Session, booking_id: str) -> list[MessageEntry]:
    """A booking's messages of all kinds, in no order; `at` is when each was or is to be sent."""
    return _with_attempts(
        session,
        planned.messages_of(session, booking_id, moot=False),
        Message.booking_id == booking_id,
    )


def of_rows(session: Session, messages: Sequence[Message]) -> list[MessageEntry]:
    """The same for these messages, of whatever bookings, in their order."""
    return _with_attempts(session, messages, Message.id.in_([each.id for each in messages]))


def events(session: Session, subject: str) -> list[EventEntry]:
    """What was done to a booking, or another subject of the audit log, the oldest first."""
    rows = session.execute(
        select(AuditEvent, User.name)
        .outerjoin(User, AuditEvent.actor == "user:" + User.id)
        .where(AuditEvent.subject == subject)
        .order_by(AuditEvent.id)
    )
    return [EventEntry(event, event.at, name or _kind_of(event.actor)) for event, name in rows]


def _with_attempts(
    session: Session, messages: Sequence[Message], are_theirs: ColumnElement[bool]
) -> list[MessageEntry]:
    attempts, receipts = _attempts(session, are_theirs)
    return [
        MessageEntry(
            message,
            message.sent_at or message.planned_for,
            attempts[message.id],
            receipts[message.id],
        )
        for message in messages
    ]


def _attempts(
    session: Session, are_theirs: ColumnElement[bool]
) -> tuple[dict[str, list[Attempt]], dict[str, list[Receipt]]]:
    attempts: dict[str, list[Attempt]] = defaultdict(list)
    receipts: dict[str, list[Receipt]] = defaultdict(list)
    rows = session.execute(
        select(Attempt, Receipt)
        .join(Message, Message.id == Attempt.message_id)
        .outerjoin(Receipt, Receipt.attempt_id == Attempt.id)
        .where(are_theirs)
        .order_by(Attempt.number, Receipt.id)
    )
    for attempt, receipt in rows:
        if attempt not in attempts[attempt.message_id]:
            attempts[attempt.message_id].append(attempt)
        if receipt is not None:
            receipts[attempt.message_id].append(receipt)
    return attempts, receipts


def _kind_of(actor: str) -> str:
    kind, _, name = actor.partition(":")
    kinds = {
        "token": "the API",
        "customer": "the customer, by WhatsApp",
        "user": "a former member",
    }
    return kinds.get(kind, name or "Chairtime")
