"""What staff want to remember: of a booking, and of its customer whenever they come; and what a
visit cost in the end.
"""

from collections.abc import Collection, Mapping
from decimal import Decimal

from sqlalchemy.orm import Session

from app.bookings import service
from app.bookings.fields import MAX_NOTES, clean_name
from app.customers import service as customers
from app.forms import Form, as_typed, field, lines
from app.shop import money
from app.shop.money import Percent
from app.shop.service import shop
from app.staff import audit

OF_BOOKING = ("price", "discount", "discount_reason", "notes")
"""The fields that are the booking's alone."""


class NotesForm(Form):
    """The form “Notes and price”: of this booking, and `always` of its customer.

    `currency` is the shop's.
    """

    def __init__(self, given: Mapping[str, str], currency: str) -> None:
        super().__init__(given)
        self._currency = currency

    @field
    def price(self, typed: str) -> Decimal | None:
        """Empty for what the service costs."""
        return money.read(typed, self._currency)

    @field
    def discount(self, typed: str) -> Decimal | Percent | None:
        """An amount, or a part of the price (`10%`); empty for none."""
        return money.read_discount(typed, self._currency)

    @field
    def discount_reason(self, typed: str) -> str | None:
        return clean_name(typed) if typed.strip() else None

    @field
    def notes(self, typed: str) -> str | None:
        return lines(typed, MAX_NOTES)

    @field
    def always(self, typed: str) -> str | None:
        return lines(typed, MAX_NOTES)


def shown(session: Session, booking_id: str) -> dict[str, str]:
    """The fields as they are. Raises NotFound."""
    booking = service.get(session, booking_id)
    known = customers.find(session, booking.customer_phone)
    return {
        "price": as_typed(booking.price),
        "discount": as_typed(booking.discount),
        "discount_reason": as_typed(booking.discount_reason),
        "notes": as_typed(booking.notes),
        "always": as_typed(known.notes if known else None),
    }


def save(
    session: Session,
    booking_id: str,
    typed: Mapping[str, str],
    actor: str,
    names: Collection[str] = NotesForm.names,
) -> bool:
    """Keep those of the form's fields that are in `names`; False if that is how they are.

    A booking takes notes whatever has become of it. Raises NotFound, Invalid, and Conflict
    `no_phone` for who walked in and has nothing that is always theirs.
    """
    booking = service.locked(session, booking_id)
    values = NotesForm(typed, money.currency_of(shop(session))).checked(names)
    of_booking = {name: values[name] for name in OF_BOOKING if name in values}
    changes = {name: each for name, each in of_booking.items() if getattr(booking, name) != each}
    is_changed = bool(changes)
    if is_changed:
        service.change(session, booking_id, {name: typed[name] for name in changes}, actor)
    if "always" not in values:
        return is_changed
    if customers.put_notes(session, service.phone_of(booking), values["always"]):
        audit.record(session, actor, "customer.noted", booking_id)
        return True
    return is_changed
