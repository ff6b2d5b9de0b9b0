"""Messages as they are made, cancelled, skipped and tried again, in the booking's transaction."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any

from sqlalchemy import Integer, Select, bindparam, select, update
from sqlalchemy.orm import Session

from app import clock, outbox
from app.messages import quiet
from app.messages.eligibility import UNCOUNTED, as_of, is_pending, skip_reason
from app.messages.lifecycle import materialize
from app.messages.lifecycle.compare_and_set import enqueued_at, set_if
from app.models.booking import Booking
from app.models.message import Message
from app.rows import change_rows, table_of
from app.sql import constant, is_one_of

_message = table_of(Message).c
# Made once, as every cancel and every move needs them.
_MARK_UNWANTED = (
    update(table_of(Message))
    .where(
        _message.booking_id == bindparam("of_booking"),
        ~is_one_of(_message.kind, *UNCOUNTED),
        is_one_of(_message.state, "sending", "uncertain", "sent", "failed"),
    )
    .values(cancel_reason=bindparam("why"))
)
_CANCEL = (
    update(table_of(Message))
    .where(
        _message.booking_id == bindparam("of_booking"),
        _message.state == constant("pending"),
        _message.kind != constant("answer"),
    )
    .values(state=constant("cancelled"), reason=bindparam("why"), updated_at=bindparam("now"))
    .returning(_message.id, _message.enqueued_at)
)


def add(
    session: Session,
    booking_id: str,
    kind: str,
    *times: datetime,
    text: str | None = None,
    asked_for: bool = False,
) -> list[str]:
    """Store single messages with the next numbers; returns the job ids for Huey right now.

    `text` is that of an `answer`; all other kinds are rendered when they are sent. `asked_for` is
    a reminder that staff want now. A slot for which the booking has a message already is left out.
    The caller holds the booking's lock.
    """
    now = clock.now()
    first = materialize.last_number(session, booking_id, kind) + 1
    common = {"text": text, "asked_for": asked_for, "updated_at": now}
    rows = [
        materialize.new_message(
            booking_id, kind, number, at, **common, enqueued_at=enqueued_at(at, now)
        )
        for number, at in enumerate(times, start=first)
    ]
    return materialize.insert_messages(session, rows)


def cancel_pending(session: Session, booking_id: str, reason: str) -> list[str]:
    """End the plan, cancel what has not begun, mark the rest as unwanted; returns what is in Huey.

    A reminder in flight ends as cancelled if it turns out that it was not sent, and what failed
    or is not delivered is not tried again. The caller holds the booking's lock.
    """
    materialize.end(session, booking_id, reason)  # before the messages that a tick makes of it
    values = {"of_booking": booking_id, "why": reason, "now": clock.now()}
    # The mark first: a message that becomes pending meanwhile meets one UPDATE or the other.
    change_rows(session, _MARK_UNWANTED, values)
    cancelled = change_rows(session, _CANCEL, values).all()
    return [row.id for row in cancelled if row.enqueued_at is not None]


def retry(session: Session, message_id: str) -> bool:
    """Give a failed message a new set of tries, from now on; it is looked up before the first."""
    now = clock.now()
    return set_if(
        session,
        message_id,
        (Message.state == "failed") & Message.cancel_reason.is_(None),
        state="pending",
        reason=None,
        tries=0,
        dismissed_at=None,
        due_at=now,
        enqueued_at=now,
        verify_first=Message.attempts > 0,
    )


def dismiss(session: Session, job_ids: Iterable[str], is_dismissed: bool = True) -> Sequence[str]:
    """Take failed messages out of what staff see as failed, or put them back; returns which."""
    now = clock.now()
    statement = (
        update(Message)
        .where(
            Message.id.in_(list(job_ids)),
            is_one_of(Message.state, "failed"),
            Message.dismissed_at.is_(None) == is_dismissed,
        )
        .values(dismissed_at=now if is_dismissed else None)
        .returning(Message.id)
        .execution_options(synchronize_session=False)
    )
    return sorted(session.scalars(statement))


def skip(session: Session, job_ids: Iterable[str], reason: str) -> None:
    """Leave out what is pending and no longer worth sending, but for what somebody holds."""
    free = (
        select(Message.id)
        .where(Message.id.in_(list(job_ids)), is_pending())
        .with_for_update(skip_locked=True)
    )
    skipped = session.scalars(
        update(Message)
        .where(Message.id.in_(free))
        .values(state="skipped", reason=reason, updated_at=clock.now())
        .returning(Message.id)
        .execution_options(synchronize_session=False)
    )
    outbox.note_messages(session, "skipped", sorted(skipped))


def ineligible(session: Session, limit: int) -> Sequence[tuple[str, str]]:
    """Job ids of what is due but no longer worth sending, each with the reason."""
    statement = _ineligible(quiet.rule(session))
    rows = session.execute(statement, {"limit": limit, **as_of(clock.now())})
    return [(row[0], row[1]) for row in rows]


@lru_cache(maxsize=16)
def _ineligible(nights: quiet.Rule | None) -> Select[str, Any]:
    # Not a join: PostgreSQL takes most of what is pending for due, and would read all bookings.
    of_booking = select(skip_reason(nights)).where(Booking.id == Message.booking_id)
    reason = of_booking.correlate(Message).scalar_subquery()
    return (
        select(Message.id, reason)
        .where(is_pending(), Message.due_at <= bindparam("now"), reason.is_not(None))
        .order_by(Message.due_at)
        .limit(bindparam("limit", type_=Integer))
    )
