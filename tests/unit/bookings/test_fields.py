"""The rules for the fields of a booking."""

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.bookings import fields
from app.bookings.fields import BookingForm
from app.customers import phones
from app.errors import Invalid

NOW = datetime(2026, 11, 23, tzinfo=UTC)
OWN = "+15550001111"


def clean(country: str | None = None, **values: Any) -> dict[str, Any]:
    form = BookingForm(values, country=country, own_number=OWN, now=NOW)
    return form.checked(values)


def messages(country: str | None = None, **values: Any) -> dict[str, str]:
    with pytest.raises(Invalid) as refused:
        clean(country, **values)
    return {error.field: error.message for error in refused.value.errors}


@pytest.mark.parametrize(
    ("written", "country", "number"),
    [
        ("+44 20 7946 0958", None, "+442079460958"),
        ("+44 (0)20 7946-0958", None, "+442079460958"),
        ("(+44) 20.7946.0958", None, "+442079460958"),
        ("\u202a+44\u00a07700\u2011900123\u202c", None, "+447700900123"),
        ("020 7946 0958", "GB", "+442079460958"),
        ("(020) 7946 0958", "GB", "+442079460958"),
        ("+1 212 555 0123", "GB", "+12125550123"),
        ("447700900123", "GB", "+447700900123"),
    ],
)
def test_a_phone_is_kept_as_e164_however_it_is_written(
    written: str, country: str | None, number: str
) -> None:
    assert clean(country, customer_phone=written) == {"customer_phone": number}


@pytest.mark.parametrize(
    ("written", "says"),
    [
        ("020 7946 0958", "country code"),
        ("+44 20 7946", "area code"),
        ("+44 20 7946 0958 123", "too long for a number of +44"),
        ("+999 123 456 789", "country code that does not exist"),
        ("+1 800 FLOWERS", "not a phone number"),
        ("+1 212 555 0123 x5", "not a phone number"),
        ("++12125550123", "not a phone number"),
        ("+12125550123+", "not a phone number"),
        ("٠٢٠٧٩٤٦٠٩٥٨", "not a phone number"),
        ("+1 555 000 1111", "own WhatsApp number"),
    ],
)
def test_a_wrong_phone_is_told_what_is_wrong_with_it(written: str, says: str) -> None:
    assert says in messages(customer_phone=written)["customer_phone"]


@given(st.text())
def test_any_text_is_a_phone_in_e164_or_refused(text: str) -> None:
    try:
        number = phones.parse(text, "GB")
    except ValueError:
        return
    assert number.startswith("+")
    assert number[1:].isascii()
    assert number[1:].isdigit()
    assert phones.parse(number, None) == number


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("  Ana \u00a0 Silva\t", "Ana Silva"),
        ("Jose\u0301", "José"),
        ("\u202eAna\u200b", "Ana"),
        ("👨\u200d👩\u200d👧", "👨\u200d👩\u200d👧"),
        ("می\u200cخواهم", "می\u200cخواهم"),
        ("{customerName}", "{customerName}"),
        ("x" * 100, "x" * 100),
        ("e\u0301" * 100, "é" * 100),
    ],
)
def test_a_name_is_kept_on_one_line_and_without_what_is_invisible(written: str, kept: str) -> None:
    assert clean(customer_name=written) == {"customer_name": kept}


@pytest.mark.parametrize(
    ("written", "says"),
    [
        ("", "empty"),
        ("\u200b\u200d", "empty"),
        ("A\x00", "control characters"),
        ("A\nB", "control characters"),
        ("A\ud800", "control characters"),
        ("x" * 101, "101 characters"),
    ],
)
def test_a_wrong_name_is_told_what_is_wrong_with_it(written: str, says: str) -> None:
    assert says in messages(customer_name=written)["customer_name"]


@given(st.text())
def test_a_cleaned_name_is_clean(text: str) -> None:
    try:
        name = fields.clean_name(text)
    except ValueError:
        return
    assert name == name.strip()
    assert 0 < len(name) <= 100
    assert fields.clean_name(name) == name
    name.encode()


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        (" ana@EXAMPLE.com ", "ana@example.com"),
        ("ünï@exämple.com", "ünï@exämple.com"),
        ("", None),
        (None, None),
    ],
)
def test_an_email_is_normalised_and_may_be_missing(written: str | None, kept: str | None) -> None:
    assert clean(customer_email=written) == {"customer_email": kept}


@pytest.mark.parametrize("written", ["a@b", "ana", "x" * 300 + "@example.com", "Ana <a@b.com>"])
def test_what_is_no_email_is_told_why(written: str) -> None:
    assert messages(customer_email=written)["customer_email"].startswith(
        "This is not an email address"
    )


def test_a_time_is_kept_in_utc_up_to_400_days_ahead() -> None:
    at = datetime(2026, 11, 23, 12, tzinfo=timezone(timedelta(hours=2)))
    assert clean(scheduled_time=at)["scheduled_time"].isoformat() == "2026-11-23T10:00:00+00:00"
    last = NOW + timedelta(days=400)
    assert clean(scheduled_time=last) == {"scheduled_time": last}
    soon = NOW + timedelta(microseconds=1)
    assert clean(scheduled_time=soon) == {"scheduled_time": soon}


@pytest.mark.parametrize(
    ("at", "says"),
    [
        (datetime(2026, 11, 23, 12), "This needs an offset, e.g. 2026-11-23T18:00:00Z."),  # noqa: DTZ001
        (NOW, "This is in the past."),
        (NOW + timedelta(days=400, microseconds=1), "This is more than 400 days ahead."),
        (datetime.min.replace(tzinfo=timezone(timedelta(hours=14))), "This is in the past."),
        (datetime.max.replace(tzinfo=timezone(timedelta(hours=-14))), "more than 400 days ahead"),
    ],
)
def test_a_wrong_time_is_told_what_is_wrong_with_it(at: datetime, says: str) -> None:
    assert says in messages(scheduled_time=at)["scheduled_time"]


def test_ids_are_letters_digits_and_dashes_and_flags_pass() -> None:
    ids = {"service_id": "kids-cut", "barber_id": "barber_1", "allow_overlap": True}
    assert clean(**ids) == ids
    wrong = messages(service_id="hair\x00", barber_id="x" * 41)
    assert wrong == {
        "service_id": "There is no such service.",
        "barber_id": "There is no such barber.",
    }


def test_all_wrong_fields_are_named_at_once() -> None:
    wrong = messages(customer_name="", customer_phone="1", customer_email="x", scheduled_time=NOW)
    assert set(wrong) == {"customer_name", "customer_phone", "customer_email", "scheduled_time"}
