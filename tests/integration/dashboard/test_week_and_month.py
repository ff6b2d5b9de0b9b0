"""A week and a month: what they hold, how they are laid out, what they cost."""

import re
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete

from app import clock as shop_clock
from app.dashboard.today import month, week
from app.dashboard.today.grid import ROW
from app.db import Database
from app.models.booking import Booking
from app.models.shop import Barber
from app.models.week import every_day
from tests import factories
from tests.integration.conftest import Client
from tests.integration.dashboard.test_board import words
from tests.support.staff import HTMX, sign_in
from tests.support.statements import counted
from tests.support.zones import days_near_a_change

DAY = date(2026, 11, 23)
"""What the `clock` fixture shows, a Monday."""


def at(hours: float, days: int = 0) -> datetime:
    return datetime.combine(DAY, time(), UTC) + timedelta(days=days, hours=hours)


def book(db: Database, hours: float, days: int = 0, barber: str = "barber_1", **values: Any) -> str:
    with db.write() as session:
        return factories.booking(session, at(hours, days), barber_id=barber, **values).id


def day_of(html: str, day: int) -> str:
    """What the week says of a day of the month."""
    head = rf"<section[^>]*aria-labelledby=.day-2026-11-{day:02}.*?</section>"
    [found] = re.findall(head, html, re.DOTALL)
    return words(found)


# --- the week of the shop ---


def test_the_week_of_the_shop_lists_each_barbers_bookings_by_day_and_says_how_full_it_is(
    desk: Client, sqlite_db: Database
) -> None:
    with sqlite_db.write() as session:
        factories.shop(session, locale="en_GB", weekly_hours=every_day(time(9), time(19)))
    book(sqlite_db, 14, customer_name="Ana")
    book(sqlite_db, 10, customer_name="Ben", status="completed")
    book(sqlite_db, 11, customer_name="Gone", status="cancelled")
    book(sqlite_db, 10, days=6, barber="barber_2", customer_name="Cleo", ends_at=at(15, days=6))
    html = desk.get("/today/week").text
    assert "<h1>23–29 Nov</h1>" in html
    assert "3 bookings" in html
    monday, sunday = day_of(html, 23), day_of(html, 29)
    assert monday.index("10:00 Ben Came") < monday.index("14:00 Ana")
    assert "Gone" not in html
    assert "10:00 Cleo" in sunday
    assert "3% full" in monday  # an hour of thirty
    assert "17% full" in sunday  # five of thirty


def test_where_a_week_begins_with_sunday_so_does_the_page(desk: Client) -> None:
    html = desk.get("/today/week").text
    assert "<h1>Nov 22 – 28</h1>" in html
    assert re.findall(r'id="day-2026-11-(\d\d)"', html) == [f"{day}" for day in range(22, 29)]


def test_the_week_says_who_is_away_why_the_shop_is_closed_and_what_failed(
    desk: Client, sqlite_db: Database
) -> None:
    failed = book(sqlite_db, 10, days=1, customer_name="Ana")
    mended = book(sqlite_db, 11, days=1, customer_name="Ben")
    with sqlite_db.write() as session:
        factories.closure(session, DAY + timedelta(days=2), name="Stocktaking")
        factories.absence(session, at(0, days=3), timedelta(days=1), name="Training")
        for id, states in ((failed, ("sent", "failed")), (mended, ("failed", "sent"))):
            booked = session.get_one(Booking, id)
            for state in states:
                factories.message(session, booked, state)
    html = desk.get("/today/week").text
    assert "Ana Failed" in day_of(html, 24)
    assert day_of(html, 24).count("Failed") == 1
    assert day_of(html, 25).count("Stocktaking") == 3
    assert day_of(html, 26).count("Training") == 1
    assert "full" not in day_of(html, 25)


