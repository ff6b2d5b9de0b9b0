"""Phone numbers as people write them, turned into E.164."""

import re
import unicodedata

import phonenumbers

MAX_WRITTEN = 40
"""Characters of a number as written; E.164 itself has 15 digits at most."""

# The digits 0-9 and what people put between them. No letters and no other digits: both would be
# turned into a number that nobody wrote.
_WRITTEN = re.compile(r"\(?\+?[0-9(][0-9 ().\-/\u00a0\u2010-\u2014\u2212]*")


def parse(text: str, country: str | None) -> str:
    """The number in E.164 (`+442079460958`).

    `country` (ISO 3166, `GB`) is where a number without `+` belongs; None: such a number is
    ambiguous. Raises ValueError with a message for whoever wrote it.
    """
    written = "".join(char for char in text if unicodedata.category(char) != "Cf").strip()
    if len(written) > MAX_WRITTEN or not _WRITTEN.fullmatch(written):
        raise ValueError("This is not a phone number, such as +442079460958.")
    if "+" not in written and country is None:
        raise ValueError("This needs its country code, such as +442079460958.")
    try:
        number = phonenumbers.parse(written, country)
    except phonenumbers.NumberParseException as error:
        raise ValueError("This is not a phone number, such as +442079460958.") from error
    # Not is_valid_number: it refuses every range that is younger than the library's tables, and
    # a shop can do nothing about that. A number that nobody has, Twilio reports.
    length = phonenumbers.is_possible_number_with_reason(number)
    if length != phonenumbers.ValidationResult.IS_POSSIBLE:  # it may be possible, but only locally
        raise ValueError("This is too long or too short for its country code.")
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
