"""Today: what the board's page holds, how it is laid out, and moving a booking on it."""

import json
import re
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from html import unescape
from typing import Any
from urllib.parse import parse_qsl, urlsplit
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from app.bookings import availability
from app.customers import service as customers
from app.dashboard.today import cells, day, grid, needs
from app.db import Database
from app.messages import planned
from app.models.booking import Booking
from app.models.message import Message
from app.models.staff import AuditEvent
from app.models.week import every_day
from tests import factories
from tests.conftest import Configure
from tests.fake_twilio import FakeTwilio
from tests.integration.conftest import Client
from tests.support.frozen import FrozenClock
from tests.support.staff import HTMX, sign_in
from tests.support.statements import counted
from tests.support.valkey import Valkey
from tests.support.web import web_client
from tests.support.zones import days_near_a_change

DAY = date(2026, 11, 23)
"""What the `clock` fixture shows, at midnight."""


@pytest.fixture
def staff(shop: Database, valkey: Valkey) -> Iterator[Client]:
    """A signed-in browser, once on SQLite, once on PostgreSQL."""
    with web_client() as client:
        sign_in(client, shop, "staff")
        yield client


def closed_of(column: cells.Column) -> list[tuple[int, int]]:
    return [(each.row, each.rows) for each in column.closed]


def at(hours: float) -> datetime:
    return datetime.combine(DAY, time(), UTC) + timedelta(hours=hours)


def book(db: Database, hours: float, barber: str = "barber_1", **values: Any) -> str:
    """A booking of half an hour on DAY, with one reminder planned for an hour before."""
    with db.write() as session:
        booked = factories.booking(session, at(hours), barber_id=barber, **values)
        factories.message(session, booked, due_at=at(hours - 1))
        return booked.id


def board_of(db: Database, on: date = DAY) -> day.Board:
    with db.read() as session:
        return day.board(session, on)


def words(html: str) -> str:
    """What the HTML says."""
    return " ".join(unescape(re.sub("<[^>]+>", " ", html)).split())


def stored(db: Database, booking_id: str) -> Booking:
    with db.read() as session:
        return session.get_one(Booking, booking_id)


def move(client: Client, booking_id: str, **fields: str) -> Any:
    return client.post(f"/bookings/{booking_id}/move", data=fields, headers=HTMX)


def times_of(db: Database, booking_id: str) -> dict[str, list[datetime]]:
    """When the booking's reminders were planned for, by their state."""
    labels: dict[str, list[datetime]] = {}
    with db.read() as session:
        for message in planned.messages_of(session, booking_id):
            labels.setdefault(message.state, []).append(message.planned_for)
    return labels


# --- the page ---


def test_a_block_says_who_what_when_and_how_the_reminders_stand(
    desk: Client, sqlite_db: Database
) -> None:
    booking_id = book(sqlite_db, 10, customer_name="Luis <Ortega>")
    html = desk.get("/today").text
    assert "Luis &lt;Ortega&gt;" in html
    assert f'href="/bookings/{booking_id}"' in html
    assert re.search(r"10:00\sAM Haircut", html)
    assert 'aria-label="Reminders: 1 planned"' in html
    assert "1 booking" in html


def test_a_place_is_a_class_and_nothing_has_a_style_of_its_own(
    desk: Client, sqlite_db: Database
) -> None:
    book(sqlite_db, 10.25)
    html = desk.get("/today").text
    assert 'class="block at-h1 at-m3 for-h0 for-m6 lane-0 of-1' in html
    assert "style=" not in html
    assert "<script>" not in html


def test_the_root_is_today_and_a_fragment_is_the_same_address(desk: Client) -> None:
    assert desk.get("/").headers["Location"] == "/today"
    whole, part = desk.get("/today").text, desk.get("/today", headers=HTMX).text
    assert "<html" in whole
    title, board = part.split("\n", 1)
    assert title in whole  # it is another over midnight
    assert board.strip().startswith('<div class="today"')
    assert board.strip() in whole


def test_the_live_board_of_today_goes_on_to_the_next_day_by_itself(
    desk: Client, sqlite_db: Database, clock: FrozenClock
) -> None:
    assert 'hx-get="/today"' in desk.get("/today").text
    asked = desk.get("/today?date=2026-11-24&barber=barber_2").text
    assert 'hx-get="/today?date=2026-11-24&amp;barber=barber_2"' in asked
    clock.move(hours=25)
    sign_in(desk, sqlite_db)
    assert "Tuesday, November 24" in desk.get("/today").text


