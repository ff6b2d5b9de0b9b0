"""What an import has made is taken back: some rows at a time, in one transaction.

What people have changed since stays, and so does what customers have got messages about: such a
booking is cancelled, without a message.
"""

from collections.abc import Sequence

from sqlalchemy import delete, exists, or_, select
from sqlalchemy.orm import Session

from app import clock
from app.bookings import service as bookings
from app.messages.lifecycle import materialize
from app.models.booking import Booking
from app.models.conversation import Reply
from app.models.customer import Customer
from app.models.identity import person_of
from app.models.imports import Import, ImportRow
from app.models.message import Message
from app.rows import change_rows, table_of

_OTHERS = ("whatsapp", "profile_name", "opted_out_at", "written_at")
"""What is known of a customer and no import has said."""


def undo(session: Session, of: Import, rows: Sequence[ImportRow]) -> None:
    """Take back what was made of these rows; their fates say whether that was possible."""
    if of.kind == "customers":
        _undo_customers(session, rows)
    else:
        _undo_bookings(session, of, rows)


def _undo_bookings(session: Session, of: Import, rows: Sequence[ImportRow]) -> None:
    ids = [row.booking_id for row in rows]
    there = {
        each.id: each
        for each in session.scalars(
            select(Booking).where(Booking.id.in_(ids)).order_by(Booking.id).with_for_update()
        )
    }
    told = set(session.scalars(select(Booking.id).where(Booking.id.in_(ids), _WAS_TOLD)))
    gone = []
    for row in rows:
        booking = there.get(row.booking_id or "")
        row.fate = "undone"
        if booking is not None and booking.updated_at != booking.created_at:
            row.fate = "kept"
        elif booking is not None and booking.id in told:
            _cancel(session, booking, of.actor)
            row.fate = "kept"
        elif booking is not None:
            gone.append(booking.id)
    if gone:
        materialize.forget(session, gone)
        change_rows(session, delete(table_of(Booking)).where(Booking.id.in_(gone)))


def _cancel(session: Session, booking: Booking, actor: str) -> None:
    if booking.status == "confirmed" and booking.starts_at > clock.now():
        bookings.cancel(session, booking.id, actor, told=True)


def _undo_customers(session: Session, rows: Sequence[ImportRow]) -> None:
    people = {person_of(row.values["phone"]) for row in rows}
    there = {
        each.person: each
        for each in session.scalars(
            select(Customer).where(Customer.person.in_(people)).with_for_update()
        )
    }
    for row in rows:
        row.fate = "undone"
        customer = there.get(person_of(row.values["phone"]))
        if customer is not None and not _restore(customer, row):
            row.fate = "kept"
    for customer in there.values():
        if _is_empty(customer):
            session.delete(customer)


def _restore(customer: Customer, row: ImportRow) -> bool:
    """Put back what there was; False if something is not as the import left it, and stays."""
    before, is_whole = row.before or {}, True
    customer.updated_at = clock.now()
    if before["name"] is None and customer.name == row.values["name"]:
        customer.id = customer.name = customer.name_folded = customer.phone = None
    for name in ("email", "notes"):
        if before[name] is None and row.values[name] is not None:
            is_ours = getattr(customer, name) in {row.values[name], None}
            is_whole &= is_ours
            setattr(customer, name, None if is_ours else getattr(customer, name))
    if before["consent"] is None and customer.consent_how == "form":
        customer.consent = customer.consent_at = customer.consent_how = None
    return is_whole


def _is_empty(customer: Customer) -> bool:
    own = ("name", "email", "notes", "consent")
    return all(getattr(customer, name) is None for name in (*own, *_OTHERS))


_WAS_TOLD = or_(
    exists().where(Message.booking_id == Booking.id, Message.attempts > 0),
    exists().where(Reply.booking_id == Booking.id),
)
