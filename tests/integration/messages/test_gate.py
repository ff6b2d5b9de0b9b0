"""Whether anything may go out: pauses by staff, the breaker and its probes, slowing down."""

from datetime import UTC, datetime, timedelta
from typing import cast

import pytest
from sqlalchemy import select

from app.db import Database
from app.messages import gate
from app.models.staff import AuditEvent
from app.whatsapp.errors import explain
from tests.fake_twilio import FakeTwilio
from tests.support.frozen import FrozenClock
from tests.support.lifecycle import at_once, deliver, due_message, message, sending

pytestmark = pytest.mark.usefixtures("clock", "valkey")

START = datetime(2026, 11, 23, tzinfo=UTC)


def may_start(db: Database, clock: FrozenClock) -> bool:
    with db.write() as session:
        return gate.may_start(session, gate.state(session), clock.now())


def stop(db: Database, code: str = "20003") -> None:
    with db.write() as session:
        gate.stop(session, code)


def test_while_staff_have_paused_sending_nothing_starts_and_then_all_does(
    db: Database, clock: FrozenClock, twilio: FakeTwilio
) -> None:
    job_id = due_message(db)
    with db.write() as session:
        gate.pause(session, "user:1")
        gate.pause(session, "user:2")
    assert (sending(db).paused_at, sending(db).paused_by) == (clock.now(), "user:1")

    assert deliver(job_id) is None
    row = message(db, job_id)
    assert (row.state, row.enqueued_at, twilio.posts()) == ("pending", None, [])

    with db.write() as session:
        gate.resume(session, "user:2")
        gate.resume(session, "user:2")
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
    row = sending(db)
    assert (row.breaker_code, row.probes) == ("20003", 1)
    assert row.probe_at == clock.now() + timedelta(seconds=30)

    for _ in range(2):
        with db.write() as session:
            gate.go(session)
    row = sending(db)
    assert (row.breaker_code, row.breaker_at, row.probe_at, row.probes) == (
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
        until = clock.now() + timedelta(seconds=20)
        assert gate.slow_down(session, until) == until
        assert gate.slow_down(session, clock.now() + timedelta(seconds=5)) == until

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
        assert gate.pause_for(session, explain(63024)) is None
        assert gate.pause_for(session, explain(20500)) is None
        assert gate.pause_for(session, explain(20429), 3.0) == now + timedelta(seconds=3)
        assert gate.pause_for(session, explain(63018)) == now + timedelta(minutes=15)
        assert gate.pause_for(session, explain(20003)) == now + timedelta(seconds=60)


# --- limits of WhatsApp's and of the account's ---


def limited(db: Database, code: int = 63018) -> datetime:
    """A limit is met; returns until when sending waits."""
    with db.write() as session:
        return cast(datetime, gate.pause_for(session, explain(code)))


def arrived(db: Database, started_at: datetime) -> None:
    with db.write() as session:
        gate.note_arrival(session, started_at)


@pytest.mark.parametrize("code", [63017, 63018])
def test_a_limit_that_is_met_three_times_in_a_row_makes_sending_wait_for_a_day(
    db: Database, clock: FrozenClock, code: int
) -> None:
    pauses = []
    for _ in range(4):
        clock.set(until := limited(db, code))
        pauses.append(until)

    hours = [0.25, 0.5, 24.5, 48.5]
    assert pauses == [START + timedelta(hours=each) for each in hours]


def test_a_limit_that_many_messages_meet_at_once_counts_once(
    db: Database, clock: FrozenClock
) -> None:
    until = clock.now() + timedelta(minutes=15)
    assert at_once(*[lambda: limited(db)] * 8) == [until] * 8
    clock.move(minutes=10)

    assert limited(db) == until
    assert sending(db).slowed == 1


def test_a_limit_is_forgotten_when_a_message_begun_after_its_pause_has_reached_whatsapp(
    db: Database, clock: FrozenClock
) -> None:
    before = clock.now()
    for _ in range(2):
        clock.set(limited(db))
    arrived(db, before)  # a late receipt says nothing of the limit
    assert sending(db).slowed == 2

    clock.move(seconds=1)
    arrived(db, clock.now())

    assert sending(db).slowed == 0
    assert limited(db) == clock.now() + timedelta(minutes=15)


def test_a_short_pause_for_another_reason_does_not_hide_a_limit(
    db: Database, clock: FrozenClock
) -> None:
    with db.write() as session:
        gate.pause_for(session, explain(20429), 30.0)

    assert limited(db) == clock.now() + timedelta(minutes=15)


@pytest.mark.parametrize(
    ("met", "until"),
    [
        ("2026-11-23T14:00:00Z", "2026-11-24T00:05:00Z"),
        ("2026-11-23T23:59:59Z", "2026-11-24T00:05:00Z"),
        ("2026-11-24T00:02:00Z", "2026-11-24T00:05:00Z"),  # Twilio's day may end after ours
        ("2026-11-24T00:05:00Z", "2026-11-25T00:05:00Z"),
    ],
)
def test_the_accounts_daily_limit_holds_until_the_next_day_of_utc(
    sqlite_db: Database, clock: FrozenClock, met: str, until: str
) -> None:
    clock.set(datetime.fromisoformat(met))

    assert limited(sqlite_db, 63038) == datetime.fromisoformat(until)


# --- what WhatsApp refuses after Twilio has accepted it ---


def test_an_error_of_whatsapps_is_repaired_only_when_a_message_begun_later_reaches_whatsapp(
    db: Database, clock: FrozenClock
) -> None:
    before = clock.now() - timedelta(seconds=1)
    stop(db, "63016")
    clock.move(seconds=60)
    with db.write() as session:
        gate.go(session)  # Twilio accepted the probe, which it did with the others too
    arrived(db, before)
    arrived(db, cast(datetime, sending(db).breaker_at))
    assert sending(db).breaker_code == "63016"

    arrived(db, clock.now())

    assert sending(db).breaker_code is None
    assert sending(db).probe_at is None


# --- who fetches the replies that we missed ---


def test_of_many_workers_one_fetches_missed_replies_every_five_minutes(
    db: Database, clock: FrozenClock
) -> None:
    def is_turn() -> bool:
        known = sending(db)
        with db.write() as session:
            return gate.are_replies_due(known) and gate.may_fetch_replies(session, known)

    for _ in range(3):
        assert sum(at_once(*[is_turn] * 5)) == 1
        clock.move(minutes=4, seconds=59)
        assert not is_turn()
        clock.move(seconds=1)
