"""A message in the hands of one worker: from the claim to the start of its POST."""

import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from app import clock
from app.customers import service as customers
from app.db import is_one_of
from app.messages import gate
from app.messages.eligibility import UNCOUNTED, is_pending
from app.messages.lifecycle.compare_and_set import (
    OUT_OF_FLIGHT,
    booking_of,
    is_held_for,
    lease_from,
    lock_booking,
    pending_or_cancelled,
    read_message,
    set_if,
    skip_reason_now,
)
from app.messages.lifecycle.outcomes import mark_uncertain
from app.messages.lifecycle.plans import skip
from app.messages.quiet import policy_now
from app.models.booking import Booking
from app.models.identity import person_of
from app.models.message import Attempt, Message

_ALMOST = timedelta(seconds=2)
_PHONE_IS_BUSY = timedelta(seconds=2)


@dataclass(frozen=True)
class Claim:
    """A message in the hands of one worker, until its lease ends. `to` is as WhatsApp spells it."""

    job_id: str
    attempt_id: str
    to: str
    verify_first: bool


def claim(session: Session, message_id: str) -> Claim | datetime | None:
    """Take a due message into this worker's hands; None if there is nothing to do.

    A time instead means: not now (the phone has another message in flight), but then.
    """
    now = clock.now()
    booking = lock_booking(session, booking_of(message_id))
    message = session.get(Message, message_id)
    if booking is None or message is None or message.state != "pending":
        return None
    if message.due_at > now:
        return message.due_at if message.due_at <= now + _ALMOST else None
    if reason := skip_reason_now(session, message_id, now):
        skip(session, [message_id], reason)
        return None
    if until := _quiet_until(session, message, now):
        _put_off(session, message, booking, until)
        return None
    if not gate.may_start(session, now):
        set_if(session, message_id, is_pending(), enqueued_at=None)
        return None
    to = customers.number_of(session, booking.customer_phone)
    taken = Claim(message_id, str(uuid.uuid4()), to, message.verify_first)
    return _take(session, taken, message.attempts, now)


def start_attempt(session: Session, taken: Claim, body: str) -> bool:
    """Begin the POST of `taken`; False if it is no longer wanted, and then it must not be sent.

    The attempt's row is committed before the POST: from here on it may have been sent.
    """
    now = clock.now()
    booking = lock_booking(session, booking_of(taken.job_id))
    message = read_message(session, taken.job_id)  # anew: the lock may have had to wait
    if booking is None or not _is_held(message, taken, now):
        return False
    if change := _instead_of_sending(session, booking, message, taken, now):
        _let_go(session, taken, **change)
        return False
    number = message.attempts + 1
    won = set_if(
        session,
        taken.job_id,
        is_held_for(taken.attempt_id),
        lease_until=lease_from(now),
        attempts=number,
        verify_first=False,
    )
    if won:
        session.add(_attempt(taken, number, body, now))
    return won


def release(session: Session, taken: Claim, until: datetime) -> bool:
    """Give a claim back unused."""
    return _let_go(session, taken, **pending_or_cancelled(until, clock.now()))


def mark_unsendable(session: Session, taken: Claim, code: str) -> bool:
    """It could not even be made: nothing was sent."""
    return _let_go(session, taken, state="failed", reason="refused", error_code=code)


def expire_leases(session: Session) -> int:
    """Take back what dead workers held; returns how many.

    Without an attempt's row no POST began, so it is due again at once. Else it may have been sent.
    """
    now = clock.now()
    expired = session.scalars(
        select(Message)
        .where(is_one_of(Message.state, "sending"), _has_ended(now))
        .order_by(Message.lease_until)
        .limit(500)
    ).all()
    for message in expired:
        if session.get(Attempt, str(message.attempt_id)) is not None:
            mark_uncertain(session, str(message.attempt_id), "no_answer", "the worker died")
        else:
            is_expired = is_held_for(str(message.attempt_id)) & _has_ended(now)
            set_if(session, message.id, is_expired, **OUT_OF_FLIGHT, **_given_back(now))
    return len(expired)


def _has_ended(now: datetime) -> ColumnElement[bool]:
    """Whether a lease is over, or longer than any that begins now: then the clock was set back."""
    return (Message.lease_until < now) | (Message.lease_until > lease_from(now) + clock.SKEW)


def is_any_held(session: Session) -> bool:
    """Whether a live worker, on whatever host, has a message in its hands."""
    held = is_one_of(Message.state, "sending") & (Message.lease_until >= clock.now())
    return session.scalar(select(Message.id).where(held).limit(1)) is not None


def _quiet_until(session: Session, message: Message, now: datetime) -> datetime | None:
    """Until when a message waits that comes late into the shop's quiet hours.

    What was asked for in them (by staff who remind now, or book or move at night) does not wait.
    """
    policy = None if message.kind in UNCOUNTED else policy_now(session)
    if policy is None:
        return None
    is_asked_for = message.asked_for or message.kind != "reminder"
    is_meant_so = is_asked_for and policy.is_quiet(message.planned_for)
    return None if is_meant_so else policy.quiet_until_after(now)


def _put_off(session: Session, message: Message, booking: Booking, until: datetime) -> None:
    """To the end of the quiet hours; skipped if the appointment is no later than that."""
    if until >= booking.starts_at:
        skip(session, [message.id], "quiet_hours")
    else:
        set_if(session, message.id, is_pending(), due_at=until, enqueued_at=None)


def _take(session: Session, taken: Claim, attempts: int, now: datetime) -> Claim | datetime | None:
    """The claim's UPDATE, of a message as it was read; a later time if its phone is busy.

    Another worker may have tried it since it was read, and then it waits for its next time.
    """
    is_as_read = is_pending() & (Message.attempts == attempts) & (Message.due_at <= now)
    try:
        with session.begin_nested():
            won = set_if(
                session,
                taken.job_id,
                is_as_read,
                state="sending",
                attempt_id=taken.attempt_id,
                sending_to=person_of(taken.to),
                lease_until=lease_from(now),
            )
    except IntegrityError:
        until = now + _PHONE_IS_BUSY
        won = set_if(session, taken.job_id, is_as_read, due_at=until, enqueued_at=now)
        return until if won else None
    return taken if won else None


def _instead_of_sending(
    session: Session, booking: Booking, message: Message, taken: Claim, now: datetime
) -> dict[str, Any] | None:
    """What becomes of a claimed message that must not be sent after all; None if it may."""
    is_unwanted = message.cancel_reason is not None
    reason = skip_reason_now(session, message.id, now)
    if reason and not is_unwanted:
        return {"state": "skipped", "reason": reason}
    is_paused = gate.state(session).paused_at is not None
    if is_unwanted or booking.person != person_of(taken.to) or is_paused:
        return _given_back(now)
    return None


def _given_back(now: datetime) -> dict[str, Any]:
    """Due at once, and for the tick to enqueue."""
    return pending_or_cancelled(now, now) | {"enqueued_at": None}


def _is_held(message: Message, taken: Claim, now: datetime) -> bool:
    is_live = message.lease_until is not None and message.lease_until > now
    return is_live and message.attempt_id == taken.attempt_id


def _attempt(taken: Claim, number: int, body: str, now: datetime) -> Attempt:
    return Attempt(
        id=taken.attempt_id,
        message_id=taken.job_id,
        number=number,
        sent_to=taken.to,
        body=body,
        started_at=now,
    )


def _let_go(session: Session, taken: Claim, **values: Any) -> bool:
    is_held = is_held_for(taken.attempt_id)
    return set_if(session, taken.job_id, is_held, **OUT_OF_FLIGHT, **values)
