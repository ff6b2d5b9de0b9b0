"""Closed days, and when barbers are away: by their pages and by the API, on the board and in the
form.
"""

import re
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from html import unescape
from typing import Any

import pytest
from sqlalchemy import func, select

from app.bookings import availability
from app.bookings.need import Need
from app.dashboard.today import day
from app.db import Database
from app.models.time_off import Absence, Closure
from tests import factories
from tests.integration.conftest import Client, fill
from tests.support.frozen import FrozenClock
from tests.support.staff import sign_in
from tests.support.valkey import Valkey
from tests.support.web import said, web_client

API = {"headers": {"Authorization": f"Bearer {'s' * 40}"}}
SAM = "/settings/barbers/barber_1/absences"
MONDAY = date(2026, 11, 23)
"""What the clock shows, at midnight."""
HALF_AN_HOUR = timedelta(minutes=30)


@pytest.fixture
def client(shop: Database, valkey: Valkey) -> Iterator[Client]:
    """The browser of the owner, once on SQLite, once on PostgreSQL."""
    with web_client() as browser:
        sign_in(browser, shop)
        yield browser


@pytest.fixture
def desk(sqlite_db: Database, clock: FrozenClock, valkey: Valkey) -> Iterator[Client]:
    """The same on SQLite alone, for what no database decides."""
    fill(sqlite_db)
    with web_client() as browser:
        sign_in(browser, sqlite_db)
        yield browser


def text_of(html: str) -> str:
    return unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", html)))


def close(client: Client, name: str = "Works", first: str = "2026-11-24", last: str = "") -> str:
    typed = {"name": name, "first_day": first, "last_day": last}
    return said(client, client.post("/settings/closures", data=typed))


def away(client: Client, name: str, first: str = "2026-11-23", **typed: str) -> str:
    return said(client, client.post(SAM, data={"name": name, "first_day": first, **typed}))


def free(db: Database, on: date, barber: str = "barber_1") -> list[str]:
    with db.read() as session:
        times = availability.free_times(session, barber, Need(HALF_AN_HOUR), on)
    return [f"{at:%H:%M}" for at in times]


def count(db: Database, table: Any) -> int:
    with db.read() as session:
        return session.scalar(select(func.count()).select_from(table)) or 0


def test_on_closed_days_nothing_is_free_and_the_board_says_why(
    client: Client, shop: Database, clock: FrozenClock
) -> None:
    tuesday = MONDAY + timedelta(days=1)
    assert close(client, "Works", last="2026-11-25") == "Closed: Works."
    assert free(shop, tuesday) == free(shop, tuesday + timedelta(days=1)) == []
    assert free(shop, MONDAY) != []
    assert free(shop, tuesday + timedelta(days=2)) != []
    board = client.get("/today?date=2026-11-24").text
    assert board.count('<span class="board-away">Works</span>') == 3
    assert "board-away" not in client.get("/today?date=2026-11-23").text
    assert "Tuesday, November 24 to Wednesday, November 25" in text_of(
        client.get("/settings/closures").text
    )


def test_a_closed_day_is_removed_and_one_that_is_there_is_not_added_again(
    client: Client, shop: Database, clock: FrozenClock
) -> None:
    close(client)
    close(client)
    with shop.read() as session:
        [closure] = session.scalars(select(Closure)).all()
    answer = client.post(f"/settings/closures/{closure.id}/remove")
    assert said(client, answer) == "Open again: Works is removed."
    assert count(shop, Closure) == 0
    assert client.post(f"/settings/closures/{closure.id}/remove").status_code == 404


def test_bookings_on_closed_days_and_while_a_barber_is_away_are_listed_with_a_link_to_each(
    client: Client, shop: Database, clock: FrozenClock
) -> None:
    with shop.write() as session:
        at = datetime(2026, 11, 24, 13, tzinfo=UTC)
        lost = factories.booking(session, at)
        other = factories.booking(session, at, barber_id="barber_2")
    told = away(client, "Lunch", "2026-11-24", from_time="13:15", until_time="14:00")
    assert told == "Noted: Lunch. Look at 1 booking below."
    page = client.get(SAM).text.partition('id="strays"')[2].partition("</section>")[0]
    assert re.findall(r'href="(/bookings/\w+)"', page) == [f"/bookings/{lost.id}"]
    assert "Sam is away then : Lunch" in text_of(page)
    assert close(client) == "Closed: Works. Look at 2 bookings below."
    page = client.get("/settings/closures").text.partition('id="strays"')[2]
    links = re.findall(r'href="(/bookings/\w+)"', page.partition("</section>")[0])
    assert sorted(links) == sorted(f"/bookings/{each.id}" for each in (lost, other))


