"""Numbers as their owners read them off a phone, a card or a wall."""

import re

import phonenumbers
import pytest
from phonenumbers import PhoneNumberFormat, PhoneNumberType

from app.customers.phones import parse

NO_AREA = "This needs its area code before the 15, such as 11 15 2345-6789."
LONDON, DISTRITO_FEDERAL = "+442079460958", "+525512345678"


@pytest.mark.parametrize(
    ("written", "country", "number"),
    [
        ("+52 1 55 1234 5678", None, "+5215512345678"),  # as WhatsApp shows it
        ("+52 55 1234 5678", None, DISTRITO_FEDERAL),
        ("044 55 1234 5678", "MX", DISTRITO_FEDERAL),
        ("045 55 1234 5678", "MX", DISTRITO_FEDERAL),
        ("01 55 1234 5678", "MX", DISTRITO_FEDERAL),
        ("0052 55 1234 5678", None, DISTRITO_FEDERAL),
        ("0052 1 55 1234 5678", "MX", "+5215512345678"),
        ("5215512345678", "MX", "+5215512345678"),
        ("0044 20 7946 0958", None, LONDON),
        ("0044 (0)20 7946 0958", "GB", LONDON),
        ("0044 20 7946 0958", "US", LONDON),  # where 011 is dialled, and 00 is written all the same
        ("011 44 20 7946 0958", "US", LONDON),
        ("+44 (0)20 7946 0958", None, LONDON),
        ("+0044 20 7946 0958", None, LONDON),
        ("+48 (0)512 345 678", None, "+48512345678"),
        ("+39 (0)6 1234567", None, "+39061234567"),  # whose 0 belongs to it
        ("11 15 2345-6789", "AR", "+5491123456789"),
        ("(011) 15 2345-6789", "AR", "+5491123456789"),
        ("0351 15 234-5678", "AR", "+5493512345678"),
        ("+54 9 11 2345-6789", None, "+5491123456789"),
        ("0055 11 98765-4321", "BR", "+5511987654321"),  # not by carrier 55 to the United States
        ("0 15 21 98765-4321", "BR", "+5521987654321"),
        ("(21) 8765-4321", "BR", "+552187654321"),  # as WhatsApp shows it
        ("+229 97 12 34 56", None, "+22997123456"),
        ("+225 07 12 34 56", None, "+22507123456"),
        ("+7 8 916 123 45 67", None, "+79161234567"),
        ("06 20 123 4567", "HU", "+36201234567"),
        ("62812 3456 7890", "ID", "+6281234567890"),
    ],
)
def test_a_number_is_kept_as_it_can_be_written_to(
    written: str, country: str | None, number: str
) -> None:
    assert parse(written, country) == number


@pytest.mark.parametrize(
    ("written", "country", "problem"),
    [
        ("15 2345-6789", "AR", NO_AREA),
        ("15 234-5678", "AR", NO_AREA),
        (
            "+54 15 2345-6789",
            None,
            NO_AREA,
        ),
        ("98765-4321", "BR", "This needs its area code too, such as 11 98765-4321."),
        ("+55 98765-4321", None, "This needs its area code too, such as 11 98765-4321."),
        ("555-0123", "US", "This needs its area code too."),
        ("+52 55 1234", None, "This is too short for a number of +52."),
        ("+52 1 55 1234 56789", None, "This is too long for a number of +52."),
        ("+999 1234 5678", None, "This begins with a country code that does not exist."),
        ("044 55 1234 5678", None, "This needs its country code, such as +442079460958."),
        ("00", "GB", "This is not a phone number, such as +442079460958."),
        ("+", None, "This is not a phone number, such as +442079460958."),
    ],
)
def test_what_is_refused_is_told_what_is_wrong_with_it(
    written: str, country: str | None, problem: str
) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(problem)}$"):
        parse(written, country)


@pytest.mark.parametrize("region", sorted(phonenumbers.SUPPORTED_REGIONS))
def test_the_mobiles_of_each_country_are_read_in_each_writing(region: str) -> None:
    example = phonenumbers.example_number_for_type(region, PhoneNumberType.MOBILE)
    if example is None:  # a territory without mobiles of its own
        example = phonenumbers.example_number(region)
    number, at_home, abroad = (
        phonenumbers.format_number(example, form)
        for form in (
            PhoneNumberFormat.E164,
            PhoneNumberFormat.NATIONAL,
            PhoneNumberFormat.INTERNATIONAL,
        )
    )
    zeros = f"00{number[1:]}"
    writings = [(at_home, region), (abroad, None), (zeros, None), (f"+{zeros}", None)]
    writings += [(zeros, country) for country in (region, "US", "BR", "JP", "MX")]
    writings += [
        (phonenumbers.format_out_of_country_calling_number(example, country), country)
        for country in ("DE", "US", "JP")
    ]
    assert {parse(written, country) for written, country in writings} == {number}
