"""The languages that customers are written to in: each is a file of `words/`, and no more.

One message never mixes two: its words, its dates and how long it is until then are in one.
"""

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from babel import Locale, UnknownLocaleError


@dataclass(frozen=True, eq=False)
class Language:
    """All that a customer reads that nobody of the shop has written.

    `name` is its own for itself. `cancel` are the words that cancel, the first as its texts name
    it. `at` stands between a day and a time of day; empty: as Babel joins them. `unnamed` is said
    for a name that is none, `texts` are by kind of message, `answers` by what a customer's message
    came to.
    """

    code: str
    name: str
    cancel: Sequence[str]
    less_than_a_minute: str
    unnamed: Mapping[str, str]
    texts: Mapping[str, str]
    answers: Mapping[str, str]
    at: str = ""


def _read(path: Path) -> Language:
    return Language(code=path.stem, **tomllib.loads(path.read_text("utf-8")))


LANGUAGES: Mapping[str, Language] = {
    path.stem: _read(path) for path in sorted(Path(__file__).with_name("words").glob("*.toml"))
}
"""By their codes: ISO 639-1."""
ENGLISH = LANGUAGES["en"]
KINDS = tuple(ENGLISH.texts)
"""The kinds of message that have a standard text; an answer is staff's own."""

_ELSEWHERE = {"en": "en_GB"}  # English in a country that CLDR knows no English of


def known(locale: str) -> Language | None:
    """The language of a locale ("de_AT"), if we have its words."""
    return LANGUAGES.get(locale.replace("-", "_").partition("_")[0])


def chosen(locale: str, language: str | None = None) -> Language:
    """What a customer is written to in, whose own `language` (a code) this is, by a shop with that
    `locale`: theirs, else the shop's, else English.
    """
    return LANGUAGES.get(language or "") or known(locale) or ENGLISH


@cache
def locale_of(language: Language, locale: str) -> str:
    """How dates are written in a language by a shop with that `locale`: as in its own country, if
    that is known.
    """
    if known(locale) is language:
        return locale
    try:
        territory = Locale.parse(locale.replace("-", "_")).territory
        return str(Locale(language.code, territory))
    except (UnknownLocaleError, ValueError):
        return _ELSEWHERE.get(language.code, language.code)
