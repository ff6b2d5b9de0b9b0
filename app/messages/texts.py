"""The placeholders of a text, and the values put into them.

Staff may edit the texts, so a placeholder is a name in braces and nothing more: no expressions.
"""

import math
import re
import unicodedata
from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import cache
from typing import Literal
from zoneinfo import ZoneInfo

from babel import Locale
from babel.dates import format_date, format_time, format_timedelta

from app import clock
from app.messages import languages

Unit = Literal["day", "hour", "minute"]

PLACEHOLDERS = (
    "customerName",
    "firstName",
    "formattedDateTime",
    "serviceName",
    "barberName",
    "timeUntil",
    "shopName",
)
MAX_TEXT = 1024
"""Characters of a WhatsApp template's body (Twilio error 63021)."""
MAX_VALUE = 120
"""Characters of one value: with every value this long, the standard texts still fit MAX_TEXT."""

_PLACEHOLDER = re.compile(r"\{([A-Za-z]+)\}")
_BRACES = re.compile(r"\{[^{}\n]*\}|[{}]")
_UNPRINTABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")

# Controls, soft hyphen, zero-width and bidi controls, tags, and lone surrogates; but not what is
# white space, nor the two joiners.
_INVISIBLE = re.compile(
    "[\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f\u00ad\u034f\u061c\u180e\u200b\u200e\u200f\u202a-\u202e"
    "\u2060-\u206f\ud800-\udfff\ufeff\ufff9-\ufffb\U000e0000-\U000e007f]"
)
_BLANK_LETTERS = re.compile("[\u115f\u1160\u2800\u3164\uffa0]")
_JOINER = re.compile("[\u200c\u200d]")
# A joiner belongs between parts of an emoji, and in the scripts from Arabic to Sinhala.
_JOINED = "\u0600-\u0dff\u2190-\u21ff\u2600-\u27bf\u2b00-\u2bff\ufe0f\U0001f000-\U0001faff"
_STRAY_JOINER = re.compile(f"(?<![{_JOINED}])[\u200c\u200d]|[\u200c\u200d](?![{_JOINED}])")

_MINUTE, _HOUR, _DAY = 60, 3600, 86400


class TextError(ValueError):
    """A text that cannot be used, or not with these values.

    `position` counts from 0; what is wrong there has `length` characters.
    """

    def __init__(
        self, problem: str, text: str = "", position: int | None = None, length: int = 1
    ) -> None:
        self.position, self.length = position, length
        if position is not None:
            before = text[:position].split("\n")
            problem = f"{problem} (line {len(before)}, character {len(before[-1]) + 1})"
        super().__init__(problem)


def placeholders(text: str) -> set[str]:
    """The names in braces that `text` uses, known or not."""
    return set(_PLACEHOLDER.findall(text))


def check_text(text: str) -> None:
    """Raise TextError unless `text` can be a message: not empty, nothing unknown, not too long."""
    if not text.strip():
        raise TextError("The text is empty")
    if len(text) > MAX_TEXT:
        too_many = len(text) - MAX_TEXT
        problem = f"The text has {len(text)} characters; WhatsApp takes {MAX_TEXT}"
        raise TextError(problem, text, MAX_TEXT, too_many)
    if match := _UNPRINTABLE.search(text):
        raise TextError("This character cannot be sent", text, match.start())
    for match in _BRACES.finditer(text):
        _check_braces(match.group(), text, match.start())
    if (longest := most_characters(text)) > MAX_TEXT:
        raise TextError(
            f"With the longest names the text would have {longest} characters; WhatsApp takes "
            f"{MAX_TEXT}. Take out {longest - MAX_TEXT}, or a placeholder"
        )


def most_characters(text: str) -> int:
    """How long a message of this text can become: with each value as long as it may be."""
    return len(render(text, dict.fromkeys(placeholders(text), "x" * MAX_VALUE)))


def render(text: str, values: Mapping[str, str]) -> str:
    """`text` with its placeholders replaced, once: braces within a value stay as they are.

    Raises TextError for a placeholder that has no value.
    """

    def value_of(match: re.Match[str]) -> str:
        if match[1] not in values:
            raise TextError(f"There is no value for {match[0]}", text, match.start())
        return values[match[1]]

    return _PLACEHOLDER.sub(value_of, text)


