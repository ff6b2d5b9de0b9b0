"""Notes on a booking and on its customer: where they are written, where they are read."""

import re

import pytest

from app import clock
from app.bookings import phone_corrections
from app.customers import service as customers
from app.db import Database
from app.models.booking import Booking
from app.models.staff import AuditEvent
from tests import factories
from tests.support.lifecycle import HOME, book, cancel
from tests.support.staff import HTMX, sign_in
from tests.support.web import Client


@pytest.fixture
def desk(sqlite_api: Client, sqlite_shop: Database, valkey: object) -> Client:
    sign_in(sqlite_api, sqlite_shop, "staff")
    return sqlite_api


def write(desk: Client, booking: str, came_from: str = "", **typed: str) -> int:
    answer = desk.post(f"/bookings/{booking}/notes{came_from}", data=typed)
    return int(answer.status_code)


def test_notes_of_a_booking_and_of_its_customer_are_on_both_pages_the_board_and_the_form(
    desk: Client, sqlite_shop: Database
) -> None:
    booking = book(sqlite_shop, hours=1)
    assert write(desk, booking, notes="Fade 1.5", always="Allergic to <the> gel") == 303
    page, customer = desk.get(f"/bookings/{booking}").text, desk.get(f"/customers/{booking}").text
    for text in ("Fade 1.5", "Allergic to &lt;the&gt; gel"):
        assert text in page
        assert text in customer
    with sqlite_shop.read() as session:
        day = session.get_one(Booking, booking).starts_at.date()
    assert "Fade 1.5 · Allergic to &lt;the&gt; gel" in desk.get(f"/today?date={day}").text
    typed = desk.post("/bookings/preview", data={"phone": HOME}, headers=HTMX).text
    assert "Allergic to &lt;the&gt; gel" in typed


def test_notes_are_kept_in_lines_as_they_were_typed(desk: Client, sqlite_shop: Database) -> None:
    booking = book(sqlite_shop)
    write(desk, booking, notes="  one\r\n\ttwo \r\n", always="")
    with sqlite_shop.read() as session:
        assert session.get_one(Booking, booking).notes == "one\n two"
    write(desk, booking, notes="", always="")
    with sqlite_shop.read() as session:
        assert session.get_one(Booking, booking).notes is None


def test_both_wrong_notes_are_said_at_once_and_what_was_typed_stays(
    desk: Client, sqlite_shop: Database
) -> None:
    booking = book(sqlite_shop)
    answer = desk.post(
        f"/bookings/{booking}/notes", data={"notes": "x" * 501, "always": "bell \x07"}
    )
    assert answer.status_code == 422
    assert "This has 501 characters: 500 at the most." in answer.text
    assert "This must not contain control characters." in answer.text
    assert "x" * 501 in answer.text


@pytest.mark.parametrize("end", ["cancelled", "begun"])
def test_notes_are_written_whatever_has_become_of_the_booking(
    end: str, desk: Client, sqlite_shop: Database
) -> None:
    booking = book(sqlite_shop)
    if end == "cancelled":
        cancel(sqlite_shop, booking)
    else:
        with sqlite_shop.write() as session:
            booking = factories.booking(session, starts_at=clock.now()).id
    assert write(desk, booking, notes="Wants Sam next time", always="") == 303
    assert "Wants Sam next time" in desk.get(f"/bookings/{booking}").text


def test_from_the_customers_page_only_their_own_notes_are_written(
    desk: Client, sqlite_shop: Database
) -> None:
    booking = book(sqlite_shop, notes="Fade 1.5")
    form = desk.get(f"/bookings/{booking}/notes?from=customer").text
    assert re.findall(r'<textarea[^>]* name="(\w+)"', form) == ["always"]
    answer = desk.post(f"/bookings/{booking}/notes?from=customer", data={"always": "Pays by card"})
    assert answer.headers["Location"] == f"/customers/{booking}"
    with sqlite_shop.read() as session:
        assert session.get_one(Booking, booking).notes == "Fade 1.5"
        actions = [each.action for each in session.query(AuditEvent).filter_by(subject=booking)]
    assert actions == ["booking.created", "customer.noted"]


def test_who_saves_second_is_told_what_the_first_has_written(
    desk: Client, sqlite_shop: Database
) -> None:
    booking = book(sqlite_shop)
    seen = '{"always": "", "notes": ""}'
    write(desk, booking, notes="First", always="", seen=seen)
    answer = desk.post(
        f"/bookings/{booking}/notes", data={"notes": "Second", "always": "", "seen": seen}
    )
    assert answer.status_code == 409
    assert "was empty, is now First" in answer.text
    assert "Second" in answer.text


def test_notes_on_a_customer_go_with_them_to_a_new_number(sqlite_shop: Database) -> None:
    booking = book(sqlite_shop)
    with sqlite_shop.write() as session:
        customers.put_notes(session, HOME, "Allergic")
        new = factories.phone()
        phone_corrections.correct(session, booking, new, "all", "system")
    with sqlite_shop.read() as session:
        known = customers.find_all(session, [new, HOME])
        assert {person: each.notes for person, each in known.items()} == {
            new: "Allergic",
            HOME: "Allergic",
        }


def test_a_viewer_reads_notes_and_writes_none(sqlite_api: Client, sqlite_shop: Database) -> None:
    booking = book(sqlite_shop, notes="Fade 1.5")
    sign_in(sqlite_api, sqlite_shop, "viewer")
    page = sqlite_api.get(f"/bookings/{booking}").text
    assert "Fade 1.5" in page
    assert f"/bookings/{booking}/notes" not in page
    assert write(sqlite_api, booking, notes="x") == 403
