"""What clients are told while a shop lives through a few days, answer by answer.

`recorded_answers.txt` holds the bodies as they were when the file was made, so that a change of how
things are stored shows whether a client could tell. Where an answer is meant to change, run this
test with RECORD_ANSWERS=1, and look at what became of the file.
"""

import hashlib
import os
from collections.abc import Callable
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from typing import Any

import pytest

from app import clock as clocks
from app.bookings import send_now, undo
from app.bookings import service as bookings
from app.customers import consent
from app.db import Database
from app.messages.tick import Process, tick
from app.queue import hand_over
from tests import factories
from tests.fake_twilio import FakeTwilio, Fault
from tests.integration.conftest import body
from tests.support.frozen import FrozenClock
from tests.support.lifecycle import work
from tests.support.web import Client

RECORDED = Path(__file__).with_name("recorded_answers.txt")

_SHOWN = 3
"""So many of a list's first and last items are in the file; of those between, their digest is."""


class RecordedShop:
    """A shop whose bookings have names, and whose answers are written down."""

    def __init__(self, api: Client, db: Database, clock: FrozenClock, twilio: FakeTwilio) -> None:
        self.api, self.db, self.clock, self.twilio = api, db, clock, twilio
        self.lines: list[str] = []
        self._ids: dict[str, str] = {}
        self._phones: dict[str, str] = {}
        self._seen: list[str] = []
        self._since = clocks.now()

    def begin(self) -> None:
        """Look at the bookings to come alone."""
        self._seen, self._since = [], clocks.now()

    def phone(self, name: str) -> str:
        return self._phones[name]

    def book(self, name: str, **ahead: float) -> None:
        """A booking so far ahead of now, of a customer of its own."""
        fields: dict[str, Any] = {
            "customerName": name,
            "customerPhone": self._phones.setdefault(name, factories.phone()),
            "scheduledTime": (clocks.now() + timedelta(**ahead)).isoformat(),
            "allowOverlap": True,
        }
        answer = self.api.post("/api/bookings", json=body(**fields))
        self._ids[name] = answer.json()["id"]
        self._seen.append(name)
        self._note(f"POST {name}", answer)

    def move(self, name: str, **ahead: float) -> None:
        at = (clocks.now() + timedelta(**ahead)).isoformat()
        changes = {"scheduledTime": at, "allowOverlap": True}
        self._note(f"PATCH {name}", self.api.patch(self._path(name), json=changes))

    def cancel(self, name: str) -> None:
        self._note(f"DELETE {name}", self.api.delete(self._path(name)))

    def retry(self, name: str, number: int) -> None:
        path = f"{self._path(name)}/reminders/{number}/retry"
        self._note(f"POST {name}/reminders/{number}/retry", self.api.post(path))

    def do(self, act: Callable[..., object], name: str, *more: Any) -> None:
        """What staff do to a booking."""
        with self.db.write() as session:
            act(session, self._ids[name], "user:1", *more)

    def set(self, **values: Any) -> None:
        """Other settings of the shop."""
        with self.db.write() as session:
            factories.shop(session, **values)

    def wait(self, works: bool = True, **duration: float) -> None:
        """Let time pass, with a worker at its end or without."""
        hand_over.finish()
        self.clock.move(**duration)
        if works:
            tick(Process())
            work()
            tick(Process())

    def look(self, title: str) -> None:
        """Write down all that a client can read now."""
        hand_over.finish()
        self.lines += ["", f"# {title}, {clocks.now():%d %H:%M:%S}"]
        self._note("GET /api/queue/stats", self.api.get("/api/queue/stats"))
        since = {"from": self._since.isoformat()}
        self._note("GET /api/bookings", self.api.get("/api/bookings", params=since))
        for name in self._seen:
            answer = self.api.get(f"{self._path(name)}/reminders")
            self._note(f"GET {name}/reminders", answer)

    def _path(self, name: str) -> str:
        return f"/api/bookings/{self._ids[name]}"

    def _note(self, call: str, answer: Any) -> None:
        text = answer.text
        for name, booking_id in self._ids.items():
            text = text.replace(booking_id, name).replace(self._phones[name], f"{name}'s number")
        items = text.replace("},{", "},\n{").split("\n")
        between = items[_SHOWN:-_SHOWN]
        if between:
            digest = hashlib.sha256("\n".join(between).encode()).hexdigest()[:16]
            items[_SHOWN:-_SHOWN] = [f"… {len(between)} more: {digest}"]
        self.lines += [f"{call} {answer.status_code}", *items]


@pytest.fixture
def recorded(api: Client, shop: Database, clock: FrozenClock, twilio: FakeTwilio) -> RecordedShop:
    return RecordedShop(api, shop, clock, twilio)


