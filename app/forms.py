"""A form: each of its fields is said once, and read by the same rule wherever it comes from.

class Hours(Form):
    @field
    def opens_at(self, typed: str) -> time:
        return time_of_day(typed)

hours = Hours({"opens_at": " 09:30"})
hours.checked()  # {"opens_at": time(9, 30)}, or Invalid with all that is wrong
hours.opens_at   # time(9, 30), for the type checker too

A field is a method, which gets what was given ("" if nothing was) and returns what is meant, or
raises ValueError with a whole sentence as it stands beside the field. Rules that many forms need
are below.
"""

import re
import unicodedata
from collections.abc import Callable, Collection, Mapping
from copy import copy
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any, ClassVar, Generic, Self, TypeVar, overload

from email_validator import EmailNotValidError, validate_email

from app.errors import FieldError, Invalid

Value = TypeVar("Value")

_DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_TIME_OF_DAY = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])(?::00)?")
_JOINERS = "\u200c\u200d"  # parts of names and of emoji, unlike all other format characters
_NUMBER = re.compile(r"[0-9]{1,8}(?:[.,][0-9]{1,4})?")


class field(Generic[Value]):
    """A field of a Form, by the rule that it decorates."""

    def __init__(self, rule: Callable[[Any, Any], Value]) -> None:
        self.rule = rule
        self.__doc__ = rule.__doc__

    def __set_name__(self, _owner: type, name: str) -> None:
        self.name = name

    @overload
    def __get__(self, form: None, owner: Any) -> Self: ...
    @overload
    def __get__(self, form: "Form", owner: Any) -> Value: ...
    def __get__(self, form: "Form | None", owner: Any) -> Self | Value:
        return self if form is None else form.read(self)


class Form:
    """What was given for some fields; a subclass says which there are, in the order of the page."""

    names: ClassVar[tuple[str, ...]] = ()

    def __init_subclass__(cls) -> None:
        own = (name for name, each in vars(cls).items() if isinstance(each, field))
        cls.names = tuple(dict.fromkeys([*cls.names, *own]))

    def __init__(self, given: Mapping[str, Any]) -> None:
        self.given = given
        self._meant: dict[str, Any] = {}

    def read(self, which: field[Value]) -> Value:
        """What a field means; its rule is asked once. Raises ValueError."""
        if which.name not in self._meant:
            self._meant[which.name] = which.rule(self, self.given.get(which.name, ""))
        value: Value = self._meant[which.name]
        return value

    def checked(self, names: Collection[str] | None = None) -> dict[str, Any]:
        """What the fields mean, by name: all, or these. Raises Invalid with all that are wrong."""
        values: dict[str, Any] = {}
        errors: list[FieldError] = []
        for name in self.names if names is None else names:
            try:
                values[name] = getattr(self, name)
            except ValueError as error:
                errors.append(FieldError(name, str(error)))
        if names is None and not errors:
            errors += [FieldError(*each) for each in self.wrong_together(values).items()]
        if errors:
            raise Invalid(errors)
        return values

    def part(self, names: Collection[str]) -> Self:
        """The form with these of its fields alone; what was read stays read."""
        part = copy(self)
        part.given = {name: self.given[name] for name in names if name in self.given}
        return part

    def wrong_together(self, values: Mapping[str, Any]) -> Mapping[str, str]:  # noqa: ARG002
        """What is wrong, by field, with fields of which each is right by itself."""
        return {}

    @classmethod
    def shown(cls, of: Any) -> dict[str, str]:
        """The fields as they are typed, with the values that the attributes of `of` have."""
        return {name: as_typed(getattr(of, name)) for name in cls.names}


def as_typed(value: Any) -> str:
    """A value as it stands in its field: `09:30`, `0.045`, `24.50`; empty for None."""
    if value is None:
        return ""
    if isinstance(value, time):
        return f"{value:%H:%M}"
    if not isinstance(value, Decimal):
        return str(value)
    written = f"{value.normalize():f}"
    return f"{written}0" if written[-2:-1] == "." else written  # one decimal is no price


def visible(text: str) -> str:
    """The text without what is invisible or turns text around, in NFC."""
    shown = (char for char in text if char in _JOINERS or unicodedata.category(char) != "Cf")
    return unicodedata.normalize("NFC", "".join(shown))


def line_ends(text: str) -> str:
    """A text of several lines as it is kept: a browser sends a carriage return with each end."""
    return text.replace("\r\n", "\n")


def lines(text: str, most: int) -> str | None:
    """A text of several lines, at most so long; None if there is nothing. Raises ValueError."""
    plain = visible(line_ends(text).replace("\t", " ")).strip()
    if any(unicodedata.category(char) in {"Cc", "Cs"} for char in plain.replace("\n", "")):
        raise ValueError("This must not contain control characters.")
    if len(plain) > most:
        raise ValueError(f"This has {len(plain)} characters: {most} at the most.")
    return plain or None


def one_of(text: str, known: Collection[Any]) -> str:
    """A choice out of a list. Raises ValueError."""
    if text not in known:
        raise ValueError("This must be one of the list.")
    return text


def number(text: str) -> Decimal:
    """`2`, `0.045` or `0,045`. Raises ValueError."""
    if not _NUMBER.fullmatch(text.strip()):
        raise ValueError("This must be a number, such as 2.")
    return Decimal(text.strip().replace(",", "."))


def whole_number(text: str, least: int, most: int, hint: str) -> int:
    """Raises ValueError with the `hint` for anything but a whole number of that range."""
    digits = text.strip()
    if not re.fullmatch("[0-9]{1,8}", digits) or not least <= int(digits) <= most:
        raise ValueError(hint)
    return int(digits)


def time_of_day(text: str) -> time:
    """A time that was typed as 09:30. Raises ValueError."""
    read = _TIME_OF_DAY.fullmatch(text.strip())
    if not read:
        raise ValueError("This must be a time, such as 09:30.")
    return time(int(read[1]), int(read[2]))


def day(text: str) -> date:
    """Raises ValueError."""
    try:
        if _DAY.fullmatch(text):
            return date.fromisoformat(text)
    except ValueError:  # 2026-02-30
        pass
    raise ValueError("This must be a day, such as 2026-11-23.")


def day_everywhere(text: str) -> date:
    """A day that has an equal in each time zone. Raises ValueError."""
    typed = day(text)
    if not date.min.year < typed.year < date.max.year:
        raise ValueError("This must be a day, such as 2026-11-23.")
    return typed


def moment(text: str) -> datetime:
    """A time with its offset, in UTC. Raises ValueError."""
    try:
        read = datetime.fromisoformat(text)
        if read.tzinfo is not None:
            return read.astimezone(UTC)
    except (ValueError, OverflowError):
        pass
    raise ValueError("This must be a time such as 2026-11-23T14:00:00Z.")


def email(text: str) -> str:
    """An address as it is written to. Raises ValueError."""
    try:
        return validate_email(text.strip(), check_deliverability=False).normalized
    except EmailNotValidError as error:
        raise ValueError(f"This is not an email address: {error}") from error