def test_cancelled_bookings_are_counted_but_leave_their_time_free(
    desk: Client, sqlite_db: Database
) -> None:
    booking_id = book(sqlite_db, 10, status="cancelled")
    html = desk.get("/today").text
    assert f"block-{booking_id}" not in html
    assert "0 bookings" in html
    assert "1 cancelled" in html
    assert "/bookings/new?barber=barber_1&at=2026-11-23T10:00:00Z" in html.replace("&amp;", "&")


def traces(db: Database) -> list[tuple[str, int, int]]:
    """The names, the first row and the number of rows of each trace of the first barber."""
    [column, *_] = board_of(db).columns
    return sorted(
        (", ".join(booking.customer_name for booking in each.bookings), each.row, each.rows)
        for each in column.traces
    )


def test_a_cancelled_booking_leaves_a_trace_where_nothing_is_booked_since(
    desk: Client, sqlite_db: Database, clock: FrozenClock
) -> None:
    first = book(sqlite_db, 10, customer_name="First", status="cancelled")
    with sqlite_db.write() as session:
        factories.reply(session, session.get_one(Booking, first), effect="cancelled")
    assert traces(sqlite_db) == [("First", 12, 6)]
    html = desk.get("/today").text
    trace = html[html.index(f'id="trace-{first}"') :].partition(">")[2]
    assert words(trace).startswith("Cancelled by reply First ,")
    clock.move(minutes=1)
    book(sqlite_db, 10, customer_name="Second", status="cancelled")
    assert traces(sqlite_db) == [("Second, First", 12, 6)], "one outline at a place"
    book(sqlite_db, 10.25)
    assert traces(sqlite_db) == [("Second, First", 12, 3)], "what is booked since is not covered"
    book(sqlite_db, 9.75)
    assert traces(sqlite_db) == []


def test_several_cancellations_of_one_time_are_counted_and_named_in_one_trace(
    desk: Client, sqlite_db: Database, clock: FrozenClock
) -> None:
    for name in ("Ana", "Bob & Co", "Cleo"):
        newest = book(sqlite_db, 10, customer_name=name, status="cancelled")
        clock.move(minutes=1)
    other = book(sqlite_db, 10, barber="barber_2", customer_name="Dan", status="cancelled")
    with sqlite_db.write() as session:
        factories.reply(session, session.get_one(Booking, newest), effect="cancelled")
    html = desk.get("/today").text
    assert len(re.findall('id="trace-', html)) == 2
    trace = html[html.index(f'id="trace-{newest}"') :].partition("</div>")[0].partition(">")[2]
    said = words(trace)
    assert said.startswith("3 cancelled, 1 by reply: Cleo , 10:00 AM Haircut , Bob & Co , 10:00")
    [link] = re.findall('href="(/bookings[?][^"]+)"', trace)
    listed = desk.get(unescape(link)).text
    assert all(name in listed for name in ("Ana", "Bob &amp; Co", "Cleo"))
    assert f"/bookings/{other}" not in listed


def test_what_was_cancelled_outside_the_hours_of_the_board_does_not_stretch_it(
    sqlite_db: Database, clock: FrozenClock
) -> None:
    rows = board_of(sqlite_db).rows
    for hours in (2, 23):
        book(sqlite_db, hours, status="cancelled")
    assert traces(sqlite_db) == []
    assert board_of(sqlite_db).rows == rows


def test_only_free_half_hours_to_come_can_be_clicked(
    desk: Client, sqlite_db: Database, clock: FrozenClock
) -> None:
    clock.set(at(12.1))
    book(sqlite_db, 15.25)
    [first, *_] = board_of(sqlite_db).columns
    slots = [cell.at for cell in first.cells if isinstance(cell, cells.Slot)]
    taken = {at(15), at(15.5)}
    opens = [at(12.5 + turn / 2) for turn in range(13)]
    assert slots == [each for each in opens if each not in taken]


def test_a_failed_reminder_turns_the_block_red_until_a_newer_one_went_out(
    desk: Client, sqlite_db: Database, clock: FrozenClock
) -> None:
    booking_id = book(sqlite_db, 10)
    with sqlite_db.write() as session:
        row = session.get_one(Booking, booking_id)
        factories.message(session, row, "failed", error_code="63003")
    html = desk.get("/today").text
    assert "is-failed is-movable" in html
    assert html.count("No WhatsApp on this number") == 3  # in the list, on the block, and beside it
    with sqlite_db.write() as session:
        row = session.get_one(Booking, booking_id)
        factories.message(session, row, "sent")
    clock.move(seconds=1)
    html = desk.get("/today").text
    assert "is-failed is-movable" not in html
    assert "All clear" in html


