"""A booking that is saved from its form: each thing is worked out once."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest

from app.bookings import draft
from app.bookings.draft import Draft
from app.customers import phones
from app.db import Database
from app.models.booking import Booking
from app.reminders.plan import reminder_times

pytestmark = pytest.mark.usefixtures("valkey")

NEW = Draft(
    {
        "phone": "+44 7700 900123",
        "name": "Ana",
        "email": "",
        "service": "haircut",
        "barber": "barber_1",
        "notes": "",
        "price": "",
        "discount": "",
        "discount_reason": "",
    },
    day="2026-11-23",
    time="10:00",
)


@contextmanager
def counted(*functions: Callable[..., Any]) -> Iterator[dict[str, int]]:
    """How often each is called in this thread, by its name."""
    counts = {each.__name__: 0 for each in functions}
    codes = {each.__code__: each.__name__ for each in functions}  # type: ignore[attr-defined]

    def note(frame: Any, event: str, _of: Any) -> None:
        if event == "call" and frame.f_code in codes:
            counts[codes[frame.f_code]] += 1

    sys.setprofile(note)
    try:
        yield counts
    finally:
        sys.setprofile(None)


def test_a_new_booking_normalises_its_phone_and_computes_its_plan_once(
    sqlite_shop: Database,
) -> None:
    with counted(phones.parse, reminder_times) as calls, sqlite_shop.write() as session:
        draft.book(session, NEW, "user:1")
    assert calls == {"parse": 1, "reminder_times": 1}


@pytest.mark.parametrize("others", ["one", "name", "all"])
def test_a_change_normalises_the_phone_and_computes_the_plan_once(
    sqlite_shop: Database, others: str
) -> None:
    with sqlite_shop.write() as session:
        booking_id = draft.book(session, NEW, "user:1")[0].id
    with counted(phones.parse, reminder_times) as calls, sqlite_shop.write() as session:
        shown = Draft.of_booking(session, session.get_one(Booking, booking_id))
        typed = shown.with_typed(phone="+44 7700 900456")
        draft.change(session, booking_id, replace(typed, time="11:00", others=others), "user:1")
    assert calls == {"parse": 1, "reminder_times": 1}
