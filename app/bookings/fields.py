"""The rules for the fields of a booking: what is cleaned, and what is refused."""

import re
import unicodedata
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from email_validator import EmailNotValidError, validate_email

from app.clock import OFFSET_HINT
from app.customers import phones
from app.errors import FieldError, Invalid
from app.models.identity import person_of

MAX_NAME = 100
FARTHEST = timedelta(days=400)
"""How far ahead a booking may be."""

_ID = re.compile(r"[A-Za-z0-9_-]{1,40}")
_JOINERS = "\u200c\u200d"  # parts of names and of emoji, unlike all other format characters


def clean(
    values: Mapping[str, Any], *, country: str | None, own_number: str, now: datetime
) -> dict[str, Any]:
    """The cleaned `values`, whose keys are some or all fields of NewBooking.

    `country` (ISO 3166, of the shop) is that of phone numbers without `+`; `own_number` (E.164) is
    our sender, which cannot be a customer; `now` is aware. Times come back in UTC. Whether the
    service and the barber exist is for the caller to see. Raises Invalid with the errors of all
    the fields.
    """
    rules: dict[str, Callable[[Any], Any]] = {
        "customer_name": clean_name,
        "customer_email": _email,
        "customer_phone": lambda value: _phone(value, country, own_number),
        "service_id": lambda value: _id(value, "service"),
        "barber_id": lambda value: _id(value, "barber"),
        "scheduled_time": lambda value: _time(value, now),
        "allow_overlap": bool,
        "whatsapp_consent": lambda value: value,
    }
    cleaned: dict[str, Any] = {}
    errors: list[FieldError] = []
    for field, value in values.items():
        try:
            cleaned[field] = rules[field](value)
        except ValueError as error:
            errors.append(FieldError(field, str(error)))
    if errors:
        raise Invalid(errors)
    return cleaned


def clean_name(value: str) -> str:
    """`value` in NFC on one line, without what is invisible or turns text around.

    Raises ValueError with a message for whoever wrote it.
    """
    text = _without_controls(value)
    text = "".join(char for char in text if _is_visible(char))
    text = unicodedata.normalize("NFC", " ".join(text.split()))
    if not any(unicodedata.category(char)[0] in "LNPS" for char in text):
        raise ValueError("This must not be empty.")
    if len(text) > MAX_NAME:
        raise ValueError(f"This has {len(text)} characters: {MAX_NAME} at the most.")
    return text


def _is_visible(char: str) -> bool:
    return char in _JOINERS or unicodedata.category(char) != "Cf"


def _without_controls(value: str) -> str:
    """`value`, stripped. Lone surrogates and NUL cannot be stored; others have no use here."""
    text = value.strip()
    if any(unicodedata.category(char) in {"Cc", "Cs"} for char in text):
        raise ValueError("This must not contain control characters.")
    return text


def _email(value: str | None) -> str | None:
    text = _without_controls(value or "")
    if not text:
        return None
    try:
        return validate_email(text, check_deliverability=False).normalized
    except EmailNotValidError as error:
        raise ValueError(f"This is not an email address: {error}") from error


def _phone(value: str, country: str | None, own_number: str) -> str:
    number = phones.parse(value, country)
    if person_of(number) == person_of(own_number):
        raise ValueError("This is the shop's own WhatsApp number.")
    return number


def _id(value: str, kind: str) -> str:
    if not _ID.fullmatch(value):
        raise ValueError(f"There is no such {kind}.")
    return value


def _time(value: datetime, now: datetime) -> datetime:
    if value.tzinfo is None:
        raise ValueError(OFFSET_HINT)
    if value <= now:
        raise ValueError("This is in the past.")
    if value > now + FARTHEST:
        raise ValueError(f"This is more than {FARTHEST.days} days ahead.")
    return value.astimezone(UTC)
