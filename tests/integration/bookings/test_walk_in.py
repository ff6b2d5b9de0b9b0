"""Somebody who walks in: no phone number, no message, and all pages hold it."""

import re
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import func, select

from app import clock as clocks
from app.bookings import by_customer, phone_corrections, search, walk_in
from app.bookings import service as bookings
from app.db import Database
from app.errors import Conflict, Invalid
from app.models.booking import Booking
from app.models.message import Message
from app.models.plan import Plan
from tests import factories
from tests.support.frozen import FrozenClock
from tests.support.staff import sign_in
from tests.support.web import Client

TYPED = {"service": "haircut", "barber": "barber_1"}


@pytest.fixture
def desk(sqlite_api: Client, sqlite_shop: Database, valkey: object) -> Client:
    sign_in(sqlite_api, sqlite_shop, "staff")
    return sqlite_api


def enter(db: Database, **typed: str) -> Booking:
    with db.write() as session:
        booking, _ = walk_in.book(session, walk_in.new_id(), {**TYPED, **typed}, "system")
        return booking


def chosen(page: str, name: str) -> list[str]:
    return re.findall(rf'name="{name}"\s+value="(\w*)"[^>]*checked', page)


def test_one_press_books_the_first_service_with_who_is_free_and_sends_nothing(
    desk: Client, sqlite_shop: Database
) -> None:
    with sqlite_shop.write() as session:
        now = clocks.now()
        factories.booking(session, starts_at=now - timedelta(minutes=10), barber_id="barber_1")
        factories.booking(session, starts_at=now + timedelta(hours=1), barber_id="barber_2")
    page = desk.get("/bookings/walk-in").text
    assert chosen(page, "service") == ["haircut"]
    assert chosen(page, "barber") == ["barber_3"]
    [own_id] = re.findall(r'name="id" value="(\w+)"', page)
    form = {"id": own_id, "service": "haircut", "barber": "barber_3", "name": "", "began": ""}
    assert desk.post("/bookings/walk-in", data=form).headers["Location"] == "/today"
    with sqlite_shop.read() as session:
        booking = session.get_one(Booking, own_id)
        assert (booking.customer_name, booking.customer_phone, booking.person) == (
            "Walk-in", None, None,
        )  # fmt: skip
        assert timedelta(0) <= clocks.now() - booking.starts_at < timedelta(minutes=6)
        assert session.scalar(select(func.count()).select_from(Message)) == 0
        assert session.scalar(select(func.count()).select_from(Plan)) == 0
    assert "Walk-in" in desk.get("/today").text


def test_a_form_that_is_sent_twice_is_one_booking(desk: Client, sqlite_shop: Database) -> None:
    form = {**TYPED, "id": walk_in.new_id()}
    for _ in range(2):
        assert desk.post("/bookings/walk-in", data=form).status_code == 303
    with sqlite_shop.read() as session:
        assert session.scalar(select(func.count()).select_from(Booking)) == 1


@pytest.mark.parametrize(
    ("began", "at"),
    [("09:40", "09:40"), ("18:00", "-18:00"), ("12:40", None), ("25:00", None), ("noon", None)],
)
def test_began_is_the_last_time_that_the_clock_showed_it(began: str, at: str | None) -> None:
    now = datetime(2026, 11, 24, 11, 2, tzinfo=UTC)
    form = walk_in.WalkInForm({"began": began}, ZoneInfo("UTC"), now)
    if at is None:
        with pytest.raises(ValueError, match="This"):
            _ = form.began
    else:
        day = now.date() - timedelta(days=at.startswith("-"))
        assert form.began == datetime.fromisoformat(f"{day}T{at.lstrip('-')}:00+00:00")


def test_it_begins_on_the_last_five_minutes_but_not_before_the_barber_was_done(
    sqlite_shop: Database, clock: FrozenClock
) -> None:
    clock.set(datetime(2026, 11, 24, 11, 4, 30, tzinfo=UTC))
    begins = datetime(2026, 11, 24, 11, 0, tzinfo=UTC)
    assert enter(sqlite_shop).starts_at == begins
    with sqlite_shop.write() as session:
        ended = begins + timedelta(minutes=3)
        values = {"ends_at": ended, "barber_id": "barber_2"}
        factories.booking(session, starts_at=begins - timedelta(minutes=30), **values)
    assert enter(sqlite_shop, barber="barber_2").starts_at == ended


def test_a_busy_barber_takes_a_walk_in_after_a_tick_for_who_was_shown(
    desk: Client, sqlite_shop: Database
) -> None:
    with sqlite_shop.write() as session:
        there = factories.booking(session, starts_at=clocks.now(), customer_name="Ada Lovelace")
    form = {**TYPED, "id": walk_in.new_id(), "name": "Bo", "notes": "Fade 1.5"}
    answer = desk.post("/bookings/walk-in", data=form)
    assert answer.status_code == 409
    for text in ("Ada Lovelace", f'value="{there.id}"', 'value="Bo"', "Fade 1.5"):
        assert text in answer.text
    assert desk.post("/bookings/walk-in", data={**form, "overlap": there.id}).status_code == 303


def test_all_that_is_wrong_is_said_at_once_and_what_was_typed_stays(desk: Client) -> None:
    form = {"service": "", "barber": "", "began": "noon", "name": "x" * 101, "notes": "n" * 501}
    answer = desk.post("/bookings/walk-in", data=form)
    assert answer.status_code == 422
    for problem in ("Choose a service.", "Choose a barber.", "This must be a time", "101", "501"):
        assert problem in answer.text
    assert "x" * 101 in answer.text
    for wrong in ("no-such", "../..", "\x00"):
        form = {"service": wrong, "barber": "barber_1"}
        assert desk.post("/bookings/walk-in", data=form).status_code == 422


