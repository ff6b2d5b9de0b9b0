"""A customer is changed: what their bookings say of them, and what is known of them besides."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from app.bookings import phone_corrections, service
from app.bookings.by_customer import CustomerSummary
from app.bookings.fields import MAX_NOTES, BookingForm
from app.customers import consent
from app.customers import service as customers
from app.errors import Conflict, FieldError, Invalid
from app.forms import Form, field, lines
from app.messages.lifecycle.compare_and_set import lock_booking
from app.models.booking import Booking, derived_of
from app.models.folding import fold
from app.models.identity import person_of
from app.staff import audit


class CustomerForm(Form):
    """What of a customer is to change; `booking` reads what a booking has of them by its rules."""

    def __init__(self, given: Mapping[str, Any], booking: BookingForm) -> None:
        super().__init__(given)
        self._booking = booking

    @field
    def name(self, _given: str) -> str:
        return self._booking.customer_name

    @field
    def phone(self, _given: str) -> str:
        """As E.164."""
        return self._booking.customer_phone

    @field
    def email(self, _given: str | None) -> str | None:
        return self._booking.customer_email

    @field
    def notes(self, given: str | None) -> str | None:
        """What staff want to remember of them."""
        return lines(given or "", MAX_NOTES)

    @field
    def consent(self, given: bool) -> bool:
        """What they said when asked whether they want messages."""
        return given

    @field
    def opted_out(self, given: bool) -> bool:
        """Whether they have told somebody since that they want none."""
        return given


def wrong(session: Session, given: Mapping[str, Any]) -> list[FieldError]:
    """All that is wrong with these fields of CustomerForm."""
    try:
        _form(session, given).checked(given.keys())
    except Invalid as invalid:
        return invalid.errors
    return []


def lock(session: Session, customer: CustomerSummary) -> None:
    """Hold what says who they are until the transaction's end: two changes come one by one."""
    for each in sorted({customer.first_id, *_coming(session, customer)}):
        lock_booking(session, each, to_change=True)


def change(
    session: Session, customer: CustomerSummary, changes: Mapping[str, Any], actor: str
) -> str:
    """Change fields of CustomerForm, and return who the customer is then, as `identity.person_of`.

    Another name or email is that of all bookings under the name that they have; who else books
    under the number keeps theirs. Another number is that of all their bookings: if somebody has it
    already, the two are one from then on. Raises Invalid, and Conflict: `same_booking`,
    `no_booking`, and `blocked` of `consent.opt_in`. Call `lock` first.
    """
    values = _form(session, changes).checked(changes.keys())
    if not customer.booking_id:
        raise Conflict("no_booking", "They were imported, and have not booked yet.")
    _rename(session, customer, values, actor)
    _note(session, customer, values, actor)
    phone: str = values.get("phone", customer.phone)
    if phone != customer.phone:
        phone_corrections.renumber(session, customer.phone, customer.booking_id, phone, actor)
    return person_of(phone)


def _form(session: Session, given: Mapping[str, Any]) -> CustomerForm:
    names = given.keys() & {"name", "phone", "email"}
    of_booking = {f"customer_{name}": given[name] for name in names}
    return CustomerForm(given, service.form(session, of_booking))


def _coming(session: Session, customer: CustomerSummary) -> list[str]:
    theirs = Booking.person == customer.person
    return list(session.scalars(select(Booking.id).where(theirs, phone_corrections.is_coming())))


def _rename(
    session: Session, customer: CustomerSummary, values: Mapping[str, Any], actor: str
) -> None:
    """Those to come are changed as such; what is over, in one statement."""
    changes = {
        f"customer_{name}": values[name]
        for name in ("name", "email")
        if name in values and values[name] != getattr(customer, name)
    }
    if not changes:
        return
    so_called = Booking.person == customer.person, Booking.name_folded == fold(customer.name)
    ids = select(Booking.id).where(*so_called)
    for each in session.scalars(ids.where(phone_corrections.is_coming()).order_by(Booking.id)):
        service.change(session, each, changes, actor)
    columns: dict[str, Any] = {**changes}
    if "customer_name" in changes:
        columns |= derived_of("customer_name", changes["customer_name"])
    columns["updated_at"] = phone_corrections.changed_now()
    is_over = *so_called, ~phone_corrections.is_coming()
    session.execute(
        update(Booking).where(*is_over).values(columns),
        execution_options=phone_corrections.NOT_IN_MEMORY,
    )
    audit.record(session, actor, "customer.changed", customer.booking_id, fields=sorted(changes))


def _note(
    session: Session, customer: CustomerSummary, values: Mapping[str, Any], actor: str
) -> None:
    id, known = customer.booking_id, customers.find(session, customer.person)
    if "notes" in values and customers.put_notes(session, customer.person, values["notes"]):
        audit.record(session, actor, "customer.noted", id)
    is_out = known is not None and known.opted_out_at is not None
    if values.get("opted_out", is_out) != is_out:
        said = consent.opt_in if is_out else consent.opt_out
        said(session, id, actor)
    if "consent" in values:
        consent.note(session, service.get(session, id), values["consent"], actor)
