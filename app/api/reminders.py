"""A booking's reminders over JSON."""

from datetime import datetime
from typing import Annotated, Literal

from litestar import Router, get, post
from litestar.params import PathParameter
from msgspec import Meta, Struct

from app import db
from app.messages import service
from app.messages.service import ReminderView
from app.staff.guards import ApiRequest
from app.web.parameters import BookingId
from app.web.problems import documented

Number = Annotated[int, PathParameter(ge=1, le=2**31 - 1, description="The reminder's number.")]

State = Literal["delayed", "waiting", "active", "completed", "failed", "cancelled", "skipped"]


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
        return cls(**{field: getattr(view, field) for field in cls.__struct_fields__})


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
    responses=documented(400, 401, 403, 404, 409),
    sync_to_thread=True,
)
def retry_reminder(booking_id: BookingId, number: Number, request: ApiRequest) -> ReminderAnswer:
    """Send a reminder that failed once more, now."""
    with db.database().write() as session:
        service.retry_reminder(session, booking_id, number, f"token:{request.auth.id}")
        views = service.reminders(session, booking_id)
    return next(ReminderAnswer.of(view) for view in views if view.number == number)


router = Router(
    "/api/bookings/{booking_id:str}",
    route_handlers=[list_reminders, retry_reminder],
    tags=["Reminders"],
    security=[{"bearer": []}],
)
