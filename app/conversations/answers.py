"""What a customer reads at once, in the words of `answers.toml`. Never what they wrote themselves.

The dates are on the shop's clock, as its language writes them.
"""

import tomllib
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from babel import Locale

from app.messages import texts
from app.messages.booking_codes import code
from app.models.booking import Booking
from app.models.shop import Shop
from app.shop.service import time_zone

MOST_LISTED = 10
"""Bookings in one answer, which holds 1,600 characters (Twilio error 21617)."""
_LONGEST = 20
"""Characters of a name in such a line."""


def answer(
    shop: Shop, effect: str, booking: Booking | None = None, among: Sequence[Booking] = ()
) -> str:
    """The answer to a message that had this effect; some need the `booking` that they name.

    It says whose it is if another of `among` begins at the same time: a family has one phone.
    """
    when = _when(shop, booking) if booking else ""
    if booking and any(
        each.starts_at == booking.starts_at for each in among if each.id != booking.id
    ):
        when = f"{when} ({_whose(booking)})"
    return _words(shop.locale)[effect].format(shop=_name(shop), when=when)


def which_booking(shop: Shop, bookings: Sequence[Booking]) -> str:
    """The question which of these is to be cancelled: a line with all that tells it apart, and its
    code, each.
    """
    shown = bookings[:MOST_LISTED]
    lines = [
        f"• {_when(shop, booking)}, {_whose(booking)}: {code(booking.id)}" for booking in shown
    ]
    if len(bookings) > MOST_LISTED:
        lines.append("…")
    words = _words(shop.locale)["which_booking"]
    return words.format(shop=_name(shop), list="\n".join(lines), code=code(shown[0].id))


def _name(shop: Shop) -> str:
    return texts.clean_value(shop.name, "Chairtime")


def _when(shop: Shop, booking: Booking) -> str:
    return texts.format_date_time(booking.starts_at, time_zone(shop), shop.locale)


def _whose(booking: Booking) -> str:
    """`Maria, Haircut, Sam`; a name only as long as ten of them fit."""
    parts = (booking.customer_name, booking.service.name, booking.barber.name)
    clean = [texts.clean_value(part, "") for part in parts]
    return ", ".join(
        part if len(part) <= _LONGEST else f"{part[: _LONGEST - 1]}…" for part in clean
    )


def _words(locale: str) -> dict[str, str]:
    """The sentences in the language of `locale`, else in English."""
    languages = _all_words()
    language: str = Locale.parse(locale.replace("-", "_")).language
    return languages.get(language, languages["en"])


@cache
def _all_words() -> dict[str, dict[str, str]]:
    return tomllib.loads(Path(__file__).with_name("answers.toml").read_text("utf-8"))
