"""Our names and the library's messages, in the caller's words."""

from collections.abc import Mapping

from app.errors import Invalid

_A_TIME = "This must be a time in RFC 3339 with an offset, e.g. 2026-11-23T18:00:00Z."
_IN_WORDS = (
    ("Expected `str | null`", "This must be text or null."),
    ("Expected `str`", "This must be text."),
    ("Expected `bool`", "This must be true or false."),
    ("Expected `bool | null`", "This must be true, false or null."),
    ("Expected `int | null`", "This must be a whole number or null."),
    ("Expected `int`", "This must be a whole number."),
    ("Expected `array | null`", "This must be a list or null."),
    ("Expected `array`", "This must be a list."),
    ("Expected `object", 'This must be such as {"amount": "25.00", "currency": "GBP"}.'),
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
    return next((words for start, words in _IN_WORDS if message.startswith(start)), f"{message}.")


def named(name: str, message: str) -> str:
    """A field's message where no field stands beside it: `“Name”: This is missing.`"""
    return message if name == "cursor" else f"“{name}”: {message}"


def first_of_each(invalid: Invalid) -> dict[str, str]:
    """The first thing that is wrong with each field, as it stands beside it."""
    return {error.field: error.message for error in reversed(invalid.errors)}


def typed_in(form: Mapping[str, str], *names: str) -> dict[str, str]:
    """What stands in these fields of a form, for its template; empty where it has no such field."""
    return {name: form.get(name, "") for name in names}
