"""Whether a customer wants messages: what they say is kept for their phone number.

A `customer_id` is that of any booking of theirs, or of who was imported and has none, their own.
"""

from sqlalchemy.orm import Session

from app.customers import service as customers
from app.errors import Conflict, NotFound
from app.models.booking import Booking
from app.staff import audit


def note(session: Session, booking: Booking, given: bool | None, actor: str) -> None:
    """Keep what a booking's customer said when asked; None: they were not."""
    if given is not None and booking.customer_phone is not None:
        note_of(session, booking.id, booking.customer_phone, given, actor)


def note_of(session: Session, customer_id: str, phone: str, given: bool, actor: str) -> None:
    """The same of whoever has this number."""
    how: customers.ConsentHow = "api" if actor.startswith("token:") else "form"
    if customers.note_consent(session, phone, given, how):
        action = "customer.agreed" if given else "customer.declined"
        audit.record(session, actor, action, customer_id)


def opt_out(session: Session, customer_id: str, actor: str) -> None:
    """The customer has told staff that they want no messages any more.

    Raises NotFound, and Conflict `no_phone`.
    """
    customers.opt_out(session, _phone_of(session, customer_id), "staff")
    audit.record(session, actor, "customer.opted_out", customer_id)


def opt_in(session: Session, customer_id: str, actor: str) -> None:
    """The customer has told staff that they do want messages, whatever they said before.

    Raises NotFound, and Conflict: `no_phone`, and `blocked` for who wrote STOP to Twilio: it takes
    nothing for them until they write START (Twilio error 21610).
    """
    phone = _phone_of(session, customer_id)
    known = customers.find(session, phone)
    if known is not None and known.opted_out_how == "twilio":
        said = "Twilio blocks this number until the customer writes START to it."
        raise Conflict("blocked", said)
    customers.opt_in(session, phone)
    if known is not None and known.consent is False:
        customers.note_consent(session, phone, True, "form")
    audit.record(session, actor, "customer.opted_in", customer_id)


def _phone_of(session: Session, customer_id: str) -> str:
    booking = session.get(Booking, customer_id)
    if booking is None and (imported := customers.imported(session, customer_id)):
        return str(imported.phone)
    if booking is None:
        raise NotFound("There is no such booking.")
    if booking.customer_phone is None:
        raise Conflict("no_phone", "There is no phone number in this booking.")
    return booking.customer_phone
