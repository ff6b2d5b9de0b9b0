"""What a customer reads at once, in the words of `answers.toml`. Never what they wrote themselves.

The dates are on the shop's clock, as its language writes them.
"""

import tomllib
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from babel import Locale

from app.bookings.models import Booking
from app.messages import texts
from app.messages.codes import code
from app.shop.models import Shop
from app.shop.service import time_zone

MOST_LISTED = 10
"""Bookings in one answer, which holds 1,600 characters (Twilio error 21617)."""


def answer(shop: Shop, effect: str, booking: Booking | None = None) -> str:
    """The answer to what had this effect; those that tell of a booking need it."""
    when = _when(shop, booking) if booking else ""
    return _words(shop.locale)[effect].format(shop=_name(shop), when=when)


def which_booking(shop: Shop, bookings: Sequence[Booking]) -> str:
    """The question which of these is to be cancelled: a line with date and code each."""
    shown = bookings[:MOST_LISTED]
    lines = [f"• {_when(shop, booking)}: {code(booking.id)}" for booking in shown]
    if len(bookings) > MOST_LISTED:
        lines.append("…")
    words = _words(shop.locale)["which_booking"]
    return words.format(shop=_name(shop), list="\n".join(lines), code=code(shown[0].id))


def _name(shop: Shop) -> str:
    return texts.clean_value(shop.name, "Chairtime")


def _when(shop: Shop, booking: Booking) -> str:
    return texts.format_date_time(booking.starts_at, time_zone(shop), shop.locale)


def _words(locale: str) -> dict[str, str]:
    """The sentences in the language of `locale`, else in English."""
    found = _all_words()
    language: str = Locale.parse(locale.replace("-", "_")).language
    return found.get(language, found["en"])


@cache
def _all_words() -> dict[str, dict[str, str]]:
    return tomllib.loads(Path(__file__).with_name("answers.toml").read_text("utf-8"))
