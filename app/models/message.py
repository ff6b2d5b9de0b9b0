"""Tables of messages, their attempts and receipts, and whether anything may be sent at all.

The constraints make a doubled or half-made message impossible to store. Only `lifecycle` writes
the state of a message.
"""

from datetime import date, datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, String, Text, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.db import Base, UtcDateTime
from app.models.booking import Booking

STATES = ("pending", "sending", "uncertain", "sent", "failed", "cancelled", "skipped")
KINDS = ("reminder", "cancellation", "confirmation", "moved", "answer")
OUTCOMES = ("accepted", "refused", "not_sent", "undelivered")

_ENDED_BADLY = "state IN ('failed', 'cancelled', 'skipped')"
_IN_FLIGHT = "state IN ('sending', 'uncertain')"


def _partial(name: str, *columns: str, where: str, unique: bool = False) -> Index:
    condition = text(where)
    return Index(name, *columns, unique=unique, postgresql_where=condition, sqlite_where=condition)


class Message(Base):
    """One outgoing WhatsApp message of a booking; its id is its job id and its Huey task id."""

    __tablename__ = "message"
    __table_args__ = (
        CheckConstraint(f"state IN {STATES}", name="state"),
        CheckConstraint(f"kind IN {KINDS}", name="kind"),
        CheckConstraint("number > 0", name="number"),
        CheckConstraint("id = booking_id || '-' || kind || '-' || number", name="job_id"),
        CheckConstraint(
            f"({_IN_FLIGHT}) = (sending_to IS NOT NULL AND attempt_id IS NOT NULL)",
            name="in_flight",
        ),
        CheckConstraint("(state = 'sending') = (lease_until IS NOT NULL)", name="lease"),
        CheckConstraint("state <> 'uncertain' OR check_at IS NOT NULL", name="check"),
        CheckConstraint(
            "check_at IS NULL OR state = 'uncertain' OR reason = 'unresolved'",
            name="check_unsettled",
        ),
        CheckConstraint(
            "(state = 'sent') = (sid IS NOT NULL AND sent_at IS NOT NULL)", name="sent_has_sid"
        ),
        CheckConstraint(f"({_ENDED_BADLY}) = (reason IS NOT NULL)", name="reason"),
        CheckConstraint("(kind = 'answer') = (text IS NOT NULL)", name="text"),
        CheckConstraint("ask_at IS NULL OR state = 'sent'", name="ask"),
        CheckConstraint("dismissed_at IS NULL OR state = 'failed'", name="dismissed"),
        UniqueConstraint("booking_id", "kind", "number"),
        _partial(
            "uq_message_slot",
            "booking_id",
            "planned_for",
            where="kind = 'reminder' AND state IN ('pending', 'sending', 'uncertain', 'sent')",
            unique=True,
        ),
        # One POST at a time to a person, so that Twilio's list shows clearly what became of it.
        _partial("uq_message_in_flight", "sending_to", where="sending_to IS NOT NULL", unique=True),
        _partial("ix_message_due", "due_at", where="state = 'pending'"),
        _partial("ix_message_lease", "lease_until", where="state = 'sending'"),
        _partial("ix_message_check", "check_at", where="check_at IS NOT NULL"),
        _partial("ix_message_failed", "updated_at", where="state = 'failed'"),
        _partial(
            "ix_message_failed_of_booking",
            "booking_id",
            where="state = 'failed' AND dismissed_at IS NULL",
        ),
        _partial(
            "ix_message_revoked", "due_at", where="state = 'cancelled' AND enqueued_at IS NOT NULL"
        ),
        _partial("ix_message_sent", "sent_at", where="state = 'sent'"),
        _partial("ix_message_ask", "ask_at", where="ask_at IS NOT NULL"),
        Index(None, "updated_at"),
    )

    id: Mapped[str] = mapped_column(String(80), primary_key=True)
    booking_id: Mapped[str] = mapped_column(ForeignKey("booking.id"))
    kind: Mapped[str] = mapped_column(String(20))
    number: Mapped[int]
    state: Mapped[str] = mapped_column(String(10))
    planned_for: Mapped[datetime] = mapped_column(UtcDateTime)
    due_at: Mapped[datetime] = mapped_column(UtcDateTime)  # when the next try may start
    reason: Mapped[str | None] = mapped_column(String(40))
    attempts: Mapped[int] = mapped_column(default=0)  # POSTs begun so far
    tries: Mapped[int] = mapped_column(default=0)  # those that count against RETRY_DELAYS
    enqueued_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    attempt_id: Mapped[str | None] = mapped_column(String(36))  # of the claim, then of its POST
    sending_to: Mapped[str | None] = mapped_column(String(20))  # the person
    lease_until: Mapped[datetime | None] = mapped_column(UtcDateTime)
    check_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    checks: Mapped[int] = mapped_column(default=0)
    verify_first: Mapped[bool] = mapped_column(default=False)
    cancel_reason: Mapped[str | None] = mapped_column(String(40))  # why it is unwanted, if too late
    sid: Mapped[str | None] = mapped_column(String(34))
    sent_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    delivery_status: Mapped[str | None] = mapped_column(String(20))
    delivery_rank: Mapped[int] = mapped_column(default=0)
    error_code: Mapped[str | None] = mapped_column(String(32))
    doubled: Mapped[bool] = mapped_column(default=False)  # seen at Twilio more than once
    text: Mapped[str | None] = mapped_column(Text)  # of an answer, as staff wrote it
    asked_for: Mapped[bool] = mapped_column(default=False)  # by staff: of no plan, and at any hour
    dismissed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)  # staff need not see it
    ask_at: Mapped[datetime | None] = mapped_column(UtcDateTime)  # when to ask what became of it
    asks: Mapped[int] = mapped_column(default=0)
    updated_at: Mapped[datetime] = mapped_column(UtcDateTime)

    booking: Mapped[Booking] = relationship(lazy="raise_on_sql")


