"""The five counters of the queue: they are what the rows say, at any time."""

import pytest

from app.db import Database
from app.messages import statistics
from app.messages.statistics import Stats
from tests.fake_twilio import FakeTwilio, Fault
from tests.support.frozen import FrozenClock
from tests.support.lifecycle import HOME, book, cancel, deliver, due_message

pytestmark = pytest.mark.usefixtures("clock", "valkey")


def counted(db: Database) -> Stats:
    with db.read() as session:
        return statistics.stats(session)


def test_an_empty_queue_counts_nothing(db: Database) -> None:
    assert counted(db) == Stats(waiting=0, active=0, completed=0, failed=0, delayed=0)


def test_the_counters_follow_a_booking_through_its_day(
    db: Database, clock: FrozenClock, twilio: FakeTwilio
) -> None:
    booking_id = book(db)
    assert counted(db) == Stats(waiting=0, active=0, completed=0, failed=0, delayed=4)
    clock.move(hours=2)
    due = Stats(waiting=1, active=0, completed=0, failed=0, delayed=3, oldest_due_at=clock.now())
    assert counted(db) == due
    deliver(f"{booking_id}-reminder-1")
    assert counted(db) == Stats(waiting=0, active=0, completed=1, failed=0, delayed=3)
    clock.move(hours=2)
    twilio.script(HOME, [Fault("lost_answer"), Fault.error(400, 63024)])
    deliver(f"{booking_id}-reminder-2")
    assert counted(db) == Stats(waiting=0, active=1, completed=1, failed=0, delayed=2)
    cancel(db, booking_id)
    told = Stats(waiting=1, active=1, completed=1, failed=0, delayed=0, oldest_due_at=clock.now())
    assert counted(db) == told


def test_each_state_is_counted_once_and_what_was_left_out_is_not(
    db: Database, clock: FrozenClock
) -> None:
    for state in ("pending", "sending", "uncertain", "failed", "cancelled", "skipped"):
        due_message(db, state)

    due = Stats(waiting=1, active=2, completed=0, failed=1, delayed=0, oldest_due_at=clock.now())
    assert counted(db) == due