def test_while_a_barber_is_away_they_are_not_free_and_the_board_has_its_name(
    desk: Client, sqlite_db: Database, clock: FrozenClock
) -> None:
    away(desk, "Lunch", from_time="13:00", until_time="14:00", repeats="1")
    away(desk, "Sick", "2026-11-24")
    hours = {each[:2] for each in free(sqlite_db, MONDAY)}
    assert hours == {f"{hour:02}" for hour in range(9, 19)} - {"13"}
    assert free(sqlite_db, MONDAY + timedelta(days=1)) == []
    assert "13" in {each[:2] for each in free(sqlite_db, MONDAY, "barber_2")}
    assert "13" not in {each[:2] for each in free(sqlite_db, MONDAY + timedelta(days=7))}
    with sqlite_db.read() as session:
        column, *_ = day.board(session, MONDAY).columns
        sick, *_ = day.board(session, MONDAY + timedelta(days=1)).columns
    assert [(each.row, each.rows, each.name) for each in column.closed] == [(48, 12, "Lunch")]
    assert [(each.row, each.rows, each.name) for each in sick.closed] == [(0, 120, "Sick")]
    assert all(not 48 <= cell.row < 60 for cell in column.cells)
    page = text_of(desk.get(SAM).text).replace(" ,", ",")
    assert "Monday, November 23, 1:00 PM to 2:00 PM, and each week after it" in page.replace(
        " ", " "
    )


def test_the_name_of_an_absence_stands_where_no_booking_lies_over_it(
    desk: Client, sqlite_db: Database, clock: FrozenClock
) -> None:
    with sqlite_db.write() as session:
        factories.booking(session, datetime(2026, 11, 23, 13, tzinfo=UTC))
    away(desk, "Training", from_time="13:00", until_time="15:00")
    with sqlite_db.read() as session:
        column, *_ = day.board(session, MONDAY).columns
    assert [(each.row, each.rows, each.name) for each in column.closed] == [
        *((48, 6, ""), (54, 18, "Training")),
    ]


def test_the_form_and_a_move_say_why_a_barber_is_not_to_be_booked(
    desk: Client, sqlite_db: Database, clock: FrozenClock
) -> None:
    away(desk, "Training", "2026-11-23", from_time="13:00", until_time="15:00")
    close(desk, "Works")
    with sqlite_db.write() as session:
        booked = factories.booking(session, datetime(2026, 11, 23, 10, tzinfo=UTC))
    typed = {"service": "haircut", "barber": "barber_1", "time": "14:00"}
    shown = text_of(desk.post("/bookings/preview", data={**typed, "day": "2026-11-23"}).text)
    assert "Sam is away then : Training" in shown
    shown = text_of(desk.post("/bookings/preview", data={**typed, "day": "2026-11-24"}).text)
    assert "The shop is closed that day : Works" in shown
    to = {"at": "2026-11-23T14:00:00Z", "barber": "barber_1"}
    moved = desk.post(f"/bookings/{booked.id}/move", data=to)
    assert "Sam is away then" in moved.text
    assert "Move anyway" in moved.text
    moved = desk.post(f"/bookings/{booked.id}/move", data={**to, "confirmed": "1"})
    assert moved.status_code == 303


