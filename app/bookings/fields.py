"""The rules for the fields of a booking: what is cleaned, and what is refused."""

import re
import unicodedata
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Literal

from app.clock import OFFSET_HINT
from app.customers import phones
from app.forms import Form, email, field, lines, visible
from app.models.booking import Booking
from app.models.identity import person_of
from app.models.shop import PARTS_JOIN
from app.shop import money, several
from app.shop.money import Percent, Price

MAX_NAME = 100
MAX_NOTES = 500
FARTHEST = timedelta(days=400)
"""How far ahead a booking may be."""
LONGEST_AGO = timedelta(days=1)
"""How long ago an appointment may have begun that staff enter only now."""

_ID = re.compile(r"[A-Za-z0-9_-]{1,40}")


class BookingForm(Form):
    """What a booking is made of; of one that is changed, what is to change.

    `country` (ISO 3166, of the shop) is that of phone numbers without `+`; `own_number` (E.164) is
    our sender, which cannot be a customer; `now` is aware, and `begun` is how long before it the
    appointment may have begun; `currency` is that of prices. A page gives text, the API its JSON.
    Whether the service and the barber exist is for the service to see.
    """

    def __init__(
        self,
        given: Mapping[str, Any],
        *,
        country: str | None,
        own_number: str,
        now: datetime,
        begun: timedelta = timedelta(0),
        currency: str = "",
    ) -> None:
        super().__init__(given)
        self._country, self._own_number, self._currency = country, own_number, currency
        self._now, self._begun = now, begun

    @field
    def customer_phone(self, given: str) -> str:
        """As the customer wrote it; kept as E.164."""
        number = phones.parse(given, self._country)
        if person_of(number) == person_of(self._own_number):
            raise ValueError("This is the shop's own WhatsApp number.")
        return number

    @field
    def customer_name(self, given: str) -> str:
        return clean_name(given)

    @field
    def customer_email(self, given: str | None) -> str | None:
        text = _without_controls(given or "")
        return email(text) if text else None

    @field
    def service_id(self, given: str) -> str:
        """One, or several in one visit as `shop.several` writes them."""
        return several.key([_id(each, "service") for each in given.split(PARTS_JOIN)])

    @field
    def barber_id(self, given: str) -> str:
        return _id(given, "barber")

    @field
    def scheduled_time(self, given: datetime) -> datetime:
        """Aware; kept in UTC."""
        if given.tzinfo is None:
            raise ValueError(OFFSET_HINT)
        if given <= self._now - self._begun:
            long_ago = "more than a day ago" if self._begun else "in the past"
            raise ValueError(f"This is {long_ago}.")
        if given > self._now + FARTHEST:
            raise ValueError(f"This is more than {FARTHEST.days} days ahead.")
        return given.astimezone(UTC)

    @field
    def notes(self, given: str | None) -> str | None:
        """What staff want to remember of it; of several lines."""
        return lines(given or "", MAX_NOTES)

    @field
    def price(self, given: str | Price | None) -> Decimal | None:
        """In the shop's currency; None for what the service costs."""
        return money.read(given, self._currency)

    @field
    def discount(self, given: str | Price | None) -> Decimal | Percent | None:
        """Off the price, in the shop's currency, or a part of it (`10%`); None, or 0, for none."""
        return money.read_discount(given, self._currency)

    @field
    def discount_reason(self, given: str | None) -> str | None:
        """Why, on one line; a discount has one, and without a discount there is none."""
        return clean_name(given) if given and given.strip() else None

    @field
    def allow_overlap(self, given: Any) -> bool:
        """Book although the barber has another booking then."""
        return bool(given)

    @field
    def whatsapp_consent(self, given: bool | Literal[""] | None) -> bool | None:
        """What the customer said when asked whether they want messages; None: they were not asked,
        and what is known of them stays.
        """
        return None if given == "" else given


COLUMNS = tuple(name for name in BookingForm.names if hasattr(Booking, name))
"""The fields that are columns: all that staff type as one text."""


def clean_name(value: str) -> str:
    """`value` in NFC on one line, without what is invisible or turns text around.

    Raises ValueError with a message for whoever wrote it.
    """
    text = " ".join(visible(_without_controls(value)).split())
    if not any(unicodedata.category(char)[0] in "LNPS" for char in text):
        raise ValueError("This must not be empty.")
    if len(text) > MAX_NAME:
        raise ValueError(f"This has {len(text)} characters: {MAX_NAME} at the most.")
    return text


def _without_controls(value: str) -> str:
    """`value`, stripped. Lone surrogates and NUL cannot be stored; others have no use here."""
    text = value.strip()
    if any(unicodedata.category(char) in {"Cc", "Cs"} for char in text):
        raise ValueError("This must not contain control characters.")
    return text


def _id(value: str, kind: str) -> str:
    if not _ID.fullmatch(value):
        raise ValueError(f"There is no such {kind}.")
    return value
