"""What whole weeks came to: on the page, in its files, and who may see it."""

from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import pytest
from sqlalchemy import update

from app.bookings import attendance
from app.db import Database
from app.models.booking import Booking
from app.models.message import DailySent
from app.models.week import every_day
from app.reports import no_shows, periods, weeks
from app.reports.no_shows import Group
from app.shop import service as shop_service
from tests import factories
from tests.integration.conftest import Client
from tests.integration.dashboard.test_board import words
from tests.support.frozen import FrozenClock
from tests.support.staff import sign_in
from tests.support.statements import counted

MONDAY = date(2026, 11, 16)
"""The first day of the last week that is over; the clock shows Monday 23 November."""


def at(hours: float, days: int = 0) -> datetime:
    return datetime.combine(MONDAY, time(), UTC) + timedelta(days=days, hours=hours)


def book(db: Database, days: int = 0, ahead: float = 1, reminders: int = 0, **values: Any) -> str:
    """At ten o'clock some days after MONDAY, so many hours ahead, with as many reminders sent."""
    starts_at = at(10, days)
    values = {"created_at": starts_at - timedelta(hours=ahead), "status": "completed"} | values
    with db.write() as session:
        factories.shop(session, locale="en_GB", weekly_hours=every_day(time(9), time(19)))
        booking = factories.booking(session, starts_at, **values)
        for turn in range(reminders):
            factories.message(session, booking, "sent", due_at=at(turn, days))
        return booking.id


def test_each_booking_counts_in_its_week_and_for_its_barber(shop: Database) -> None:
    book(shop, price=20, currency="GBP", ends_at=at(12))
    book(shop, days=6, status="confirmed", price="12.50", currency="GBP")
    book(shop, status="no_show", price=99, currency="GBP")
    book(shop, status="cancelled", price=99, currency="GBP", barber_id="barber_2")
    book(shop, price=50, currency="EUR", barber_id="barber_2")
    book(shop, days=-1, price=7, currency="GBP")
    book(shop, days=7)
    with shop.read() as session:
        period, barbers = periods.of(session, "week"), shop_service.barbers(session)
        found = weeks.of(session, period, barbers)
        one = weeks.of(session, period, barbers[:1], "barber_1")
    assert (period.first, period.last) == (MONDAY, MONDAY + timedelta(days=6))
    last = len(period.columns) - 1
    tally = found.tally([last])
    assert (tally.came, tally.unmarked, tally.no_shows, tally.cancelled) == (2, 1, 1, 1)
    assert float(tally.takings) == 32.5
    assert float(found.tally([last - 1]).takings) == 7
    assert found.occupancy([last], barbers[:1]) == pytest.approx(2.5 / 70)
    assert found.occupancy([last]) == pytest.approx(3 / 210)
    assert one.tally([last]).bookings == 3


def test_a_barber_who_is_away_has_no_open_hours(sqlite_shop: Database) -> None:
    book(sqlite_shop)
    with sqlite_shop.write() as session:
        factories.absence(session, at(0), timedelta(days=7))
        factories.closure(session, MONDAY, name="Works")
    with sqlite_shop.read() as session:
        period, barbers = periods.of(session, "week"), shop_service.barbers(session)
        found = weeks.of(session, period, barbers)
        last = len(period.columns) - 1
        assert found.occupancy([last], barbers[:1]) is None
        assert found.open[last, "barber_2"] == timedelta(hours=60)


def test_no_shows_are_counted_by_reminders_sent_and_by_how_long_ahead(shop: Database) -> None:
    book(shop, ahead=1, status="no_show")
    book(shop, ahead=30, reminders=1, status="confirmed")
    book(shop, ahead=100, reminders=3, status="no_show")
    book(shop, ahead=200, reminders=8)
    book(shop, ahead=200, reminders=8, status="cancelled")
    book(shop, customer_phone=None, status="no_show")
    book(shop, ahead=-1, status="no_show")
    with shop.read() as session:
        found = no_shows.of(session, periods.of(session, "week"))
    assert found.by_reminders == [Group(1, 1), Group(1, 0), Group(1, 1), Group(), Group(1, 0)]
    assert found.by_ahead == [Group(1, 1), Group(1, 0), Group(1, 1), Group(1, 0)]


def test_how_many_reminders_there_were_is_kept_when_somebody_is_marked(
    sqlite_shop: Database, clock: FrozenClock
) -> None:
    booking_id = book(sqlite_shop, reminders=2, status="confirmed")

    def kept(status: attendance.Mark) -> int | None:
        with sqlite_shop.write() as session:
            return attendance.mark(session, booking_id, status, "user:1").reminders_sent

    assert [kept(each) for each in ("no_show", "confirmed", "completed")] == [2, None, 2]
    with sqlite_shop.write() as session:
        session.execute(update(Booking).values(reminders_sent=9))
    with sqlite_shop.read() as session:
        found = no_shows.of(session, periods.of(session, "week"))
    assert found.by_reminders[-1] == Group(1, 0)


