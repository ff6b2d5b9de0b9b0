"""A message in the hands of one worker: from the claim to the start of its POST."""

import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, Integer, Update, bindparam, insert, select, update
from sqlalchemy.orm import Session

from app import clock
from app.messages import gate
from app.messages.eligibility import UNCOUNTED, is_pending
from app.messages.lifecycle import materialize
from app.messages.lifecycle.compare_and_set import (
    OUT_OF_FLIGHT,
    booking_of,
    hold_booking,
    is_held_for,
    lease_from,
    pending_or_cancelled,
    set_if,
)
from app.messages.lifecycle.facts import Facts, read
from app.messages.lifecycle.outcomes import mark_uncertain
from app.messages.lifecycle.plans import skip
from app.messages.quiet import policy_of
from app.models.identity import person_of
from app.models.message import Attempt, Message
from app.rows import past_orm, table_of
from app.sql import constant, is_one_of

_message = table_of(Message)
# Made once, as every message needs them.
_IS_AS_READ = (
    _message.c.id == bindparam("job_id"),
    _message.c.state == constant("pending"),
    _message.c.attempts == bindparam("attempts_before"),
    _message.c.due_at <= bindparam("now"),
)
_IS_HELD = (
    _message.c.id == bindparam("job_id"),
    _message.c.state == constant("sending"),
    _message.c.attempt_id == bindparam("attempt"),
)
_IN_HAND: dict[str, Any] = {
    "state": constant("sending"),
    "attempt_id": bindparam("attempt"),
    "sending_to": bindparam("person"),
    "lease_until": bindparam("lease"),
    "updated_at": bindparam("now"),
}
_BEGUN = {
    **_IN_HAND,
    "attempts": bindparam("attempts_before", type_=Integer) + 1,
    "verify_first": False,
}
_TAKE = update(_message).where(*_IS_AS_READ).values(**_IN_HAND)
_TAKE_AND_START = update(_message).where(*_IS_AS_READ).values(**_BEGUN)
_START = update(_message).where(*_IS_HELD).values(**_BEGUN)
_ATTEMPT = insert(table_of(Attempt))
_ALMOST = timedelta(seconds=2)
_PHONE_IS_BUSY = timedelta(seconds=2)


@dataclass(frozen=True)
class Claim:
    """A message in the hands of one worker, until its lease ends. `to` is as WhatsApp spells it."""

    job_id: str
    attempt_id: str
    to: str
    verify_first: bool


@dataclass(frozen=True)
class Found:
    """A message that may be sent now, and is in nobody's hands yet."""

    claim: Claim
    facts: Facts
    at: datetime


def claim(session: Session, message_id: str) -> Claim | datetime | None:
    """Take a due message into this worker's hands; None or a time as `find` returns them."""
    found = find(session, message_id)
    if not isinstance(found, Found):
        return found
    return found.claim if take(session, found) else None


def find(session: Session, message_id: str) -> Found | datetime | None:
    """A message to take, under its booking's lock; None if there is nothing to do.

    A time instead means: not now (the phone has another message in flight), but then.
    """
    now = clock.now()
    hold_booking(past_orm(session), booking_of(message_id))
    facts = _facts(session, message_id, now)
    if facts is None or facts.state != "pending":
        return None
    if facts.due_at > now:
        return facts.due_at if facts.due_at <= now + _ALMOST else None
    if facts.skip_reason:
        skip(session, [message_id], facts.skip_reason)
        return None
    if until := _quiet_until(facts, now):
        _put_off(session, message_id, facts, until)
        return None
    if not gate.may_start(session, facts, now):
        set_if(session, message_id, is_pending(), enqueued_at=None)
        return None
    if facts.is_phone_busy:
        return _wait_for_phone(session, message_id, facts, now)
    return Found(Claim(message_id, str(uuid.uuid4()), facts.to, facts.verify_first), facts, now)


def take(session: Session, found: Found) -> bool:
    """Take it in hand; False if another was faster. No POST has begun by that.

    Raises IntegrityError if another message to the same person is taken at this very moment, on
    PostgreSQL: who looks for it again sees that.
    """
    return _update(session.connection(), _TAKE, found.claim, found.facts, found.at)


def take_and_start(session: Session, found: Found, body: str) -> bool:
    """Take it in hand and begin its POST, as `start_attempt` does. Raises what `take` does."""
    return _start(session, _TAKE_AND_START, found.claim, found.facts, body, found.at)


