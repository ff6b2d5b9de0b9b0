"""What a message says: its text in the shop's words, and the same values for its template."""

from dataclasses import dataclass
from datetime import datetime

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


def compose(
    session: Session, message: Message, booking: Booking, at: datetime | None = None
) -> Content:
    """The content of `message` if it goes out now, or `at` another time. Raises texts.TextError.

    What staff answer is sent as they wrote it: within 24 hours WhatsApp takes free text.
    """
    if message.text is not None:
        return Content(message.text, None, {})
    row = shop(session)
    values = values_of(session, row, booking, at or clock.now())
    text = text_of(row, message.kind)
    return Content(
        body=texts.render(text, values),
        content_sid=content_sid(message.kind),
        variables={
            **{variable(name): value for name, value in values.items()},
            CANCEL_PAYLOAD: booking_codes.cancel_payload(booking.id),
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


def values_of(session: Session, row: Shop, booking: Booking, at: datetime) -> dict[str, str]:
    """What stands for each placeholder in a message about `booking` that goes out at `at`."""
    service = session.get_one(Service, booking.service_id)
    barber = session.get_one(Barber, booking.barber_id)
    return {
        "customerName": texts.clean_value(booking.customer_name, "there"),
        "formattedDateTime": texts.format_date_time(booking.starts_at, time_zone(row), row.locale),
        "serviceName": texts.clean_value(service.name, "your appointment"),
        "barberName": texts.clean_value(barber.name, "your barber"),
        "timeUntil": texts.time_until(at, booking.starts_at, row.locale),
        "shopName": texts.clean_value(row.name, "us"),
    }
