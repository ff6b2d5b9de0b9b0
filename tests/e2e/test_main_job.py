"""The main job with everything real but Twilio: book, remind, retry, cancel, move, be killed.

What is told of the bookings of `day` happens while they wait side by side, some twenty seconds. A
machine may stand still for three of them: how late a message is, `make bench` measures.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.fake_twilio import Accepted, FakeTwilio, Fault
from tests.support.processes import wait_until
from tests.support.running import RunningShop
from tests.support.valkey import Valkey

EVERY = 4  # seconds between two reminders
AHEAD = 4 * EVERY + 3  # seconds to an appointment, so that there are four
LATER = 3 * EVERY + 3  # the same after a move, for three


@pytest.fixture(scope="module")
def twilio() -> Iterator[FakeTwilio]:
    """One for all: each test looks at its own customer's messages."""
    with FakeTwilio() as fake:
        fake.auto_callbacks = ("sent", "delivered")
        yield fake


@pytest.fixture(scope="module")
def queue(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Valkey]:
    """The queue of `shop`, which no other shop may use."""
    server = Valkey(tmp_path_factory.mktemp("queue"))
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="module")
def shop(
    tmp_path_factory: pytest.TempPathFactory, twilio: FakeTwilio, queue: Valkey
) -> Iterator[RunningShop]:
    """One for all, with one worker."""
    folder = tmp_path_factory.mktemp("shop")
    with RunningShop(folder, twilio, queue, RETRY_DELAYS="1,2,5,5,5") as running:
        running.wait_for_worker()
        yield running


@dataclass
class Story:
    """A booking, when it was cancelled or moved, its messages and its reminders in the end."""

    booking: dict[str, Any]
    changed_at: datetime | None = None
    messages: list[Accepted] = field(default_factory=list)
    reminders: list[dict[str, Any]] = field(default_factory=list)

    @property
    def states(self) -> list[str]:
        return [row["state"] for row in self.reminders]


@pytest.fixture(scope="module")
def day(shop: RunningShop, twilio: FakeTwilio) -> dict[str, Story]:
    """Of three bookings made at once one is `kept`, one `moved` after its first reminder, and one
    `cancelled` after its second.
    """
    shop.sql(f"UPDATE shop SET reminder_every = {EVERY}")
    day = {name: Story(shop.book(AHEAD)) for name in ("kept", "moved", "cancelled")}
    phones = {name: story.booking["customerPhone"] for name, story in day.items()}

    twilio.wait_for(1, phones["moved"])
    changes = {"scheduledTime": shop.in_seconds(LATER), "allowOverlap": True}
    day["moved"].changed_at = datetime.now(UTC)
    answer = shop.api.patch(f"/api/bookings/{day['moved'].booking['id']}", json=changes)
    assert answer.status_code == 200, answer.text

    twilio.wait_for(2, phones["cancelled"])
    for _ in range(2):
        answer = shop.api.delete(f"/api/bookings/{day['cancelled'].booking['id']}")
        assert answer.json()["status"] == "cancelled"
    day["cancelled"].changed_at = datetime.now(UTC)

    twilio.wait_for(4, phones["kept"])
    twilio.wait_for(4, phones["moved"])
    for name, story in day.items():
        wait_until(lambda story=story: not to_come(shop, story.booking), what="their end")
        story.messages = twilio.messages(phones[name])
        story.reminders = shop.reminders(story.booking)
    shop.sql("UPDATE shop SET reminder_every = NULL")
    return day


def to_come(shop: RunningShop, booking: dict[str, Any]) -> list[Any]:
    """Reminders that nobody has heard the end of."""
    ends = {"delivered", None}
    return [
        row
        for row in shop.reminders(booking)
        if row["state"] in {"delayed", "waiting", "active"} or row["deliveryStatus"] not in ends
    ]


@pytest.mark.timed
def test_a_booking_gets_its_four_reminders_none_before_its_time_and_each_before_the_next(
    day: dict[str, Story],
) -> None:
    kept = day["kept"]
    booked_at = datetime.fromisoformat(kept.booking["createdAt"])
    late = [
        (message.at - booked_at).total_seconds() - EVERY * turn
        for turn, message in enumerate(kept.messages, start=1)
    ]
    assert len(late) == 4
    assert all(0 <= seconds < EVERY for seconds in late), late
    ids = [f"{kept.booking['id']}-reminder-{number}" for number in (1, 2, 3, 4)]
    assert [row["jobId"] for row in kept.reminders] == ids
    assert [row["attempts"] for row in kept.reminders] == [1, 1, 1, 1]
    assert [row["deliveryStatus"] for row in kept.reminders] == ["delivered"] * 4


