"""The main job with everything real but Twilio: book, remind, retry, cancel, move, be killed."""

import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from tests.fake_twilio import FakeTwilio, Fault
from tests.support.processes import wait_until
from tests.support.running import RunningShop
from tests.support.valkey import Valkey

IN_TIME = timedelta(seconds=1.5)


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
    with RunningShop(folder, twilio, queue, REMINDER_EVERY="2s") as running:
        yield running


@pytest.mark.timed
def test_a_booking_nine_seconds_ahead_gets_four_reminders_each_in_time(
    shop: RunningShop, twilio: FakeTwilio
) -> None:
    booking = shop.book(seconds=9)
    booked_at = datetime.fromisoformat(booking["createdAt"])

    time.sleep(10.5)

    sent = twilio.messages(booking["customerPhone"])
    late = [
        message.at - (booked_at + timedelta(seconds=2 * turn))
        for turn, message in enumerate(sent, start=1)
    ]
    assert len(sent) == 4
    assert all(timedelta(0) <= delay < IN_TIME for delay in late), late
    wait_until(lambda: {row["deliveryStatus"] for row in shop.reminders(booking)} == {"delivered"})
    rows = shop.reminders(booking)
    assert [row["jobId"] for row in rows] == [f"{booking['id']}-reminder-{n}" for n in (1, 2, 3, 4)]
    assert [row["attempts"] for row in rows] == [1, 1, 1, 1]


@pytest.mark.timed
def test_a_number_that_fails_twice_gets_its_message_on_the_third_try_at_the_set_delays(
    tmp_path: Path, valkey: Valkey
) -> None:
    phone = "+12125559999"
    environment = {"REMINDER_EVERY": "10s", "RETRY_DELAYS": "1,2,5,5,5"}
    with FakeTwilio() as twilio, RunningShop(tmp_path, twilio, valkey, **environment) as shop:
        twilio.script(phone, [Fault.error(400, 63012), Fault.error(400, 63012)])
        booking = shop.book(seconds=19.9, phone=phone)
        posts = twilio.wait_for_posts(3, phone, timeout=25)
        wait_until(lambda: shop.states(booking) == ["completed"])
        [row] = shop.reminders(booking)

    first, second, third = (post.monotonic for post in posts)
    assert 1 <= second - first < 1 + IN_TIME.total_seconds()
    assert 2 <= third - second < 2 + IN_TIME.total_seconds()
    assert len(twilio.messages(phone)) == 1
    assert (row["attempts"], row["error"]) == (3, None)


@pytest.mark.timed
def test_a_booking_cancelled_after_its_second_reminder_gets_no_third_and_one_cancellation(
    shop: RunningShop, twilio: FakeTwilio
) -> None:
    booking = shop.book(seconds=9)
    twilio.wait_for(2, booking["customerPhone"])

    assert shop.api.delete(f"/api/bookings/{booking['id']}").json()["status"] == "cancelled"
    assert shop.api.delete(f"/api/bookings/{booking['id']}").json()["status"] == "cancelled"
    time.sleep(6)

    bodies = [message.body for message in twilio.messages(booking["customerPhone"])]
    assert len(bodies) == 3
    assert "has been cancelled" in bodies[2]
    assert shop.states(booking) == ["completed", "completed", "cancelled", "cancelled"]


@pytest.mark.timed
def test_a_moved_booking_gets_new_numbers_and_none_of_the_old_reminders(
    shop: RunningShop, twilio: FakeTwilio
) -> None:
    booking = shop.book(seconds=9)
    twilio.wait_for(1, booking["customerPhone"])

    changes = {"scheduledTime": shop.in_seconds(7.9), "allowOverlap": True}
    answer = shop.api.patch(f"/api/bookings/{booking['id']}", json=changes)
    assert answer.status_code == 200, answer.text
    time.sleep(8.5)

    states = shop.states(booking)
    assert states == ["completed"] + ["cancelled"] * 3 + ["completed"] * 3
    assert len(twilio.messages(booking["customerPhone"])) == 4


def test_two_workers_share_the_work_and_double_nothing(tmp_path: Path, valkey: Valkey) -> None:
    with FakeTwilio() as twilio, RunningShop(tmp_path, twilio, valkey, REMINDER_EVERY="5s") as shop:
        shop.start_worker()
        bookings = [shop.book(seconds=14.5) for _ in range(20)]
        twilio.wait_for(40, timeout=20)
        wait_until(lambda: shop.api.get("/api/queue/stats").json()["completed"] == 40)
        states = {state for booking in bookings for state in shop.states(booking)}
        stats = shop.api.get("/api/queue/stats").json()

    assert states == {"completed"}
    assert stats == {"waiting": 0, "active": 0, "completed": 40, "failed": 0, "delayed": 0}
    assert len(twilio.posts()) == 40


@pytest.mark.timed
def test_a_failed_reminder_is_retried_by_the_api(shop: RunningShop, twilio: FakeTwilio) -> None:
    twilio.script("+12125558888", [Fault.error(400, 21211)])
    booking = shop.book(seconds=3.9, phone="+12125558888")
    wait_until(lambda: shop.states(booking) == ["failed"], what="a failure")

    path = f"/api/bookings/{booking['id']}/reminders/1/retry"
    assert shop.api.post(path).status_code == 202

    twilio.wait_for(1, "+12125558888", timeout=2)
    wait_until(lambda: shop.states(booking) == ["completed"])
    assert shop.api.post(path).status_code == 409


def test_an_answer_that_got_lost_is_looked_up_and_never_repeated(
    shop: RunningShop, twilio: FakeTwilio, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(twilio, "auto_callbacks", ())
    looked_up = twilio.lookups
    twilio.script("+12125557777", [Fault("lost_answer")])
    booking = shop.book(seconds=3.9, phone="+12125557777")

    wait_until(lambda: shop.states(booking) == ["completed"], what="the look-up")

    time.sleep(2)
    assert len(twilio.posts("+12125557777")) == 1
    assert twilio.lookups > looked_up


@pytest.mark.timed
def test_a_flushed_queue_loses_nothing(
    shop: RunningShop, twilio: FakeTwilio, queue: Valkey
) -> None:
    booking = shop.book(seconds=9)

    for _ in range(20):
        queue.flush()
        time.sleep(0.4)
    time.sleep(2.5)

    sent = twilio.messages(booking["customerPhone"])
    assert len(sent) >= 3  # one may be superseded while its task was being lost
    assert set(shop.states(booking)) <= {"completed", "skipped"}


def test_the_worker_stops_within_ten_seconds_and_finishes_what_it_holds(
    shop: RunningShop, twilio: FakeTwilio
) -> None:
    twilio.script("+12125556666", [Fault.slow(0.5)])
    booking = shop.book(seconds=3.9, phone="+12125556666")
    twilio.wait_for(1, "+12125556666")

    started = time.monotonic()
    worker = shop.workers.pop()
    worker.send(15)
    worker.wait(10)

    assert time.monotonic() - started < 10
    assert shop.states(booking) == ["completed"]
    shop.start_worker()  # for the next test
