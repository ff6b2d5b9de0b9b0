"""Bytes of a request as text. What no database and no page could keep is refused by its field:
NUL, bytes that are not UTF-8, and halves of a character (lone surrogates).
"""

import re
from collections.abc import Iterable
from datetime import datetime
from typing import Any
from urllib.parse import unquote_to_bytes

import msgspec

from app.errors import FieldError
from app.web.field_names import WrongFields, in_words

NO_TEXT = "This must be text in UTF-8, without control characters."

_LONGEST_NAME = 60  # of a field that is named in an answer
_UNKEEPABLE = re.compile("[\x00\ud800-\udfff]")


def pairs(raw: bytes) -> list[tuple[str, str]]:
    """The fields of a query or of a form's body, as they came. Raises WrongFields."""
    read = [_pair(part) for part in raw.split(b"&") if part]
    refuse(name for name, value in read if not (is_text(name) and is_text(value)))
    return read


def times(given: dict[str, str | None]) -> list[datetime | None]:
    """RFC 3339 times of a query, by their fields' names. Raises WrongFields.

    As a handler's parameter a `datetime` would take `1` for a second after 1970.
    """
    read: list[datetime | None] = []
    errors: list[FieldError] = []
    for name, text in given.items():
        try:
            read.append(None if text is None else msgspec.convert(text, datetime))
        except msgspec.ValidationError as error:
            errors.append(FieldError(name, in_words(str(error))))
    if errors:
        raise WrongFields(errors)
    return read


def is_text(value: Any) -> bool:
    """Whether all text in a value of JSON can be kept."""
    left = [value]
    while left:
        each = left.pop()
        if isinstance(each, str) and _UNKEEPABLE.search(each):
            return False
        if isinstance(each, list):
            left += each
        elif isinstance(each, dict):
            left += [*each.keys(), *each.values()]
    return True


def refuse(names: Iterable[str], why: str = NO_TEXT) -> None:
    """Raise WrongFields for these fields, if there are any."""
    errors = [FieldError(shown(name), why) for name in dict.fromkeys(names)]
    if errors:
        raise WrongFields(errors)


def shown(name: str) -> str:
    """A field's name as an answer may repeat it."""
    return name[:_LONGEST_NAME].encode("ascii", "replace").decode()


def _pair(part: bytes) -> tuple[str, str]:
    """Bytes that are not UTF-8 become lone surrogates, which are no text."""
    name, _, value = part.replace(b"+", b" ").partition(b"=")
    return _decoded(name), _decoded(value)


def _decoded(raw: bytes) -> str:
    return unquote_to_bytes(raw).decode("utf-8", "surrogateescape")
