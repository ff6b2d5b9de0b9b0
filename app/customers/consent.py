"""Whether a booking's customer wants messages: what they say is kept for their phone number."""

from sqlalchemy.orm import Session

from app.customers import service as customers
from app.errors import Conflict, NotFound
from app.models.booking import Booking
from app.staff import audit


def note(session: Session, booking: Booking, given: bool | None, actor: str) -> None:
    """Keep what a booking's customer said when asked; None: they were not."""
    if given is None or booking.customer_phone is None:
        return
    how: customers.ConsentHow = "api" if actor.startswith("token:") else "form"
    if customers.note_consent(session, booking.customer_phone, given, how):
        action = "customer.agreed" if given else "customer.declined"
        audit.record(session, actor, action, booking.id)


def opt_out(session: Session, booking_id: str, actor: str) -> None:
    """The customer has told staff that they want no messages any more.

    Raises NotFound, and Conflict `no_phone`.
    """
    customers.opt_out(session, _phone_of(session, booking_id), "staff")
    audit.record(session, actor, "customer.opted_out", booking_id)


def opt_in(session: Session, booking_id: str, actor: str) -> None:
    """The customer has told staff that they do want messages, whatever they said before.

    Raises NotFound, and Conflict: `no_phone`, and `blocked` for who wrote STOP to Twilio: it takes
    nothing for them until they write START (Twilio error 21610).
    """
    phone = _phone_of(session, booking_id)
    known = customers.find(session, phone)
    if known is not None and known.opted_out_how == "twilio":
        said = "Twilio blocks this number until the customer writes START to it."
        raise Conflict("blocked", said)
    customers.opt_in(session, phone)
    if known is not None and known.consent is False:
        customers.note_consent(session, phone, True, "form")
    audit.record(session, actor, "customer.opted_in", booking_id)


def _phone_of(session: Session, booking_id: str) -> str:
    booking = session.get(Booking, booking_id)
    if booking is None:
        raise NotFound("There is no such booking.")
    if booking.customer_phone is None:
        raise Conflict("no_phone", "There is no phone number in this booking.")
    return booking.customer_phone
