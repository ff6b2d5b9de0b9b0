"""What every worker does every few seconds, however many there are and whatever goes wrong."""

import threading
import time
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from app.conversations import missed
from app.db import Database
from app.messages import tick as ticking
from app.messages.statistics import workers
from app.messages.tick import Process, Ticker, tick
from app.models.booking import Booking
from app.models.message import Message, Worker
from app.models.staff import IdempotencyKey
from app.queue.huey import huey
from tests import factories
from tests.conftest import Configure
from tests.fake_twilio import FakeTwilio
from tests.support.frozen import FrozenClock
from tests.support.lifecycle import (
    at_once,
    book,
    deliver,
    due_message,
    message,
    messages,
    states,
    work,
)
from tests.support.processes import wait_until
from tests.support.statements import counted
from tests.support.valkey import Valkey

pytestmark = pytest.mark.usefixtures("clock", "valkey")


def test_after_an_outage_each_customer_gets_only_the_newest_reminder_and_none_too_late(
    db: Database, clock: FrozenClock, twilio: FakeTwilio
) -> None:
    waiting, past = book(db, 10), book(db, 5, customer_phone="+447700900124")
    clock.move(hours=7)

    tick(Process())
    work()

    [sent] = twilio.messages()
    assert states(db, waiting) == [
        ("skipped", "superseded"),
        ("skipped", "superseded"),
        ("sent", None),
        ("pending", None),
    ]
    assert set(states(db, past)) == {("skipped", "appointment_passed")}
    assert "in 3 hours" in sent.body


def test_a_dead_workers_messages_are_sent_by_the_others(
    db: Database, clock: FrozenClock, twilio: FakeTwilio
) -> None:
    job_id = due_message(db, "sending")
    with db.write() as session:  # it died before its POST
        session.delete(session.get_one(factories.Attempt, message(db, job_id).attempt_id))
    clock.move(seconds=61)

    tick(Process())
    work()

    assert len(twilio.messages()) == 1


def test_ticks_of_many_workers_at_once_do_everything_once(
    db: Database, clock: FrozenClock, twilio: FakeTwilio
) -> None:
    bookings = [book(db, 10, customer_phone=factories.phone()) for _ in range(10)]
    clock.move(hours=4)

    at_once(*[lambda: tick(Process())] * 4)
    work()

    assert len(twilio.messages()) == 10
    for booking_id in bookings:
        assert [state for state, _ in states(db, booking_id)][:2] == ["skipped", "sent"]


def test_a_tick_says_that_its_worker_is_alive_and_a_dead_one_is_not_shown_for_long(
    db: Database, clock: FrozenClock
) -> None:
    first, second = Process(threads=4), Process()
    tick(first)
    clock.move(seconds=30)
    tick(second)
    tick(second)
    with db.read() as session:
        assert [row.id for row in workers(session)] == [first.id, second.id]
        assert workers(session)[0].threads == 4

    clock.move(seconds=30)
    with db.read() as session:
        assert [row.id for row in workers(session)] == [second.id]


def test_after_the_clock_was_set_back_nothing_waits_for_what_was_written_before(
    db: Database, clock: FrozenClock, twilio: FakeTwilio
) -> None:
    enqueued = due_message(db, enqueued_at=clock.now())
    clock.move(hours=3)
    gone = Process()
    tick(gone, further=[missed.fetch_due])
    asked = twilio.lookups
    held = due_message(db, "sending")
    with db.write() as session:  # it died before its POST
        session.delete(session.get_one(factories.Attempt, message(db, held).attempt_id))
    lost = due_message(db, enqueued_at=clock.now())
    huey.flush()
    clock.move(hours=-2)
    with db.write() as session:
        for job_id in (lost, held):
            session.get_one(Message, job_id).due_at = clock.now() - timedelta(minutes=10)

    here = Process()
    tick(here, further=[missed.fetch_due])
    work()

    with db.read() as session:
        assert [row.id for row in workers(session)] == [here.id]
    assert {message(db, job_id).state for job_id in (enqueued, held, lost)} == {"sent"}
    assert twilio.lookups > asked