def test_what_is_wrong_stands_beside_its_field_and_nothing_is_kept(
    desk: Client, sqlite_db: Database
) -> None:
    typed = {"name": "x" * 101, "first_day": "2026-11-24", "last_day": "2026-11-23x"}
    answer = desk.post("/settings/closures", data=typed)
    assert answer.status_code == 422
    for field in ("name", "last_day"):
        assert f'id="{field}-problem"' in answer.text
    answer = desk.post(SAM, data={**typed, "from_time": "25:00", "repeats": "1"})
    assert answer.status_code == 422
    for field in ("name", "last_day", "from_time"):
        assert f'id="{field}-problem"' in answer.text
    assert re.search(r'name="repeats"[^>]*checked', answer.text)
    assert 'value="2026-11-23x"' in answer.text
    assert (count(sqlite_db, Closure), count(sqlite_db, Absence)) == (0, 0)
    assert desk.get("/settings/barbers/nobody/absences").status_code == 404
    sent = {"name": "Sick", "first_day": "2026-11-24"}
    assert desk.post("/settings/barbers/nobody/absences", data=sent).status_code == 404
    assert desk.post(f"{SAM}/absence_1/remove").status_code == 404


def test_all_staff_may_say_who_is_away_and_only_owners_close_the_shop(
    desk: Client, sqlite_db: Database
) -> None:
    sign_in(desk, sqlite_db, "staff")
    assert away(desk, "Sick") == "Noted: Sick."
    assert 'aria-label="Settings"' not in desk.get(SAM).text
    assert desk.get("/settings/closures").status_code == 403
    sign_in(desk, sqlite_db, "viewer")
    assert desk.post(SAM, data={"name": "x", "first_day": "2026-11-23"}).status_code == 403


# --- the API ---


def test_the_api_closes_days_names_the_bookings_and_opens_again(
    client: Client, shop: Database, clock: FrozenClock
) -> None:
    with shop.write() as session:
        lost = factories.booking(session, datetime(2026, 11, 24, 13, tzinfo=UTC))
        factories.booking(session, datetime(2026, 11, 25, 13, tzinfo=UTC))
    made = client.post("/api/closures", json={"name": "Works", "from": "2026-11-24"}, **API)
    assert made.status_code == 201, made.text
    closure = made.json()
    assert closure.pop("bookingsOutside") == [lost.id]
    assert closure == {
        "id": closure["id"],
        "name": "Works",
        "from": "2026-11-24",
        "to": "2026-11-24",
    }
    assert client.get("/api/closures", **API).json() == {"items": [closure]}
    assert client.delete(f"/api/closures/{closure['id']}", **API).status_code == 204
    assert client.delete(f"/api/closures/{closure['id']}", **API).status_code == 404
    assert client.get("/api/closures", **API).json() == {"items": []}


def test_the_api_notes_who_is_away_names_the_bookings_and_takes_it_back(
    client: Client, shop: Database, clock: FrozenClock
) -> None:
    with shop.write() as session:
        lost = factories.booking(session, datetime(2026, 11, 30, 12, 45, tzinfo=UTC))
        factories.booking(session, datetime(2026, 11, 30, 14, tzinfo=UTC))
    where = "/api/barbers/barber_1/absences"
    body = {
        "name": "Lunch",
        "from": "2026-11-23T13:00:00+00:00",
        "to": "2026-11-23T14:00:00Z",
        "repeats": "weekly",
        "repeatsUntil": "2026-12-31",
    }
    made = client.post(where, json=body, **API)
    assert made.status_code == 201, made.text
    absence = made.json()
    assert absence.pop("bookingsOutside") == [lost.id]
    assert absence == {**body, "id": absence["id"], "from": "2026-11-23T13:00:00Z"}
    assert client.get(where, **API).json() == {"items": [absence]}
    assert client.get("/api/barbers/barber_2/absences", **API).json() == {"items": []}
    assert client.get("/api/barbers/nobody/absences", **API).status_code == 404
    assert client.post("/api/barbers/nobody/absences", json=body, **API).status_code == 404
    other = f"/api/barbers/barber_2/absences/{absence['id']}"
    assert client.delete(other, **API).status_code == 404
    assert client.delete(f"{where}/{absence['id']}", **API).status_code == 204
    assert client.get(where, **API).json() == {"items": []}


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        ({}, {"name", "from"}),
        ({"name": "", "from": "24.12.2026", "to": "x"}, {"name", "from", "to"}),
        ({"name": "a", "from": "2026-11-24", "to": "2026-11-23"}, {"to"}),
        ({"name": 1, "from": "x", "more": 2}, {"name", "from", "more"}),
        ({"name": "a\x00", "from": "2026-11-24"}, {"name"}),
    ],
)
def test_a_closure_that_cannot_be_is_refused_with_all_that_is_wrong(
    desk: Client, body: dict[str, Any], fields: set[str]
) -> None:
    answer = desk.post("/api/closures", json=body, **API)
    assert answer.status_code == 422
    assert {each["field"] for each in answer.json()["errors"]} == fields


