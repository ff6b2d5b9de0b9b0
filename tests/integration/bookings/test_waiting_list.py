"""Who waits for a place, and whom a free time fits."""

from datetime import date, datetime, timedelta
from functools import partial
from typing import Any

import pytest
from sqlalchemy import func, select

from app.bookings import attendance, service, waiting_list
from app.db import Database
from app.errors import Conflict, Invalid
from app.models.booking import Booking
from app.models.message import Message
from app.models.waiting import Waiting
from app.shop import time_off
from tests import factories
from tests.support.frozen import FrozenClock
from tests.support.lifecycle import at_once

pytestmark = pytest.mark.usefixtures("valkey")

TUESDAY = date(2026, 11, 24)
WISH = {
    "customer_phone": "+44 7700 900555",
    "customer_name": "Nadia",
    "service_id": "haircut",
    "barber_id": "barber_1",
    "first_day": f"{TUESDAY}",
    "from_time": "12:00",
    "until_time": "12:30",
}


def wait(db: Database, **typed: str) -> str:
    with db.write() as session:
        return waiting_list.add(session, WISH | typed, "user:1").id


def fits(db: Database) -> list[tuple[str, str]]:
    """The free times of the only one who waits."""
    with db.read() as session:
        [entry] = waiting_list.entries(session)
        return [(f"{each.at:%d %H:%M}", each.barber.id) for each in entry.fits]


def at(clock: FrozenClock, hours: float) -> datetime:
    """So many hours after Tuesday began."""
    return clock.now() + timedelta(days=1, hours=hours)


def full(db: Database, clock: FrozenClock) -> tuple[str, str]:
    """barber_1 is booked on Tuesday at 12:00 and 12:30: the bookings' ids."""
    with db.write() as session:
        noon, later = (factories.booking(session, at(clock, hours)) for hours in (12, 12.5))
        return noon.id, later.id


@pytest.mark.parametrize("how", ["cancelled", "moved", "no-show", "back"])
def test_when_a_place_becomes_free_whoever_it_fits_is_named(
    shop: Database, clock: FrozenClock, how: str
) -> None:
    first, second = full(shop, clock)
    wait(shop)
    assert fits(shop) == []
    with shop.write() as session:
        if how == "cancelled":
            service.cancel(session, first, "user:1")
        elif how == "moved":
            service.change(session, first, {"scheduled_time": at(clock, 15)}, "user:1")
        elif how == "no-show":
            clock.set(at(clock, 12) + timedelta(minutes=1))
            attendance.mark(session, first, "no_show", "user:1")
            session.execute(Waiting.__table__.update().values(from_time=None))  # type: ignore[attr-defined]
        else:
            service.cancel(session, first, "user:1")
            values: dict[str, Any] = {
                "name": "Training",
                "starts_at": at(clock, 11),
                "ends_at": at(clock, 14),
                "repeats": False,
                "repeats_until": None,
            }
            absence = time_off.add_absence(session, "barber_1", values, "user:1")
            session.flush()
            assert fits_in(session) == []
            time_off.remove_absence(session, "barber_1", absence.id, "user:1")
    expected = [] if how == "no-show" else [("24 12:00", "barber_1")]
    assert fits(shop) == expected
    assert second


def fits_in(session: Any) -> list[Any]:
    return [free for entry in waiting_list.entries(session) for free in entry.fits]


def test_with_any_barber_each_time_is_offered_once_and_only_of_who_does_the_service(
    sqlite_shop: Database, clock: FrozenClock
) -> None:
    full(sqlite_shop, clock)
    wait(sqlite_shop, barber_id="", until_time="13:00")
    assert fits(sqlite_shop) == [
        ("24 12:00", "barber_2"),
        ("24 12:15", "barber_2"),
        ("24 12:30", "barber_2"),
        ("24 12:45", "barber_2"),
        ("24 13:00", "barber_1"),
    ]


def test_they_are_booked_and_that_is_undone_without_a_word(
    sqlite_shop: Database, clock: FrozenClock
) -> None:
    id = wait(sqlite_shop)
    with sqlite_shop.write() as session:
        booking = waiting_list.book(session, id, "barber_1", at(clock, 12), "user:1")
        assert (booking.customer_name, booking.starts_at) == ("Nadia", at(clock, 12))
        assert waiting_list.entries(session) == []
        [ended] = waiting_list.lately(session, 5)
        assert (ended.reason, ended.booking_id) == ("booked", booking.id)
    with pytest.raises(Conflict, match="does not wait"), sqlite_shop.write() as session:
        waiting_list.book(session, id, "barber_1", at(clock, 12.5), "user:1")
    with sqlite_shop.write() as session:
        waiting_list.reopen(session, id, "user:1")
    with sqlite_shop.read() as session:
        assert session.get_one(Booking, booking.id).status == "cancelled"
        told = select(func.count()).where(Message.kind == "cancellation")
        assert session.scalar(told) == 0
    assert fits(sqlite_shop) == [
        ("24 12:00", "barber_1"), ("24 12:15", "barber_1"), ("24 12:30", "barber_1")
    ]  # fmt: skip