def test_needs_attention_leaves_out_what_no_retry_would_help(
    desk: Client, sqlite_db: Database, clock: FrozenClock
) -> None:
    with sqlite_db.write() as session:
        begun, over, coming = (
            factories.booking(session, at(hours), status=status)
            for hours, status in ((1, "confirmed"), (10, "cancelled"), (11, "confirmed"))
        )
        jobs = [factories.message(session, each, "failed").id for each in (begun, over, coming)]
    clock.set(at(2))
    html = desk.get("/today").text
    assert [job in html for job in jobs] == [False, False, True]
    assert f'action="/messages/{jobs[2]}/retry"' in html


def head_of_needs(html: str) -> str:
    match = re.search(r'id="needs-title">Needs attention</h2>(.*?)</div>', html, re.S)
    assert match
    return re.sub(r"<[^>]+>", "", match[1]).strip()


@pytest.mark.parametrize(
    ("replies", "failed", "shown"),
    [
        (0, 0, ""),
        (2, 3, "5"),
        (7, 0, "5 of 7"),
        (1, 23, "6 of 24"),
        (30, 0, "5 of 30"),
        (31, 6, "10 of 36+"),
    ],
)
def test_the_head_of_needs_attention_says_how_much_of_it_is_in_sight(
    desk: Client, sqlite_db: Database, replies: int, failed: int, shown: str
) -> None:
    with sqlite_db.write() as session:
        for _ in range(replies):
            factories.reply(session)
        for _ in range(failed):
            factories.message(session, factories.booking(session, at(10)), "failed")
    html = desk.get("/today").text
    assert head_of_needs(html) == shown
    assert html.count('action="/replies/') == min(replies, 30)
    assert (f"{min(replies, 30) - 5} more replies" in html) == (replies > 5)
    assert ("There are still older ones" in html) == (replies > 30)
    assert ("All failed sends" in html) == (failed > 1)


