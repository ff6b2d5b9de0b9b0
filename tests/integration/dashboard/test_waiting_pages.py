"""The waiting list by its page, and who fits on Today."""

import re

from sqlalchemy import select

from app.db import Database
from app.models.booking import Booking
from app.models.shop import Barber
from app.models.waiting import Waiting
from app.shop import catalogue
from tests import factories
from tests.integration.conftest import Client
from tests.support.frozen import FrozenClock
from tests.support.web import said

WISH = {
    "customer_phone": "+44 7700 900555",
    "customer_name": "Nadia",
    "service_id": "haircut",
    "barber_id": "barber_2",
    "first_day": "2026-11-24",
    "from_time": "12:00",
    "until_time": "12:00",
    "notes": "Rings at noon",
}


def waiting_id(db: Database) -> str:
    with db.read() as session:
        return session.scalars(select(Waiting.id)).one()


def test_somebody_is_put_on_the_list_and_booked_from_today_and_that_is_undone(
    desk: Client, sqlite_shop: Database, clock: FrozenClock
) -> None:
    wish = WISH | {"until_time": "12:10"}
    assert said(desk, desk.post("/waiting", data=wish)) == "Nadia is on the list."
    id = waiting_id(sqlite_shop)
    place = "barber_2 2026-11-24T12:00:00Z"
    for path in ("/waiting", "/today"):
        page = desk.get(path).text
        assert "Nadia" in page
        assert f'value="{place}"' in page
        assert 'href="tel:+447700900555"' in page
    answer = desk.post(f"/waiting/{id}/book", data={"place": place, "next": "today"})
    assert answer.headers["Location"] == "/today"
    page = desk.get("/today")
    assert re.search("Nadia is booked: tomorrow 12:00.PM with Alex.", page.text)
    assert f'action="/waiting/{id}/reopen"' in page.text
    assert "booked for" in desk.get("/waiting").text
    assert said(desk, desk.post(f"/waiting/{id}/reopen")) == "Nadia is waiting again."
    with sqlite_shop.read() as session:
        assert session.scalars(select(Booking.status)).all() == ["cancelled"]


def test_what_is_wrong_stands_beside_its_field_with_what_was_typed(desk: Client) -> None:
    answer = desk.post("/waiting", data=WISH | {"last_day": "2026-11-23", "until_time": "13:00"})
    assert answer.status_code == 422
    assert "This must not be before the first day." in answer.text
    assert 'value="+44 7700 900555"' in answer.text
    assert "Rings at noon" in answer.text


def test_a_place_that_is_gone_is_said_and_a_strange_one_changes_nothing(
    desk: Client, sqlite_shop: Database, clock: FrozenClock
) -> None:
    said(desk, desk.post("/waiting", data=WISH | {"until_time": "13:00"}))
    here = f"/waiting/{waiting_id(sqlite_shop)}/book"
    for place in ("", "barber_2", "barber_2 noon", "nobody 2026-11-24T12:00:00Z"):
        assert said(desk, desk.post(here, data={"place": place}))
    with sqlite_shop.write() as session:
        assert session.scalars(select(Booking)).all() == []
        starts_at = clock.now().replace(day=24, hour=12)
        factories.booking(session, starts_at, barber_id="barber_2")
    answer = desk.post(here, data={"place": "barber_2 2026-11-24T12:00:00Z"})
    assert "has another booking" in said(desk, answer)


def test_somebody_is_taken_off_the_list_and_a_link_fills_the_form_in(
    desk: Client, sqlite_shop: Database, clock: FrozenClock
) -> None:
    said(desk, desk.post("/waiting", data=WISH | {"until_time": "13:00"}))
    here = f"/waiting/{waiting_id(sqlite_shop)}"
    assert said(desk, desk.post(f"{here}/remove")) == "Nadia is off the list."
    assert "Nobody is waiting" in desk.get("/waiting").text
    with sqlite_shop.write() as session:
        booking = factories.booking(session)
    page = desk.get(f"/waiting?like={booking.id}&service=haircut&day=2026-11-24").text
    assert f'value="{booking.customer_phone}"' in page
    assert 'value="2026-11-24"' in page


def test_a_barber_for_whom_somebody_waited_is_switched_off_and_not_deleted(
    desk: Client, sqlite_shop: Database, clock: FrozenClock
) -> None:
    said(desk, desk.post("/waiting", data=WISH | {"until_time": "13:00"}))
    with sqlite_shop.write() as session:
        factories.absence(session, clock.now(), clock.now() - clock.now().replace(day=22))
        for id in ("barber_1", "barber_2"):
            left = catalogue.remove(session, Barber, id, "user:1")
            assert left is not None
            assert not left.active


def test_a_day_without_free_times_leads_from_the_form_to_the_list(
    desk: Client, sqlite_shop: Database, clock: FrozenClock
) -> None:
    with sqlite_shop.write() as session:
        factories.closure(session, clock.now().date().replace(day=24))
    typed = {"service": "haircut", "barber": "barber_2", "day": "2026-11-24"}
    answer = desk.post("/bookings/preview", data=typed, headers={"HX-Request": "true"})
    assert 'href="/waiting?service=haircut&barber=barber_2&day=2026-11-24"' in answer.text