def test_it_is_in_the_day_the_lists_and_the_search_and_in_no_list_of_customers(
    desk: Client, sqlite_shop: Database, clock: FrozenClock
) -> None:
    booking = enter(sqlite_shop, name="Bo Visitor")
    enter(sqlite_shop, name="Bo Visitor", barber="barber_2")
    clock.move(minutes=2)
    assert "Bo Visitor" in desk.get("/bookings?q=visitor&past=1").text
    for page in ("/customers", "/customers?past=1", "/customers?q=visitor"):
        assert f"/customers/{booking.id}" not in desk.get(page).text
    shown = desk.get(f"/bookings/{booking.id}").text
    assert "None, so no messages go out" in shown
    assert "Walked in" in shown
    assert "visits before" not in shown
    answer = desk.get(f"/customers/{booking.id}")
    assert (answer.status_code, answer.headers["Location"]) == (303, f"/bookings/{booking.id}")
    assert desk.get("/bookings?q=%2B4479").status_code == 200


def test_nothing_is_sent_to_it_and_no_number_is_noted(desk: Client, sqlite_shop: Database) -> None:
    booking = enter(sqlite_shop)
    for action in ("opt-out", "opt-in"):
        desk.post(f"/customers/{booking.id}/{action}")
    assert desk.post(f"/bookings/{booking.id}/remind").status_code == 303
    desk.post(f"/bookings/{booking.id}/answer", data={"text": "Hello"})
    with sqlite_shop.write() as session:
        assert session.scalar(select(func.count()).select_from(Message)) == 0
        with pytest.raises(Conflict, match="no phone"):
            phone_corrections.correct(session, booking.id, factories.phone(), "all", "system")
        assert by_customer.before(session, session.get_one(Booking, booking.id)).visits == 0


def test_notes_of_a_walk_in_are_of_the_booking_alone(desk: Client, sqlite_shop: Database) -> None:
    booking = enter(sqlite_shop)
    form = desk.get(f"/bookings/{booking.id}/notes").text
    assert re.findall(r'<textarea[^>]* name="(\w+)"', form) == ["notes"]
    answer = desk.post(f"/bookings/{booking.id}/notes", data={"notes": "Paid", "always": "x"})
    assert answer.status_code == 303


def test_it_is_marked_and_cancelled_and_that_is_undone(desk: Client, sqlite_shop: Database) -> None:
    booking = enter(sqlite_shop)
    at = f"/bookings/{booking.id}"
    for action, status in (
        ("completed", "completed"), ("reopen", "confirmed"), ("cancel", "cancelled"),
        ("undo", "confirmed"), ("no-show", "no_show"),
    ):  # fmt: skip
        assert desk.post(f"{at}/{action}").status_code == 303
        with sqlite_shop.read() as session:
            assert session.get_one(Booking, booking.id).status == status, action


def test_the_api_answers_with_null_and_takes_none(
    sqlite_api: Client, sqlite_shop: Database
) -> None:
    booking = enter(sqlite_shop)
    assert sqlite_api.get(f"/api/bookings/{booking.id}").json()["customerPhone"] is None
    new = {
        "customerName": "Bo",
        "customerPhone": None,
        "serviceId": "haircut",
        "barberId": "barber_1",
        "scheduledTime": (clocks.now() + timedelta(hours=3)).isoformat(),
    }
    answer = sqlite_api.post("/api/bookings", json=new)
    assert answer.status_code == 422
    assert answer.json()["errors"] == [{"field": "customerPhone", "message": "This must be text."}]


def test_staff_may_enter_what_began_up_to_a_day_ago_and_programs_may_not(
    sqlite_shop: Database, desk: Client
) -> None:
    def typed(hours: float) -> dict[str, str]:
        at = clocks.now() - timedelta(hours=hours)
        return {
            "phone": factories.phone(), "name": "Late Entry", "service": "haircut",
            "barber": "barber_1", "day": f"{at:%Y-%m-%d}", "time": f"{at:%H:%M}",
        }  # fmt: skip

    with sqlite_shop.write() as session:
        factories.shop(session, time_zone="UTC", confirmation_on=True)
    assert desk.post("/bookings", data=typed(20)).status_code == 303
    refused = desk.post("/bookings", data=typed(25))
    assert refused.status_code == 422
    assert "This is more than a day ago." in refused.text
    with sqlite_shop.write() as session:
        assert session.scalar(select(func.count()).select_from(Message)) == 0
        at = clocks.now() - timedelta(hours=1)
        new = {
            "customer_name": "Bo", "customer_phone": factories.phone(), "service_id": "haircut",
            "barber_id": "barber_1", "scheduled_time": at,
        }  # fmt: skip
        with pytest.raises(Invalid, match="past"):
            bookings.create(session, new, "token:x")


def test_bookings_without_a_number_are_listed_over_the_api(
    sqlite_api: Client, sqlite_shop: Database
) -> None:
    enter(sqlite_shop)
    with sqlite_shop.read() as session:
        assert len(search.search(session, search.Filters(q="walk"))[0]) == 1
    assert [each["customerPhone"] for each in sqlite_api.get("/api/bookings").json()["items"]] == [
        None
    ]
