"""What a customer reads at once, in their language or the shop's (`app.messages.languages`). Never
what they wrote themselves.

The dates are on the shop's clock. `language` is the code of the customer's, if it is known.
"""

from collections.abc import Sequence

from sqlalchemy.orm import Session

from app.messages import languages, texts
from app.messages.booking_codes import code
from app.models.booking import Booking
from app.models.shop import Shop
from app.shop import several
from app.shop.service import names_of, shop, time_zone

MOST_LISTED = 10
"""Bookings in one answer, which holds 1,600 characters (Twilio error 21617)."""
_LONGEST = 20
"""Characters of a name in such a line."""


def answer(
    session: Session,
    effect: str,
    language: str | None,
    booking: Booking | None = None,
    among: Sequence[Booking] = (),
) -> str:
    """The answer to a message that had this effect; some need the `booking` that they name.

    It says whose it is if another of `among` begins at the same time: a family has one phone.
    """
    row = shop(session)
    when = _when(row, language, booking) if booking else ""
    if booking and any(
        each.starts_at == booking.starts_at for each in among if each.id != booking.id
    ):
        when = f"{when} ({_whose(session, language, booking)})"
    words = languages.chosen(row.locale, language).answers[effect]
    return words.format(shop=_name(row), when=when)


def which_booking(session: Session, language: str | None, bookings: Sequence[Booking]) -> str:
    """The question which of these is to be cancelled: a line with all that tells it apart, and its
    code, each.
    """
    row, shown = shop(session), bookings[:MOST_LISTED]
    lines = [
        f"• {_when(row, language, each)}, {_whose(session, language, each)}: {code(each.id)}"
        for each in shown
    ]
    if len(bookings) > MOST_LISTED:
        lines.append("…")
    words = languages.chosen(row.locale, language).answers["which_booking"]
    return words.format(shop=_name(row), list="\n".join(lines), code=code(shown[0].id))


def _name(row: Shop) -> str:
    return texts.clean_value(row.name, "Chairtime")


def _locale(row: Shop, language: str | None) -> str:
    return languages.locale_of(languages.chosen(row.locale, language), row.locale)


def _when(row: Shop, language: str | None, booking: Booking) -> str:
    return texts.format_date_time(booking.starts_at, time_zone(row), _locale(row, language))


def _whose(session: Session, language: str | None, booking: Booking) -> str:
    """`Maria, Haircut, Sam`; a name only as long as ten of them fit."""
    names = names_of(session, booking.service_id)
    services = several.in_words(names, _locale(shop(session), language))
    parts = (booking.customer_name, services, booking.barber.name)
    clean = [texts.clean_value(part, "") for part in parts]
    return ", ".join(
        part if len(part) <= _LONGEST else f"{part[: _LONGEST - 1]}…" for part in clean
    )
