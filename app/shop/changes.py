"""Changing the shop's row: what its owner types is checked, written, and audited."""

import re
from collections.abc import Mapping
from datetime import time
from functools import cache
from importlib.resources import files
from typing import Any
from unicodedata import normalize

import phonenumbers
from babel import Locale
from babel.languages import get_official_languages
from babel.localedata import locale_identifiers
from sqlalchemy.orm import Session

from app.errors import FieldError, Invalid, each_right
from app.models.shop import Shop
from app.staff import audit
from app.staff.accounts import clean_name

_LOCALE = re.compile("(?P<language>[a-z]{2,3})(_[A-Z][a-z]{3})?_(?P<territory>[A-Z]{2})")
_TIME = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])(?::00)?")


def save(session: Session, values: Mapping[str, Any], actor: str) -> bool:
    """Write columns of the shop's row; False if they have these values already.

    The values are checked already. The audit log gets the old and the new ones.
    """
    row = locked(session)
    changes = {
        name: [_plain(getattr(row, name)), _plain(value)]
        for name, value in values.items()
        if getattr(row, name) != value
    }
    for name in changes:
        setattr(row, name, values[name])
    if changes:
        audit.record(session, actor, "shop.changed", "shop", **changes)
    return bool(changes)


def locked(session: Session) -> Shop:
    """The shop's row as it is now; who else would change the shop waits for the transaction."""
    return session.get_one(Shop, 1, with_for_update=True, populate_existing=True)


def read(session: Session, typed: Mapping[str, str]) -> dict[str, Any]:
    """The columns that the form “Shop” means. Raises Invalid.

    What the row has stays allowed, as lists of zones and languages change with the years.
    """
    row = session.get_one(Shop, 1)
    found = each_right(
        {
            "name": lambda: clean_name(typed.get("name", "")),
            "locale": lambda: _one_of(typed.get("locale", ""), {*locales(), row.locale}),
            "country": lambda: _one_of(typed.get("country", ""), {"", *countries()}) or None,
            "time_zone": lambda: (
                _one_of(typed.get("time_zone", ""), {"", *time_zones(), row.time_zone}) or None
            ),
            "opens_at": lambda: time_of_day(typed.get("opens_at", "")),
            "closes_at": lambda: time_of_day(typed.get("closes_at", "")),
        }
    )
    if found["opens_at"] == found["closes_at"] != time():
        hint = (
            "This must differ from when the shop opens; "
            "a shop that never closes has midnight twice."
        )
        raise Invalid([FieldError("closes_at", hint)])
    return found


def time_of_day(text: str) -> time:
    """A time that was typed as 09:30. Raises ValueError."""
    found = _TIME.fullmatch(text.strip())
    if not found:
        raise ValueError("This must be a time, such as 09:30.")
    return time(int(found[1]), int(found[2]))


@cache
def locales() -> dict[str, str]:
    """Languages as they are written in a country where they are official: `de_AT`, and in words.

    Only those that fit into the pages whole: from left to right, with the digits 0 to 9.
    """
    return _by_words(
        {
            each: str(Locale.parse(each).get_display_name("en") or each)
            for each in locale_identifiers()
            if _is_official(each) and _is_whole(each)
        }
    )


@cache
def countries() -> dict[str, str]:
    """Countries that have a dialling code: `GB`, and `United Kingdom (+44)`."""
    names = Locale("en").territories
    return _by_words(
        {
            each: f"{names.get(each, each)} (+{phonenumbers.country_code_for_region(each)})"
            for each in phonenumbers.SUPPORTED_REGIONS
        }
    )


@cache
def time_zones() -> dict[str, str]:
    """The zones of all countries: `America/New_York`, and as one reads it."""
    table = files("tzdata").joinpath("zoneinfo", "zone.tab").read_text("utf-8")
    lines = [line.split("\t") for line in table.splitlines() if not line.startswith("#")]
    return _by_words({name: name.replace("_", " ") for _, _, name, *_ in lines} | {"UTC": "UTC"})


def _is_official(locale: str) -> bool:
    found = _LOCALE.fullmatch(locale)
    return found is not None and found["language"] in get_official_languages(
        found["territory"], regional=True, de_facto=True
    )


def _is_whole(locale: str) -> bool:
    parsed = Locale.parse(locale)
    return parsed.text_direction == "ltr" and parsed.default_numbering_system == "latn"


def _by_words(found: Mapping[str, str]) -> dict[str, str]:
    """In the order of their words, which are kept to Latin-1: one ā would load a font of 86 kB."""
    words = {
        key: "".join(char if char <= "ÿ" else normalize("NFKD", char)[0] for char in text)
        for key, text in found.items()
    }
    return dict(sorted(words.items(), key=lambda each: each[1]))


def _one_of(text: str, known: set[Any]) -> str:
    if text not in known:
        raise ValueError("This must be one of the list.")
    return text


def _plain(value: Any) -> Any:
    """As JSON can hold it."""
    return value if value is None or isinstance(value, str | int) else str(value)
