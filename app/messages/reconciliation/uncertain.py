"""Settling uncertain messages by Twilio's list: found is sent, twice not found is not sent."""

import time
from datetime import datetime, timedelta

from app import clock
from app.channel import LookupFailed
from app.db import database
from app.messages.channels import channel
from app.messages.enqueue import enqueue_next_try
from app.messages.lifecycle import outcomes
from app.messages.lifecycle.compare_and_set import skip_reason_now
from app.messages.reconciliation import due_rows
from app.messages.reconciliation.lookup import find_sent
from app.models.booking import Booking
from app.models.message import Message
from app.settings import settings

_AT_ONCE = 20
LONGEST = 20.0  # seconds
"""Look-ups in one tick, and their time: more would keep the tick from what else it does."""
_NEEDED = 2
"""Look-ups in vain that prove a message was not sent."""
_LATER = timedelta(minutes=10)
_GIVE_UP_AFTER = timedelta(hours=24)


def settle_due() -> int:
    """Look up what is uncertain and due for a look; returns how many were looked up."""
    now, started = clock.now(), time.monotonic()
    lease = now + timedelta(seconds=settings().send_lease)
    done = 0
    for job_id in due_rows.take(Message.check_at, now, lease, _AT_ONCE):
        if time.monotonic() - started > LONGEST:
            break
        _settle(job_id, lease)
        done += 1
    return done


def _settle(job_id: str, lease: datetime) -> None:
    try:
        match = find_sent(channel(), job_id)
    except LookupFailed:
        _not_known(job_id, lease)
        return
    if match is None:
        _not_found(job_id, lease)
        return
    attempt_id, sent = match
    with database().write() as session:
        due = outcomes.accept(session, attempt_id, sent.sid, sent.status, sent.error_code)
        enqueue_next_try(session, job_id, due)


def _not_found(job_id: str, lease: datetime) -> None:
    with database().write() as session:
        message = session.get_one(Message, job_id)
        if message.check_at != lease:  # too slow: another tick looks, and one look counts once
            return
        checks = message.checks + 1
        if checks < _NEEDED:
            outcomes.check_again(session, job_id, clock.now() + _pause(), checks)
            return
        enqueue_next_try(session, job_id, outcomes.settle_not_sent(session, job_id))


def _not_known(job_id: str, lease: datetime) -> None:
    """Twilio could not be asked. One that is no longer wanted must not block its phone for ever."""
    now = clock.now()
    with database().write() as session:
        message = session.get_one(Message, job_id)
        if message.check_at != lease:
            return
        appointment = session.get_one(Booking, message.booking_id).starts_at
        wanted_until = max(appointment, message.due_at)  # an answer may be of later
        is_wanted = message.cancel_reason is None and skip_reason_now(session, job_id, now) is None
        if message.state == "uncertain" and is_wanted:
            outcomes.check_again(session, job_id, now + _pause(), message.checks)
        else:
            outcomes.mark_unresolved(session, job_id, _next_look(now, wanted_until))


def _next_look(now: datetime, wanted_until: datetime) -> datetime | None:
    return now + _LATER if now < wanted_until + _GIVE_UP_AFTER else None


def _pause() -> timedelta:
    """Between two look-ups in vain: Twilio's list may lag."""
    return timedelta(seconds=settings().uncertain_quiet / 2)