def test_clients_are_told_what_they_were_told_when_it_was_recorded(recorded: RecordedShop) -> None:
    for days in (_of_plain_days, _of_quiet_hours, _of_short_intervals):
        recorded.begin()
        days(recorded)
    told = "\n".join(recorded.lines).lstrip() + "\n"

    if os.environ.get("RECORD_ANSWERS"):
        RECORDED.write_text(told)
    assert told.splitlines() == RECORDED.read_text().splitlines()


def _of_plain_days(shop: RecordedShop) -> None:
    """Every two hours from the booking on, as it is by default."""
    for name, hours in (("ana", 10), ("ben", 30 * 24), ("cem", 7), ("dia", 1), ("eva", 26)):
        shop.book(name, hours=hours)
    shop.look("five are booked")
    shop.wait(hours=2)
    shop.look("the first reminders went out")
    shop.twilio.script(shop.phone("cem"), [Fault.error(400, 63024)])
    shop.twilio.script(shop.phone("eva"), [Fault.error(503, 20503), Fault.error(503, 20503)])
    shop.wait(hours=2)
    shop.look("one was refused, another is tried again")
    for number in (1, 2, 3, 99):
        shop.retry("cem", number)
    shop.wait(minutes=2)
    shop.look("the refused one was retried, and that went well")
    shop.move("ana", hours=9)
    shop.move("dia", hours=13, minutes=1)
    shop.move("eva", days=40)
    shop.look("three were moved")
    shop.retry("ana", 4)
    shop.do(bookings.cancel, "cem", undo.UNDO_FOR)
    shop.retry("cem", 3)
    shop.look("one was cancelled")
    shop.wait(works=False, seconds=4)
    shop.do(undo.undo_cancel, "cem")
    shop.look("that was taken back")
    shop.wait(hours=2)
    shop.do(send_now.remind_now, "ben")
    shop.look("staff remind one now")
    shop.wait(works=False, hours=6, minutes=30)
    shop.look("nothing has worked for hours")
    shop.wait()
    shop.look("a worker is back")
    shop.cancel("ben")
    shop.cancel("ben")
    shop.wait(minutes=1)
    shop.look("the farthest was cancelled")
    shop.do(consent.opt_out, "eva")
    shop.wait(hours=4)
    shop.look("one wants no messages")
    shop.move("eva", hours=9)
    shop.wait(days=1)
    shop.look("all is over")


def _of_quiet_hours(shop: RecordedShop) -> None:
    """Nothing at night, and what becomes of that when the hours are changed."""
    shop.clock.set(datetime(2026, 11, 26, 12, 3, 7, 123456, UTC))
    shop.set(quiet_from=time(21), quiet_until=time(8, 30), time_zone="Europe/Berlin")
    shop.book("fay", hours=30)
    shop.set(count_from="appointment", at_most=5)
    shop.book("gus", hours=40)
    shop.set(within=20 * 3600, at_most=None)
    shop.book("hal", hours=50)
    shop.look("three are booked with quiet hours")
    shop.set(quiet_from=time(12), quiet_until=time(15))
    shop.look("other hours are quiet now")
    shop.retry("fay", 1)
    shop.move("gus", hours=45)
    shop.do(bookings.cancel, "fay", undo.UNDO_FOR)
    shop.look("one was moved, another cancelled")
    shop.do(undo.undo_cancel, "fay")
    shop.set(quiet_from=None, quiet_until=None)
    shop.look("no hours are quiet any more, and the cancellation was taken back")
    shop.wait(hours=9)
    shop.look("at night")
    shop.wait(works=False, hours=20)
    shop.look("nothing has worked for hours, again")
    shop.wait()
    shop.look("a worker is back, again")
    shop.wait(days=2)
    shop.look("all is over, again")


def _of_short_intervals(shop: RecordedShop) -> None:
    """Many are due soon."""
    shop.set(reminder_every=45, count_from="booking", within=None)
    shop.book("ida", minutes=12)
    shop.wait(seconds=50)
    shop.look("every 45 seconds")
    shop.do(send_now.remind_now, "ida")
    shop.move("ida", minutes=10)
    shop.wait(seconds=100)
    shop.look("it was moved")
    shop.do(bookings.cancel, "ida", undo.UNDO_FOR)
    shop.wait(works=False, seconds=7)
    shop.do(undo.undo_cancel, "ida")
    shop.wait(minutes=1)
    shop.look("it was cancelled, and that was taken back")
    shop.wait(works=False, minutes=4)
    shop.look("nothing works")
    shop.wait()
    shop.look("something works")
    shop.wait(minutes=10)
    shop.look("all is over, at last")
