"""Our names and the library's messages, in the caller's words."""

from app.bookings.fields import OFFSET_HINT
from app.errors import Invalid

_A_TIME = f"must be a time in RFC 3339 and {OFFSET_HINT}"
_IN_WORDS = (
    ("Expected `str | null`", "must be text or null"),
    ("Expected `str`", "must be text"),
    ("Expected `bool`", "must be true or false"),
    ("Expected `bool | null`", "must be true, false or null"),
    ("Expected `int`", "must be a whole number"),
    ("Expected `datetime`", _A_TIME),
    ("Invalid RFC3339", _A_TIME),
)


class WrongFields(Invalid):
    """Invalid, with names that are the caller's own already: they are repeated as they came."""


def camel(name: str) -> str:
    """`customer_phone` → `customerPhone`; a name without underscores stays as it is."""
    first, *others = name.split("_")
    return first + "".join(word.capitalize() for word in others)


def in_words(message: str) -> str:
    """What msgspec found, as a caller understands it."""
    return next((words for start, words in _IN_WORDS if message.startswith(start)), message)


def sentence(message: str) -> str:
    """What is wrong with a field, as it stands beside it: `is missing` → `This is missing.`"""
    if message[:1].isupper():
        return message
    text = message if message.startswith("there ") else f"this {message}"
    return f"{text[0].upper()}{text[1:]}{'' if text.endswith('.') else '.'}"


def named_sentence(name: str, message: str) -> str:
    """The same where no field stands beside it: `is missing` → `“Name” is missing.`"""
    if name == "cursor":
        return f"This link {message}."
    is_whole = message[:1].isupper() or message.startswith("there ")
    return sentence(message) if is_whole else f"“{name}” {message}."


def sentences(invalid: Invalid) -> dict[str, str]:
    """The first thing that is wrong with each field."""
    return {error.field: sentence(error.message) for error in reversed(invalid.errors)}
