"""A field of a booking is everywhere, or it is said where it is missing: CONTRIBUTING.md, "A field
of a booking", is the list of files.
"""

import re
from pathlib import Path

import msgspec
import pytest

from app.api.bookings import BookingAnswer, BookingChanges, NewBookingBody
from app.bookings.draft import TYPED, Draft
from app.bookings.fields import COLUMNS, BookingForm
from app.db import Database
from app.forms import as_typed
from app.models.booking import Booking
from app.web.field_names import camel
from tests.support.lifecycle import book
from tests.support.staff import sign_in
from tests.support.web import Client

DOCS = Path(__file__).parents[3] / "docs" / "api.md"
FOLLOW = {"id", "person", "spellings", "name_folded", "starts_at", "ends_at", "status"}
FOLLOW |= {"created_at", "updated_at", "currency", "paid_at", "reminders_sent", "series_id"}
FOLLOW |= {"busy_from", "busy_until"}
"""Columns that nobody types: they follow from what is typed, or from what was done."""


@pytest.fixture
def booking(sqlite_shop: Database, valkey: object) -> str:
    return book(sqlite_shop, customer_name="Ana Silva", customer_email="ana@example.com")


def names_of(shape: type[msgspec.Struct]) -> set[str]:
    return {each.name for each in msgspec.structs.fields(shape)}


def test_every_column_that_is_typed_is_a_field() -> None:
    assert set(Booking.__table__.columns.keys()) - FOLLOW == set(COLUMNS)


@pytest.mark.parametrize("name", BookingForm.names)
def test_the_api_takes_a_field_of_a_new_booking_and_of_a_change(name: str) -> None:
    assert name in names_of(NewBookingBody)
    assert name in names_of(BookingChanges)


def test_the_api_takes_nothing_that_is_no_field() -> None:
    taken = names_of(NewBookingBody) | names_of(BookingChanges)
    assert taken - {"service_ids"} == set(BookingForm.names)  # several are written as one service


@pytest.mark.parametrize("name", COLUMNS)
def test_the_api_answers_with_a_field_and_its_docs_say_what_it_is(name: str) -> None:
    assert name in names_of(BookingAnswer)
    assert re.search(rf"^\| `{camel(name)}` \|", DOCS.read_text(), re.MULTILINE)


@pytest.mark.parametrize(("name", "short"), TYPED.items())
def test_the_form_has_an_input_for_a_field_and_shows_what_the_booking_has(
    name: str, short: str, booking: str, sqlite_api: Client, sqlite_shop: Database
) -> None:
    sign_in(sqlite_api, sqlite_shop)
    page = sqlite_api.get(f"/bookings/{booking}/edit").text
    assert re.search(rf'<(input|select|textarea)[^>]*\sname="{short}"', page), name
    label = re.search(rf'<label for="{short}">([A-Z][^<]+)', page)
    assert label, name


def test_the_page_of_a_booking_shows_every_field() -> None:
    folder = Path(__file__).parents[3] / "templates" / "bookings"
    facts = "".join((folder / name).read_text() for name in ("_facts.html", "_notes.html"))
    relations = {name: name.removesuffix("_id") for name in COLUMNS}
    assert [name for name in COLUMNS if f"booking.{relations[name]}" not in facts] == []


def test_a_draft_of_a_booking_has_every_field_as_it_is(booking: str, sqlite_shop: Database) -> None:
    with sqlite_shop.read() as session:
        row = session.get_one(Booking, booking)
        typed = {short: as_typed(getattr(row, name)) for name, short in TYPED.items()}
        assert Draft.of_booking(session, row).typed == typed
    assert Draft.of_form(typed).typed == typed
