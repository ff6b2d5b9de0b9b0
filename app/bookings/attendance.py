"""Whether a customer came, and paid: staff say so once it has begun, and can take it back."""

from typing import Literal

from sqlalchemy import select
from sqlalchemy.orm import Session

from app import clock
from app.bookings import place, service
from app.errors import Conflict
from app.messages import statistics
from app.models.booking import Booking
from app.staff import audit

Mark = Literal["completed", "no_show", "confirmed"]
"""They came; they did not; nobody has said yet."""

_SAID = {"completed": "came", "no_show": "did not come"}


def mark(session: Session, booking_id: str, status: Mark, actor: str) -> Booking:
    """Note whether the customer came, or take it back (`confirmed`). Each time the same answer.

    No message follows from it: none is sent once the appointment has begun but staff's answers,
    and those do not ask for the status. Raises NotFound, and Conflict: `not_confirmed` for a
    cancelled booking, `not_begun`, `marked_meanwhile` if somebody has said the opposite, and
    `same_booking`.
    """
    booking = service.locked(session, booking_id)
    if booking.status == status:
        return booking
    _check(booking, status)
    if status == "confirmed":
        place.check_no_double(session, booking)
    booking.status, booking.updated_at = status, clock.now()
    booking.paid_at = None
    is_over = status != "confirmed"
    sent = session.scalar(select(statistics.reminders_sent(booking_id))) if is_over else None
    booking.reminders_sent = sent
    session.flush()
    said = "booking.completed" if status == "completed" else "booking.no_show"
    action = "booking.reopened" if status == "confirmed" else said
    audit.record(session, actor, action, booking_id)
    return booking


def mark_paid(session: Session, booking_id: str, actor: str) -> Booking:
    """Note that the customer came and has paid. Each time the same answer.

    `mark` takes it back. Raises what that raises.
    """
    booking = mark(session, booking_id, "completed", actor)
    if booking.paid_at is None:
        booking.paid_at = booking.updated_at = clock.now()
        session.flush()
        audit.record(session, actor, "booking.paid", booking_id)
    return booking


def _check(booking: Booking, status: Mark) -> None:
    if booking.status == "cancelled":
        raise Conflict("not_confirmed", "The booking was cancelled.")
    if booking.starts_at > clock.now():
        raise Conflict("not_begun", "The appointment has not begun yet.")
    if status != "confirmed" and booking.status != "confirmed":
        said = f"Somebody has noted already that the customer {_SAID[booking.status]}."
        raise Conflict("marked_meanwhile", f"{said} If that is not so, confirm it again first.")
