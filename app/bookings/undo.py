"""Taking a cancellation back, before its customer was told."""

from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from app import clock
from app.bookings import place, service
from app.errors import Conflict
from app.messages.enqueue import enqueue_after_commit, revoke_after_commit
from app.messages.lifecycle import materialize, plans
from app.models.booking import Booking
from app.models.message import Message
from app.staff import audit

UNDO_FOR = timedelta(seconds=10)
"""How long a cancellation waits before the customer is told, so that it can be undone."""


def undo_cancel(session: Session, booking_id: str, actor: str) -> Booking:
    """Confirm a cancelled booking again, before its customer was told.

    The reminders that were cancelled with it come back at their times: those that had become
    messages already under new numbers, as a revoked job id stays revoked. Raises NotFound, and
    Conflict: `told` when it is too late, `barber_taken` or `same_booking` when the place was booked
    meanwhile.
    """
    booking = service.locked(session, booking_id)
    is_untold = booking.customer_phone is None or _is_untold(session, booking_id)
    if booking.status != "cancelled" or not is_untold:
        raise Conflict("told", "The customer has been told already. Make a new booking.")
    place.check_still_free(session, booking, since=booking.updated_at)
    now = clock.now()
    times = _cancelled_times(session, booking, now)
    booking.status, booking.updated_at = "confirmed", now
    session.flush()
    revoke_after_commit(session, plans.cancel_pending(session, booking_id, "undone"))
    enqueue_after_commit(session, materialize.reopen(session, booking_id, "booking_cancelled"))
    enqueue_after_commit(session, plans.add(session, booking_id, "reminder", *times))
    audit.record(session, actor, "booking.cancellation_undone", booking_id)
    return booking


def _is_untold(session: Session, booking_id: str) -> bool:
    last = session.scalars(
        select(Message)
        .where(Message.booking_id == booking_id, Message.kind == "cancellation")
        .order_by(Message.number.desc())
        .limit(1)
    ).one_or_none()
    return last is not None and last.state == "pending" and last.attempts == 0


def _cancelled_times(session: Session, booking: Booking, now: datetime) -> tuple[datetime, ...]:
    """The times of the messages that the cancellation took, as far as they are to come."""
    times = session.scalars(
        select(Message.planned_for).where(
            Message.booking_id == booking.id,
            Message.kind == "reminder",
            Message.state == "cancelled",
            Message.reason == "booking_cancelled",
            Message.planned_for > now,
            Message.planned_for < booking.starts_at,
        )
    )
    return tuple(sorted(set(times)))
