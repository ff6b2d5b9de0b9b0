"""Changing the shop's row: what its owner types is checked, written, and audited."""

import re
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any
from unicodedata import normalize

import phonenumbers
from babel import Locale
from babel.languages import get_official_languages
from babel.localedata import locale_identifiers
from sqlalchemy.orm import Session

from app.forms import Form, field, one_of
from app.models.shop import Shop
from app.shop import money
from app.staff import audit
from app.staff.accounts import clean_name

_LOCALE = re.compile("(?P<language>[a-z]{2,3})(_[A-Z][a-z]{3})?_(?P<territory>[A-Z]{2})")


class ShopForm(Form):
    """The form “Shop”; `row` is the shop as it is.

    What it has stays allowed, as lists of zones and languages change with the years.
    """

    def __init__(self, given: Mapping[str, str], row: Shop) -> None:
        super().__init__(given)
        self._row = row

    @field
    def name(self, typed: str) -> str:
        return clean_name(typed)

    @field
    def locale(self, typed: str) -> str:
        return one_of(typed, {*locales(), self._row.locale})

    @field
    def country(self, typed: str) -> str | None:
        return one_of(typed, {"", *countries()}) or None

    @field
    def time_zone(self, typed: str) -> str | None:
        return one_of(typed, {"", *time_zones(), self._row.time_zone}) or None

    @field
    def prices_in(self, typed: str) -> str | None:
        return one_of(typed, {"", *dict(money.currencies()), self._row.prices_in}) or None


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


@cache
def locales() -> dict[str, str]:
    """Languages as they are written in a country where they are official: `de_AT`, and in words.

    Only those that fit into the pages whole: from left to right, with the digits 0 to 9.
    """
    return latin(
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
    return latin(
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
    return latin({name: name.replace("_", " ") for _, _, name, *_ in lines} | {"UTC": "UTC"})


def _is_official(locale: str) -> bool:
    match = _LOCALE.fullmatch(locale)
    return match is not None and match["language"] in get_official_languages(
        match["territory"], regional=True, de_facto=True
    )


def _is_whole(locale: str) -> bool:
    parsed = Locale.parse(locale)
    return parsed.text_direction == "ltr" and parsed.default_numbering_system == "latn"


def latin(fields: Mapping[str, str]) -> dict[str, str]:
    """In the order of their words, which are kept to Latin-1: one ā would load a font of 86 kB."""
    words = {
        key: "".join(char if char <= "ÿ" else normalize("NFKD", char)[0] for char in text)
        for key, text in fields.items()
    }
    return dict(sorted(words.items(), key=lambda each: each[1]))


def _plain(value: Any) -> Any:
    """As JSON can hold it."""
    return value if value is None or isinstance(value, str | int) else str(value)
