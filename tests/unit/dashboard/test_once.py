"""What was shown and has not changed is not rendered again, and what has changed is."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from app.channel import Advice, Kind
from app.dashboard.labels import Reminders, beads
from app.dashboard.templating import environment
from app.dashboard.today.booked import Booked, Named
from app.dashboard.today.cells import Block
from app.dashboard.today.lines import Line
from app.models.message import Message
from app.web import times

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
DAY = date(2026, 11, 23)
LONDON = ZoneInfo("Europe/London")
HOUR = timedelta(hours=1)
READ = Message(state="sent", delivery_status="read", number=1, kind="reminder", asks=0)
FAILED = Message(state="failed", number=2, kind="reminder", asks=0)


@pytest.fixture(autouse=True)
def shown() -> Iterator[None]:
    with times.shown_in(LONDON, "en_GB", NOW):
        yield


def once(name: str, *values: Any) -> str:
    """By the macro's name, as a template asks for it; it must be what the macro itself makes."""
    made = str(environment().globals["once"](macro(name), *values))
    assert made == macro(name)(*values)
    return made


def macro(name: str) -> Callable[..., str]:
    file = {"cell_of": "week_cell"}.get(name, "block")
    found: Callable[..., str] = getattr(
        environment().get_template(f"today/_{file}.html").module, name
    )
    return found


def booked(**values: Any) -> Booked:
    given = {
        "id": "booking_1",
        "customer_name": "Ada Lovelace",
        "customer_phone": "+447700900123",
        "person": "+447700900123",
        "barber_id": "barber_1",
        "starts_at": NOW,
        "ends_at": NOW + HOUR,
        "busy_from": NOW,
        "busy_until": NOW + HOUR,
        "status": "confirmed",
        "notes": None,
        "due": Decimal("25.000"),
        "currency": "GBP",
        "paid_at": None,
        "updated_at": NOW,
        "always": None,
        "by_reply": False,
        "service": Named("Haircut", "teal"),
        "barber": Named("Sam"),
    }
    return Booked(**(given | values))


def block(**values: Any) -> Block:
    given = {
        "booking": booked(),
        "beads": beads(Reminders([(READ, 1)]), NOW),
        "row": 12,
        "rows": 12,
        "lane": 0,
        "lanes": 1,
        "is_past": False,
        "is_movable": True,
    }
    return Block(**(given | values))


def test_the_same_is_found_again_by_its_values_and_not_by_its_object() -> None:
    ask = environment().globals["once"]
    assert ask(macro("block"), block(), True, False, DAY) is ask(
        macro("block"), block(), True, False, DAY
    )
    line = environment().globals["once"](macro("line"), block(), False, DAY)
    assert line is ask(macro("line"), block(), False, DAY)


@pytest.mark.parametrize(
    "change",
    [
        {"customer_name": "<b>Bob</b>"},
        {"customer_phone": "+12025550123"},
        {"starts_at": NOW - HOUR},
        {"starts_at": NOW - 24 * HOUR},
        {"ends_at": NOW + 3 * HOUR},
        {"busy_from": NOW - HOUR},
        {"busy_until": NOW + 2 * HOUR},
        {"status": "completed"},
        {"status": "no_show"},
        {"notes": "fade 1.5"},
        {"always": "allergic to tea"},
        {"due": Decimal("12.500")},
        {"due": None},
        {"currency": "EUR"},
        {"paid_at": NOW, "status": "completed"},
        {"service": Named("Beard trim", "teal")},
        {"service": Named("Haircut", "rose")},
        {"barber": Named("Kim")},
    ],
)
def test_each_change_of_a_booking_changes_its_block(change: dict[str, Any]) -> None:
    changed = block(booking=booked(**change))
    assert once("block", changed, True, False, DAY) != once("block", block(), True, False, DAY)
    once("line", changed, True, DAY)


@pytest.mark.parametrize(
    "change",
    [
        {"beads": beads(Reminders([(READ, 1), (FAILED, 1)]), NOW)},
        {"row": 13},
        {"rows": 5},
        {"lane": 1},
        {"lanes": 2},
        {"is_past": True},
        {"failure": Advice("63024", Kind.PERMANENT, "Not on WhatsApp", "Call them.")},
    ],
)
def test_each_change_of_what_is_known_of_it_changes_its_block(change: dict[str, Any]) -> None:
    changed = replace(block(), **change)
    assert once("block", changed, True, False, DAY) != once("block", block(), True, False, DAY)
    once("line", changed, True, DAY)


def test_who_may_change_it_sees_other_buttons_than_who_may_not() -> None:
    seen = {
        once("block", block(), movable, menu, DAY)
        for movable in (True, False)
        for menu in (True, False)
    }
    assert len(seen) == 4


def test_another_zone_language_or_day_shows_it_anew() -> None:
    yesterday = block(booking=booked(starts_at=NOW - 24 * HOUR))
    seen = {once("block", yesterday, True, False, DAY)}
    for zone, locale, now in (
        (ZoneInfo("Asia/Tokyo"), "en_GB", NOW),
        (LONDON, "en_US", NOW),
        (LONDON, "en_GB", NOW + 24 * HOUR),
    ):
        with times.shown_in(zone, locale, now):
            seen.add(once("block", yesterday, True, False, DAY))
    assert len(seen) == 4


def test_a_day_in_the_week_of_the_shop_is_made_anew_when_a_line_of_it_changes() -> None:
    line = Line(
        id="booking_1",
        customer_name="Ada",
        starts_at=NOW,
        ends_at=NOW + HOUR,
        status="confirmed",
        paid_at=None,
        due=None,
        currency=None,
        barber_id="barber_1",
        service="Haircut",
        colour=None,
        is_past=False,
        failed=False,
    )
    changes: list[dict[str, Any]] = [
        {},
        {"id": "booking_2"},
        {"customer_name": "Bob"},
        {"starts_at": NOW + HOUR},
        {"status": "no_show"},
        {"service": "Shave"},
        {"colour": "teal"},
        {"is_past": True},
        {"failed": True},
    ]
    seen = {
        once("cell_of", "Sam", None, (line._replace(**change),), 14, "/today/week", "")
        for change in changes
    }
    assert len(seen) == len(changes)
    assert "Not working" in once("cell_of", "Sam", "", (), 14, "/today/week", "")
