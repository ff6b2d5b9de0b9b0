"""A customer is changed: what their bookings say of them, and what is known of them besides."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from app.bookings import by_customer, phone_corrections, service
from app.bookings.by_customer import CustomerSummary
from app.bookings.fields import MAX_NOTES, BookingForm
from app.customers import consent, imported
from app.customers import service as customers
from app.errors import Conflict, FieldError, Invalid
from app.forms import Form, field, lines
from app.messages.languages import LANGUAGES
from app.messages.lifecycle.compare_and_set import lock_booking
from app.models.booking import Booking, with_derived
from app.models.customer import Customer
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
    def language(self, given: str | None) -> str | None:
        """The code of the language that they are written to in; None: the shop's."""
        if given and given not in LANGUAGES:
            raise ValueError(f"This must be one of {', '.join(LANGUAGES)}.")
        return given or None

    @field
    def consent(self, given: bool) -> bool:
        """What they said when asked whether they want messages."""
        return given

    @field
    def opted_out(self, given: bool) -> bool:
        """Whether they have told somebody since that they want none."""
        return given

    @field
    def merge_with(self, given: str | None) -> str | None:
        """The id of who may have that phone, and is the same customer from then on."""
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
    if not customer.booking_id:
        session.get_one(Customer, customer.person, with_for_update=True, populate_existing=True)
        return
    for each in sorted({customer.first_id, *_coming(session, customer)}):
        lock_booking(session, each, to_change=True)


def change(
    session: Session, customer: CustomerSummary, changes: Mapping[str, Any], actor: str
) -> str:
    """Change fields of CustomerForm, and return who the customer is then, as `identity.person_of`.

    Another name or email is that of all bookings under the name that they have; who else books
    under the number keeps theirs. Another number is that of all their bookings. If somebody has it
    already, `merge_with` must be their id, and the two are one from then on. Raises Invalid, and
    Conflict: `number_taken`, `same_booking`, and `blocked` of `consent.opt_in`. Call `lock` first.
    """
    values = _form(session, changes).checked(changes.keys())
    phone: str = values.get("phone", customer.phone)
    _check_theirs(session, customer, phone, values.get("merge_with"))
    if customer.booking_id:
        _rename(session, customer, values, actor)
    else:
        _rename_imported(session, customer, values, actor)
    _note(session, customer, values, actor)
    if phone != customer.phone:
        _renumber(session, customer, phone, actor)
    return person_of(phone)


def _check_theirs(
    session: Session, customer: CustomerSummary, phone: str, merge_with: str | None
) -> None:
    """Raises Conflict `number_taken` if somebody else has the number, and is not who was named."""
    if person_of(phone) == customer.person:
        return
    for other in by_customer.of_people(session, [person_of(phone)]):
        id = by_customer.id_of(other)
        if merge_with != id:
            says = f"{phone} is the number of {other.name}. Two customers become one by `mergeWith`"
            raise Conflict("number_taken", f"{says}: {id}.", {"mergeWith": id})


def _renumber(session: Session, customer: CustomerSummary, phone: str, actor: str) -> None:
    if customer.booking_id:
        phone_corrections.renumber(session, customer.phone, customer.booking_id, phone, actor)
    else:
        imported.renumber(session, session.get_one(Customer, customer.person), phone)
        audit.record(session, actor, "customer.renumbered", customer.id, bookings=0)


def _rename_imported(
    session: Session, customer: CustomerSummary, values: Mapping[str, Any], actor: str
) -> None:
    changed = imported.rename(session, session.get_one(Customer, customer.person), values)
    if changed:
        audit.record(session, actor, "customer.changed", customer.id, fields=changed)


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
    columns = with_derived(changes) | {"updated_at": phone_corrections.changed_now()}
    is_over = *so_called, ~phone_corrections.is_coming()
    session.execute(
        update(Booking).where(*is_over).values(columns),
        execution_options=phone_corrections.NOT_IN_MEMORY,
    )
    audit.record(session, actor, "customer.changed", customer.booking_id, fields=sorted(changes))


def put_language(
    session: Session, customer_id: str, phone: str, code: str | None, actor: str
) -> bool:
    """Write to whoever has this number in that language, one of LANGUAGES, from now on; None: in
    the shop's. `customer_id` is what the audit log names; returns whether that is a change.
    """
    is_changed = customers.put_language(session, phone, code)
    if is_changed:
        audit.record(session, actor, "customer.language", customer_id, language=code)
    return is_changed


def _note(
    session: Session, customer: CustomerSummary, values: Mapping[str, Any], actor: str
) -> None:
    id, known = customer.booking_id or customer.id, customers.find(session, customer.person)
    if "notes" in values and customers.put_notes(session, customer.person, values["notes"]):
        audit.record(session, actor, "customer.noted", id)
    if "language" in values:
        put_language(session, id, customer.phone, values["language"], actor)
    is_out = known is not None and known.opted_out_at is not None
    if values.get("opted_out", is_out) != is_out:
        said = consent.opt_in if is_out else consent.opt_out
        said(session, id, actor)
    if "consent" in values:
        consent.note_of(session, id, customer.phone, values["consent"], actor)
