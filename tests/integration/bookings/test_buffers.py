"""What a service keeps free before and after it: in what is offered, refused, kept and shown."""

import re
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from app import clock
from app.bookings import availability, service, walk_in
from app.bookings.need import Need
from app.db import Database
from app.errors import Conflict
from app.models.booking import Booking
from app.models.shop import Service
from app.shop import catalogue
from tests import factories
from tests.integration.conftest import body
from tests.support.frozen import FrozenClock
from tests.support.lifecycle import book
from tests.support.staff import HTMX, sign_in
from tests.support.web import Client

TODAY = date(2026, 11, 23)
TEN_TO, TEN_PAST = timedelta(minutes=10), timedelta(minutes=20)


def keep_free(db: Database, before: int = 10, after: int = 20) -> None:
    """Around each haircut of half an hour."""
    typed = {"name": "Haircut", "minutes": "30"}
    typed |= {"buffer_minutes_before": str(before), "buffer_minutes": str(after)}
    with db.write() as session:
        catalogue.change(session, Service, "haircut", typed, "system")


def free(db: Database, service_id: str) -> list[str]:
    with db.read() as session:
        need = Need.of_service(session.get_one(Service, service_id))
        return [f"{at:%H:%M}" for at in availability.free_times(session, "barber_1", need, TODAY)]


def busy(db: Database, booking_id: str) -> str:
    with db.read() as session:
        row = session.get_one(Booking, booking_id)
        return " ".join(
            f"{at:%H:%M}" for at in (row.busy_from, row.starts_at, row.ends_at, row.busy_until)
        )


def test_both_are_kept_clear_and_hours_are_about_the_chair_alone(sqlite_shop: Database) -> None:
    keep_free(sqlite_shop)
    booking = book(sqlite_shop, hours=12)
    assert busy(sqlite_shop, booking) == "11:50 12:00 12:30 12:50"
    beards, cuts = free(sqlite_shop, "beard-trim"), free(sqlite_shop, "haircut")
    assert ("11:30" in beards, "11:45" in beards) == (True, False)
    assert ("12:45" in beards, "13:00" in beards) == (False, True)
    assert ("11:00" in cuts, "11:15" in cuts) == (True, False)
    assert ("12:45" in cuts, "13:00" in cuts) == (False, True)
    assert (cuts[0], cuts[-1]) == ("09:00", "18:30")


def test_a_booking_keeps_what_it_was_made_with_until_its_service_is_changed(
    sqlite_shop: Database,
) -> None:
    keep_free(sqlite_shop)
    booking = book(sqlite_shop, hours=12)
    keep_free(sqlite_shop, 0, 60)
    with sqlite_shop.write() as session:
        at = clock.now() + timedelta(hours=14)
        service.change(session, booking, {"scheduled_time": at}, "system")
    assert busy(sqlite_shop, booking) == "13:50 14:00 14:30 14:50"
    for service_id, kept in (("beard-trim", "14:00 14:00 14:20 14:20"), ("haircut", "15:30")):
        with sqlite_shop.write() as session:
            service.change(session, booking, {"service_id": service_id}, "system")
        assert busy(sqlite_shop, booking).endswith(kept)


def test_who_comes_too_close_is_refused_in_the_api_and_told_why(
    api: Client, shop: Database
) -> None:
    keep_free(shop)
    assert api.post("/api/bookings", json=body()).status_code == 201
    for at, status in (("10:50", 409), ("11:00", 201), ("09:30", 409), ("09:15", 409)):
        again = body(scheduledTime=f"2026-11-23T{at}:00Z", customerPhone=factories.phone())
        answer = api.post("/api/bookings", json=again)
        assert answer.status_code == status, at
    assert (
        "from 2026-11-23T10:00:00Z to 10:30:00Z, and is kept free from 09:50:00Z to 10:50:00Z."
        " Alex is free then." in answer.json()["detail"]
    )
    free = api.get(
        "/api/availability?serviceId=haircut&barberId=barber_1&from=2026-11-23T08:00:00Z&to=2026-11-23T10:00:00Z"
    ).json()["items"]
    assert [each["startsAt"][11:16] for each in free] == ["09:00"]
    assert free[0]["endsAt"] == "2026-11-23T09:30:00Z"