def clean_value(value: str, default: str) -> str:
    """A name made fit for a message: one line, visible, at most MAX_VALUE characters, NFC.

    `default` when nothing is left, as Twilio takes no empty value (errors 21656 and 63013). What
    could hide or turn around text is taken out; emoji of several parts stay whole.
    """
    text = unicodedata.normalize("NFC", _INVISIBLE.sub("", value))
    text = _BLANK_LETTERS.sub(" ", text)
    if _STRAY_JOINER.search(text):
        text = unicodedata.normalize("NFC", _JOINER.sub("", text))
    text = _one_line(text)[:MAX_VALUE].rstrip(" \u200c\u200d")
    return text if any(unicodedata.category(char)[0] in "LNPS" for char in text) else default


def first_name(name: str) -> str:
    """The first word of a name that is fit for a message, or all of it where that is no name: a
    title, an initial, or a family's name before a comma.
    """
    first, *rest = name.split()
    is_name = len(first) > 1 and not first.endswith(".") and "," not in name
    return first if rest and is_name else name


def format_date_time(at: datetime, time_zone: ZoneInfo, locale: str) -> str:
    """`at` (aware) on the clock of `time_zone`, as `locale` ("en_US") writes it.

    For example "Monday, November 23, 2026 at 6:00 PM"; "1:30 AM BST" in the hour that comes twice.
    Raises ValueError or babel.UnknownLocaleError for a locale that there is none of.
    """
    language = _locale(locale)
    local = at.astimezone(time_zone)
    day = format_date(local, "full", locale=language)
    time = format_time(local, "short", tzinfo=time_zone, locale=language)
    if clock.comes_twice(local, time_zone):
        time = f"{time} {clock.zone_name(local, time_zone)}"
    ours = languages.known(locale)
    if ours and ours.at:
        return _one_line(f"{day}{ours.at}{time}")
    both = str(language.datetime_formats["full"]).replace("'", "")
    return _one_line(both.replace("{0}", time).replace("{1}", day))


def time_until(now: datetime, then: datetime, locale: str) -> str:
    """How long it is from `now` to `then` (both aware), as one says it: "1 hour 30 minutes".

    Rounded to the nearest minute below two hours, 5 minutes below a day, hour below three days,
    and day from there on. Below a minute, or when `then` has passed: "less than a minute", which is
    not in CLDR: of a language that we have no words of "1 minute".
    """
    seconds = (then - now).total_seconds()
    language = _locale(locale)
    if seconds < _MINUTE:
        ours = languages.known(locale)
        return ours.less_than_a_minute if ours else _amount(1, "minute", language)
    step = _step(seconds)
    rounded = int(seconds / step + 0.5) * step
    days, rest = divmod(rounded, _DAY)
    hours, rest = divmod(rest, _HOUR)
    parts: tuple[tuple[int, Unit], ...] = (
        (days, "day"),
        (hours, "hour"),
        (rest // _MINUTE, "minute"),
    )
    return " ".join(_amount(number, unit, language) for number, unit in parts if number)


def _check_braces(braces: str, text: str, position: int) -> None:
    if len(braces) == 1:
        raise TextError("Braces belong around a placeholder, as in {firstName}", text, position)
    if braces[1:-1] not in PLACEHOLDERS:
        known = ", ".join(f"{{{name}}}" for name in PLACEHOLDERS)
        raise TextError(
            f"{braces} is not a placeholder; there are {known}", text, position, len(braces)
        )


def _step(seconds: float) -> int:
    """What to round to, in seconds, when it is this long."""
    if seconds < 2 * _HOUR:
        return _MINUTE
    if seconds < _DAY:
        return 5 * _MINUTE
    return _HOUR if seconds < 3 * _DAY else _DAY


def _amount(number: int, unit: Unit, locale: Locale) -> str:
    # The threshold keeps Babel from taking a larger unit: 60 days are not "2 months".
    delta = timedelta(**{f"{unit}s": number})
    words = format_timedelta(delta, granularity=unit, threshold=math.inf, locale=locale)
    return _one_line(words)


@cache
def _locale(name: str) -> Locale:
    return Locale.parse(name.replace("-", "_"))


def _one_line(text: str) -> str:
    """`text` with plain single spaces: Babel's are partly narrow or unbreakable."""
    return " ".join(text.split())
