"""What a message says: its text in the shop's words, and the same values for its template."""

from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from sqlalchemy.orm import Session

from app import clock
from app.messages import booking_codes, texts
from app.models.booking import Booking
from app.models.message import Message
from app.models.shop import Barber, Service, Shop
from app.settings import settings
from app.shop.service import shop, time_zone

_TOO_LONG = {"formattedDateTime": "dateTime"}
"""Placeholders that are longer than the 16 characters of a variable (Twilio error 50540)."""


def variable(placeholder: str) -> str:
    """What a placeholder of our text is called in a template at Twilio."""
    return _TOO_LONG.get(placeholder, placeholder)


CANCEL_PAYLOAD = "cancelPayload"
"""The variable that a template has as the id of its button "Cancel appointment"."""
VARIABLES = frozenset({*map(variable, texts.PLACEHOLDERS), CANCEL_PAYLOAD})
"""All that a template may have."""


@dataclass(frozen=True)
class Content:
    """`body` is the shop's text. A template, which has words of its own, gets of `variables` those
    that it has.
    """

    body: str
    content_sid: str | None
    variables: dict[str, str]


class Subject(NamedTuple):
    """What a message says of a booking; `service` and `barber` are their names."""

    booking_id: str
    customer_name: str
    starts_at: datetime
    service: str
    barber: str


def compose(
    session: Session, message: Message, booking: Booking, at: datetime | None = None
) -> Content:
    """The content of `message` if it goes out now, or `at` another time. Raises texts.TextError."""
    subject = subject_of(session, booking)
    return content_of(shop(session), message.kind, message.text, subject, at or clock.now())


def content_of(
    row: Shop, kind: str, written: str | None, subject: Subject, at: datetime
) -> Content:
    """The same of plain values. Raises texts.TextError.

    What staff have `written` as an answer is sent as it is: within 24 hours WhatsApp takes free
    text.
    """
    if written is not None:
        return Content(written, None, {})
    values = values_of(row, subject, at)
    return Content(
        body=texts.render(text_of(row, kind), values),
        content_sid=content_sid(kind),
        variables={
            **{variable(name): value for name, value in values.items()},
            CANCEL_PAYLOAD: booking_codes.cancel_payload(subject.booking_id),
        },
    )


def as_template(text: str) -> str:
    """Our text as the body of a template at Twilio."""
    return texts.render(
        text, {name: f"{{{{{variable(name)}}}}}" for name in texts.placeholders(text)}
    )


def text_of(row: Shop, kind: str) -> str:
    """The shop's text for messages of this kind, with its placeholders."""
    own: str | None = getattr(row, f"{kind}_text")
    return own or texts.DEFAULTS[kind]


def content_sid(kind: str) -> str | None:
    """The Twilio template for messages of this kind, if one is set; an answer has none."""
    sids: str | None = getattr(settings(), f"whatsapp_{kind}_content_sid", None)
    return sids


def subject_of(session: Session, booking: Booking) -> Subject:
    """What a message says of `booking`, which need not be stored."""
    service = session.get_one(Service, booking.service_id)
    barber = session.get_one(Barber, booking.barber_id)
    named = booking.customer_name, booking.starts_at, service.name, barber.name
    return Subject(booking.id, *named)


def values_of(row: Shop, subject: Subject, at: datetime) -> dict[str, str]:
    """What stands for each placeholder in a message about `subject` that goes out at `at`."""
    when = texts.format_date_time(subject.starts_at, time_zone(row), row.locale)
    name = texts.clean_value(subject.customer_name, "there")
    return {
        "customerName": name,
        "firstName": texts.first_name(name),
        "formattedDateTime": when,
        "serviceName": texts.clean_value(subject.service, "your appointment"),
        "barberName": texts.clean_value(subject.barber, "your barber"),
        "timeUntil": texts.time_until(at, subject.starts_at, row.locale),
        "shopName": texts.clean_value(row.name, "us"),
    }
