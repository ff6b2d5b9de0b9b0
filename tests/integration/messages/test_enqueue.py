"""Putting what is due soon into Huey, and taking the cancelled out: the queue is only a hint."""

from datetime import timedelta
from unittest.mock import Mock

import pytest
from huey.api import Task
from sqlalchemy import update

from app.db import Database
from app.messages import enqueue, gate
from app.messages.tasks import send_message
from app.messages.tick import Process, tick
from app.models.message import Message
from app.queue.huey import huey
from tests import factories
from tests.fake_twilio import FakeTwilio
from tests.support.frozen import FrozenClock
from tests.support.lifecycle import (
    at_once,
    book,
    cancel,
    due_message,
    enqueued,
    materialize_due,
    message,
    messages,
    move,
    revocations,
    work,
)
from tests.support.valkey import Valkey

pytestmark = pytest.mark.usefixtures("clock")


class Commands:
    """How often Valkey was asked for what, since this was made."""

    def __init__(self, valkey: Valkey) -> None:
        self._client = valkey.client
        self._client.config_resetstat()

    def count(self) -> dict[str, int]:
        """Commands by name, without those of connecting and of counting."""
        own = {"config|resetstat", "info", "client|setinfo", "hello", "select"}
        info = self._client.info("commandstats")
        names = {name.removeprefix("cmdstat_"): stats["calls"] for name, stats in info.items()}
        return {name: calls for name, calls in names.items() if name not in own}


def connect() -> None:
    """Have a connection in the pool, so that its greeting is not counted."""
    huey.storage.conn.ping()


# --- after the commit ---


def test_what_is_due_soon_is_enqueued_at_once_and_the_rest_when_its_time_comes(
    db: Database, clock: FrozenClock, valkey: Valkey, twilio: FakeTwilio
) -> None:
    with db.write() as session:
        factories.shop(session, reminder_every=240)

    booking_id = book(db, hours=0.2)  # in 12 minutes: reminders at 4 and 8

    assert enqueued() == [f"{booking_id}-reminder-1"]
    assert enqueue.enqueue_due() == 0
    clock.move(minutes=3)
    materialize_due()
    assert enqueue.enqueue_due() == 1
    assert enqueue.enqueue_due() == 0
    assert sorted(enqueued()) == [f"{booking_id}-reminder-{number}" for number in (1, 2)]
    for minutes, sent in ((0.9, 0), (0.1, 1), (4, 2)):
        clock.move(minutes=minutes)
        work()
        assert len(twilio.messages()) == sent


def test_a_transaction_that_rolls_back_enqueues_and_revokes_nothing(
    db: Database, valkey: Valkey
) -> None:
    job_id = due_message(db)

    def fail() -> None:
        with db.write() as session:
            enqueue.enqueue_after_commit(session, [job_id])
            enqueue.revoke_after_commit(session, [job_id])
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()

    assert (enqueued(), revocations()) == ([], [])


def test_what_was_cancelled_before_it_could_be_fed_is_not_fed(db: Database, valkey: Valkey) -> None:
    with db.write() as session:
        job_id = factories.message(session, factories.booking(session), "cancelled").id
        enqueue.enqueue_after_commit(session, [job_id])

    assert enqueued() == []


def test_booking_moving_and_cancelling_a_month_ahead_do_not_touch_the_queue(
    db: Database, valkey: Valkey
) -> None:
    connect()
    commands = Commands(valkey)

    booking_id = book(db, hours=720)
    move(db, booking_id, 700)

    assert len(messages(db, booking_id)) == 359 + 349
    assert commands.count() == {}
    cancel(db, booking_id)
    assert commands.count() == {"lpush": 1}  # the cancellation message


def test_a_cancel_touches_the_queue_at_most_once_for_each_fed_message(
    db: Database, clock: FrozenClock, valkey: Valkey
) -> None:
    with db.write() as session:
        factories.shop(session, reminder_every=120)
    booking_id = book(db, hours=1)
    enqueued_before = enqueued()
    assert len(enqueued_before) == 2
    connect()
    commands = Commands(valkey)

    cancel(db, booking_id)

    assert commands.count() == {"set": 2, "lpush": 1} or commands.count() == {"hset": 2, "lpush": 1}
    assert all(huey.is_revoked(job_id) for job_id in enqueued_before)


