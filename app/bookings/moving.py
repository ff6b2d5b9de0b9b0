"""Moving a booking on the board: what a move would change, and the move itself."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from app.bookings import availability, service
from app.bookings.availability import Outside, overlapping
from app.customers import service as customers
from app.db import Database
from app.errors import Conflict
from app.messages import planned, templates
from app.messages.service import skip_reason_of
from app.models.booking import Booking
from app.shop.service import shop


@dataclass(frozen=True)
class Placement:
    """A time (aware) and a barber, by id."""

    at: datetime
    barber_id: str


@dataclass(frozen=True)
class Stay:
    """When a booking takes place, and with whom."""

    starts_at: datetime
    ends_at: datetime
    barber_name: str


@dataclass(frozen=True)
class MovePreview:
    """What a move from `was` does: `cancelled` planned reminders give way to those at `planned`.

    `quiet` of the new ones are left out for quiet hours. `skip_reason` says in words why none of
    them will go out; empty if they will. `can_tell`: the customer can be told of the new time at
    once, `tells`: the shop does so as a rule. `conflicts` are the barber's other bookings at that
    time, `outside` says why nobody is booked then as a rule, if that is so.
    """

    booking: Booking
    was: Placement
    old: Stay
    new: Stay
    conflicts: Sequence[Booking]
    outside: Outside | None
    cancelled: int
    planned: Sequence[datetime]
    quiet: int
    skip_reason: str
    can_tell: bool
    tells: bool


class _NotKept(Exception):
    """Rolls a tried move back."""


def preview(
    database: Database, booking_id: str, seen: Placement | None, to: Placement
) -> MovePreview:
    """What the move would change. It is done and rolled back, so that no rule is written twice.

    Another booking of the barber is no error here. Raises as `move` does else.
    """
    try:
        with database.write() as session:
            tried = _tried(session, booking_id, seen, to)
            session.expunge_all()  # what was read stays readable
            raise _NotKept
    except _NotKept:
        return tried


def move(
    session: Session,
    booking_id: str,
    seen: Placement | None,
    to: Placement,
    actor: str,
    *,
    allow_overlap: bool = False,
    tell: bool = False,
) -> tuple[Booking, Placement]:
    """Move a booking; returns it, with service and barber, and where it was.

    `seen` is where whoever moves it saw it, None if they do not say; with `tell` the customer is
    told of another time at once. Raises what `service.change` raises, and Conflict
    `moved_meanwhile` if it is there no more.
    """
    booking = service.to_change(session, booking_id)
    was = Placement(booking.starts_at, booking.barber_id)
    if seen is not None and seen != was:
        raise Conflict("moved_meanwhile", "Somebody else has moved this booking meanwhile.")
    values = {"scheduled_time": to.at, "barber_id": to.barber_id, "allow_overlap": allow_overlap}
    service.change(session, booking_id, values, actor, tell=tell)
    return _with_names(session, booking), was


def get(session: Session, booking_id: str) -> Booking:
    """The booking, with service and barber. Raises NotFound."""
    return _with_names(session, service.get(session, booking_id))


def _with_names(session: Session, booking: Booking) -> Booking:
    """The booking with its service and barber as they are now."""
    session.refresh(booking, ["service", "barber"])
    return booking


def _tried(session: Session, booking_id: str, seen: Placement | None, to: Placement) -> MovePreview:
    booking = service.to_change(session, booking_id)
    old, before = _stay(session, booking), _reminders(session, booking_id)
    _, was = move(session, booking_id, seen, to, "system", allow_overlap=True)
    new, after = _stay(session, booking), _reminders(session, booking_id)
    place = (booking.barber_id, booking.busy_from, booking.busy_until)
    customer = customers.find(session, booking.customer_phone)
    skip_reason = skip_reason_of(customer, customer.consent if customer else None)
    written_at = customer.written_at if customer else None
    added = [after[each] for each in sorted(after.keys() - before.keys())]
    return MovePreview(
        booking=booking,
        was=was,
        old=old,
        new=new,
        conflicts=session.scalars(overlapping(*place, but=booking_id)).all(),
        outside=availability.outside(session, booking.barber, booking.starts_at, booking.ends_at),
        cancelled=sum(before[each][0] == "pending" for each in before.keys() - after.keys()),
        planned=sorted(at for state, at in added if state == "pending"),
        quiet=sum(state == "skipped" for state, _ in added),
        skip_reason=skip_reason,
        can_tell=not (skip_reason or templates.is_missing("moved", written_at)),
        tells=shop(session).moved_on,
    )


def _stay(session: Session, booking: Booking) -> Stay:
    _with_names(session, booking)
    return Stay(booking.starts_at, booking.ends_at, booking.barber.name)


def _reminders(session: Session, booking_id: str) -> dict[str, tuple[str, datetime]]:
    """The reminders that are to come, and those left out, by job id."""
    return {
        each.id: (each.state, each.planned_for)
        for each in planned.messages_of(session, booking_id, "reminder")
        if each.state in {"pending", "skipped"}
    }
