"""Whether anything may go out: pauses by staff, the breaker and its probes, slowing down."""

from datetime import timedelta

import pytest
from sqlalchemy import select

from app.db import Database
from app.messages import sender
from app.messages.delivery import deliver
from app.staff.models import AuditEvent
from app.whatsapp.errors import explain
from tests.fake_twilio import FakeTwilio
from tests.support.frozen import FrozenClock
from tests.support.lifecycle import at_once, due_message, message, sending

pytestmark = pytest.mark.usefixtures("clock", "valkey")


def may_start(db: Database, clock: FrozenClock) -> bool:
    with db.write() as session:
        return sender.may_start(session, clock.now())


def stop(db: Database, code: str = "20003") -> None:
    with db.write() as session:
        sender.stop(session, code)


def test_while_staff_have_paused_sending_nothing_starts_and_then_all_does(
    db: Database, clock: FrozenClock, twilio: FakeTwilio
) -> None:
    job_id = due_message(db)
    with db.write() as session:
        sender.pause(session, "user:1")
        sender.pause(session, "user:2")
    assert (sending(db).paused_at, sending(db).paused_by) == (clock.now(), "user:1")

    assert deliver(job_id) is None
    row = message(db, job_id)
    assert (row.state, row.fed_at, twilio.posts()) == ("pending", None, [])

    with db.write() as session:
        sender.resume(session, "user:2")
        sender.resume(session, "user:2")
    assert deliver(job_id) is None
    assert len(twilio.messages()) == 1
    with db.read() as session:
        events = session.scalars(select(AuditEvent.action).order_by(AuditEvent.id)).all()
    assert events == ["sending.paused", "sending.resumed"]


def test_the_breaker_opens_once_and_closes_once_however_many_errors_and_successes_come(
    db: Database, clock: FrozenClock
) -> None:
    stop(db, "20003")
    clock.move(seconds=30)
    stop(db, "21212")
    found = sending(db)
    assert (found.breaker_code, found.probes) == ("20003", 1)
    assert found.probe_at == clock.now() + timedelta(seconds=30)

    for _ in range(2):
        with db.write() as session:
            sender.go(session)
    found = sending(db)
    assert (found.breaker_code, found.breaker_at, found.probe_at, found.probes) == (
        None,
        None,
        None,
        0,
    )


def test_one_probe_may_start_when_its_time_comes_and_then_none_until_the_next(
    db: Database, clock: FrozenClock
) -> None:
    stop(db)
    for pause in (60, 300, 900, 900):
        clock.move(seconds=pause - 1)
        assert not may_start(db, clock)
        clock.move(seconds=1)
        assert sum(at_once(*[lambda: may_start(db, clock)] * 5)) == 1
        assert not may_start(db, clock)


def test_a_later_slowing_down_holds_and_a_sooner_one_changes_nothing(
    db: Database, clock: FrozenClock
) -> None:
    with db.write() as session:
        sender.slow_down(session, timedelta(seconds=20))
        sender.slow_down(session, timedelta(seconds=5))

    assert not may_start(db, clock)
    clock.move(seconds=19)
    assert not may_start(db, clock)
    clock.move(seconds=1)
    assert may_start(db, clock)


def test_an_error_pauses_sending_only_if_it_would_meet_every_message(
    db: Database, clock: FrozenClock
) -> None:
    now = clock.now()
    with db.write() as session:
        assert sender.pause_for(session, explain(63024)) is None
        assert sender.pause_for(session, explain(20500)) is None
        assert sender.pause_for(session, explain(20429), 3.0) == now + timedelta(seconds=3)
        assert sender.pause_for(session, explain(63018)) == now + timedelta(minutes=15)
        assert sender.pause_for(session, explain(20003)) == now + timedelta(seconds=60)
