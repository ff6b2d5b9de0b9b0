"""The pieces of every transition: the compare-and-set, and the locks around it."""

from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any

from sqlalchemy import Connection, Select, bindparam, case, select
from sqlalchemy.orm import Session

from app import clock, outbox, rows
from app.messages import quiet
from app.messages.eligibility import as_of, skip_reason
from app.models.booking import Booking
from app.models.message import Attempt, Message
from app.rows import hold, past_orm, table_of
from app.settings import settings
from app.sql import is_one_of

ENQUEUE_WINDOW = timedelta(minutes=5)
"""What is due this soon is put into Huey at once; the rest waits in the database for a tick."""

OUT_OF_FLIGHT: dict[str, Any] = {
    "sending_to": None,
    "lease_until": None,
    "check_at": None,
    "dismissed_at": None,
}
_NOT_SENT: dict[str, Any] = {
    "sid": None,
    "sent_at": None,
    "delivery_status": None,
    "delivery_rank": 0,
    "ask_at": None,
    "asks": 0,
}


_booking = table_of(Booking).c
_LOCKED = {
    to_change: select(*_booking)
    .where(_booking.id == bindparam("id"))
    # Not "for update": that would keep off foreign keys' checks too, and end in deadlocks.
    .with_for_update(read=not to_change, key_share=to_change)
    for to_change in (False, True)
}
_HOLD_BOOKING = select(_booking.id).where(_booking.id == bindparam("id")).with_for_update(read=True)


def job_id(booking_id: str, kind: str, number: int) -> str:
    """A message's id, which is its Huey task's id too."""
    return f"{booking_id}-{kind}-{number}"


def booking_of(job_id: str) -> str:
    """The booking's id in a job id."""
    return job_id.rsplit("-", 2)[0]


def kind_of(job_id: str) -> str:
    """The message's kind in a job id."""
    return job_id.rsplit("-", 2)[1]


def lock_booking(session: Session, booking_id: str, *, to_change: bool = False) -> Booking | None:
    """The booking, held against a change until the transaction's end; None if there is none.

    Senders share it, and who changes or cancels it has it alone: a cancel comes before the start
    of a send, or after it.
    """
    row = past_orm(session).execute(_LOCKED[to_change], {"id": booking_id}).one_or_none()
    return None if row is None else hold(session, Booking, row._asdict())


def hold_booking(connection: Connection, booking_id: str) -> None:
    """What `lock_booking` does for senders, if there is no use for the object.

    On SQLite a transaction that writes has everything to itself from its beginning.
    """
    if connection.dialect.name != "sqlite":
        connection.execute(_HOLD_BOOKING, {"id": booking_id})


def locked_attempt(session: Session, attempt_id: str) -> Attempt:
    """The attempt, held until the transaction's end: a receipt may be recorded at the same time."""
    return session.get_one(Attempt, attempt_id, with_for_update=True, populate_existing=True)


def read_message(session: Session, message_id: str) -> Message:
    """The message as it is now, whatever this session has seen of it before."""
    return session.get_one(Message, message_id, populate_existing=True)


def set_if(session: Session, message_id: str, *conditions: Any, **values: Any) -> bool:
    """The compare-and-set under every transition of one message."""
    changed = {"updated_at": clock.now(), **values}
    won = rows.set_if(session, Message, Message.id == message_id, *conditions, **changed)
    if won:
        outbox.note_messages(session, values.get("state"), [message_id])
    return won


def leave(session: Session, message: Message, **values: Any) -> bool:
    """Out of the state that `message` was read in, if it is still in it."""
    return set_if(
        session,
        message.id,
        Message.state == message.state,
        Message.attempt_id == message.attempt_id,
        **OUT_OF_FLIGHT,
        **_NOT_SENT,
        **values,
    )


def pending_or_cancelled(due: datetime, now: datetime) -> dict[str, Any]:
    """Back to pending, due then; or cancelled, if it became unwanted meanwhile."""
    is_wanted = Message.cancel_reason.is_(None)
    return {
        "state": case((is_wanted, "pending"), else_="cancelled"),
        "reason": Message.cancel_reason,
        "due_at": due,
        "enqueued_at": enqueued_at(due, now),
    }


def is_held_for(attempt_id: str) -> Any:
    """In flight with this attempt; uncertain too, as a late answer is an answer."""
    is_in_flight = is_one_of(Message.state, "sending", "uncertain")
    return is_in_flight & (Message.attempt_id == attempt_id)


def skip_reason_now(session: Session, message_id: str, now: datetime) -> str | None:
    """Why this message is not worth sending any more, None if it is."""
    values = {"job_id": message_id, **as_of(now)}
    reason: str | None = session.scalar(_skip_reason(quiet.rule(session)), values)
    return reason


@lru_cache(maxsize=16)
def _skip_reason(nights: quiet.Rule | None) -> Select[Any]:
    return (
        select(skip_reason(nights))
        .select_from(Message)
        .join(Booking, Booking.id == Message.booking_id)
        .where(Message.id == bindparam("job_id"))
    )


def enqueued_at(due: datetime, now: datetime) -> datetime | None:
    """What `enqueued_at` becomes for something due then: the caller enqueues what is soon."""
    return now if due <= now + ENQUEUE_WINDOW else None


def lease_from(now: datetime) -> datetime:
    """Until when a worker may hold a message that it takes now."""
    return now + timedelta(seconds=settings().send_lease)
