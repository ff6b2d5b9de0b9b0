"""A number that is corrected: for one booking, or for all that somebody has and had under it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import ColumnElement, and_, case, false, func, select, update
from sqlalchemy.orm import Session, aliased, joinedload

from app import clock
from app.bookings import service
from app.bookings.fields import BookingForm
from app.customers import service as customers
from app.errors import Conflict
from app.messages import service as messages
from app.messages.lifecycle.compare_and_set import booking_of, lock_booking
from app.models.booking import Booking, derived_of
from app.models.conversation import Reply
from app.models.identity import person_of
from app.staff import audit

Scope = Literal["one", "name", "all"]
"""Of which bookings: the one, those under the same name, or also a family's under other names."""

MOST_SHOWN = 10
"""Bookings to come that are shown of each."""

NOT_IN_MEMORY = {"synchronize_session": False}
"""Options of a statement that changes rows of which no object is held."""


@dataclass(frozen=True)
class Others:
    """What else a booking's number is booked for, under its name and under other names: those to
    come, the next first, at most MOST_SHOWN of each; `over` is how many of the name are history.
    """

    same_name: Sequence[Booking]
    other_names: Sequence[Booking]
    over: int

    def __bool__(self) -> bool:
        return bool(self.same_name or self.other_names or self.over)


def others(session: Session, booking: Booking) -> Others:
    """What a correction of this booking's number would be offered for."""
    theirs, is_same = _theirs(booking), Booking.name_folded == booking.name_folded
    coming = (
        select(Booking)
        .where(theirs, is_coming())
        .options(joinedload(Booking.service), joinedload(Booking.barber))
        .order_by(Booking.starts_at, Booking.id)
        .limit(MOST_SHOWN)
    )
    over = select(func.count()).select_from(Booking).where(theirs, is_same, ~is_coming())
    return Others(
        session.scalars(coming.where(is_same)).all(),
        session.scalars(coming.where(~is_same)).all(),
        session.scalar(over) or 0,
    )


def correct(
    session: Session, booking_id: str, phone: str | BookingForm, scope: Scope, actor: str
) -> Booking:
    """Put the number of a booking right, and of all in the scope: those to come, and history.

    What the customer said about messages goes with them; what a stranger may write from the wrong
    number stays with that. Raises what `service.change` raises, and Conflict `no_phone`; then
    nothing is changed.
    """
    booking = service.get(session, booking_id)
    number = service.form(session, {"customer_phone": phone}) if isinstance(phone, str) else phone
    was, theirs = service.phone_of(booking), _in_scope(booking, scope)
    coming = session.scalars(select(Booking.id).where(theirs, is_coming())).all()
    for each in sorted({booking_id, *coming}):  # all in one order, as others who hold many do
        lock_booking(session, each, to_change=True)
    booking = service.change(session, booking_id, number, actor)
    if scope == "one" or person_of(was) == booking.person:
        return booking
    for each in coming:
        service.change(session, each, number, actor)
    _move_history(session, theirs, service.phone_of(booking))
    customers.carry(session, was, service.phone_of(booking))
    audit.record(session, actor, "customer.renumbered", booking_id, bookings=len(coming) + 1)
    return booking


def renumber(session: Session, was: str, latest_id: str, number: str, actor: str) -> None:
    """Give the customer with the number `was` another one, checked already, in all bookings.

    `latest_id` is the booking that the audit log names. Raises Conflict `same_booking`.
    """
    theirs = Booking.person == person_of(was)
    ids = select(Booking.id).where(theirs, is_coming()).order_by(Booking.id)
    coming = session.scalars(ids).all()
    for each in coming:
        service.change(session, each, {"customer_phone": number}, actor)
    _move_history(session, theirs & ~is_coming(), number)
    customers.carry(session, was, number)
    audit.record(session, actor, "customer.renumbered", latest_id, bookings=len(coming))


def correct_and_retry(
    session: Session, job_id: str, phone: str, actor: str, scope: Scope = "one"
) -> str | None:
    """Put a number right, of a booking or of all its customer's, and retry the failed message that
    showed it was wrong.

    Returns why that is not retried; the number is kept all the same. Raises NotFound, Invalid for
    the number, and Conflict if the booking cannot be changed any more.
    """
    correct(session, booking_of(job_id), phone, scope, actor)
    try:
        messages.retry(session, job_id, actor)
    except Conflict as conflict:
        return conflict.detail
    return None


def _theirs(booking: Booking) -> ColumnElement[bool]:
    if booking.person is None:
        return false()
    return and_(Booking.person == booking.person, Booking.id != booking.id)


def _in_scope(booking: Booking, scope: Scope) -> ColumnElement[bool]:
    """With the values of now: they stay the same when the booking's change."""
    theirs = _theirs(booking)
    return theirs if scope == "all" else theirs & (Booking.name_folded == booking.name_folded)


def is_coming() -> ColumnElement[bool]:
    """Whether a booking is confirmed and still to come."""
    return and_(Booking.status == "confirmed", Booking.starts_at > clock.now())


def changed_now() -> ColumnElement[datetime]:
    """The time of change of what is over.

    A cancelled one keeps its own, which says since when its place is free.
    """
    return case((Booking.status == "cancelled", Booking.updated_at), else_=clock.now())


def _move_history(session: Session, theirs: ColumnElement[bool], number: str) -> None:
    """What is over or cancelled, in one statement, and what was written about it."""
    twin = aliased(Booking)
    is_there = (
        select(twin.id)
        .where(
            twin.customer_phone == number,
            twin.service_id == Booking.service_id,
            twin.barber_id == Booking.barber_id,
            twin.starts_at == Booking.starts_at,
            twin.status == "confirmed",
        )
        .exists()
    )
    moved = session.scalars(
        select(Booking.id).where(theirs, ~((Booking.status == "confirmed") & is_there))
    ).all()
    values: dict[str, Any] = {
        "customer_phone": number,
        **derived_of("customer_phone", number),
        "updated_at": changed_now(),
    }
    for table, column, change in (
        (Booking, Booking.id, values),
        (Reply, Reply.booking_id, {"person": person_of(number)}),
    ):
        statement = update(table).where(column.in_(moved)).values(change)
        session.execute(statement, execution_options=NOT_IN_MEMORY)