def test_of_a_barber_with_very_many_bookings_the_rest_is_counted(
    desk: Client, sqlite_db: Database
) -> None:
    for turn in range(16):
        book(sqlite_db, 9 + turn / 2, customer_name=f"Customer {turn}")
    monday = day_of(desk.get("/today/week").text, 23)
    assert "Customer 13" in monday
    assert "Customer 14" not in monday
    assert "2 more" in monday


# --- the week of a barber ---


def test_the_week_of_a_barber_is_a_board_with_a_column_for_each_day(
    desk: Client, sqlite_db: Database
) -> None:
    one = book(sqlite_db, 10, customer_name="One")
    other = book(sqlite_db, 12.5, days=2, customer_name="Other")
    book(sqlite_db, 11, barber="barber_2", customer_name="Not theirs")  # nor the next in the header
    html = desk.get("/today/week?barber=barber_1").text
    assert re.findall(r'class="block at-(h\d+ at-m\d+)[^>]*id="block-(\w+)"', html) == [
        ("h1 at-m0", one),
        ("h3 at-m6", other),
    ]
    assert 'data-begins="2026-11-25T09:00:00+00:00"' in html
    assert "Not theirs" not in html
    assert desk.get("/today/week?barber=nobody").status_code == 404


def test_a_shop_with_one_barber_has_their_week(desk: Client, sqlite_db: Database) -> None:
    with sqlite_db.write() as session:
        for id in ("barber_2", "barber_3"):
            session.get_one(Barber, id).active = False
    html = desk.get("/today/week").text
    assert "Bookings of" in html
    assert "barber-tabs" not in html


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(near=days_near_a_change(), quarters=st.integers(0, 50), opens=st.sampled_from([0, 9]))
def test_in_any_week_days_are_level_and_a_block_stands_at_its_time_on_the_clock(
    sqlite_db: Database, near: tuple[str, date], quarters: int, opens: int
) -> None:
    zone, day = ZoneInfo(near[0]), near[1]
    with sqlite_db.write() as session:
        factories.shop(
            session, time_zone=zone.key, weekly_hours=every_day(time(opens), time(opens + 9))
        )
        session.execute(delete(Booking))
        barber = session.get(Barber, "barber_1") or factories.barber(session)
        starts_at = shop_clock.first_moment(day, time(opens), zone) + quarters * 3 * ROW
        factories.booking(session, starts_at)
        shown = week.of_barber(session, barber, week.days_of(session, day))
    [(block, column)] = [(each, column) for _, column, _ in shown.days for each in column.blocks]
    wall = starts_at.astimezone(zone).replace(tzinfo=None)
    assert block.row == (wall - datetime.combine(column.day, time(opens))) // ROW
    for _, column, _ in shown.days:
        for each in (*column.cells, *column.closed):
            assert 0 <= each.row < shown.rows


# --- a month ---


def test_a_month_counts_each_day_and_says_how_full_and_what_closed_it_is(
    desk: Client, sqlite_db: Database
) -> None:
    with sqlite_db.write() as session:
        factories.shop(session, locale="en_GB", weekly_hours=every_day(time(9), time(19)))
        factories.closure(session, date(2026, 11, 30), name="St Andrew’s Day")
    book(sqlite_db, 10, price=20, currency="GBP")
    book(sqlite_db, 10, barber="barber_2", ends_at=at(17), price=35, currency="GBP")
    book(sqlite_db, 12, status="cancelled", price=50, currency="GBP")
    book(sqlite_db, 13, status="no_show", price=50, currency="GBP")
    book(sqlite_db, 10, days=9)  # the next month, of which the last week has a part
    html = desk.get("/today/month").text
    cells = {
        found[1]: words(found[0])
        for found in re.findall(r'(<td.*?id="day-([\d-]+)".*?</td>)', html, re.DOTALL)
    }
    assert (min(cells), max(cells)) == ("2026-10-26", "2026-12-06")
    assert "2 bookings" in cells["2026-11-23"]
    assert "25 %" in cells["2026-11-23"]  # seven and a half hours of thirty
    assert "St Andrew’s Day" in cells["2026-11-30"]
    assert "1 booking" in cells["2026-12-02"]
    assert "2 bookings" in words(html[html.index("day-counts") :][:200])
    assert "£" not in html
    sign_in(desk, sqlite_db, "owner")
    assert "£55 booked" in words(desk.get("/today/month").text)


