"""What a customer seems to ask for in their own words, for staff to grant by one press.

Nothing is done by itself here, unlike what `intent` finds: a wrong guess costs a look.
"""

import re
from dataclasses import dataclass
from datetime import time, timedelta
from typing import Literal

from app.conversations.intent import CANCEL_WORDS, normalise

_LONGEST = 300  # characters of a message that asks for one thing
_CANNOT = r"(?:can ?not|can.?t|won.?t be able to) (?:make it|come)"
_NOT = re.compile(r"\b(?:not|don.?t|no|never|without)\b(?! (?:come|make it))")
_CLOCK = re.compile(
    r"(?<![\d.:])(?:([01]?\d|2[0-3])[:.h]([0-5]\d)(?: ?([ap])\.?m\b)?|(1[0-2]|[1-9]) ?([ap])\.?m\b)"
    r"(?![\d:]|\.\d)"
)
_ASKS = re.compile(r"\?|\b(?:instead|move|change|reschedule|later|earlier|possible|rather)\b")
_BY = re.compile(
    r"\b(half an|an|a|one|two|three|\d{1,3}) (hour|minute|min)s? (later|earlier|before|after)\b"
)
_NUMBERS = {"half an": 0.5, "an": 1, "a": 1, "one": 1, "two": 2, "three": 3}


@dataclass(frozen=True)
class Wish:
    """To cancel, or to come at another time of the day: one of `times`, or so much later (`by`)."""

    kind: Literal["cancel", "move"]
    times: tuple[time, ...] = ()
    by: timedelta | None = None


def wish_of(body: str, cancel_words: str | None) -> Wish | None:
    """What is asked for; None if that is not plain. `cancel_words` are as `intent.intent_of` has
    them.

    A time without am or pm that may be either is both, as it is written first.
    """
    text = normalise(body) if len(body) <= _LONGEST else ""
    is_question = bool(_ASKS.search(text)) or "?" in body
    if is_question and (moved := _another_time(text)):
        return moved
    own = [normalise(word) for word in (cancel_words or "").split(",")]
    words = "|".join(re.escape(word) for word in [*sorted(CANCEL_WORDS), *own] if word)
    if re.search(rf"\b(?:{words}|{_CANNOT})\b", text) and not _NOT.search(text):
        return Wish("cancel")
    return None


def _another_time(text: str) -> Wish | None:
    if by := _BY.search(text):
        number, unit, which = by.groups()
        much = _NUMBERS.get(number) or float(number)
        length = timedelta(hours=much) if unit == "hour" else timedelta(minutes=much)
        return Wish("move", by=length if which in {"later", "after"} else -length)
    times = {_meant(found) for found in _CLOCK.finditer(text)}
    return Wish("move", times.pop()) if len(times) == 1 else None


def _meant(found: re.Match[str]) -> tuple[time, ...]:
    hours, minutes, half, whole, whole_half = found.groups()
    hour, minute, half = int(hours or whole), int(minutes or 0), half or whole_half
    if half and hour <= 12:
        return (time(hour % 12 + (12 if half == "p" else 0), minute),)
    if 1 <= hour < 12 and not half:
        return time(hour, minute), time(hour + 12, minute)
    return (time(hour, minute),)
