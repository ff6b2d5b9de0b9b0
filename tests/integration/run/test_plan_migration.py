"""What waits becomes plans and back, of a shop in full swing: clients see the same throughout."""

from collections.abc import Iterator
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from sqlalchemy import Row, select, text

from app import clock as clocks
from app import db as databases
from app.bookings import service as bookings
from app.bookings import undo
from app.db import Database
from app.messages import service, statistics
from app.messages.lifecycle import claims
from app.messages.tick import Process, tick
from app.models.booking import Booking
from app.models.plan import Plan
from app.run.migrate import alone
from tests import factories
from tests.conftest import Configure
from tests.fake_twilio import FakeTwilio, Fault
from tests.integration.run.test_migrations import config
from tests.support import lifecycle
from tests.support.databases import copy_migrated
from tests.support.frozen import FrozenClock
from tests.support.postgres import Postgres

BEFORE = "0014"


@pytest.fixture(params=["sqlite", "postgres"])
def own(request: pytest.FixtureRequest, tmp_path: Path, configure: Configure) -> Iterator[Database]:
    """A migrated database that no other test uses: what `app.db.database()` returns."""
    if request.param == "sqlite":
        copy_migrated(tmp_path / "own.db")
        configure(DATABASE_URL=f"sqlite:///{tmp_path / 'own.db'}")
        yield databases.database()
        return
    cluster: Postgres = request.getfixturevalue("postgres_cluster")
    name = cluster.create_migrated()
    configure(DATABASE_URL=cluster.url(name))
    yield databases.database()
    databases.database().close()
    cluster.drop(name)


def migrate(database: Database, to: str) -> None:
    with alone(database) as connection:
        act = command.downgrade if to == BEFORE else command.upgrade
        act(config(connection), to)


def told(database: Database) -> dict[str, Any]:
    """What clients are told of each booking's reminders, and of all."""
    with database.read() as session:
        ids = session.scalars(select(Booking.id)).all()
        answers: dict[str, Any] = {each: service.reminders(session, each) for each in ids}
        return answers | {"stats": statistics.stats(session)}


def rows(database: Database) -> list[Row[Any]]:
    """The messages, but for `updated_at` of what a tick has skipped or made."""
    with database.read() as session:
        return list(session.execute(text("SELECT * FROM message ORDER BY id")))


def fill_in_full_swing(database: Database, clock: FrozenClock, twilio: FakeTwilio) -> None:
    """Something was sent, refused, is tried, uncertain, held; moved, cancelled, undone, quiet."""
    clock.set(datetime(2026, 11, 26, 12, 3, 7, 123456, UTC))
    with database.write() as session:
        factories.shop(session)
        factories.service(session)
        factories.barber(session)
    phones = [factories.phone() for _ in range(8)]
    made = [lifecycle.book(database, 40, customer_phone=phone) for phone in phones]
    twilio.script(phones[0], [Fault.error(400, 63024)])
    twilio.script(phones[1], [Fault.error(503, 20503)])
    twilio.script(phones[2], [Fault("reset_before")])
    _work(clock, hours=2)
    with database.write() as session:
        factories.shop(session, quiet_from=time(21), quiet_until=time(8), time_zone="UTC")
    lifecycle.move(database, made[3], 50)
    lifecycle.cancel(database, made[4])
    with database.write() as session:
        bookings.cancel(session, made[5], "user:1", undo.UNDO_FOR)
        undo.undo_cancel(session, made[5], "user:1")
    lifecycle.book(database, 30, customer_phone=factories.phone())
    with database.write() as session:
        factories.shop(session, quiet_from=None, quiet_until=None, reminder_every=100)
    lifecycle.book(database, 0.5, customer_phone=factories.phone())
    clock.move(hours=2)
    lifecycle.materialize_due()
    with database.write() as session:
        assert isinstance(claims.claim(session, f"{made[6]}-reminder-2"), claims.Claim)


def _work(clock: FrozenClock, **duration: float) -> None:
    clock.move(**duration)
    tick(Process())
    lifecycle.work()


@pytest.mark.usefixtures("valkey")
def test_down_and_up_again_nobody_is_told_anything_else_and_the_rows_come_back(
    own: Database, clock: FrozenClock, twilio: FakeTwilio
) -> None:
    fill_in_full_swing(own, clock, twilio)
    before = told(own)
    states = {each.state for name, some in before.items() if name != "stats" for each in some}
    assert states == {"delayed", "active", "completed", "failed", "cancelled", "skipped", "waiting"}

    migrate(own, BEFORE)
    stored = rows(own)
    assert len(stored) == sum(len(some) for name, some in before.items() if name != "stats") + 2
    migrate(own, "head")
    assert told(own) == before

    with own.read() as session:
        plans = session.scalars(select(Plan)).all()
    assert {plan.next_number for plan in plans} == {plan.first_number for plan in plans}
    assert sum(plan.to_come for plan in plans) > 100
    migrate(own, BEFORE)
    assert rows(own) == stored


@pytest.mark.usefixtures("valkey")
def test_what_became_plans_is_sent_when_its_time_comes(
    own: Database, clock: FrozenClock, twilio: FakeTwilio
) -> None:
    with own.write() as session:
        factories.shop(session)
        factories.service(session)
        factories.barber(session)
    booking_id = lifecycle.book(own, 10)
    migrate(own, BEFORE)
    migrate(own, "head")

    for _ in range(4):
        _work(clock, hours=2)

    assert [state for state, _ in lifecycle.states(own, booking_id)] == ["sent"] * 4
    assert len(twilio.messages()) == 4
    assert clocks.now() < lifecycle.booking(own, booking_id).starts_at + timedelta(hours=1)