# --- revocations ---


def test_a_revoked_task_is_not_run_and_leaves_no_key_behind(
    db: Database, clock: FrozenClock, valkey: Valkey, twilio: FakeTwilio
) -> None:
    with db.write() as session:
        factories.shop(session, reminder_every=120)
    booking_id = book(db, hours=1)
    job_id = f"{booking_id}-reminder-1"
    cancel(db, booking_id)
    assert huey.is_revoked(job_id)

    clock.move(minutes=10)
    work()

    assert revocations() == []
    assert not huey.is_revoked(job_id)
    assert [sent.body.split("\n")[2][:16] for sent in twilio.messages()] == ["Your appointment"]


def test_only_fed_messages_are_revoked(db: Database, valkey: Valkey, clock: FrozenClock) -> None:
    booking_id = book(db)
    clock.move(hours=2, minutes=-5)
    materialize_due()
    enqueue.enqueue_due()

    move(db, booking_id, 20)

    assert [huey.is_revoked(f"{booking_id}-reminder-{number}") for number in (1, 2, 3, 4)] == [
        True,
        False,
        False,
        False,
    ]


def test_a_revocation_that_no_task_used_up_is_swept_ten_minutes_after_its_time(
    db: Database, clock: FrozenClock, valkey: Valkey
) -> None:
    with db.write() as session:
        factories.shop(session, reminder_every=120)
    booking_id = book(db, hours=0.1)
    cancel(db, booking_id)
    huey.flush()
    huey.revoke_by_id(f"{booking_id}-reminder-1", revoke_once=True)
    clock.move(minutes=12)
    assert enqueue.sweep_revoked() == 0

    clock.move(seconds=1)
    assert enqueue.sweep_revoked() == 1
    assert enqueue.sweep_revoked() == 0

    assert revocations() == []
    assert not huey.is_revoked(Task(id=f"{booking_id}-reminder-1"))


# --- the tick's enqueuing ---


def test_two_ticks_at_once_enqueue_each_message_once(
    db: Database, clock: FrozenClock, valkey: Valkey
) -> None:
    job_ids = [due_message(db) for _ in range(50)]

    counts = at_once(*[enqueue.enqueue_due] * 4)

    assert sum(counts) == 50
    assert sorted(enqueued()) == sorted(job_ids)


def test_what_is_overdue_and_unclaimed_is_fed_again_after_three_ticks(
    db: Database, clock: FrozenClock, valkey: Valkey
) -> None:
    job_id = due_message(db)
    assert enqueue.enqueue_due() == 1
    valkey.flush()

    clock.move(seconds=30)
    assert enqueue.enqueue_due() == 0
    clock.move(seconds=1)
    assert enqueue.enqueue_due() == 1
    assert enqueued() == [job_id]
    assert enqueue.enqueue_due() == 0


def test_a_flushed_queue_loses_nothing_for_longer_than_half_a_minute(
    db: Database, clock: FrozenClock, valkey: Valkey, twilio: FakeTwilio
) -> None:
    book(db)
    clock.move(hours=2, minutes=-1)
    tick(Process())
    valkey.flush()
    clock.move(minutes=1)
    for _ in range(4):
        tick(Process())
        work()
        clock.move(seconds=10.1)

    assert len(twilio.messages()) == 1


