"""Prices: what is typed, what is kept, and how it reads in the shop's language.

A shop has one currency, in which its services are priced. An amount has at most as many decimals as
the currency: two of a pound, none of a yen.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from functools import cache, lru_cache

from babel import Locale
from babel.core import get_global
from babel.numbers import (
    NumberPattern,
    get_currency_precision,
    get_territory_currencies,
    parse_pattern,
)

from app.models.shop import Shop

MOST = Decimal(10_000_000)
"""The highest price; in some currencies a haircut costs a hundred thousand."""

_AMOUNT = re.compile(r"(-?)([0-9]{1,12})(?:[.,]([0-9]{1,9}))?", re.ASCII)
_PERCENT = re.compile(r"([0-9]{1,3}(?:[.,][0-9]{1,2})?)\s*%", re.ASCII)
_ALL = Decimal(100)
_DEFAULT = "USD"


@dataclass(frozen=True)
class Price:
    """As it stands in JSON: `{"amount": "25.00", "currency": "GBP"}`."""

    amount: str
    currency: str


@dataclass(frozen=True)
class Percent:
    """A part of a price: above 0, at most 100."""

    percent: Decimal


def currency_of(row: Shop) -> str:
    """The shop's currency (ISO 4217): its own, else that of its country or of its language's."""
    territory = row.country or Locale.parse(row.locale).territory or ""
    return row.prices_in or _currency_in(territory)


def read(given: str | Price | None, currency: str) -> Decimal | None:
    """An amount of that currency, None for none. Raises ValueError."""
    if isinstance(given, Price):
        if given.currency != currency:
            raise ValueError(f"This must be in {currency}, the shop’s currency.")
        given = given.amount
        if not given.strip():
            raise ValueError(f"This must be an amount such as {_example(currency)}.")
    typed = (given or "").strip()
    return _amount(typed, currency) if typed else None


def read_discount(given: str | Price | None, currency: str) -> Decimal | Percent | None:
    """What goes off a price: an amount, or a part of it such as `10%`. None, or 0, for none.

    Raises ValueError.
    """
    match = _PERCENT.fullmatch(given.strip()) if isinstance(given, str) else None
    if match is None:
        return read(given, currency) or None
    percent = Decimal(match[1].replace(",", "."))
    if percent > _ALL:
        raise ValueError("This must be at most 100%.")
    return Percent(percent) if percent else None


def off(
    discount: Decimal | Percent | None, price: Decimal | None, currency: str | None
) -> Decimal | None:
    """The amount that goes off this price, halves up; None if there is no price to take part of."""
    if not isinstance(discount, Percent):
        return discount
    if price is None or currency is None:
        return None
    smallest = Decimal(1).scaleb(-get_currency_precision(currency))
    return (price * discount.percent / _ALL).quantize(smallest, ROUND_HALF_UP) or None


def plain(amount: Decimal, currency: str) -> str:
    """The amount with all decimals of its currency: `25.00`."""
    return f"{amount:.{get_currency_precision(currency)}f}"


def price_of(amount: Decimal | None, currency: str | None) -> Price | None:
    """As it stands in JSON."""
    if amount is None or currency is None:
        return None
    return Price(plain(amount, currency), currency)


def words(amount: Decimal, currency: str, locale: str) -> str:
    """`£25`, `£12.50`, `25 €`."""
    decimals = 0 if amount == amount.to_integral_value() else get_currency_precision(currency)
    pattern = _pattern(locale, decimals)
    return str(pattern.apply(amount, locale, currency=currency, currency_digits=False))


@cache
def currencies() -> tuple[tuple[str, str], ...]:
    """What is paid with somewhere today: code and English name, by name."""
    territories = get_global("territory_currencies")
    codes = {code for each in territories for code in get_territory_currencies(each)}
    names: Mapping[str, str] = Locale("en").currencies
    return tuple(
        sorted(((code, names.get(code, code)) for code in codes), key=lambda each: each[1])
    )


def _amount(typed: str, currency: str) -> Decimal:
    match = _AMOUNT.fullmatch(typed)
    if not match:
        raise ValueError(f"This must be an amount such as {_example(currency)}.")
    sign, whole, decimals = match[1], match[2], match[3] or ""
    if sign:
        raise ValueError("This must not be less than 0.")
    most = get_currency_precision(currency)
    if len(decimals) > most:
        at_most = f"at most {most} decimals" if most else "no decimals"
        raise ValueError(f"This must have {at_most}, such as {_example(currency)}.")
    amount = Decimal(f"{whole}.{decimals or 0}")
    if amount > MOST:
        raise ValueError(f"This must be at most {MOST:,}.")
    return amount


def _example(currency: str) -> str:
    return plain(Decimal(25), currency)


@lru_cache(maxsize=64)
def _pattern(locale: str, decimals: int) -> NumberPattern:
    pattern = parse_pattern(Locale.parse(locale).currency_formats["standard"].pattern)
    pattern.frac_prec = (decimals, decimals)
    return pattern


@cache
def _currency_in(territory: str) -> str:
    return next(iter(get_territory_currencies(territory)), _DEFAULT) if territory else _DEFAULT