def test_failed_sends_beyond_those_that_are_looked_at_are_not_left_out_of_the_number(
    desk: Client, sqlite_db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(needs, "AT_MOST", 3)
    with sqlite_db.write() as session:
        booking = factories.booking(session, at(10))
        for _ in range(4):
            factories.message(session, booking, "failed")
    assert head_of_needs(desk.get("/today").text) == "1+"


def test_next_to_send_are_the_five_that_go_out_first(desk: Client, sqlite_db: Database) -> None:
    for hours in range(12, 18):
        book(sqlite_db, hours, customer_name=f"Customer at {hours}")
    html = desk.get("/today").text
    listed = html[html.index("Next to send") :]
    assert [f"Customer at {hours}" in listed for hours in range(12, 18)] == [True] * 5 + [False]


def test_one_barber_can_be_shown_alone(desk: Client, sqlite_db: Database) -> None:
    book(sqlite_db, 10, customer_name="One")
    book(sqlite_db, 10, "barber_2", customer_name="Two")
    html = desk.get("/today?barber=barber_2").text
    block = r'<span class="block-name">(\w+)</span>'
    assert re.findall(block, html) == ["Two"]
    assert desk.get("/today?barber=nobody").status_code == 404


@pytest.mark.parametrize("wrong", ["23.11.2026", "2026-02-30", "0001-01-01", "9999-12-31", "x"])
def test_a_day_that_is_none_gets_a_clear_answer(desk: Client, wrong: str) -> None:
    answer = desk.get("/today", params={"date": wrong})
    assert answer.status_code == 422
    assert "date" in answer.text


def test_who_may_only_look_gets_no_way_to_change_anything(
    desk: Client, sqlite_db: Database
) -> None:
    booking_id = book(sqlite_db, 10)
    with sqlite_db.write() as session:
        factories.message(session, session.get_one(Booking, booking_id), "failed")
    sign_in(desk, sqlite_db, "viewer")
    html = desk.get("/today").text
    assert f"block-{booking_id}" in html
    for way in ("/bookings/new", "/retry", "/edit", "data-booking", "move-dialog"):
        assert way not in html, way


def test_without_a_session_the_way_leads_to_the_login(desk: Client) -> None:
    desk.cookies.clear()
    answer = desk.get("/today?date=2026-11-24")
    assert answer.headers["Location"] == "/login?next=%2Ftoday%3Fdate%3D2026-11-24"


def test_the_number_of_queries_is_the_same_for_one_booking_and_for_many(
    staff: Client, shop: Database
) -> None:
    def count() -> int:
        with counted(shop) as statements:
            assert staff.get("/today").status_code == 200
        return len([each for each in statements if not each.startswith("BEGIN")])

    with shop.write() as session:
        factories.message(session, factories.booking(session, at(10)), "failed")
    count()  # what is kept is read
    few = count()
    with shop.write() as session:
        for turn in range(30):
            booked = factories.booking(
                session, at(9 + turn / 4), barber_id=f"barber_{turn % 3 + 1}"
            )
            for number in range(4):
                factories.message(session, booked, due_at=at(number + 1))
            factories.message(session, booked, "failed")
    assert count() == few


def test_an_empty_day_offers_its_free_times_while_it_has_any(
    desk: Client, sqlite_db: Database, clock: FrozenClock
) -> None:
    assert "No bookings yet: click a free time to make one." in desk.get("/today").text
    clock.set(at(20))
    sign_in(desk, sqlite_db)
    assert "No bookings yet." in desk.get("/today").text


# --- the layout ---


def places(db: Database, on: date = DAY) -> list[tuple[int, int, int, int]]:
    [column, *_] = board_of(db, on).columns
    return [(block.row, block.rows, block.lane, block.lanes) for block in column.blocks]


def test_bookings_that_overlap_stand_side_by_side(desk: Client, sqlite_db: Database) -> None:
    for hours in (9, 9.25, 9.5, 10.5):
        book(sqlite_db, hours)
    assert places(sqlite_db) == [(0, 6, 0, 2), (3, 6, 1, 2), (6, 6, 0, 2), (18, 6, 0, 1)]


def test_many_at_once_share_the_width_up_to_a_limit(desk: Client, sqlite_db: Database) -> None:
    for _ in range(10):
        book(sqlite_db, 9)
    shown = places(sqlite_db)
    assert {lanes for *_, lanes in shown} == {cells.MOST_LANES}
    assert [lane for *_, lane, _ in shown] == [0, 1, 2, 3, 4, 5, 6, 7, 7, 7]


def test_the_board_is_as_long_as_the_opening_hours_and_widens_for_what_is_outside(
    desk: Client, sqlite_db: Database
) -> None:
    board = board_of(sqlite_db)
    assert (board.begins, board.rows) == (at(9), 10 * 12)
    assert closed_of(board.columns[0]) == []
    book(sqlite_db, 7.25)
    book(sqlite_db, 19.75)
    board = board_of(sqlite_db)
    assert (board.begins, board.rows) == (at(7), 14 * 12)
    assert closed_of(board.columns[0]) == [(0, 24), (144, 24)]


def test_closed_hours_at_both_ends_are_a_thin_row_that_opens(
    desk: Client, sqlite_db: Database
) -> None:
    assert board_of(sqlite_db).folded == (True, True)
    html = words(desk.get("/today").text)
    assert re.search(r"Closed before 9:00\sAM : show these hours", html)
    assert re.search(r"Closed after 7:00\sPM : show these hours", html)
    opened = desk.get("/today?date=2026-11-23&hours=all").text
    assert 'data-rows="288"' in opened
    assert "Closed before" not in opened
    assert "Hide hours in which the shop is closed" in opened
    assert 'hx-get="/today?date=2026-11-23&amp;hours=all"' in opened
    assert 'data-rows="288"' in desk.get("/today/week?barber=barber_1&hours=all").text
    assert desk.get("/today?hours=some").status_code == 200
    book(sqlite_db, 0)
    book(sqlite_db, 23.5)
    assert board_of(sqlite_db).folded == (False, False)
    assert "Closed before" not in desk.get("/today").text


def test_a_booking_over_midnight_is_on_both_days_and_cut_off_at_each(
    desk: Client, sqlite_db: Database
) -> None:
    book(sqlite_db, 23.5, ends_at=at(24.5))
    assert board_of(sqlite_db).rows == 15 * 12
    assert places(sqlite_db) == [(14.5 * 12, 6, 0, 1)]
    tomorrow = DAY + timedelta(days=1)
    assert board_of(sqlite_db, tomorrow).begins == at(24)
    assert places(sqlite_db, tomorrow) == [(0, 6, 0, 1)]


def test_what_goes_over_midnight_says_on_the_second_day_when_it_began(
    desk: Client, sqlite_db: Database
) -> None:
    with sqlite_db.write() as session:
        factories.shop(session, locale="en_GB")
    booking_id = book(sqlite_db, 23.5, ends_at=at(24.5))
    first, second = (
        " ".join(re.sub("<[^>]+>", "", desk.get(f"/today?date={on}").text).split())
        for on in (DAY, DAY + timedelta(days=1))
    )
    assert "23:30 Haircut, with Sam, until tomorrow 00:30" in first
    assert "since today 23:30 Haircut, with Sam, until 00:30" in second
    page = " ".join(re.sub("<[^>]+>", "", desk.get(f"/bookings/{booking_id}").text).split())
    assert "today 23:30 – tomorrow 00:30" in page
    [block] = board_of(sqlite_db, DAY + timedelta(days=1)).columns[0].blocks
    assert not block.is_movable, "its row there is not when it begins"


def test_a_shop_that_is_open_past_midnight_has_both_ends_of_its_nights_on_a_day(
    desk: Client, sqlite_db: Database
) -> None:
    with sqlite_db.write() as session:
        factories.shop(session, weekly_hours=every_day(time(18), time(2)))
    board = board_of(sqlite_db, DAY + timedelta(days=1))
    assert (board.begins, board.rows) == (at(24), 24 * 12)
    assert closed_of(board.columns[0]) == [(2 * 12, 16 * 12)]
    slots = [(cell.at - at(24)) / timedelta(hours=1) for cell in board.columns[0].cells]
    assert slots == [0, 0.5, 1, 1.5, *(18 + turn / 2 for turn in range(12))]
    with sqlite_db.write() as session:
        factories.shop(session, weekly_hours=every_day(time(10), time(0)))
    until_midnight = board_of(sqlite_db)
    assert (until_midnight.begins, until_midnight.rows) == (at(10), 14 * 12)
    assert closed_of(until_midnight.columns[0]) == []


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    where=days_near_a_change(since=date(2026, 1, 1)),
    opens=st.integers(0, 95),
    closes=st.integers(0, 95),
)
@example(where=("Australia/Lord_Howe", date(2027, 4, 4)), opens=0, closes=5)
def test_on_any_day_rows_are_real_time_and_free_times_are_within_the_hours(
    sqlite_shop: Database,
    clock: FrozenClock,
    where: tuple[str, date],
    opens: int,
    closes: int,
) -> None:
    zone, on = ZoneInfo(where[0]), where[1]
    clock.set(datetime(2026, 1, 1, tzinfo=UTC))
    with sqlite_shop.write() as session:
        factories.shop(
            session,
            time_zone=where[0],
            weekly_hours=every_day(
                time(opens // 4, opens % 4 * 15), time(closes // 4, closes % 4 * 15)
            ),
        )
        board = day.board(session, on)
        spans = availability.calendar(session, on, on).open_on(None, on)
    ends = board.begins + board.rows * grid.ROW
    assert all(at.astimezone(zone).minute == 0 for _, at in board.hours)
    places = [*board.hours, *((cell.row, cell.at) for cell in board.columns[0].cells)]
    assert all(board.begins + row * grid.ROW == at for row, at in places)
    assert all(any(a <= cell.at < b for a, b in spans) for cell in board.columns[0].cells)
    closed = sum(rows for _, rows in closed_of(board.columns[0])) * grid.ROW
    assert ends - board.begins - closed == sum((b - a for a, b in spans), timedelta())
    assert {at.astimezone(zone).date() for at in (board.begins, ends - grid.ROW)} == {on}


def test_a_time_between_the_rows_and_a_very_short_service_have_their_place(
    desk: Client, sqlite_db: Database
) -> None:
    book(sqlite_db, 9 + 13 / 60, ends_at=at(9.3))
    assert places(sqlite_db) == [(2, 3, 0, 1)]


def test_a_barber_who_left_keeps_a_column_while_they_have_bookings_but_no_free_times(
    desk: Client, sqlite_db: Database
) -> None:
    book(sqlite_db, 10, "barber_3")
    with sqlite_db.write() as session:
        factories.barber(session, "barber_3").active = False
    *_, last = board_of(sqlite_db).columns
    assert (last.barber.id, len(last.cells)) == ("barber_3", 1)
    assert len(board_of(sqlite_db, DAY + timedelta(days=1)).columns) == 2


@pytest.mark.parametrize(
    ("on", "hours", "labels"),
    [
        (date(2026, 3, 29), 23, ["00:00", "02:00", "03:00"]),
        (date(2026, 10, 25), 25, ["00:00", "01:00", "01:00", "02:00"]),
        (date(2026, 6, 1), 24, ["00:00", "01:00", "02:00"]),
    ],
)
def test_the_day_of_a_clock_change_has_an_hour_less_or_more(
    desk: Client,
    sqlite_db: Database,
    configure: Configure,
    on: date,
    hours: int,
    labels: list[str],
) -> None:
    configure(SHOP_TIMEZONE="Europe/London")
    first = datetime.combine(on, time(), UTC) - timedelta(hours=0 if on.month == 3 else 1)
    with sqlite_db.write() as session:
        for offset in (0, hours - 0.5):
            factories.booking(session, first + timedelta(hours=offset))
    board = board_of(sqlite_db, on)
    assert board.rows == hours * 12
    shown = [f"{each.astimezone(ZoneInfo('Europe/London')):%H:%M}" for _, each in board.hours]
    assert shown[: len(labels)] == labels
    assert shown[-1] == "23:00"
    assert [row for row, *_ in places(sqlite_db, on)] == [0, hours * 12 - 6]


def test_the_present_has_its_line_on_its_own_day_alone(
    desk: Client, sqlite_db: Database, clock: FrozenClock
) -> None:
    clock.set(at(10.4))
    assert board_of(sqlite_db).now_row == 16
    assert board_of(sqlite_db, DAY + timedelta(days=1)).now_row is None
    clock.set(at(3))
    assert board_of(sqlite_db).now_row is None


def test_past_bookings_fade_and_cannot_be_moved(
    desk: Client, sqlite_db: Database, clock: FrozenClock
) -> None:
    for hours in (9, 11.75, 13):
        book(sqlite_db, hours)
    clock.set(at(12))
    blocks = board_of(sqlite_db).columns[0].blocks
    assert [(each.is_past, each.is_movable) for each in blocks] == [
        (True, False),
        (False, False),
        (False, True),
    ]


# --- moving ---


def test_a_move_is_asked_about_first_and_changes_nothing_yet(staff: Client, shop: Database) -> None:
    booking_id = book(shop, 10)
    before = times_of(shop, booking_id)
    html = move(staff, booking_id, at="2026-11-23T16:30:00Z", barber="barber_2").text
    assert "1 planned reminder is replaced by 8:" in " ".join(html.split())
    assert re.search(r"4:30\sPM", html)
    assert "is taken then" not in html
    assert stored(shop, booking_id).starts_at == at(10)
    assert times_of(shop, booking_id) == before
    with shop.read() as session:
        assert not session.scalars(select(AuditEvent).where(AuditEvent.subject == booking_id)).all()


@pytest.mark.parametrize(
    ("has_opted_out", "why"),
    [
        (True, "The customer wants no messages"),
        (False, "The customer has not agreed to get messages"),
    ],
)
def test_a_move_promises_no_reminder_to_who_gets_none(
    desk: Client, sqlite_db: Database, has_opted_out: bool, why: str
) -> None:
    booking_id = book(sqlite_db, 10)
    with sqlite_db.write() as session:
        phone = session.get_one(Booking, booking_id).customer_phone
        if has_opted_out:
            customers.opt_out(session, phone, "staff")
        else:
            customers.note_consent(session, phone, False, "form")
    shown = words(move(desk, booking_id, at=at(11).isoformat(), barber="barber_1").text)
    assert f"No message will go out. {why}, so each reminder is skipped at its time." in shown
    assert "replaced by" not in shown


def test_a_move_that_is_kept_replans_and_its_toast_can_undo_it(
    staff: Client, shop: Database
) -> None:
    booking_id = book(shop, 10)
    fields = {"at": "2026-11-23T11:00:00Z", "barber": "barber_2", "confirmed": "1"}
    answer = move(staff, booking_id, **fields)
    assert (answer.status_code, answer.text) == (200, "")
    assert (stored(shop, booking_id).starts_at, stored(shop, booking_id).barber_id) == (
        at(11),
        "barber_2",
    )
    planned = times_of(shop, booking_id)
    assert planned == {"cancelled": [at(9)], "pending": [at(hours) for hours in (2, 4, 6, 8, 10)]}

    undo = json.loads(answer.headers["HX-Trigger"])["toast"]["undo"]
    back = staff.post(undo)
    assert back.status_code == 303
    assert back.headers["Location"] == "/today?date=2026-11-23"
    assert stored(shop, booking_id).starts_at == at(10)
    assert stored(shop, booking_id).barber_id == "barber_1"
    assert len(times_of(shop, booking_id)["pending"]) == 4


@pytest.mark.parametrize("tells", [True, False])
def test_a_move_says_whether_the_customer_is_told_and_a_tick_decides(
    desk: Client, sqlite_db: Database, tells: bool
) -> None:
    booking_id = book(sqlite_db, 10)
    with sqlite_db.write() as session:
        factories.shop(session, moved_on=tells)
    time = {"at": at(11).isoformat(), "barber": "barber_1"}
    asked = move(desk, booking_id, **time).text
    assert "Tell Zoë Ångström the new time now" in words(asked)
    [tick] = re.findall('<input type="checkbox"[^>]*>', asked)
    assert ("checked>" in tick) == tells
    kept = move(desk, booking_id, **time, confirmed="1")  # not ticked
    assert messages_of_the_new_time(sqlite_db, booking_id) == 0
    back = move(desk, booking_id, at=at(10).isoformat(), barber="barber_1", confirmed="1", tell="1")
    assert messages_of_the_new_time(sqlite_db, booking_id) == 1
    for answer, tell in ((kept, 0), (back, 1)):  # who was told is told of the way back
        undo = json.loads(answer.headers["HX-Trigger"])["toast"]["undo"]
        assert f"tell={tell}" in undo


def messages_of_the_new_time(db: Database, booking_id: str) -> int:
    with db.read() as session:
        ours = select(Message).where(Message.booking_id == booking_id, Message.kind == "moved")
        return len(session.scalars(ours).all())


def test_a_move_offers_no_message_that_cannot_go_out(
    desk: Client, sqlite_db: Database, configure: Configure
) -> None:
    configure(**FakeTwilio().credentials)
    configure(WHATSAPP_MOVED_CONTENT_SID=None)
    booking_id = book(sqlite_db, 10)
    asked = words(move(desk, booking_id, at=at(11).isoformat(), barber="barber_1").text)
    assert "Zoë Ångström is not told of the new time: tell them." in asked
    assert "new time now" not in asked


def test_another_barber_at_the_same_time_leaves_the_reminders_alone(
    staff: Client, shop: Database
) -> None:
    booking_id = book(shop, 10)
    fields = {"at": "2026-11-23T10:00:00Z", "barber": "barber_2"}
    assert "reminders stay as they are" in move(staff, booking_id, **fields).text
    before = times_of(shop, booking_id)
    assert move(staff, booking_id, **fields, confirmed="1").status_code == 200
    assert times_of(shop, booking_id) == before
    assert stored(shop, booking_id).barber_id == "barber_2"


def test_a_taken_time_is_named_and_needs_a_second_yes(staff: Client, shop: Database) -> None:
    booking_id = book(shop, 10)
    book(shop, 11, "barber_2", customer_name="Ada Lovelace")
    fields = {"at": "2026-11-23T11:15:00Z", "barber": "barber_2"}
    asked = move(staff, booking_id, **fields).text
    assert "is taken then" in asked
    assert "Ada Lovelace" in asked
    assert 'name="overlap" value="1"' in asked
    refused = move(staff, booking_id, **fields, confirmed="1")
    assert refused.status_code == 422
    assert "Ada Lovelace" in refused.text
    assert stored(shop, booking_id).starts_at == at(10)
    assert move(staff, booking_id, **fields, confirmed="1", overlap="1").status_code == 200
    assert stored(shop, booking_id).starts_at == at(11.25)


def test_who_moves_a_booking_that_somebody_else_just_moved_is_told_where_it_is(
    staff: Client, shop: Database
) -> None:
    booking_id = book(shop, 10)
    seen = {"was_at": at(10).isoformat(), "was_barber": "barber_1", "confirmed": "1"}
    first = move(staff, booking_id, at=at(12).isoformat(), barber="barber_1", **seen)
    assert first.status_code == 200
    second = move(staff, booking_id, at=at(14).isoformat(), barber="barber_2", **seen)
    assert second.status_code == 422
    assert "Somebody else has moved this booking meanwhile." in second.text
    assert re.search(r"12:00\sPM", second.text)
    assert stored(shop, booking_id).starts_at == at(12)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"at": "2026-11-22T10:00:00Z"}, "“New time”: This is in the past."),
        ({"at": "2026-11-23T10:00:00"}, "must be a time such as"),
        ({"at": "soon"}, "must be a time such as"),
        ({"at": "0001-01-01T00:00:00+14:00"}, "must be a time such as"),
        ({"at": ""}, "must be a time such as"),
        ({"at": "2028-11-23T10:00:00Z"}, "400 days ahead"),
        ({"barber": "nobody"}, "There is no barber"),
        ({"barber": "no body'"}, "no such barber"),
        ({"was_at": "then"}, "must be a time such as"),
    ],
)
@pytest.mark.parametrize("confirmed", ["0", "1"])
def test_a_wrong_move_says_what_is_wrong(
    desk: Client, sqlite_db: Database, fields: dict[str, str], words: str, confirmed: str
) -> None:
    booking_id = book(sqlite_db, 10)
    right = {"at": "2026-11-23T12:00:00Z", "barber": "barber_1", "confirmed": confirmed}
    answer = move(desk, booking_id, **right | fields)
    assert answer.status_code == 422
    assert words in answer.text
    assert "was not moved" in answer.text
    assert stored(sqlite_db, booking_id).starts_at == at(10)