def test_the_tick_holds_back_while_the_queue_is_full_and_enqueues_the_oldest_first(
    db: Database, clock: FrozenClock, valkey: Valkey, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(enqueue, "ROOM", 2)
    newest, oldest, middle = (
        due_message(db, due_at=clock.now() - timedelta(seconds=seconds)) for seconds in (1, 3, 2)
    )

    assert enqueue.enqueue_due() == 2
    assert enqueue.enqueue_due() == 0
    assert huey.dequeue().args == (oldest,)
    assert enqueue.enqueue_due() == 1
    assert [huey.dequeue().args[0] for _ in range(2)] == [middle, newest]


def test_while_sending_is_stopped_nothing_is_fed_and_of_a_probe_one(
    db: Database, clock: FrozenClock, valkey: Valkey
) -> None:
    for _ in range(3):
        due_message(db)
    with db.write() as session:
        gate.pause(session, "user:1")
    assert enqueue.enqueue_due() == 0
    with db.write() as session:
        gate.resume(session, "user:1")
        gate.stop(session, "20003")
    assert enqueue.enqueue_due() == 0

    clock.move(seconds=60)
    assert enqueue.enqueue_due() == 1


def test_what_failed_is_not_fed_again(db: Database, valkey: Valkey) -> None:
    for state in ("sending", "uncertain", "sent", "failed", "cancelled", "skipped"):
        due_message(db, state)

    assert enqueue.enqueue_due() == 0


# --- the queue is away ---


def test_while_the_queue_is_away_booking_moving_and_cancelling_work_and_the_tick_enqueues_later(
    db: Database, clock: FrozenClock, valkey: Valkey, twilio: FakeTwilio
) -> None:
    with db.write() as session:
        factories.shop(session, reminder_every=120)
    connect()
    valkey.stop()

    kept, moved, cancelled = (book(db, hours=hours) for hours in (0.1, 0.2, 0.3))
    move(db, moved, 0.25)
    cancel(db, cancelled)

    assert {row.enqueued_at for row in messages(db, kept)} == {None}
    assert enqueue.enqueue_due() == 0
    tick(Process())

    valkey.start()
    assert enqueue.enqueue_due() >= 3
    clock.move(minutes=2)
    work()
    bodies = [sent.body for sent in twilio.messages()]
    assert sum("reminder" in body for body in bodies) == 2
    assert sum("has been cancelled" in body for body in bodies) == 1


def test_a_fed_message_is_cancelled_also_when_its_task_cannot_be_revoked(
    db: Database, clock: FrozenClock, valkey: Valkey, twilio: FakeTwilio
) -> None:
    with db.write() as session:
        factories.shop(session, reminder_every=120)
    booking_id = book(db, hours=0.1)
    assert len(enqueued()) == 2
    valkey.stop()
    cancel(db, booking_id)
    valkey.start()
    clock.move(minutes=3)
    tick(Process())
    work()

    assert {row.state for row in messages(db, booking_id)} == {"cancelled"}
    assert ["has been cancelled" in sent.body for sent in twilio.messages()] == [True]


def test_what_did_not_get_into_the_queue_is_left_for_the_next_tick(
    db: Database, clock: FrozenClock, valkey: Valkey, monkeypatch: pytest.MonkeyPatch
) -> None:
    job_ids = [due_message(db) for _ in range(3)]

    with monkeypatch.context() as patch:
        patch.setattr(huey, "schedule_all", Mock(side_effect=OSError))
        enqueue.enqueue_due()
    assert [message(db, job_id).enqueued_at for job_id in job_ids] == [None] * 3

    assert enqueue.enqueue_due() == 3
    assert sorted(enqueued()) == sorted(job_ids)


def test_a_message_far_in_the_future_is_not_fed(
    db: Database, clock: FrozenClock, valkey: Valkey
) -> None:
    soon = due_message(db, due_at=clock.now() + timedelta(minutes=5))
    due_message(db, due_at=clock.now() + timedelta(minutes=5, seconds=1))
    with db.write() as session:
        session.execute(update(Message).values(enqueued_at=None))

    assert enqueue.enqueue_due() == 1
    assert enqueued() == [soon]


def test_a_worker_looks_when_the_next_is_due_and_else_four_times_a_second(
    sqlite_db: Database, valkey: Valkey, clock: FrozenClock
) -> None:
    consumer = huey.create_consumer(workers=1, scheduler_interval=1)  # as huey_consumer makes it
    waits: list[float] = []
    scheduler = consumer.scheduler_class(huey, Mock(wait=waits.append), 1, periodic=False)
    send_message.schedule(("a job",), eta=clock.now())
    huey.add_schedule(huey.dequeue())

    while not waits:  # it leaves out a look for which it comes too late
        scheduler.loop(clock.now().replace(tzinfo=None))

    assert huey.pending_count() == 1
    assert waits[0] <= 0.25

    soon = clock.now() + timedelta(seconds=0.1)
    huey.schedule_all([send_message.s("next", id="next", eta=soon)])
    while len(waits) < 2:
        scheduler.loop(clock.now().replace(tzinfo=None))
    assert waits[1] <= 0.1
