"""The public holidays of a shop's country, out of the `holidays` package.

It is imported when somebody asks: that takes a second, and no other page needs it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache
from typing import Any

from app.shop.changes import latin

_AHEAD = timedelta(days=365)


@dataclass(frozen=True)
class Holiday:
    """A public holiday."""

    day: date
    name: str


def regions(country: str) -> Mapping[str, str]:
    """The parts of a country that have holidays of their own, by their codes; none if there are
    none, or if nobody knows the country's.
    """
    known = _known(country)
    if known is None:
        return {}
    names = {code: name for name, code in known.subdivisions_aliases.items()}
    return latin({code: names.get(code, code) for code in known.subdivisions})


@lru_cache(maxsize=16)
def coming(country: str, region: str, locale: str, today: date) -> Sequence[Holiday] | None:
    """Those of the coming year, in the shop's language if it is one of them, else in the country's.

    `region` is one of `regions`, or empty for what holds in the whole country. None: nobody knows
    the country's.
    """
    known = _known(country)
    if known is None:
        return None
    import holidays

    until = today + _AHEAD
    found = holidays.country_holidays(
        country,
        subdiv=region or None,
        years=range(today.year, until.year + 1),
        language=_language(known, locale),
    )
    return [Holiday(day, name) for day, name in sorted(found.items()) if today <= day <= until]


@lru_cache(maxsize=4)
def _known(country: str) -> Any:
    """What the package has of a country, None if nothing."""
    import holidays

    try:
        return holidays.country_holidays(country)
    except NotImplementedError:
        return None


def _language(known: Any, locale: str) -> str | None:
    language, _, _ = locale.partition("_")
    spoken: Sequence[str] = known.supported_languages or ()
    fitting = [each for each in spoken if each.partition("_")[0] == language]
    best = locale if locale in fitting else next(iter(fitting), known.default_language)
    return best if best is None else str(best)
