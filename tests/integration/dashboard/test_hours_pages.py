"""Settings: weekly hours of the shop and of a barber, by their pages and by the API."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, time, timedelta
from html import unescape
from typing import Any

import pytest
from httpx import Response
from sqlalchemy import select

from app import clock as app_clock
from app.bookings import availability
from app.bookings.need import Need
from app.dashboard.today import cells, day
from app.db import Database
from app.models.shop import Barber, Shop
from app.models.staff import AuditEvent
from app.models.week import Hours, every_day
from app.shop import weekly_hours
from tests import factories
from tests.integration.conftest import Client, fill
from tests.support.frozen import FrozenClock
from tests.support.staff import sign_in
from tests.support.statements import counted
from tests.support.valkey import Valkey
from tests.support.web import said, web_client

NINE_TO_SEVEN = weekly_hours.shown(every_day(time(9), time(19)))
API = {"headers": {"Authorization": f"Bearer {'s' * 40}"}}
SAM = "/settings/barbers/barber_1/hours"
LUNCH = {"monday_break_1_from": "13:00", "monday_break_1_until": "14:00"}


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
    return unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]+>", "", html)))


def save(client: Client, address: str = "/settings/hours", **fields: str) -> Response:
    return client.post(address, data={**NINE_TO_SEVEN, **fields})


def closed_of(column: cells.Column) -> list[tuple[int, int]]:
    return [(each.row, each.rows) for each in column.closed]


def week_of(**days: list[tuple[str, str]]) -> dict[str, Any]:
    return {
        "week": {
            name: [{"from": begin, "to": end} for begin, end in spans]
            for name, spans in days.items()
        }
    }


def test_the_owner_gives_each_day_its_hours_and_monday_a_break(
    client: Client, shop: Database
) -> None:
    answer = save(client, **LUNCH, sunday_opens="", sunday_closes="")
    assert said(client, answer) == "Saved."
    with shop.read() as session:
        week = session.get_one(Shop, 1).weekly_hours
        events = session.scalars(select(AuditEvent).where(AuditEvent.subject == "shop")).all()
    assert week[0] == (Hours(time(9), time(13)), Hours(time(14), time(19)))
    assert week[6] == ()
    [event] = events
    assert event.details["weekly_hours"][1].startswith("Mon 09:00–13:00 14:00–19:00, Tue 09:00–")
    assert event.details["weekly_hours"][1].endswith("Sun closed")
    page = client.get("/settings/hours").text
    assert re.search(r'id="monday_break_1_from"[^>]*value="13:00"', page)
    again = save(client, **LUNCH, sunday_opens="", sunday_closes="")
    assert said(client, again) == "There was nothing to change."


def test_what_is_wrong_stands_beside_its_field_with_what_was_typed(
    desk: Client, sqlite_db: Database
) -> None:
    answer = save(desk, monday_closes="08:61", friday_opens="")
    assert answer.status_code == 422
    for field, value in (("monday_closes", "08:61"), ("friday_opens", "")):
        assert re.search(rf'id="{field}"[^>]*value="{value}"[^>]*aria-invalid="true"', answer.text)
        assert f'id="{field}-problem"' in answer.text
        assert f'href="#{field}"' in answer.text
    with sqlite_db.read() as session:
        assert session.get_one(Shop, 1).weekly_hours == every_day(time(9), time(19))


def test_a_barber_has_the_shops_hours_until_they_have_their_own(
    client: Client, shop: Database
) -> None:
    page = client.get(SAM).text
    assert not re.search(r'name="is_own"[^>]*checked', page)
    assert said(client, save(client, SAM, is_own="1", monday_opens="12:00")) == "Saved."
    with shop.read() as session:
        assert session.get_one(Barber, "barber_1").weekly_hours[0][0].opens == time(12)
        assert session.get_one(Barber, "barber_2").weekly_hours is None
    assert re.search(r'name="is_own"[^>]*checked', client.get(SAM).text)
    assert said(client, save(client, SAM)) == "Saved."
    with shop.read() as session:
        assert session.get_one(Barber, "barber_1").weekly_hours is None
    assert client.get("/settings/barbers/nobody/hours").status_code == 404
    assert save(client, "/settings/barbers/nobody/hours").status_code == 404


def test_form_board_and_free_times_go_by_a_barbers_own_hours(
    desk: Client, sqlite_db: Database, clock: FrozenClock
) -> None:
    save(desk, SAM, is_own="1", **LUNCH, monday_closes="21:00")
    save(desk, tuesday_opens="", tuesday_closes="")
    monday, tuesday = clock.now().date(), clock.now().date() + timedelta(days=1)
    half_an_hour = timedelta(minutes=30)
    with sqlite_db.read() as session:
        board = day.board(session, monday)
        free = availability.free_times(session, "barber_1", Need(half_an_hour), monday)
        hers = availability.free_times(session, "barber_2", Need(half_an_hour), monday)
        closed = [
            availability.free_times(session, each, Need(half_an_hour), tuesday)
            for each in ("barber_1", "barber_2")
        ]
        on_tuesday = day.board(session, tuesday)
    assert board.rows == 12 * 12
    assert [closed_of(column) for column in board.columns] == [
        *([(48, 12)], [(120, 24)], [(120, 24)]),
    ]
    assert {f"{at:%H}" for at in free} == {*(f"{hour:02}" for hour in range(9, 21))} - {"13"}
    assert f"{free[-1]:%H:%M} {hers[-1]:%H:%M}" == "20:30 18:30"
    assert [len(each) > 0 for each in closed] == [True, False]
    assert [closed_of(column) for column in on_tuesday.columns] == [[], [(0, 120)], [(0, 120)]]


def test_a_day_on_which_nobody_works_is_a_board_that_is_closed(
    desk: Client, sqlite_db: Database, clock: FrozenClock
) -> None:
    save(desk, monday_opens="", monday_closes="")
    with sqlite_db.read() as session:
        board = day.board(session, clock.now().date())
    assert (board.rows, [closed_of(each) for each in board.columns]) == (120, [[(0, 120)]] * 3)
    assert desk.get("/today").status_code == 200
    assert f'value="{clock.now().date() + timedelta(days=1)}"' in desk.get("/bookings/new").text


def test_bookings_that_new_hours_leave_outside_are_listed_with_why(
    client: Client, shop: Database, clock: FrozenClock
) -> None:
    with shop.write() as session:
        lost = factories.booking(session, datetime(2026, 11, 23, 13, tzinfo=UTC))
        factories.booking(session, datetime(2026, 11, 23, 14, tzinfo=UTC))
        factories.booking(session, datetime(2026, 11, 23, 13, tzinfo=UTC), status="cancelled")
    assert 'id="strays"' not in client.get("/settings/hours").text
    save(client, **LUNCH)
    for page in (client.get("/settings/hours").text, client.get(SAM).text):
        strays = page.partition('id="strays"')[2].partition("</section>")[0]
        assert "1 booking outside hours" in text_of(strays)
        assert re.findall(r'href="(/bookings/\w+)"', strays) == [f"/bookings/{lost.id}"]
        assert "Outside opening hours, which are 9:00 AM to 1:00 PM and 2:00 PM to 7:00 PM" in (
            text_of(strays).replace(" ", " ")
        )
    assert 'id="strays"' not in client.get("/settings/barbers/barber_2/hours").text


def test_looking_for_bookings_outside_takes_a_fixed_number_of_statements(
    sqlite_shop: Database, clock: FrozenClock
) -> None:
    with sqlite_shop.write() as session:
        for hour in range(40):
            factories.booking(session, clock.now() + timedelta(hours=hour + 1))
    with sqlite_shop.read() as session, counted(sqlite_shop) as statements:
        strays = availability.strays(session)
    assert len(strays) > 10
    assert len(statements) <= 7


# --- the API ---


def test_the_api_has_the_hours_and_changes_them(client: Client, shop: Database) -> None:
    first = client.get("/api/hours", **API)
    assert first.json()["week"]["sunday"] == [{"from": "09:00", "to": "19:00"}]
    assert first.json()["barberId"] is None
    known = {"If-None-Match": first.headers["ETag"], **API["headers"]}
    assert client.get("/api/hours", headers=known).status_code == 304
    with shop.write() as session:
        lost = factories.booking(session, app_clock.now() + timedelta(hours=13, minutes=15))
    week = week_of(monday=[("09:00", "13:00"), ("14:00", "19:00")], friday=[("18:00", "02:00")])
    kept = client.put("/api/hours", json=week, **API)
    assert kept.status_code == 200, kept.text
    assert kept.json()["bookingsOutside"] == [lost.id]
    now = client.get("/api/hours", **API)
    assert now.headers["ETag"] == kept.headers["ETag"] != first.headers["ETag"]
    assert now.json()["week"]["monday"] == week["week"]["monday"]
    assert now.json()["week"]["tuesday"] == []
    stale = {"If-Match": first.headers["ETag"], **API["headers"]}
    assert client.put("/api/hours", json=week, headers=stale).status_code == 412


def test_the_api_gives_a_barber_hours_and_takes_them_back(client: Client, shop: Database) -> None:
    sam = {"params": {"barberId": "barber_1"}, **API}
    assert client.get("/api/hours", **sam).json()["isOwn"] is False
    kept = client.put("/api/hours", json=week_of(monday=[("12:00", "20:00")]), **sam).json()
    assert (kept["isOwn"], kept["barberId"], kept["week"]["tuesday"]) == (True, "barber_1", [])
    back = client.put("/api/hours", json={"week": None}, **sam).json()
    assert (back["isOwn"], len(back["week"]["tuesday"])) == (False, 1)
    with shop.read() as session:
        assert session.get_one(Barber, "barber_1").weekly_hours is None
    nobody = {"params": {"barberId": "nobody"}, **API}
    assert client.get("/api/hours", **nobody).status_code == 404
    assert client.put("/api/hours", json={"week": None}, **nobody).status_code == 404


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        ({}, {"week"}),
        ({"week": None}, {"week"}),
        ({"week": []}, {"week"}),
        ({"week": {"moonday": []}}, {"week"}),
        ({"week": {"monday": [{"from": "09:00"}]}}, {"week"}),
        (
            week_of(monday=[("9", "13:00")], friday=[("12:00", "x")]),
            {"week.monday[0].from", "week.friday[0].to"},
        ),
        (week_of(monday=[("09:00", "13:00"), ("12:00", "14:00")]), {"week.monday[1].from"}),
        (
            week_of(monday=[("18:00", "02:00")], tuesday=[("01:00", "03:00")]),
            {"week.tuesday[0].from"},
        ),
        ({**week_of(monday=[("9", "10:00")]), "more": 1}, {"more", "week.monday[0].from"}),
    ],
)
def test_hours_that_cannot_be_are_refused_by_their_place(
    desk: Client, sqlite_db: Database, body: dict[str, Any], fields: set[str]
) -> None:
    answer = desk.put("/api/hours", json=body, **API)
    assert answer.status_code == 422
    assert {each["field"] for each in answer.json()["errors"]} == fields
    with sqlite_db.read() as session:
        assert session.get_one(Shop, 1).weekly_hours == every_day(time(9), time(19))