@pytest.mark.parametrize(
    ("hour", "is_closed"), [(8.5, True), (9, False), (18.5, False), (19, True)]
)
def test_a_move_out_of_the_opening_hours_is_told_but_not_forbidden(
    desk: Client, sqlite_db: Database, hour: float, is_closed: bool
) -> None:
    booking_id = book(sqlite_db, 10)
    answer = move(desk, booking_id, at=at(hour).isoformat(), barber="barber_1")
    assert ("Outside opening hours" in answer.text) is is_closed
    assert answer.status_code == 200


def test_what_has_begun_or_was_cancelled_cannot_be_moved(
    desk: Client, sqlite_db: Database, clock: FrozenClock
) -> None:
    cancelled, begun = book(sqlite_db, 10, status="cancelled"), book(sqlite_db, 9)
    clock.set(at(9.1))
    sign_in(desk, sqlite_db)
    fields = {"at": "2026-11-23T12:00:00Z", "barber": "barber_1"}
    assert "The booking is cancelled." in move(desk, cancelled, **fields).text
    assert "The appointment has begun." in move(desk, begun, **fields).text
    assert desk.post("/bookings/booking_none/move", data=fields).status_code == 404


def test_a_form_without_htmx_gets_a_page_that_asks_and_then_the_board(
    desk: Client, sqlite_db: Database
) -> None:
    booking_id = book(sqlite_db, 10)
    fields = {"at": "2026-11-24T01:00:00+02:00", "barber": "barber_1"}
    path = f"/bookings/{booking_id}/move"
    asked = desk.post(path, data=fields)
    assert asked.status_code == 200
    assert "<html" in asked.text
    hidden = dict(re.findall(r'name="(\w+)"\s+value="([^"]*)"', asked.text))
    kept = desk.post(path, data=hidden)
    assert (kept.status_code, kept.headers["Location"]) == (303, "/today?date=2026-11-23")
    assert stored(sqlite_db, booking_id).starts_at == at(23)
    book(sqlite_db, 12)
    taken = desk.post(path, data={**hidden, "at": at(12).isoformat(), "was_at": at(23).isoformat()})
    assert taken.status_code == 409
    assert "is taken then" in taken.text


