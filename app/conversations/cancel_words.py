"""The shop's own words for CANCEL, in its customers' language."""

import re

from app.conversations.intent import CANCEL_WORDS, START_WORDS, STOP_WORDS, normalise
from app.forms import Form, field

MOST = 20
LONGEST = 40  # characters of a word


class WordsForm(Form):
    """The form “Words that cancel”."""

    @field
    def cancel_words(self, typed: str) -> str | None:
        return read(typed)


def read(typed: str) -> str | None:
    """The words in `typed`, each once and without CANCEL_WORDS, as the shop's row has them.

    Raises ValueError.
    """
    seen = "".join(char if char.isprintable() else " " for char in typed.replace("\n", ","))
    words = {normalise(word): " ".join(word.split()) for word in re.split("[,;]", seen)}
    kept = {plain: word for plain, word in words.items() if plain not in {"", *CANCEL_WORDS}}
    if problem := _problem(kept):
        raise ValueError(problem)
    return ", ".join(kept.values()) or None


def _problem(words: dict[str, str]) -> str:
    if len(words) > MOST:
        return f"This has {len(words)} words: {MOST} at the most."
    for plain, word in words.items():
        if len(word) > LONGEST:
            return f"This has “{word[:LONGEST]}…”, which is longer than {LONGEST} characters."
        if plain in STOP_WORDS:
            return f"This has “{word}”, which already means: no messages any more."
        if plain in START_WORDS:
            return f"This has “{word}”, which already means: messages again."
    return ""