@pytest.mark.parametrize("what", ["taken", "closed"])
def test_a_place_that_is_gone_is_refused_and_they_wait_on(
    sqlite_shop: Database, clock: FrozenClock, what: str
) -> None:
    id = wait(sqlite_shop)
    with sqlite_shop.write() as session:
        if what == "taken":
            factories.booking(session, at(clock, 12))
        else:
            factories.closure(session, TUESDAY)
    with pytest.raises(Conflict), sqlite_shop.write() as session:
        waiting_list.book(session, id, "barber_1", at(clock, 12), "user:1")
    with sqlite_shop.read() as session:
        assert len(waiting_list.entries(session)) == 1


def test_who_is_booked_in_some_other_way_or_whose_days_are_over_waits_no_more(
    sqlite_shop: Database, clock: FrozenClock
) -> None:
    with sqlite_shop.write() as session:  # they have a place, and want an earlier one
        factories.booking(session, at(clock, 96), customer_phone="+447700900555")
    clock.move(minutes=1)
    wait(sqlite_shop)
    wait(sqlite_shop, customer_phone="+44 7700 900556", last_day="2026-11-25")
    clock.move(minutes=1)
    with sqlite_shop.write() as session:
        assert len(waiting_list.entries(session)) == 2
        factories.booking(session, at(clock, 12), customer_phone="+447700900555")
        assert [each.waiting.person for each in waiting_list.entries(session)] == ["+447700900556"]
    clock.move(days=3)
    with sqlite_shop.read() as session:
        assert waiting_list.entries(session) == []


def test_the_badge_counts_who_is_on_the_list_by_the_shops_days(
    shop: Database, clock: FrozenClock
) -> None:
    with shop.write() as session:
        factories.shop(session, time_zone="Pacific/Auckland")  # 13 hours ahead
    wait(shop)
    wait(shop, customer_phone="+44 7700 900556")
    clock.move(minutes=1)
    with shop.write() as session:  # by UTC one is of Tuesday and one is not
        factories.booking(session, at(clock, 12), customer_phone="+447700900555")
        factories.booking(session, at(clock, -12), customer_phone="+447700900556")
        assert [each.waiting.person for each in waiting_list.entries(session)] == ["+447700900555"]
        assert session.scalar(select(waiting_list.count(session, 5))) == 1
        assert session.scalar(select(waiting_list.count(session, 0))) == 0


def test_who_wrote_within_24_hours_can_be_written_to(
    sqlite_shop: Database, clock: FrozenClock
) -> None:
    wait(sqlite_shop)
    with sqlite_shop.write() as session:
        booking = factories.booking(session, at(clock, 96), customer_phone="+447700900555")
        assert waiting_list.entries(session)[0].write_to == ""
        waiting_list.customers.note_written(session, "+447700900555", "Nadia", clock.now())
        assert waiting_list.entries(session)[0].write_to == booking.id


@pytest.mark.parametrize(
    ("typed", "field", "words"),
    [
        ({"customer_phone": "12"}, "customer_phone", ""),
        ({"customer_name": " "}, "customer_name", "must not be empty"),
        ({"service_id": "nothing"}, "service_id", "that somebody does"),
        ({"barber_id": "nobody"}, "barber_id", "does not do that"),
        ({"first_day": "2026-11-22"}, "first_day", "from today on"),
        ({"last_day": "2026-11-23"}, "last_day", "before the first day"),
        ({"last_day": "2026-12-25"}, "last_day", "more than 31 days"),
        ({"until_time": "11:00"}, "until_time", "after the time"),
        ({"from_time": "noon"}, "from_time", "such as 09:30"),
    ],
)
def test_what_is_wrong_is_said_of_its_field(
    sqlite_shop: Database, clock: FrozenClock, typed: dict[str, str], field: str, words: str
) -> None:
    with pytest.raises(Invalid) as caught:
        wait(sqlite_shop, **typed)
    [error] = caught.value.errors
    assert error.field == field
    assert words in error.message


def test_the_same_wish_again_is_said_to_be_there_and_another_is_taken(
    shop: Database, clock: FrozenClock
) -> None:
    tried = at_once(*[partial(_tried, shop)] * 4)
    assert sorted(map(str, tried)) == ["made", *["on_the_list"] * 3]
    wait(shop, first_day="2026-11-25")
    with shop.read() as session:
        assert len(waiting_list.entries(session)) == 2


def _tried(db: Database) -> str:
    try:
        wait(db)
    except Conflict as conflict:
        return conflict.reason
    return "made"