def test_a_step_that_fails_keeps_the_others_from_nothing(
    db: Database,
    clock: FrozenClock,
    valkey: Valkey,
    twilio: FakeTwilio,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def fail() -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(ticking, "expire_leases", fail)
    job_id = due_message(db)

    tick(Process())
    work()

    assert message(db, job_id).state == "sent"
    assert "a step of the tick failed" in caplog.text


def test_a_tick_without_queue_still_skips_expires_and_beats(
    db: Database, clock: FrozenClock, valkey: Valkey
) -> None:
    booking_id = book(db)
    held = due_message(db, "sending")
    clock.move(hours=4)
    valkey.stop()

    tick(Process())

    assert states(db, booking_id)[0] == ("skipped", "superseded")
    assert message(db, held).state == "uncertain"
    with db.read() as session:
        assert len(workers(session)) == 1


def test_what_is_too_late_is_skipped_also_when_it_is_more_than_one_tick_can_skip(
    db: Database, clock: FrozenClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ticking, "SKIP_AT_ONCE", 2)
    booking_id = book(db)
    clock.move(hours=10)
    ticking.materialize_due()

    assert [ticking.skip_ineligible() for _ in range(3)] == [2, 2, 0]
    assert {row.reason for row in messages(db, booking_id)} == {"appointment_passed"}


def test_with_nothing_to_do_a_tick_is_three_statements_however_much_is_planned(
    db: Database, clock: FrozenClock
) -> None:
    booking_id = book(db, 48)
    with db.write() as session:
        factories.message(session, session.get_one(Booking, booking_id), "sent")
    missed.fetch_due()
    with counted(db) as statements:
        tick(Process(), [missed.fetch_due])
    assert len([each for each in statements if not each.startswith("BEGIN")]) == 3
    assert not ticking.is_anything_to_do()


@pytest.mark.parametrize(
    "changes",
    [
        {"state": "pending", "due_at": timedelta(minutes=5)},
        {"state": "pending", "due_at": -timedelta(days=1), "enqueued_at": timedelta()},
        {"state": "sending", "lease_until": -timedelta(seconds=1)},
        {"state": "sending", "lease_until": timedelta(days=1)},
        {"state": "uncertain", "check_at": timedelta()},
        {"state": "sent", "ask_at": timedelta()},
        {"state": "cancelled", "enqueued_at": -timedelta(hours=1), "due_at": -timedelta(hours=1)},
    ],
)
def test_whatever_a_step_is_for_is_seen_by_the_look_before_it(
    db: Database, clock: FrozenClock, changes: dict[str, Any]
) -> None:
    with db.write() as session:
        row = factories.message(session, factories.booking(session), changes["state"])
        row.enqueued_at = None
        row.due_at = clock.now() + timedelta(days=1)
        for name in ("check_at", "ask_at"):
            if name in changes:
                setattr(row, name, row.due_at)
        if row.state != "sending":
            session.flush()
            assert not ticking.is_anything_to_do()
        for name, value in changes.items():
            setattr(row, name, clock.now() + value if isinstance(value, timedelta) else value)
    assert ticking.is_anything_to_do()


def test_a_plan_is_seen_by_the_look_five_minutes_before_its_next_reminder(
    db: Database, clock: FrozenClock
) -> None:
    book(db, 5)
    clock.move(hours=1, minutes=54)
    assert not ticking.is_anything_to_do()
    clock.move(minutes=1)
    assert ticking.is_anything_to_do()


def test_old_keys_and_workers_are_forgotten_after_a_day(db: Database, clock: FrozenClock) -> None:
    tick(Process())
    with db.write() as session:
        token = factories.api_token(session)
        session.add(
            IdempotencyKey(
                token_id=token.id,
                key="k",
                request_digest="0" * 64,
                status_code=201,
                answer={},
                created_at=clock.now(),
            )
        )
    clock.move(hours=24)
    ticking.clean()
    with db.read() as session:
        assert session.scalars(select(IdempotencyKey.key)).all() == ["k"]

    clock.move(seconds=1)
    ticking.clean()
    with db.read() as session:
        assert session.scalars(select(IdempotencyKey.key)).all() == []
        assert session.scalars(select(Worker.id)).all() == []


def test_one_thread_ticks_however_many_threads_start_it_and_it_ends(
    sqlite_db: Database, configure: Configure, twilio: FakeTwilio
) -> None:
    configure(FEED_EVERY="0.1")
    job_id = due_message(sqlite_db)
    ticker = Ticker(further=[])
    at_once(*[ticker.start] * 8)

    [thread] = [each for each in threading.enumerate() if each.name == "tick"]
    deadline = time.monotonic() + 60
    while _threads(sqlite_db) != [8] and time.monotonic() < deadline:
        time.sleep(0.02)
    ticker.stop()  # one of them died, and Huey starts another
    ticker.start()
    assert thread.is_alive()
    at_once(*[ticker.stop] * 8)
    thread.join(60)
    assert not thread.is_alive()
    work()
    assert message(sqlite_db, job_id).state == "sent"

    ticker.start()
    later = due_message(sqlite_db)
    [again] = [each for each in threading.enumerate() if each.name == "tick"]
    wait_until(lambda: message(sqlite_db, later).enqueued_at is not None, 30)
    ticker.stop()
    again.join(10)
    assert not again.is_alive()


def _threads(db: Database) -> list[int]:
    with db.read() as session:
        return list(session.scalars(select(Worker.threads)))


def test_a_reminder_that_waits_for_its_retry_gives_way_to_the_next_one(
    db: Database, clock: FrozenClock, twilio: FakeTwilio
) -> None:
    booking_id = book(db)
    clock.move(hours=4, seconds=-3)
    twilio.stop()
    due = deliver(f"{booking_id}-reminder-1")
    assert due == clock.now() + timedelta(seconds=5)
    twilio.start()
    for _ in range(3):
        clock.move(seconds=3)
        tick(Process())
        work()

    assert [state for state, _ in states(db, booking_id)[:2]] == ["skipped", "sent"]
    assert len(twilio.messages()) == 1