@pytest.mark.parametrize(
    ("length", "until", "first", "last"),
    [
        ("week", "", "2026-11-16", "2026-11-22"),
        ("4weeks", "", "2026-10-26", "2026-11-22"),
        ("year", "", "2025-11-24", "2026-11-22"),
        ("week", "2026-11-11", "2026-11-09", "2026-11-15"),
        ("week", "2026-12-24", "2026-11-16", "2026-11-22"),
    ],
)
def test_a_period_is_of_whole_weeks_that_are_over(
    sqlite_shop: Database, length: periods.Length, until: str, first: str, last: str
) -> None:
    with sqlite_shop.write() as session:
        factories.shop(session, locale="en_GB")
    with sqlite_shop.read() as session:
        day = date.fromisoformat(until) if until else None
        found = periods.of(session, length, day)
    assert (f"{found.first}", f"{found.last}") == (first, last)


# --- the page ---


def test_the_page_says_what_the_weeks_came_to_beside_those_before(
    owner: Client, sqlite_shop: Database
) -> None:
    for turn in range(20):
        book(sqlite_shop, status="no_show" if turn < 4 else "completed", price=20, currency="GBP")
        book(sqlite_shop, reminders=3, barber_id="barber_2")
    book(sqlite_shop, days=-28)
    with sqlite_shop.write() as session:
        factories.shop(session, message_price="0.05", currency="GBP")
        session.add(DailySent(day=MONDAY, messages=60))
    page = words(owner.get("/numbers").text)
    assert "26 Oct – 22 Nov, beside the 4 weeks before" in page
    assert "Bookings 40 +3,900% from 1" in page
    assert "No-shows 4 +4 · 10% of bookings" in page
    assert "Takings £320" in page
    assert "Messages 60 ≈ £3.00 · 1.5 a booking" in page
    assert "With 2 or more reminders, 0 in 100 stay away. With none, 20." in page
    assert "No reminder 20% 4 of 20" in page
    with sqlite_shop.write() as session:
        factories.shop(session, locale="de_DE")
    assert "1,5 a booking" in words(owner.get("/numbers").text)


def test_of_one_barber_the_page_has_theirs_alone(owner: Client, sqlite_shop: Database) -> None:
    book(sqlite_shop)
    book(sqlite_shop, barber_id="barber_2")
    assert "Bookings 2 " in words(owner.get("/numbers").text)
    html = owner.get("/numbers?barber=barber_2&length=week").text
    assert "Bookings 1 " in words(html)
    assert 'href="/numbers/bookings.csv?length=week&amp;barber=barber_2"' in html


def test_each_picture_is_a_file(owner: Client, sqlite_shop: Database) -> None:
    book(sqlite_shop, price="12.50", currency="GBP", status="no_show")
    book(sqlite_shop, price="12.50", currency="GBP", ends_at=at(11))
    files = {
        name: owner.get(f"/numbers/{name}.csv?length=week").text.lstrip("\ufeff").splitlines()
        for name in ("bookings", "occupancy", "no-shows-by-reminders", "no-shows-by-ahead")
    }
    assert files["bookings"][-1] == "2026-11-16,2026-11-22,1,0,1,0,12.50,GBP"
    assert "Sam,2026-11-16,2026-11-22,60,4200,1" in files["occupancy"]
    assert files["no-shows-by-reminders"][1] == "No reminder,2,1,50.0"
    assert files["no-shows-by-ahead"][1] == "Less than a day,2,1,50.0"


def test_a_shop_without_bookings_has_its_page(owner: Client) -> None:
    for length in periods.LENGTHS:
        page = words(owner.get(f"/numbers?length={length}").text)
        assert "Too few bookings yet to say." in page
        assert "No bookings in these weeks." in page


@pytest.mark.parametrize(
    ("query", "status", "said"),
    [
        ("length=decade", 422, "one of week, 4weeks, year"),
        ("until=yesterday", 422, "a day, such as"),
        ("until=0001-01-01", 422, "between 2000 and 2100"),
        ("barber=nobody", 404, "no such barber"),
    ],
)
@pytest.mark.parametrize("path", ["/numbers", "/numbers/bookings.csv"])
def test_what_there_is_not_gets_a_clear_answer(
    owner: Client, path: str, query: str, status: int, said: str
) -> None:
    answer = owner.get(f"{path}?{query}")
    assert answer.status_code == status
    assert said in answer.text


def test_only_owners_see_it(desk: Client, sqlite_shop: Database) -> None:
    for path in ("/numbers", "/numbers/bookings.csv"):
        assert desk.get(path).status_code == 403
    assert 'href="/numbers"' not in desk.get("/today").text
    sign_in(desk, sqlite_shop, "owner")
    assert 'href="/numbers"' in desk.get("/today").text


def test_many_bookings_take_as_many_statements_as_one(owner: Client, sqlite_shop: Database) -> None:
    def count() -> int:
        with counted(sqlite_shop) as statements:
            assert owner.get("/numbers").status_code == 200
        return len([each for each in statements if not each.startswith("BEGIN")])

    book(sqlite_shop)
    count()
    few = count()
    for days in range(10):
        book(sqlite_shop, days=-days, reminders=2)
    assert count() == few
