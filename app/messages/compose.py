"""What a message says: its text in the shop's words, and the same values for its template.

A text that the shop has written is sent as it is to everybody, with dates in the shop's language. A
standard text is sent in the customer's language, if that is known; but by a template only if there
is one in that language, for a template's words are at Twilio (ADR 66).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import NamedTuple

from sqlalchemy.orm import Session

from app.messages import booking_codes, languages, texts
from app.models.booking import Booking
from app.models.message import Message
from app.models.shop import Barber, Shop
from app.settings import settings
from app.shop import several
from app.shop.service import names_of, shop, time_zone

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


class Wording(NamedTuple):
    """A text with placeholders, how the dates in it are written, and the template that says it.

    `is_own` if the shop has written it.
    """

    text: str
    locale: str
    content_sid: str | None
    is_own: bool


class Subject(NamedTuple):
    """What a message says of a booking. The names of its `services` become one in the language of
    the message; `language` is the customer's, if it is known.
    """

    booking_id: str
    customer_name: str
    starts_at: datetime
    services: Sequence[str]
    barber: str
    language: str | None = None


def compose(
    session: Session, message: Message, booking: Booking, at: datetime, language: str | None = None
) -> Content:
    """The content of `message` if it goes out then, to a customer with this `language` (None: the
    shop's). Raises texts.TextError.
    """
    subject = subject_of(session, booking)._replace(language=language)
    return content_of(shop(session), message.kind, message.text, subject, at)


def content_of(
    row: Shop, kind: str, written: str | None, subject: Subject, at: datetime
) -> Content:
    """The same of plain values. Raises texts.TextError.

    What staff have `written` as an answer is sent as it is: within 24 hours WhatsApp takes free
    text.
    """
    if written is not None:
        return Content(written, None, {})
    wording = wording_of(row, kind, subject.language)
    values = values_of(row, subject, at, wording.locale)
    return Content(
        body=texts.render(wording.text, values),
        content_sid=wording.content_sid,
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


def wording_of(row: Shop, kind: str, language: str | None = None) -> Wording:
    """What messages of this kind say to a customer with this language; None: the shop's."""
    sids = content_sids(kind)
    own: str | None = getattr(row, f"{kind}_text")
    if own:
        return Wording(own, row.locale, sids.get(""), is_own=True)
    shops = languages.chosen(row.locale)
    theirs = languages.chosen(row.locale, language)
    if theirs is not shops and sids and theirs.code not in sids:
        theirs = shops
    sid = sids.get("" if theirs is shops else theirs.code)
    locale = languages.locale_of(theirs, row.locale)
    return Wording(theirs.texts[kind], locale, sid, is_own=False)


def content_sids(kind: str) -> Mapping[str, str]:
    """The Twilio templates for messages of this kind that are set, by the code of their language;
    that of the shop's language is "". An answer has none.
    """
    return _sids(getattr(settings(), f"whatsapp_{kind}_content_sid", None) or "")


@cache
def _sids(written: str) -> Mapping[str, str]:
    """Of `HX1 de:HX2`."""
    named = (each.rpartition(":") for each in written.split())
    return {code: sid for code, _, sid in named}


def subject_of(session: Session, booking: Booking) -> Subject:
    """What a message says of `booking`, which need not be stored."""
    services = names_of(session, booking.service_id)
    barber = session.get_one(Barber, booking.barber_id)
    named = booking.customer_name, booking.starts_at, services, barber.name
    return Subject(booking.id, *named)


def values_of(row: Shop, subject: Subject, at: datetime, locale: str) -> dict[str, str]:
    """What stands for each placeholder in a message about `subject` that goes out at `at`."""
    unnamed = languages.chosen(locale).unnamed
    name = texts.clean_value(subject.customer_name, unnamed["customer"])
    return {
        "customerName": name,
        "firstName": texts.first_name(name),
        "formattedDateTime": texts.format_date_time(subject.starts_at, time_zone(row), locale),
        "serviceName": texts.clean_value(
            several.in_words(subject.services, locale), unnamed["service"]
        ),
        "barberName": texts.clean_value(subject.barber, unnamed["barber"]),
        "timeUntil": texts.time_until(at, subject.starts_at, locale),
        "shopName": texts.clean_value(row.name, unnamed["shop"]),
    }