@pytest.mark.parametrize(
    ("change", "fields"),
    [
        ({"name": "\x01"}, {"name"}),
        ({"from": "2026-11-23T13:00:00"}, {"from"}),
        ({"from": "0001-01-01T00:00:00Z", "to": "x"}, {"from", "to"}),
        ({"to": "2026-11-23T13:00:00Z"}, {"to"}),
        ({"to": "2026-12-23T13:00:00Z", "repeats": "weekly"}, {"repeats"}),
        ({"repeats": "daily"}, {"repeats"}),
        ({"repeatsUntil": "2026-12-31"}, {"repeatsUntil"}),
        ({"repeats": "weekly", "repeatsUntil": "2026-11-22"}, {"repeatsUntil"}),
        ({"until": 1, "name": ""}, {"until", "name"}),
    ],
)
def test_an_absence_that_cannot_be_is_refused_with_all_that_is_wrong(
    desk: Client, change: dict[str, Any], fields: set[str]
) -> None:
    body = {"name": "Lunch", "from": "2026-11-23T13:00:00Z", "to": "2026-11-23T14:00:00Z"}
    answer = desk.post("/api/barbers/barber_1/absences", json={**body, **change}, **API)
    assert answer.status_code == 422, answer.text
    assert {each["field"] for each in answer.json()["errors"]} == fields


# --- free times over the API ---

ASKED = {"serviceId": "haircut", "from": "2026-11-23T00:00:00Z", "to": "2026-11-24T00:00:00Z"}


def test_the_api_has_free_times_of_a_barber_or_of_any_and_each_can_be_booked(
    client: Client, shop: Database, clock: FrozenClock
) -> None:
    away(client, "Lunch", from_time="09:00", until_time="18:00")
    items = client.get("/api/availability", params=ASKED, **API).json()["items"]
    assert items == sorted(items, key=lambda each: each["startsAt"])
    hers = [each for each in items if each["barberId"] == "barber_1"]
    assert [each["startsAt"][11:16] for each in hers] == ["18:00", "18:15", "18:30"]
    assert hers[0]["endsAt"] == "2026-11-23T18:30:00Z"
    only = client.get("/api/availability", params={**ASKED, "barberId": "barber_1"}, **API).json()
    assert only["items"] == hers
    new = {"customerName": "Ana", "customerPhone": "+442079460958", "serviceId": "haircut"}
    taken = {**new, "barberId": "barber_1", "scheduledTime": hers[1]["startsAt"]}
    assert client.post("/api/bookings", json=taken, **API).status_code == 201
    left = client.get("/api/availability", params={**ASKED, "barberId": "barber_1"}, **API).json()
    assert left["items"] == []


@pytest.mark.parametrize(
    ("change", "fields"),
    [
        ({"serviceId": "none", "barberId": "nobody"}, {"serviceId", "barberId"}),
        ({"from": "2026-11-23", "to": "x"}, {"from", "to"}),
        ({"from": "2026-11-25T00:00:00Z"}, {"to"}),
        ({"to": "2027-11-25T00:00:00Z"}, {"to"}),
        ({"from": "0001-01-01T00:00:00Z", "to": "9999-12-31T23:59:59Z"}, {"to"}),
        ({"barber": "barber_1"}, {"barber"}),
    ],
)
def test_a_question_for_free_times_that_cannot_be_read_is_refused(
    desk: Client, change: dict[str, str], fields: set[str]
) -> None:
    answer = desk.get("/api/availability", params={**ASKED, **change}, **API)
    assert answer.status_code == 422
    assert {each["field"] for each in answer.json()["errors"]} == fields


