"""Phone numbers as people write them, turned into E.164."""

import re
import unicodedata
from collections.abc import Iterator, Sequence
from functools import lru_cache

import phonenumbers
from phonenumbers import NumberParseException, PhoneNumber, PhoneNumberFormat, ValidationResult

from app.models.identity import person_of

MAX_WRITTEN = 40
"""Characters of a number as written; E.164 itself has 15 digits at most."""

# The digits 0-9 and what people put between them. No letters and no other digits: both would be
# turned into a number that nobody wrote.
_WRITTEN = re.compile(r"\(?\+?[0-9(][0-9 ().\-/\u00a0\u2010-\u2014\u2212]*")

_FORMER_PREFIXES: dict[int | None, tuple[str, ...]] = {52: ("044", "045", "01", "0")}
"""By country code, what was dialled before a number at home and is still written; else a 0."""

# Mobiles as they are dialled within one area, which the library takes for whole numbers.
_WITHOUT_AREA = {
    "AR": (re.compile(r"(\+54)?0?15[0-9]{6,8}"), "before the 15, such as 11 15 2345-6789"),
    "BR": (re.compile(r"(\+55)?9?[6-9][0-9]{7}"), "too, such as 11 98765-4321"),
}


def parse(text: str, country: str | None) -> str:
    """The number in E.164 (`+442079460958`).

    `country` (ISO 3166, `GB`) is where a number without `+` or `00` belongs; None: such a number
    is ambiguous. A spelling that only WhatsApp uses (`+521…`) is kept. Raises ValueError with a
    message for whoever wrote it.
    """
    written = "".join(char for char in text if unicodedata.category(char) != "Cf").strip()
    if len(written) > MAX_WRITTEN or not _WRITTEN.fullmatch(written):
        raise ValueError("This is not a phone number, such as +442079460958.")
    digits = re.sub("[^0-9+]", "", written)
    if country is None and not digits.startswith(("+", "00")):
        raise ValueError("This needs its country code, such as +442079460958.")
    _check_area(digits, country)
    numbers = _numbers(written, digits, country)
    # The first that exists, or else could: the library's tables do not know every young range,
    # and a shop can do nothing about that. A number that nobody has, Twilio reports.
    for is_right in (_exists, _could_exist):
        for number in numbers:
            if is_right(number):
                return number
    raise ValueError(_problem(numbers[0]))


def _numbers(written: str, digits: str, country: str | None) -> Sequence[str]:
    """What may be meant, in E.164, the likeliest first. Raises ValueError if nothing is."""
    numbers: list[str] = []
    problem = NumberParseException.NOT_A_NUMBER
    for text, region in _readings(written, digits, country):
        try:
            numbers += _without_prefixes(phonenumbers.parse(text, region))
        except NumberParseException as error:
            problem = error.error_type
    if numbers:
        return numbers
    if problem == NumberParseException.INVALID_COUNTRY_CODE:
        raise ValueError("This begins with a country code that does not exist.")
    raise ValueError("This is not a phone number, such as +442079460958.")


def _readings(written: str, digits: str, country: str | None) -> Iterator[tuple[str, str | None]]:
    """With 00 for +, which is dialled in most countries; as it is; without the + of a country."""
    if digits.startswith("+"):
        yield "+" + digits.lstrip("+0") if digits.startswith("+0") else written, None
        return
    if digits.startswith("00"):
        yield "+" + digits.lstrip("0"), None
    if country is not None:
        yield written, country
        if digits.startswith(str(phonenumbers.country_code_for_region(country))):
            yield f"+{digits}", None


def _without_prefixes(number: PhoneNumber) -> Iterator[str]:
    """The number, and without what is dialled at home alone: `+48 (0)512 345 678`."""
    yield phonenumbers.format_number(number, PhoneNumberFormat.E164)
    code, national = number.country_code, phonenumbers.national_significant_number(number)
    for prefix in _FORMER_PREFIXES.get(code, ("0",)):
        if national.startswith(prefix):
            yield f"+{code}{national.removeprefix(prefix)}"


@lru_cache(maxsize=4_096)
def readable(number: str) -> str:
    """An E.164 number with its usual spaces: `+1 202-555-0123`."""
    try:
        parsed = phonenumbers.parse(number)
    except NumberParseException:
        return number
    return phonenumbers.format_number(parsed, PhoneNumberFormat.INTERNATIONAL)


def _exists(number: str) -> bool:
    return any(phonenumbers.is_valid_number(each) for each in _spelled(number))


def _could_exist(number: str) -> bool:
    lengths = map(phonenumbers.is_possible_number_with_reason, _spelled(number))
    return ValidationResult.IS_POSSIBLE in lengths  # it may be possible, but only locally


def _spelled(number: str) -> Iterator[PhoneNumber]:
    """As written, and as it is dialled, if it is a spelling of WhatsApp's; without a prefix."""
    for each in {number, person_of(number)}:
        try:
            parsed = phonenumbers.parse(each)
        except NumberParseException:  # nothing is left without the prefix
            continue
        if phonenumbers.format_number(parsed, PhoneNumberFormat.E164) == each:
            yield parsed


def _check_area(digits: str, country: str | None) -> None:
    """Raises ValueError for a number of one area that does not say of which."""
    for region, (pattern, hint) in _WITHOUT_AREA.items():
        match = pattern.fullmatch(digits)
        if match and (match[1] or country == region):
            raise ValueError(f"This needs its area code {hint}.")


def _problem(number: str) -> str:
    parsed = phonenumbers.parse(number)
    length = phonenumbers.is_possible_number_with_reason(parsed)
    if length == ValidationResult.IS_POSSIBLE_LOCAL_ONLY:
        return "This needs its area code too."
    how = {ValidationResult.TOO_SHORT: "too short", ValidationResult.TOO_LONG: "too long"}
    size = how.get(length, "too long or too short")
    return f"This is {size} for a number of +{parsed.country_code}."
