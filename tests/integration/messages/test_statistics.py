"""The figures of the queue, counted in the database."""

from datetime import timedelta
from typing import Any

import pytest

from app.dashboard.queue.chart import HEIGHT, WIDTH, draw
from app.db import Database
from app.messages import statistics
from app.messages.statistics import Lateness, Minute
from app.models.booking import Booking
from app.models.message import DailySent, Worker
from tests import factories
from tests.support.frozen import FrozenClock

pytestmark = pytest.mark.usefixtures("clock")


def add(db: Database, *states: str, **values: Any) -> None:
    """A booking with a message in each of these states."""
    with db.write() as session:
        of = factories.booking(session)
        for state in states:
            factories.message(session, of, state, **values)


def sent(db: Database, seconds_ago: float, late: float = 0, **values: Any) -> None:
    """A message that was sent so long ago, so many seconds after its time."""
    at = factories.clock.now() - timedelta(seconds=seconds_ago)
    add(db, "sent", sent_at=at, due_at=at - timedelta(seconds=late), **values)


def minutes(db: Database) -> list[Minute]:
    with db.read() as session:
        return statistics.per_minute(session)


def lateness(db: Database) -> Lateness:
    with db.read() as session:
        return statistics.lateness(session)


def test_each_state_is_counted_under_the_apis_word(db: Database, clock: FrozenClock) -> None:
    add(db, "pending", due_at=clock.now() + timedelta(hours=1))
    add(db, "pending", "sending", "failed", "cancelled", "skipped", "sent")
    add(db, "uncertain", "failed")
    with db.write() as session:
        session.add(DailySent(day=clock.now().date(), messages=7))
        session.add(DailySent(day=clock.now().date() - timedelta(days=1), messages=2))
    with db.read() as session:
        stats = statistics.stats(session)
    figures = {"waiting": 1, "active": 2, "completed": 9, "failed": 2, "delayed": 1}
    assert stats == statistics.Stats(**figures, oldest_due_at=clock.now())


def test_the_last_hour_has_sixty_minutes_the_oldest_first(db: Database, clock: FrozenClock) -> None:
    clock.move(hours=2, minutes=5, seconds=30)
    hour = minutes(db)
    assert [each.starts_at for each in hour] == [
        clock.now().replace(second=0) - timedelta(minutes=59 - turn) for turn in range(60)
    ]
    assert all(each.sent == each.failed == 0 for each in hour)


def test_sent_and_failed_are_counted_in_their_minute_and_older_ones_in_none(
    db: Database, clock: FrozenClock
) -> None:
    clock.move(hours=2, seconds=30)
    for seconds_ago in (0, 29, 31, 60 * 59, 60 * 59 + 31):
        sent(db, seconds_ago)
    add(db, "failed", updated_at=clock.now() - timedelta(minutes=2))
    add(db, "failed", updated_at=clock.now() - timedelta(hours=2))
    hour = minutes(db)
    assert {turn: each.sent for turn, each in enumerate(hour) if each.sent} == {0: 1, 58: 1, 59: 2}
    assert {turn: each.failed for turn, each in enumerate(hour) if each.failed} == {57: 1}


def test_lateness_is_the_median_and_the_99th_of_100(db: Database, clock: FrozenClock) -> None:
    clock.move(hours=2)
    with db.write() as session:
        of = factories.booking(session)
        for turn in range(100):
            at = clock.now() - timedelta(minutes=1)
            due = at - timedelta(seconds=turn)
            factories.message(session, of, "sent", sent_at=at, due_at=due, planned_for=due)
    assert lateness(db) == Lateness(median=50.0, p99=99.0)


def test_lateness_knows_nothing_of_retries_nor_of_more_than_an_hour_ago(
    db: Database, clock: FrozenClock
) -> None:
    clock.move(hours=2)
    sent(db, 10, late=500, attempts=2)
    sent(db, 3700, late=500)
    assert lateness(db) == Lateness(None, None)
    sent(db, 10, late=-0.5)
    assert lateness(db) == Lateness(0.0, 0.0)


def test_what_is_due_next_comes_first_with_its_booking(db: Database, clock: FrozenClock) -> None:
    for hours in (3, 1, 2):
        add(db, "pending", due_at=clock.now() + timedelta(hours=hours))
    add(db, "sent", "failed")
    with db.read() as session:
        due = statistics.next_due(session, 2)
    assert [each.due_at - clock.now() for each in due] == [
        timedelta(hours=1),
        timedelta(hours=2),
    ]
    assert all(isinstance(each.booking, Booking) for each in due)


def test_a_worker_that_was_not_seen_for_a_minute_counts_as_dead(
    db: Database, clock: FrozenClock
) -> None:
    now = clock.now()
    with db.write() as session:
        for name, ago in (("old", 59), ("dead", 60), ("new", 0)):
            seen = now - timedelta(seconds=ago)
            born = now - timedelta(hours=1 if name != "new" else 0)
            row = Worker(id=name, host="a", pid=1, threads=2, started_at=born, seen_at=seen)
            session.add(row)
    with db.read() as session:
        assert [each.id for each in statistics.workers(session)] == ["old", "new"]


def test_bars_stand_side_by_side_with_what_failed_on_top(clock: FrozenClock) -> None:
    now = clock.now()
    hour = [Minute(now + timedelta(minutes=turn), 0, 0) for turn in range(60)]
    hour[3] = Minute(now, sent=6, failed=4)
    hour[59] = Minute(now, sent=1000, failed=0)
    chart = draw(hour)
    first, failed, tall = chart.bars
    assert (first.kind, failed.kind, tall.kind) == ("sent", "failed", "sent")
    assert failed.y + failed.height == pytest.approx(first.y)
    assert first.y + first.height == pytest.approx(HEIGHT)
    assert first.x == failed.x == pytest.approx(3 * WIDTH / 60 + 1)
    assert (tall.y, tall.height) == (0, HEIGHT)
    assert tall.x + tall.width <= WIDTH
    assert first.height >= 3
    assert (chart.sent, chart.failed, chart.top) == (1006, 4, 1000)
    assert chart.busiest == hour[59]


def test_an_empty_hour_is_a_chart_without_bars(clock: FrozenClock) -> None:
    chart = draw([Minute(clock.now(), 0, 0)] * 60)
    assert (chart.bars, chart.busiest, chart.top) == ([], None, 5)