class Attempt(Base):
    """One POST to Twilio. Its id travels in the StatusCallback URL and finds its way back.

    The row is committed before the POST begins: no row means that certainly nothing was sent.
    `outcome` is empty while nobody knows what came of it.
    """

    __tablename__ = "attempt"
    __table_args__ = (
        CheckConstraint(f"outcome IN {OUTCOMES}", name="outcome"),
        UniqueConstraint("message_id", "number"),
        UniqueConstraint("sid"),
        _partial("ix_attempt_open", "sent_to", "started_at", where="sid IS NULL"),
    )

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    message_id: Mapped[str] = mapped_column(ForeignKey("message.id"))
    number: Mapped[int]
    sent_to: Mapped[str] = mapped_column(String(20))
    body: Mapped[str] = mapped_column(Text)
    started_at: Mapped[datetime] = mapped_column(UtcDateTime)
    ended_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    outcome: Mapped[str | None] = mapped_column(String(20))
    sid: Mapped[str | None] = mapped_column(String(34))
    error_code: Mapped[str | None] = mapped_column(String(32))
    error_detail: Mapped[str | None] = mapped_column(String(300))


class Receipt(Base):
    """A delivery status from Twilio, kept as it came; `attempt_id` is empty if we know none."""

    __tablename__ = "receipt"
    __table_args__ = (UniqueConstraint("callback_id", "sid", "status", "error_code"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    attempt_id: Mapped[str | None] = mapped_column(ForeignKey("attempt.id"), index=True)
    callback_id: Mapped[str] = mapped_column(String(36))
    sid: Mapped[str] = mapped_column(String(34))
    status: Mapped[str] = mapped_column(String(32))
    error_code: Mapped[str] = mapped_column(String(32))
    received_at: Mapped[datetime] = mapped_column(UtcDateTime)


class DailySent(Base):
    """How many messages were sent on a day (UTC), so that counting them never grows."""

    __tablename__ = "daily_sent"

    day: Mapped[date] = mapped_column(primary_key=True)
    messages: Mapped[int]


class Sending(Base):
    """Whether messages may go out at all: a single row.

    `breaker_code` is set by a configuration error, which would fail every message alike; one
    probe goes out at `probe_at`, and what it meets closes the breaker or sets the next one.
    """

    __tablename__ = "sending"
    __table_args__ = (CheckConstraint("id = 1", name="single_row"),)

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    paused_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    paused_by: Mapped[str | None] = mapped_column(String(120))
    breaker_code: Mapped[str | None] = mapped_column(String(32))
    breaker_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    probe_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    probes: Mapped[int] = mapped_column(default=0)
    slow_until: Mapped[datetime | None] = mapped_column(UtcDateTime)
    slowed: Mapped[int] = mapped_column(default=0)  # times in a row
    replies_at: Mapped[datetime | None] = mapped_column(UtcDateTime)  # when to fetch missed ones


class Worker(Base):
    """A worker process and when it was last seen alive; used for display and alarms only."""

    __tablename__ = "worker"

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    host: Mapped[str] = mapped_column(String(100))
    pid: Mapped[int]
    threads: Mapped[int]
    started_at: Mapped[datetime] = mapped_column(UtcDateTime)
    seen_at: Mapped[datetime] = mapped_column(UtcDateTime)
    queue_away_since: Mapped[datetime | None] = mapped_column(UtcDateTime)
