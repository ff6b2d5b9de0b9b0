"""Bookings that lie in an absence are kept, moved or cancelled; a block is drawn on the board."""

import re
from datetime import timedelta
from html import unescape

import pytest
from sqlalchemy import func, select

from app.db import Database
from app.models.booking import Booking
from app.models.message import Message
from tests import factories
from tests.integration.conftest import Client
from tests.support.frozen import FrozenClock
from tests.support.web import said

SAM = "/settings/barbers/barber_1/absences"


@pytest.fixture
def lost(sqlite_shop: Database, clock: FrozenClock) -> list[str]:
    """The ids of three bookings while barber_1 is away: 10:00, 12:00 and 13:00 of Tuesday."""
    with sqlite_shop.write() as session:
        day = clock.now() + timedelta(days=1)
        factories.absence(session, day + timedelta(hours=9), timedelta(hours=6))
        at = [day + timedelta(hours=hours) for hours in (10, 12, 13)]
        return [factories.booking(session, each, customer_name="Ana").id for each in at]


def options(html: str, id: str) -> dict[str, str]:
    """The choices for a booking, in words, by what they send."""
    [select] = re.findall(rf'name="stray-{id}"(.*?)</select>', html, re.DOTALL)
    found = re.findall(r'<option value="([^"]*)">(.*?)</option>', select)
    return {unescape(value): unescape(words) for value, words in found}


def state(db: Database, ids: list[str]) -> list[tuple[str, str, str]]:
    with db.read() as session:
        rows = [session.get_one(Booking, id) for id in ids]
        return [(each.status, each.barber_id, f"{each.starts_at:%d %H:%M}") for each in rows]


def test_one_is_kept_one_moved_and_one_cancelled_and_its_customer_told(
    desk: Client, sqlite_shop: Database, lost: list[str]
) -> None:
    page = desk.get(SAM).text
    assert "3 bookings while Sam is away" in page
    offered = options(page, lost[1])
    assert list(offered)[:3] == ["", "cancel", "barber_2 2026-11-24T12:00:00Z"]
    assert "barber_1 2026-11-24T15:00:00Z" in offered, "once they are back"
    sent = {
        f"stray-{lost[0]}": "",
        f"stray-{lost[1]}": "barber_2 2026-11-24T12:00:00Z",
        f"stray-{lost[2]}": "cancel",
        "next": SAM,
    }
    answer = desk.post("/strays", data=sent)
    assert answer.headers["Location"] == SAM
    assert said(desk, answer) == "1 moved, 1 cancelled."
    assert state(sqlite_shop, lost) == [
        ("confirmed", "barber_1", "24 10:00"),
        ("confirmed", "barber_2", "24 12:00"),
        ("cancelled", "barber_1", "24 13:00"),
    ]
    with sqlite_shop.read() as session:
        told = select(func.count()).where(Message.kind == "cancellation")
        assert session.scalar(told) == 1
    assert said(desk, desk.post("/strays", data={})) == "All are kept as they are."


def test_when_one_cannot_be_moved_any_more_nothing_is_done_and_it_is_named(
    desk: Client, sqlite_shop: Database, lost: list[str]
) -> None:
    before = state(sqlite_shop, lost)
    with sqlite_shop.write() as session:
        noon = session.get_one(Booking, lost[1]).starts_at
        factories.booking(session, noon, barber_id="barber_2")
    for place in ("barber_2 2026-11-24T12:00:00Z", "barber_1 2026-11-24T14:00:00Z", "nobody 1"):
        sent = {f"stray-{lost[1]}": place, f"stray-{lost[2]}": "cancel", "next": SAM}
        words = said(desk, desk.post("/strays", data=sent))
        assert words.startswith(("Ana: ", "Choose for each"))
    assert state(sqlite_shop, lost) == before


def test_what_was_drawn_on_the_board_is_in_the_form_which_leads_back_there(
    desk: Client, sqlite_shop: Database, clock: FrozenClock
) -> None:
    with sqlite_shop.write() as session:
        factories.shop(session, time_zone="Europe/Berlin")
    page = desk.get(f"{SAM}?from=2026-11-24T11:00:00.000Z&until=2026-11-24T12:30:00.000Z").text
    typed = dict(re.findall(r'name="(\w+)"[^>]*?value="([^"]+)"', page))
    assert typed["first_day"] == "2026-11-24"
    assert (typed["from_time"], typed["until_time"]) == ("12:00", "13:30")
    answer = desk.post(SAM, data={**typed, "name": "Lunch", "repeats": ""})
    assert answer.headers["Location"] == "/today?date=2026-11-24"
    assert "Lunch" in desk.get("/today?date=2026-11-24").text
    assert 'value="/today?date' not in desk.get(f"{SAM}?from=yesterday&until=never").text