def test_an_undo_does_not_undo_what_somebody_else_did_since(
    desk: Client, sqlite_db: Database
) -> None:
    booking_id = book(sqlite_db, 10)
    fields = {"barber": "barber_1", "confirmed": "1"}
    first = move(desk, booking_id, at=at(11).isoformat(), **fields)
    move(desk, booking_id, at=at(13).isoformat(), **fields)
    undo = json.loads(first.headers["HX-Trigger"])["toast"]["undo"]
    assert dict(parse_qsl(urlsplit(undo).query))["was_at"] == at(11).isoformat()
    answer = desk.post(undo)
    assert (answer.status_code, answer.headers["Location"]) == (303, "/today?date=2026-11-23")
    board = desk.get("/today?date=2026-11-23").text
    assert "was not moved. Somebody else has moved this booking meanwhile." in board
    assert stored(sqlite_db, booking_id).starts_at == at(13)


def test_a_move_forged_by_a_viewer_or_by_no_page_of_ours_is_forbidden(
    desk: Client, sqlite_db: Database
) -> None:
    booking_id = book(sqlite_db, 10)
    fields = {"at": "2026-11-23T12:00:00Z", "barber": "barber_1", "confirmed": "1"}
    site = desk.headers.pop("Sec-Fetch-Site")
    assert move(desk, booking_id, **fields).status_code == 403
    desk.headers["Sec-Fetch-Site"] = site
    sign_in(desk, sqlite_db, "viewer")
    assert move(desk, booking_id, **fields).status_code == 403
    assert stored(sqlite_db, booking_id).starts_at == at(10)