@pytest.mark.timed
def test_a_booking_cancelled_after_its_second_reminder_gets_no_third_and_one_cancellation(
    day: dict[str, Story],
) -> None:
    bodies = [message.body for message in day["cancelled"].messages]
    assert len(bodies) == 3
    assert "has been cancelled" in bodies[2]
    assert day["cancelled"].states == ["completed", "completed", "cancelled", "cancelled"]


@pytest.mark.timed
def test_a_moved_booking_gets_new_numbers_and_none_of_the_old_reminders(
    day: dict[str, Story],
) -> None:
    moved = day["moved"]
    assert moved.changed_at
    assert moved.states == ["completed"] + ["cancelled"] * 3 + ["completed"] * 3
    after = [message.at - moved.changed_at for message in moved.messages[1:]]
    assert len(after) == 3
    assert after[0] > timedelta(seconds=EVERY - 1)  # counted from the move


def test_a_number_that_fails_twice_gets_its_message_on_the_third_try_after_the_set_delays(
    shop: RunningShop, twilio: FakeTwilio
) -> None:
    phone = "+12125559999"
    twilio.script(phone, [Fault.error(400, 63012), Fault.error(400, 63012)])
    done = completed(shop)
    cancelled(shop, phone)
    first, second, third = (post.monotonic for post in twilio.wait_for_posts(3, phone))
    assert second - first >= 1
    assert third - second >= 2
    wait_until(lambda: completed(shop) == done + 1)
    assert len(twilio.messages(phone)) == 1


def test_two_workers_share_the_work_and_double_nothing(tmp_path: Path, valkey: Valkey) -> None:
    phones = [f"+1212556{turn:04d}" for turn in range(20)]
    with FakeTwilio() as twilio, RunningShop(tmp_path, twilio, valkey) as shop:
        shop.start_worker()
        for phone in phones:
            twilio.script(phone, [Fault.error(400, 63012)])  # so that each is put off, too
            cancelled(shop, phone)
        twilio.wait_for(20)
        wait_until(lambda: shop.api.get("/api/queue/stats").json()["completed"] == 20)

    assert sorted(message.to for message in twilio.messages()) == phones
    assert len(twilio.posts()) == 40


def test_an_answer_that_got_lost_is_looked_up_and_never_repeated(
    shop: RunningShop, twilio: FakeTwilio, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(twilio, "auto_callbacks", ())
    looked_up, done = twilio.lookups, completed(shop)
    twilio.script("+12125557777", [Fault("lost_answer")])
    cancelled(shop, "+12125557777")

    wait_until(lambda: completed(shop) == done + 1, what="the look-up")

    assert len(twilio.posts("+12125557777")) == 1
    assert twilio.lookups > looked_up


def test_a_flushed_queue_loses_nothing(
    shop: RunningShop, twilio: FakeTwilio, queue: Valkey
) -> None:
    done = completed(shop)
    phones = [f"+1212557{turn:04d}" for turn in range(10)]
    for phone in phones:
        twilio.script(phone, [Fault.error(400, 63012)])
        cancelled(shop, phone)
        twilio.wait_for_posts(1, phone)
        queue.flush()  # its next try, and those of the others

    wait_until(lambda: completed(shop) == done + len(phones), what="the next try of each")


def test_the_worker_stops_and_finishes_what_it_holds(shop: RunningShop, twilio: FakeTwilio) -> None:
    done = completed(shop)
    twilio.script("+12125556666", [Fault.slow(0.5)])
    cancelled(shop, "+12125556666")
    twilio.wait_for(1, "+12125556666")

    worker = shop.workers.pop()
    worker.send(15)
    worker.wait()

    assert completed(shop) == done + 1
    shop.start_worker()  # for the next test


def cancelled(shop: RunningShop, phone: str) -> None:
    """A booking that is cancelled: its cancellation message is due at once."""
    booking = shop.book(seconds=86_400, phone=phone)
    assert shop.api.delete(f"/api/bookings/{booking['id']}").status_code == 200


def completed(shop: RunningShop) -> int:
    return int(shop.api.get("/api/queue/stats").json()["completed"])
