"""What a customer's message asks for, if it is one of the few words that we act on by ourselves.

Only a word alone counts, or CANCEL with a booking's code behind it: "please cancel" and "don't
cancel" are for people to read. The word that a language's own texts name counts everywhere.
"""

import re
import unicodedata
from dataclasses import dataclass
from typing import Literal

from app.messages.booking_codes import CODE_LENGTH, DIGITS, LETTERS
from app.messages.languages import LANGUAGES

STOP_WORDS = frozenset(["stop", "stopall", "unsubscribe", "end", "quit", "revoke", "optout"])
START_WORDS = frozenset(["start", "unstop", "yes"])
_LONGEST = 100  # characters of a message that may still be a word and a code
_CODE = re.compile(f"[{LETTERS}{DIGITS}]{{{CODE_LENGTH - 1}}}[{DIGITS}]", re.IGNORECASE)
# Variation selectors, the fillers that look like nothing, and the grapheme joiner: none of them is
# in the categories C.
_INVISIBLE = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]"
)


@dataclass(frozen=True)
class Intent:
    """What somebody wants; `code` (upper case) says which booking is to be cancelled."""

    kind: Literal["cancel", "stop", "start"]
    code: str | None = None


def intent_of(body: str, cancel_words: str | None) -> Intent | None:
    """What a message asks for; None: people must read it.

    `cancel_words` are the shop's own beside CANCEL_WORDS, with commas between. A word of STOP or
    START stays one, whatever the shop's are.
    """
    text = normalise(body) if len(body) <= _LONGEST else ""
    if text in STOP_WORDS:
        return Intent("stop")
    if text in START_WORDS:
        return Intent("start")
    own = {normalise(word) for word in (cancel_words or "").split(",")}
    words = (CANCEL_WORDS | own) - {""}
    if text in words:
        return Intent("cancel")
    first, _, last = text.rpartition(" ")
    is_code = normalise(first) in words and _CODE.fullmatch(normalise(last))
    return Intent("cancel", normalise(last).upper()) if is_code else None


def normalise(text: str) -> str:
    """A text as it is compared: NFKC, without case, without what cannot be seen, without
    punctuation and emoji at both ends, with single spaces. Doing it twice changes nothing.
    """
    while (plainer := _plainer(text)) != text:
        text = plainer
    return text


def _plainer(text: str) -> str:
    seen = "".join(" " if char.isspace() else char for char in text if _is_seen(char))
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", seen).casefold())
    return " ".join(_bare(folded).split())


def _is_seen(char: str) -> bool:
    return char.isspace() or not (unicodedata.category(char)[0] == "C" or _INVISIBLE.match(char))


def _bare(text: str) -> str:
    """Without what is neither letter nor digit at both ends; an accent stays with its letter."""
    kept = [place for place, char in enumerate(text) if unicodedata.category(char)[0] in "LN"]
    if not kept:
        return ""
    end = kept[-1] + 1
    while end < len(text) and unicodedata.category(text[end])[0] == "M":
        end += 1
    return text[kept[0] : end]


CANCEL_WORDS = frozenset(normalise(word) for each in LANGUAGES.values() for word in each.cancel)
""""cancel", and what stands for it in the other languages."""