def test_the_form_and_the_board_show_what_is_kept_free(
    sqlite_api: Client, sqlite_shop: Database
) -> None:
    keep_free(sqlite_shop)
    booking = book(sqlite_shop, hours=12)
    sign_in(sqlite_api, sqlite_shop, "staff")
    typed = {"service": "haircut", "barber": "barber_1", "day": "2026-11-23", "time": "12:40"}
    html = sqlite_api.post("/bookings/preview", data=typed, headers=HTMX).text
    said = re.sub(r"\s+", " ", re.sub("<[^>]+>", "", html))
    assert "kept free from 11:50 AM, kept free until 12:50 PM" in said
    assert "This one needs 10 minutes before it and 20 minutes after it kept free." in said
    board = sqlite_api.get("/today").text
    assert board.count("board-edge ") == 2
    assert "until 12:30 PM, kept free from 11:50 AM, kept free until 12:50 PM" in board
    assert f'id="block-{booking}"' in board
    assert "Book Sam at 12:30 PM" not in board
    assert "Book Sam at 11:00 AM" in board


def test_who_walks_in_keeps_nothing_free_before_and_is_told_of_what_is(
    sqlite_shop: Database, clock: FrozenClock
) -> None:
    keep_free(sqlite_shop)
    there = book(sqlite_shop, hours=1)
    clock.move(hours=1, minutes=35)
    typed = {"service": "haircut", "barber": "barber_1"}
    with pytest.raises(Conflict), sqlite_shop.write() as session:
        walk_in.book(session, walk_in.new_id(), typed, "system")
    with sqlite_shop.write() as session:
        made, _ = walk_in.book(session, walk_in.new_id(), {**typed, "overlap": there}, "system")
    assert busy(sqlite_shop, made.id) == "01:35 01:35 02:05 02:25"


def test_the_api_and_the_page_of_services_keep_them(
    sqlite_api: Client, sqlite_shop: Database
) -> None:
    made = sqlite_api.post(
        "/api/services", json={"name": "Colour", "minutes": 90, "bufferMinutes": 15}
    ).json()
    assert (made["bufferMinutes"], made["bufferMinutesBefore"]) == (15, 0)
    address = f"/api/services/{made['id']}"
    both: dict[str, Any] = {"bufferMinutes": 0, "bufferMinutesBefore": 5}
    assert both.items() <= sqlite_api.patch(address, json=both).json().items()
    wrong = sqlite_api.patch(address, json={"bufferMinutes": 121, "bufferMinutesBefore": -1})
    says = "This must be a whole number of minutes, from 0 to 120."
    assert wrong.json()["errors"] == [
        {"field": field, "message": says} for field in ("bufferMinutesBefore", "bufferMinutes")
    ]
    sign_in(sqlite_api, sqlite_shop, "owner")
    page = sqlite_api.get(f"/settings/services?change={made['id']}").text
    assert re.search(r'name="buffer_minutes_before"\s+type="number"\s+value="5"', page)
    assert "90 minutes, 5 free before" in sqlite_api.get("/settings/services").text


def test_one_with_another_is_never_busy_at_one_time(sqlite_shop: Database) -> None:
    keep_free(sqlite_shop, 0, 0)
    first = book(sqlite_shop, hours=12)
    keep_free(sqlite_shop, 30, 0)
    at = datetime(2026, 11, 23, 12, 45, tzinfo=UTC)
    with pytest.raises(Conflict):
        book(sqlite_shop, scheduled_time=at, allow_overlap=False, customer_phone=factories.phone())
    assert busy(sqlite_shop, first) == "12:00 12:00 12:30 12:30"
