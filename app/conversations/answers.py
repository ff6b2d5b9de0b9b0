"""What a customer reads at once, in their language or the shop's (`app.messages.languages`). Never
what they wrote themselves.

The dates are on the shop's clock. `language` is the code of the customer's, if it is known.
"""

from collections.abc import Sequence

from app.messages import languages, texts
from app.messages.booking_codes import code
from app.models.booking import Booking
from app.models.shop import Shop
from app.shop.service import time_zone

MOST_LISTED = 10
"""Bookings in one answer, which holds 1,600 characters (Twilio error 21617)."""
_LONGEST = 20
"""Characters of a name in such a line."""


def answer(
    shop: Shop,
    effect: str,
    language: str | None,
    booking: Booking | None = None,
    among: Sequence[Booking] = (),
) -> str:
    """The answer to a message that had this effect; some need the `booking` that they name.

    It says whose it is if another of `among` begins at the same time: a family has one phone.
    """
    when = _when(shop, language, booking) if booking else ""
    if booking and any(
        each.starts_at == booking.starts_at for each in among if each.id != booking.id
    ):
        when = f"{when} ({_whose(booking)})"
    words = languages.chosen(shop.locale, language).answers[effect]
    return words.format(shop=_name(shop), when=when)


def which_booking(shop: Shop, language: str | None, bookings: Sequence[Booking]) -> str:
    """The question which of these is to be cancelled: a line with all that tells it apart, and its
    code, each.
    """
    shown = bookings[:MOST_LISTED]
    lines = [f"• {_when(shop, language, each)}, {_whose(each)}: {code(each.id)}" for each in shown]
    if len(bookings) > MOST_LISTED:
        lines.append("…")
    words = languages.chosen(shop.locale, language).answers["which_booking"]
    return words.format(shop=_name(shop), list="\n".join(lines), code=code(shown[0].id))


def _name(shop: Shop) -> str:
    return texts.clean_value(shop.name, "Chairtime")


def _when(shop: Shop, language: str | None, booking: Booking) -> str:
    locale = languages.locale_of(languages.chosen(shop.locale, language), shop.locale)
    return texts.format_date_time(booking.starts_at, time_zone(shop), locale)


def _whose(booking: Booking) -> str:
    """`Maria, Haircut, Sam`; a name only as long as ten of them fit."""
    parts = (booking.customer_name, booking.service.name, booking.barber.name)
    clean = [texts.clean_value(part, "") for part in parts]
    return ", ".join(
        part if len(part) <= _LONGEST else f"{part[: _LONGEST - 1]}…" for part in clean
    )
