"""What staff do with a booking beyond its fields: undo a cancellation, remind now, look ahead."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from app import clock
from app.bookings import numbers, service
from app.bookings.overlap import overlapping
from app.errors import Conflict, NotFound
from app.messages import service as messages
from app.messages.enqueue import enqueue_after_commit, revoke_after_commit
from app.messages.lifecycle import plans
from app.messages.lifecycle.compare_and_set import booking_of, lock_booking
from app.models.booking import Booking
from app.models.identity import person_of
from app.models.message import Message
from app.models.plan import Plan
from app.reminders.plan import reminder_times
from app.shop import hours
from app.shop.policy import of_shop
from app.shop.service import shop, time_zone
from app.staff import audit

UNDO_FOR = timedelta(seconds=10)
"""How long a cancellation waits before the customer is told, so that it can be undone."""

_STEP = timedelta(minutes=15)


@dataclass(frozen=True)
class Customer:
    """What an earlier booking knows of the customer with a phone number."""

    name: str
    email: str | None


def undo_cancel(session: Session, booking_id: str, actor: str) -> Booking:
    """Confirm a cancelled booking again, before its customer was told.

    The reminders that were cancelled with it come back at their times, under new numbers: a
    revoked job id stays revoked. Raises NotFound, and Conflict: `told` when it is too late,
    `barber_taken` or `same_booking` when the place was booked meanwhile.
    """
    booking = lock_booking(session, booking_id, to_change=True)
    if booking is None:
        raise NotFound("There is no such booking.")
    if booking.status != "cancelled" or not _is_untold(session, booking_id):
        raise Conflict("told", "The customer has been told already. Make a new booking.")
    service.check_place(session, booking, since=booking.updated_at)
    now = clock.now()
    times = _cancelled_times(session, booking, now)
    booking.status, booking.updated_at = "confirmed", now
    session.flush()
    revoke_after_commit(session, plans.cancel_pending(session, booking_id, "undone"))
    enqueue_after_commit(session, plans.plan(session, booking_id, "reminder", Plan(times)))
    audit.record(session, actor, "booking.cancellation_undone", booking_id)
    return booking


def remind_now(session: Session, booking_id: str, actor: str) -> str:
    """Send one more reminder, at once; returns its job id.

    Raises NotFound, and Conflict `not_confirmed` or `appointment_passed`.
    """
    booking = service.to_change(session, booking_id)
    audit.record(session, actor, "booking.reminded", booking_id)  # first, as one reads it
    at_once = Plan((clock.now(),))
    [job_id] = plans.plan(session, booking.id, "reminder", at_once, asked_for=True)
    enqueue_after_commit(session, [job_id])
    return job_id


def correct_number(
    session: Session, job_id: str, phone: str, actor: str, scope: numbers.Scope = "one"
) -> str | None:
    """Put a number right, of a booking or of all its customer's, and retry the failed message that
    showed it was wrong.

    Returns why that is not retried; the number is kept all the same. Raises NotFound, Invalid for
    the number, and Conflict if the booking cannot be changed any more.
    """
    numbers.correct(session, booking_of(job_id), phone, scope, actor)
    try:
        messages.retry(session, job_id, actor)
    except Conflict as conflict:
        return conflict.detail
    return None


def preview(session: Session, starts_at: datetime) -> Plan:
    """The reminders that a booking made now for `starts_at` (aware) would get.

    Raises PlanTooLong.
    """
    return reminder_times(of_shop(shop(session)), clock.now(), starts_at)


def free_times(
    session: Session, barber_id: str, length: timedelta, day: date, but: str = ""
) -> list[datetime]:
    """When the barber has so much time that day (of the shop's zone): UTC, every 15 minutes.

    Within the opening hours, in the future, and clear of the barber's bookings other than `but`.
    What begins that day may end after midnight, if the shop is open then.
    """
    row = shop(session)
    zone = time_zone(row)
    first = max(clock.midnight(day, zone), clock.now() + timedelta.resolution)
    last = clock.midnight(day + timedelta(days=1), zone)
    taken = _taken(session, barber_id, first, last + length, but)
    return [
        start
        for opens, closes in hours.around(row, day)
        for start in _steps(opens, closes - length)
        if first <= start < last
        and not any(start < end and begin < start + length for begin, end in taken)
    ]


def known_customer(session: Session, phone: str) -> Customer | None:
    """What the latest booking of this number (E.164) says; None for a new customer."""
    latest = session.scalars(
        select(Booking)
        .where(Booking.person == person_of(phone))
        .order_by(Booking.starts_at.desc())
        .limit(1)
    ).one_or_none()
    return Customer(latest.customer_name, latest.customer_email) if latest else None


def _is_untold(session: Session, booking_id: str) -> bool:
    last = session.scalars(
        select(Message)
        .where(Message.booking_id == booking_id, Message.kind == "cancellation")
        .order_by(Message.number.desc())
        .limit(1)
    ).one_or_none()
    return last is not None and last.state == "pending" and last.attempts == 0


def _cancelled_times(session: Session, booking: Booking, now: datetime) -> tuple[datetime, ...]:
    """The times of the reminders that the cancellation took, as far as they are to come."""
    found = session.scalars(
        select(Message.planned_for).where(
            Message.booking_id == booking.id,
            Message.kind == "reminder",
            Message.state == "cancelled",
            Message.reason == "booking_cancelled",
            Message.planned_for > now,
            Message.planned_for < booking.starts_at,
        )
    )
    return tuple(sorted(set(found)))


def _taken(
    session: Session, barber_id: str, since: datetime, until: datetime, but: str
) -> Sequence[tuple[datetime, datetime]]:
    query = overlapping(barber_id, since, until, but)
    rows = session.execute(query.with_only_columns(Booking.starts_at, Booking.ends_at))
    return [(row.starts_at, row.ends_at) for row in rows]


def _steps(first: datetime, last: datetime) -> Iterator[datetime]:
    at = first
    while at <= last:
        yield at
        at += _STEP
