"""The five counters: what the rows say, at the price of ten looks a second."""

import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from random import Random

import pytest
from sqlalchemy import select

from app.db import Database
from app.messages import delivery, planned, statistics
from app.messages.statistics import Stats
from app.models.booking import Booking
from app.models.message import DailySent
from tests import factories
from tests.fake_twilio import FakeTwilio
from tests.integration.conftest import body
from tests.support.frozen import FrozenClock
from tests.support.lifecycle import book, cancel, materialize_due, move
from tests.support.statements import listening
from tests.support.valkey import Valkey
from tests.support.web import Client

LOOK = "daily_sent"
"""A word that only the look has, of what is asked here."""


def counters(db: Database) -> Stats:
    with db.read() as session:
        return statistics.stats(session)


def counted_by_hand(db: Database, clock: FrozenClock) -> Stats:
    """Every message of every booking, also those that are still arithmetic."""
    with db.read() as session:
        bookings = session.scalars(select(Booking.id)).all()
        rows = [row for each in bookings for row in planned.messages_of(session, each)]
    due = [row.due_at for row in rows if row.state == "pending" and row.due_at <= clock.now()]
    states = [row.state for row in rows]
    return Stats(
        waiting=len(due),
        active=states.count("sending") + states.count("uncertain"),
        completed=states.count("sent"),
        failed=sum(row.state == "failed" and row.dismissed_at is None for row in rows),
        delayed=states.count("pending") - len(due),
        oldest_due_at=min(due, default=None),
    )


def test_what_this_process_sends_is_counted_at_once(
    db: Database, valkey: Valkey, clock: FrozenClock, twilio: FakeTwilio
) -> None:
    job_id = f"{book(db, 3)}-reminder-1"
    clock.move(hours=2)
    materialize_due()
    assert counters(db).waiting == 1
    delivery.deliver(job_id)
    assert counters(db) == Stats(waiting=0, active=0, completed=1, failed=0, delayed=0)


@pytest.mark.parametrize("seed", range(3))
def test_they_equal_the_rows(db: Database, valkey: Valkey, clock: FrozenClock, seed: int) -> None:
    random = Random(seed)
    in_flight = ("sending", "uncertain")  # of which a person has one
    others = ("pending", "sent", "failed", "cancelled", "skipped")
    for turn in range(8):
        with db.write() as session:
            of = factories.booking(session, starts_at=clock.now() + timedelta(days=2))
            for state in [random.choice(in_flight), *random.choices(others, k=4)]:
                due_at = clock.now() + timedelta(seconds=random.randint(-900, 900))
                factories.message(session, of, state, due_at=due_at, planned_for=due_at)
        ids = [book(db, random.choice((1, 5, 30, 700))) for _ in range(2)]
        match random.choice(("cancel", "move", "leave")):
            case "cancel":
                cancel(db, ids[0])
            case "move":
                move(db, ids[0], 50 + turn)
        clock.move(hours=random.choice((0, 1, 3)))
        _count_sent(db, clock)
        assert counters(db) == counted_by_hand(db, clock)


def _count_sent(db: Database, clock: FrozenClock) -> None:
    """Factories make rows that nobody has counted as sent."""
    sent = counted_by_hand(db, clock).completed
    with db.write() as session:
        session.merge(DailySent(day=clock.now().date(), messages=0)).messages = 0
        session.flush()
        others = sum(session.scalars(select(DailySent.messages)))
        session.get_one(DailySent, clock.now().date()).messages = sent - others


def test_however_many_ask_it_is_counted_ten_times_a_second(api: Client, shop: Database) -> None:
    looks: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        looks.extend([statement] * (LOOK in statement))

    begun = time.monotonic()
    with listening(shop, "before_cursor_execute", note), ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(lambda _: api.get("/api/queue/stats"), range(200)))

    assert {answer.status_code for answer in answers} == {200}
    assert len(looks) <= 1 + (time.monotonic() - begun) / 0.1


def test_who_has_just_changed_something_is_told_so(
    api: Client, shop: Database, clock: FrozenClock
) -> None:
    assert api.get("/api/queue/stats").json()["delayed"] == 0
    api.post("/api/bookings", json=body())
    assert api.get("/api/queue/stats").json()["delayed"] == 4
    clock.move(hours=2, seconds=7.5)
    answer = api.get("/api/queue/stats").json()
    assert (answer["waiting"], answer["delayed"], answer["oldestDueSeconds"]) == (1, 3, 7)