@pytest.mark.parametrize("year", ["0001-01-01", "9999-12-31", "2020-01-01"])
def test_far_off_nothing_is_free(desk: Client, year: str) -> None:
    asked = {**ASKED, "from": f"{year}T00:00:00Z", "to": f"{year}T23:00:00Z"}
    assert desk.get("/api/availability", params=asked, **API).json() == {"items": []}


# --- public holidays ---

HOLIDAYS = "/settings/closures/holidays"


def in_country(db: Database, country: str | None, locale: str = "en_US") -> None:
    with db.write() as session:
        factories.shop(session, country=country, locale=locale)


def test_an_owner_closes_the_shop_on_public_holidays_of_its_country(
    client: Client, shop: Database, clock: FrozenClock
) -> None:
    in_country(shop, "GB")
    page = client.get(HOLIDAYS).text
    assert "Public holidays of United Kingdom" in text_of(page)
    assert re.search(r'value="SCT"\s*>Scotland<', page)
    assert "Christmas Day" in text_of(page)
    days = {"day": ["2026-12-25", "2027-01-01", "2026-11-24"]}
    assert said(client, client.post(HOLIDAYS, data=days)) == "Closed on 2 holidays."
    with shop.read() as session:
        kept = session.scalars(select(Closure).order_by(Closure.first_day)).all()
        assert [(each.name, f"{each.first_day}") for each in kept] == [
            ("Christmas Day", "2026-12-25"),
            ("New Year's Day", "2027-01-01"),
        ]
    again = client.get(HOLIDAYS).text
    assert len(re.findall("checked disabled", again)) == 2
    assert said(client, client.post(HOLIDAYS, data=days)) == "Closed on 2 holidays."
    assert count(shop, Closure) == 2


def test_a_region_has_holidays_of_its_own_in_the_shops_language(
    desk: Client, sqlite_db: Database
) -> None:
    in_country(sqlite_db, "DE", "de_DE")
    everywhere = text_of(desk.get(HOLIDAYS).text)
    bavaria = text_of(desk.get(HOLIDAYS, params={"region": "BY"}).text)
    assert "Neujahr" in everywhere
    assert ("Allerheiligen" in everywhere, "Allerheiligen" in bavaria) == (False, True)


@pytest.mark.parametrize(
    ("country", "words"),
    [(None, "Say on Settings → Shop in which country"), ("AC", "We have no list of the holidays")],
)
def test_without_a_country_or_a_list_of_its_holidays_the_page_says_what_to_do(
    desk: Client, sqlite_db: Database, country: str | None, words: str
) -> None:
    in_country(sqlite_db, country)
    assert words in text_of(desk.get(HOLIDAYS).text)
    answer = desk.post(HOLIDAYS, data={"day": "2026-12-25"})
    assert said(desk, answer) == "Tick the holidays on which the shop is closed."
    assert count(sqlite_db, Closure) == 0


def test_a_region_that_there_is_not_and_no_tick_close_nothing(
    desk: Client, sqlite_db: Database
) -> None:
    in_country(sqlite_db, "GB")
    assert desk.get(HOLIDAYS, params={"region": "XX"}).status_code == 422
    assert desk.post(HOLIDAYS, data={"region": "XX", "day": "2026-12-25"}).status_code == 422
    answer = desk.post(HOLIDAYS, data={"region": "SCT"})
    assert answer.headers["Location"] == f"{HOLIDAYS}?region=SCT"
    assert said(desk, answer) == "Tick the holidays on which the shop is closed."
    assert count(sqlite_db, Closure) == 0


@pytest.mark.parametrize("country", ["US", "JP", "BR", "EG", "IN", "TW"])
def test_each_countrys_holidays_can_be_kept(
    desk: Client, sqlite_db: Database, country: str
) -> None:
    in_country(sqlite_db, country)
    days = re.findall(r'name="day"\s+value="([-\d]+)"', desk.get(HOLIDAYS).text)
    assert len(days) > 5
    assert desk.post(HOLIDAYS, data={"day": days}).headers["Location"] == "/settings/closures"
    assert count(sqlite_db, Closure) == len(days)