def test_a_month_of_a_barber_counts_theirs_alone(desk: Client, sqlite_db: Database) -> None:
    book(sqlite_db, 10)
    for days in (0, 1):
        book(sqlite_db, 10, days=days, barber="barber_2")
    with sqlite_db.read() as session:
        barber = session.get_one(Barber, "barber_2")
        assert month.of(session, DAY, barber, "USD").bookings == 2
        assert month.of(session, DAY, None, "USD").bookings == 3


# --- both ---


@pytest.mark.parametrize("view", ["week", "month"])
def test_the_switch_keeps_the_day_and_the_barber(desk: Client, view: str) -> None:
    html = desk.get(f"/today/{view}?date=2026-12-09&barber=barber_2").text
    for address in ("/today", "/today/week", "/today/month"):
        assert f'href="{address}?date=2026-12-09&amp;barber=barber_2"' in html
    assert f'hx-get="/today/{view}?date=2026-12-09&amp;barber=barber_2"' in html


@pytest.mark.parametrize("view", ["week", "month"])
@pytest.mark.parametrize("wrong", ["23.11.2026", "2026-02-30", "0001-01-01", "9999-12-31", "x"])
def test_a_day_that_is_none_gets_a_clear_answer(desk: Client, view: str, wrong: str) -> None:
    answer = desk.get(f"/today/{view}", params={"date": wrong})
    assert answer.status_code == 422
    assert "date" in answer.text


@pytest.mark.parametrize("day", ["2000-01-01", "2100-12-31"])
@pytest.mark.parametrize("view", ["week", "month"])
def test_the_first_and_the_last_days_have_their_pages(desk: Client, view: str, day: str) -> None:
    html = desk.get(f"/today/{view}?date={day}").text
    assert "1999-" not in re.findall(r'id="day-before"\s+href="([^"]+)"', html)[0]
    assert "2101-" not in re.findall(r'id="day-after"\s+href="([^"]+)"', html)[0]


@pytest.mark.parametrize("path", ["/today/week", "/today/week?barber=barber_1", "/today/month"])
def test_many_bookings_take_as_many_statements_as_one(
    client: Client, shop: Database, path: str
) -> None:
    def count() -> int:
        with counted(shop) as statements:
            assert client.get(path).status_code == 200
        return len([each for each in statements if not each.startswith("BEGIN")])

    def fill(bookings: int) -> None:
        with shop.write() as session:
            for turn in range(bookings):
                booked = factories.booking(session, at(9 + turn % 9, days=turn % 5))
                factories.message(session, booked, "failed")
                factories.booking(session, at(9, days=turn % 5), status="cancelled")

    fill(1)
    count()  # what is kept is read
    few = count()
    fill(30)
    assert count() == few


@pytest.mark.parametrize("path", ["/today/week", "/today/month", "/today/week?barber=barber_1"])
def test_the_live_part_comes_with_its_title(desk: Client, path: str) -> None:
    part = desk.get(path, headers=HTMX).text
    assert part.startswith("<title>")
    assert 'id="today"' in part
    assert "<html" not in part


def test_who_may_only_look_cannot_move_or_book_in_a_week(desk: Client, sqlite_db: Database) -> None:
    booking_id = book(sqlite_db, 10)
    sign_in(desk, sqlite_db, "viewer")
    html = desk.get("/today/week?barber=barber_1").text
    assert f"block-{booking_id}" in html
    for way in ("/bookings/new", "/edit", "data-booking", "move-dialog"):
        assert way not in html, way
