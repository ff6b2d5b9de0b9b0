"""A booking's reminders, and all its messages, over JSON."""

from datetime import datetime
from typing import Annotated, Literal

from litestar import Response, Router, get, post
from litestar.params import PathParameter
from msgspec import Meta, Struct
from sqlalchemy.orm import Session

from app import clock, db
from app.api.once import Key, once
from app.bookings import service as bookings
from app.messages import entries, service
from app.messages.entries import MessageEntry
from app.messages.service import ReminderView
from app.models.message import Attempt, Receipt
from app.staff.guards import ApiRequest, actor_of
from app.web.parameters import BookingId
from app.web.problems import documented

Number = Annotated[int, PathParameter(ge=1, le=2**31 - 1, description="The reminder's number.")]

State = Literal["delayed", "waiting", "active", "completed", "failed", "cancelled", "skipped"]
MessageKind = Literal["reminder", "cancellation", "confirmation", "moved", "answer"]
Outcome = Literal["accepted", "refused", "not_sent", "undelivered"]


class ReminderAnswer(Struct, rename="camel", kw_only=True):
    """A reminder; times are in UTC, `error` says in words why it failed or does not go out."""

    job_id: Annotated[str, Meta(examples=["booking_01JDBV5W3NXJ0V4M0F4Z1T7Q8K-reminder-1"])]
    number: Annotated[int, Meta(examples=[1])]
    state: State
    scheduled_for: Annotated[datetime, Meta(examples=["2026-11-23T10:00:00Z"])]
    attempts: Annotated[int, Meta(examples=[0])]
    sent_at: datetime | None
    delivery_status: Annotated[str | None, Meta(examples=["delivered"])]
    error: str | None

    @classmethod
    def of(cls, view: ReminderView) -> "ReminderAnswer":
        return cls(**view._asdict())


class ReceiptAnswer(Struct, rename="camel", kw_only=True):
    """A delivery status, as Twilio told it."""

    status: Annotated[str, Meta(examples=["delivered"])]
    error_code: Annotated[str | None, Meta(description="Twilio's.", examples=["63024"])]
    received_at: datetime

    @classmethod
    def of(cls, receipt: Receipt) -> "ReceiptAnswer":
        return cls(
            status=receipt.status,
            error_code=receipt.error_code or None,
            received_at=receipt.received_at,
        )


class AttemptAnswer(Struct, rename="camel", kw_only=True):
    """One try to send a message, and what Twilio said of it since."""

    number: Annotated[int, Meta(description="From 1.", examples=[1])]
    sent_to: Annotated[str, Meta(examples=["+442079460958"])]
    body: Annotated[str, Meta(description="The text that was sent.")]
    started_at: datetime
    ended_at: Annotated[datetime | None, Meta(description="Null while there is no answer.")]
    outcome: Annotated[Outcome | None, Meta(description="Null while nobody knows.")]
    sid: Annotated[str | None, Meta(description="The message's id at Twilio.")]
    error_code: Annotated[str | None, Meta(description="Twilio's.", examples=["63024"])]
    receipts: Annotated[list[ReceiptAnswer], Meta(description="In the order of arrival.")]

    @classmethod
    def of(cls, attempt: Attempt, receipts: list[Receipt]) -> "AttemptAnswer":
        return cls(
            number=attempt.number,
            sent_to=attempt.sent_to,
            body=attempt.body,
            started_at=attempt.started_at,
            ended_at=attempt.ended_at,
            outcome=attempt.outcome,  # type: ignore[arg-type]
            sid=attempt.sid,
            error_code=attempt.error_code,
            receipts=[ReceiptAnswer.of(each) for each in receipts if each.attempt_id == attempt.id],
        )


class MessageAnswer(Struct, rename="camel", kw_only=True):
    """A message of a booking; times are in UTC."""

    job_id: Annotated[str, Meta(examples=["booking_01JDBV5W3NXJ0V4M0F4Z1T7Q8K-cancellation-1"])]
    booking_id: str
    kind: MessageKind
    number: Annotated[int, Meta(description="Of its kind, from 1.", examples=[1])]
    state: State
    scheduled_for: Annotated[datetime, Meta(examples=["2026-11-23T10:00:00Z"])]
    sent_at: datetime | None
    delivery_status: Annotated[str | None, Meta(examples=["delivered"])]
    error: Annotated[str | None, Meta(description="In words why it failed or does not go out.")]
    attempts: Annotated[list[AttemptAnswer], Meta(description="By number.")]

    @classmethod
    def of(cls, entry: MessageEntry, now: datetime) -> "MessageAnswer":
        message = entry.message
        return cls(
            job_id=message.id,
            booking_id=message.booking_id,
            kind=message.kind,  # type: ignore[arg-type]
            number=message.number,
            state=service.api_state(message, now),  # type: ignore[arg-type]
            scheduled_for=message.planned_for,
            sent_at=message.sent_at,
            delivery_status=message.delivery_status,
            error=service.error_of(message),
            attempts=[AttemptAnswer.of(each, entry.receipts) for each in entry.attempts],
        )


class MessageList(Struct):
    """All messages of a booking, by the time they are scheduled for."""

    items: list[MessageAnswer]


@get(
    "/messages",
    opt={"access": "read"},
    responses=documented(400, 401, 403, 404),
    sync_to_thread=True,
)
def list_booking_messages(booking_id: BookingId) -> MessageList:
    """All messages of a booking, of every kind, with their attempts and receipts."""
    now = clock.now()
    with db.database().read() as session:
        bookings.get(session, booking_id)
        found = entries.of_messages(session, booking_id)
        answers = [MessageAnswer.of(entry, now) for entry in found]
    return MessageList(sorted(answers, key=lambda each: (each.scheduled_for, each.job_id)))


@get(
    "/reminders",
    opt={"access": "read"},
    responses=documented(400, 401, 403, 404),
    sync_to_thread=True,
)
def list_reminders(booking_id: BookingId) -> list[ReminderAnswer]:
    """All reminders of a booking, by number."""
    with db.database().read() as session:
        return [ReminderAnswer.of(view) for view in service.reminders(session, booking_id)]


@post(
    "/reminders/{number:int}/retry",
    status_code=202,
    opt={"access": "write"},
    responses=documented(400, 401, 403, 404, 409, 422),
    sync_to_thread=True,
)
def retry_reminder(
    booking_id: BookingId, number: Number, request: ApiRequest, idempotency_key: Key = None
) -> Response[ReminderAnswer]:
    """Send a reminder that failed once more, now."""

    def retry(session: Session) -> ReminderAnswer:
        service.retry_reminder(session, booking_id, number, actor_of(request))
        views = service.reminders(session, booking_id)
        return next(ReminderAnswer.of(view) for view in views if view.number == number)

    return once(request, idempotency_key, None, retry)


router = Router(
    "/api/bookings/{booking_id:str}",
    route_handlers=[list_booking_messages, list_reminders, retry_reminder],
    tags=["Reminders"],
    security=[{"bearer": []}],
)
