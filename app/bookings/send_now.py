"""A reminder that staff send at once, whatever the plan says."""

from sqlalchemy.orm import Session

from app import clock
from app.bookings import service
from app.messages.enqueue import enqueue_after_commit
from app.messages.lifecycle import plans
from app.staff import audit


def remind_now(session: Session, booking_id: str, actor: str) -> str:
    """Send one more reminder, at once; returns its job id.

    Raises NotFound, and Conflict `not_confirmed`, `appointment_passed` or `no_phone`.
    """
    booking = service.to_change(session, booking_id)
    service.phone_of(booking)
    audit.record(session, actor, "booking.reminded", booking_id)  # first, as one reads it
    [job_id] = plans.add(session, booking.id, "reminder", clock.now(), asked_for=True)
    enqueue_after_commit(session, [job_id])
    return job_id
