"""Reminders as a client of the API sees them: their states in the API's words, and a retry."""

from dataclasses import replace
from datetime import datetime
from typing import NamedTuple

from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from app import clock
from app.channel import Advice, Kind
from app.errors import Conflict, NotFound
from app.messages import planned
from app.messages.channels import channel
from app.messages.eligibility import NO_CONSENT, OPTED_OUT
from app.messages.enqueue import enqueue_after_commit
from app.messages.lifecycle import plans
from app.messages.lifecycle.compare_and_set import (
    booking_of,
    job_id,
    lock_booking,
    skip_reason_now,
)
from app.models.booking import Booking
from app.models.customer import Customer
from app.models.message import Message
from app.settings import settings
from app.staff import audit

REASONS = {
    "appointment_passed": "The appointment has begun",
    "not_confirmed": "The booking is no longer confirmed",
    "superseded": "A newer reminder is due",
    "quiet_hours": "It would have been in quiet hours",
    "opted_out": "The customer wants no messages",
    "no_consent": "The customer has not agreed to get messages",
    "window_closed": "The customer last wrote more than 24 hours ago",
    "budget_customer": "This customer has had the month's messages",
    "budget_shop": "The shop has sent the month's messages",
    "unresolved": "Twilio could not tell whether it was sent, and it is no longer needed",
    "rescheduled": "The booking was moved",
    "rule_changed": "The rule for reminders was changed",
    "booking_cancelled": "The booking was cancelled",
    "undone": "The booking's cancellation was undone",
}
"""Why a message was skipped or cancelled, and why a retry would be useless: for people."""

_GIVEN_UP = "We tried {} times. Press Retry, or call the customer."

API_STATES = {  # a pending one is delayed or waiting, by its time
    "sending": "active",
    "uncertain": "active",
    "sent": "completed",
    "failed": "failed",
    "cancelled": "cancelled",
    "skipped": "skipped",
}


class ReminderView(NamedTuple):
    """One reminder. `state` is the API's word (design.md §4), `error` a sentence for people."""

    job_id: str
    number: int
    state: str
    scheduled_for: datetime
    attempts: int
    sent_at: datetime | None
    delivery_status: str | None
    error: str | None


def reminders(session: Session, booking_id: str) -> list[ReminderView]:
    """A booking's reminders by number. Raises NotFound."""
    now = clock.now()
    messages = planned.messages_of(session, booking_id, "reminder")
    if not messages and session.get(Booking, booking_id) is None:
        raise NotFound("There is no such booking.")
    return [_view(message, now) for message in messages]


def retry_reminder(session: Session, booking_id: str, number: int, actor: str) -> None:
    """Try a failed reminder again, now. Raises NotFound, and Conflict with the reason why not."""
    retry(session, job_id(booking_id, "reminder", number), actor)


def retry(session: Session, message_id: str, actor: str) -> None:
    """Try a failed message again, now. Raises NotFound, and Conflict with the reason why not."""
    lock_booking(session, booking_of(message_id))
    message = get(session, message_id)
    _check_retry(session, message)
    if not _retry(session, message_id):
        raise Conflict("not_failed", "Somebody else has just retried it.")
    enqueue_after_commit(session, [message_id])
    audit.record(session, actor, "message.retried", message.booking_id, job_id=message_id)


def get(session: Session, message_id: str) -> Message:
    """A message, also one that is planned for later and has no row yet. Raises NotFound."""
    message = session.get(Message, message_id) or planned.find(session, message_id)
    if message is None:
        raise NotFound("There is no such message.")
    return message


def api_state(message: Message, now: datetime) -> str:
    """A message's state in the API's words (design.md §4)."""
    if message.state == "pending":
        return "delayed" if message.due_at > now else "waiting"
    return API_STATES[message.state]


def skip_reason_of(customer: Customer | None, consent: bool | None) -> str:
    """Why each message to somebody would be skipped at its time, in words; empty if it would not.

    `consent` is what they say to messages (None: they were not asked).
    """
    if customer is not None and customer.opted_out_at is not None:
        return REASONS[OPTED_OUT]
    return REASONS[NO_CONSENT] if consent is False else ""


def error_of(message: Message) -> str | None:
    """What went wrong, or why it was left out; None while nothing did."""
    if message.state in {"cancelled", "skipped"}:
        return f"{REASONS[str(message.reason)]}."
    if message.error_code is None:
        return None
    advice = advice_of(message)
    return f"{advice.words}. {advice.advice}" if message.state == "failed" else f"{advice.words}."


def advice_of(message: Message) -> Advice:
    """Why a message failed, and what to do."""
    advice = channel().explain(message.error_code, asynchronous=message.reason == "undelivered")
    is_for_good = advice.kind in {Kind.PERMANENT, Kind.CONFIGURATION}
    return advice if is_for_good else replace(advice, advice=_given_up())


def _given_up() -> str:
    return _GIVEN_UP.format(1 + len(settings().retry_delays))


def _view(message: Message, now: datetime) -> ReminderView:
    return ReminderView(
        job_id=message.id,
        number=message.number,
        state=api_state(message, now),
        scheduled_for=message.planned_for,
        attempts=message.attempts,
        sent_at=message.sent_at,
        delivery_status=message.delivery_status,
        error=error_of(message),
    )


def _check_retry(session: Session, message: Message) -> None:
    """Raises Conflict unless a retry would send something that somebody still wants."""
    if message.state != "failed":
        raise Conflict("not_failed", f"The message is {message.state}, not failed.")
    reason = message.cancel_reason or skip_reason_now(session, message.id, clock.now())
    if reason is not None:
        raise Conflict(reason, f"{REASONS[reason]}.")


def _retry(session: Session, message_id: str) -> bool:
    try:
        with session.begin_nested():
            return plans.retry(session, message_id)
    except IntegrityError as error:  # the plan after a move has a reminder at this very time
        raise Conflict("superseded", f"{REASONS['superseded']}.") from error