def check(session: Session, taken: Claim) -> Facts | None:
    """What is to be sent now, held until the transaction's end; None if it must not be sent.

    Then the claim has ended, by what has become of the message.
    """
    now = clock.now()
    connection = past_orm(session)
    hold_booking(connection, booking_of(taken.job_id))
    facts = read(connection, taken.job_id, now)
    if facts is None or not _is_held(facts, taken, now):
        return None
    if change := _instead_of_sending(facts, taken, now):
        _let_go(session, taken, **change)
        return None
    return facts


def start_attempt(session: Session, taken: Claim, facts: Facts, body: str) -> bool:
    """Begin the POST of `taken`, of which `check` read `facts` in this transaction; False if it was
    lost, and then it must not be sent.

    The attempt's row is committed before the POST: from here on it may have been sent.
    """
    return _start(session, _START, taken, facts, body, clock.now())


def is_still_wanted(session: Session, taken: Claim) -> bool:
    """Whether an attempt that has begun, and waited, is to be posted as things are now."""
    now = clock.now()
    facts = read(session.connection(), taken.job_id, now)
    if facts is None or not _is_held(facts, taken, now):
        return False
    return _instead_of_sending(facts, taken, now) is None


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


def _facts(session: Session, message_id: str, now: datetime) -> Facts | None:
    """The facts when the booking's due reminders are messages: one of them may be the newest."""
    connection = session.connection()
    facts = read(connection, message_id, now)
    if facts is None or not facts.is_plan_behind:
        return facts
    materialize.materialize_booking(session, facts.booking_id)
    return read(connection, message_id, now)


def _quiet_until(facts: Facts, now: datetime) -> datetime | None:
    """Until when a message waits that comes late into the shop's quiet hours.

    What was asked for in them (by staff who remind now, or book or move at night) does not wait.
    """
    policy = None if facts.kind in UNCOUNTED else policy_of(facts.shop)
    if policy is None:
        return None
    is_asked_for = facts.asked_for or facts.kind != "reminder"
    is_meant_so = is_asked_for and policy.is_quiet(facts.planned_for)
    return None if is_meant_so else policy.quiet_until_after(now)


def _put_off(session: Session, message_id: str, facts: Facts, until: datetime) -> None:
    """To the end of the quiet hours; skipped if the appointment is no later than that."""
    if until >= facts.starts_at:
        skip(session, [message_id], "quiet_hours")
    else:
        set_if(session, message_id, is_pending(), due_at=until, enqueued_at=None)


def _wait_for_phone(
    session: Session, message_id: str, facts: Facts, now: datetime
) -> datetime | None:
    """Another worker may have tried it since it was read, and then it waits for its next time."""
    until = now + _PHONE_IS_BUSY
    is_as_read = is_pending() & (Message.attempts == facts.attempts) & (Message.due_at <= now)
    won = set_if(session, message_id, is_as_read, due_at=until, enqueued_at=now)
    return until if won else None


def _start(
    session: Session, statement: Update, taken: Claim, facts: Facts, body: str, now: datetime
) -> bool:
    connection = session.connection()
    won = _update(connection, statement, taken, facts, now)
    attempt = {
        "id": taken.attempt_id,
        "message_id": taken.job_id,
        "number": facts.attempts + 1,
        "sent_to": taken.to,
        "body": body,
        "started_at": now,
    }
    if won:
        connection.execute(_ATTEMPT, attempt)
    return won


def _update(
    connection: Connection, statement: Update, taken: Claim, facts: Facts, now: datetime
) -> bool:
    values = {
        "job_id": taken.job_id,
        "attempt": taken.attempt_id,
        "attempts_before": facts.attempts,
        "person": facts.person,
        "lease": lease_from(now),
        "now": now,
    }
    return bool(connection.execute(statement, values).rowcount)


def _instead_of_sending(facts: Facts, taken: Claim, now: datetime) -> dict[str, Any] | None:
    """What becomes of a claimed message that must not be sent after all; None if it may."""
    is_unwanted = facts.cancel_reason is not None
    if facts.skip_reason and not is_unwanted:
        return {"state": "skipped", "reason": facts.skip_reason}
    is_paused = facts.paused_at is not None
    if is_unwanted or facts.person != person_of(taken.to) or is_paused:
        return _given_back(now)
    return None


def _given_back(now: datetime) -> dict[str, Any]:
    """Due at once, and for the tick to enqueue."""
    return pending_or_cancelled(now, now) | {"enqueued_at": None}


def _is_held(facts: Facts, taken: Claim, now: datetime) -> bool:
    is_live = facts.lease_until is not None and facts.lease_until > now
    return is_live and facts.attempt_id == taken.attempt_id


def _let_go(session: Session, taken: Claim, **values: Any) -> bool:
    is_held = is_held_for(taken.attempt_id)
    return set_if(session, taken.job_id, is_held, **OUT_OF_FLIGHT, **values)
