"""Plans: what becomes of their reminders, and that nobody can tell those that have no row yet."""

from datetime import UTC, datetime, time, timedelta
from functools import partial

import pytest
from sqlalchemy import func, select, text

from app.dashboard.beads import reminders_of
from app.dashboard.labels import beads
from app.dashboard.live import take_snapshot
from app.db import Database
from app.errors import Conflict
from app.messages import failures, planned, service, statistics
from app.messages.lifecycle import claims, materialize
from app.messages.tick import Process, tick
from app.models.message import Message
from app.models.plan import Plan, ReminderTimes
from tests import factories
from tests.fake_twilio import FakeTwilio
from tests.support.frozen import FrozenClock
from tests.support.lifecycle import (
    at_once,
    book,
    cancel,
    materialize_due,
    messages,
    move,
    states,
    work,
)
from tests.support.statements import counted

pytestmark = pytest.mark.usefixtures("clock", "valkey")

MONTH = 30 * 24


def rows(db: Database) -> int:
    with db.read() as session:
        return session.scalar(select(func.count()).select_from(Message)) or 0


def plan_of(db: Database, booking_id: str) -> Plan:
    with db.read() as session:
        return session.scalars(select(Plan).where(Plan.booking_id == booking_id)).one()


def quiet(db: Database, begins: time | None, ends: time | None) -> None:
    with db.write() as session:
        factories.shop(session, quiet_from=begins, quiet_until=ends, time_zone="UTC")


# --- what is written ---


def test_a_booking_its_move_and_its_cancel_write_as_little_for_a_month_ahead_as_for_a_day(
    db: Database,
) -> None:
    def written(hours: float) -> list[list[str]]:
        """The statements of the making, the move and the cancel."""
        with counted(db) as made:
            booking_id = book(db, hours, customer_phone=factories.phone())
        with counted(db) as moved:
            move(db, booking_id, hours + 5)
        with counted(db) as cancelled:
            cancel(db, booking_id)
        return [made, moved, cancelled]

    written(24)
    assert written(24) == written(MONTH)
    assert rows(db) == 3, "the cancellations"


def test_a_reminder_becomes_a_message_five_minutes_before_its_time(
    db: Database, clock: FrozenClock
) -> None:
    booking_id = book(db)
    clock.move(minutes=114)
    materialize_due()
    assert rows(db) == 0
    clock.move(minutes=1)
    materialize_due()
    assert rows(db) == 1
    plan = plan_of(db, booking_id)
    assert (plan.next_number, plan.next_at, plan.to_come) == (
        2,
        clock.now() + timedelta(hours=2, minutes=5),
        3,
    )


def test_workers_that_tick_at_once_make_each_message_once(db: Database, clock: FrozenClock) -> None:
    ids = [book(db, MONTH, customer_phone=factories.phone()) for _ in range(12)]
    clock.move(hours=7)

    at_once(*[materialize_due] * 4, *[partial(claim, db, f"{each}-reminder-1") for each in ids[:4]])

    assert rows(db) == 12 * 3
    assert {plan_of(db, each).next_number for each in ids} == {4}
    assert {plan_of(db, each).to_come for each in ids} == {356}


def claim(db: Database, job_id: str) -> object:
    with db.write() as session:
        return claims.claim(session, job_id)


def test_a_cancel_while_workers_tick_leaves_nothing_to_come(
    db: Database, clock: FrozenClock
) -> None:
    ids = [book(db, 10, customer_phone=factories.phone()) for _ in range(10)]
    clock.move(hours=2)

    at_once(materialize_due, *[partial(cancel, db, each) for each in ids], materialize_due)

    for each in ids:
        assert set(states(db, each)) == {("cancelled", "booking_cancelled")}


def test_much_that_became_due_of_a_plan_is_made_in_several_transactions(
    db: Database, clock: FrozenClock
) -> None:
    with db.write() as session:
        of = factories.booking(session, clock.now() + timedelta(hours=1))
        every = timedelta(seconds=1)
        materialize.make(session, of.id, ReminderTimes(clock.now() + every, every, 1_500))
    assert rows(db) == 300
    clock.move(minutes=15)
    with db.write() as session:
        assert materialize.materialize_due(session) == 1
    assert rows(db) == 800
    materialize_due()
    assert rows(db) == 15 * 60 + 300
    assert [each.number for each in messages(db, of.id)] == list(range(1, 1_501))


def test_a_message_that_is_there_already_does_not_stop_the_tick(
    db: Database, clock: FrozenClock
) -> None:
    """As after a restore, whose SQL makes them."""
    booking_id = book(db)
    with db.write() as session:
        of = session.get_one(factories.Booking, booking_id)
        factories.message(session, of, "sent", number=1, planned_for=clock.now())
    clock.move(hours=4)
    materialize_due()
    assert states(db, booking_id) == [("sent", None), *[("pending", None)] * 3]
    assert plan_of(db, booking_id).next_number == 3


# --- the newest only, also of what has no row yet ---


def test_an_older_reminder_is_not_sent_when_a_newer_one_is_due_that_no_tick_has_made(
    db: Database, clock: FrozenClock, twilio: FakeTwilio
) -> None:
    booking_id = book(db)
    clock.move(hours=2)
    materialize_due()
    clock.move(hours=2)

    assert claim(db, f"{booking_id}-reminder-1") is None

    assert states(db, booking_id)[0] == ("skipped", "superseded")


def test_one_that_comes_after_what_is_quiet_now_is_seen_too(
    db: Database, clock: FrozenClock
) -> None:
    """Of a plan SQL sees the next reminder alone, which these quiet hours leave out."""
    booking_id = book(db)
    clock.move(hours=2)
    materialize_due()
    quiet(db, time(3), time(5))
    clock.move(hours=4)

    assert claim(db, f"{booking_id}-reminder-1") is None

    assert states(db, booking_id)[:3] == [
        ("skipped", "superseded"),
        ("pending", None),
        ("pending", None),
    ]


def test_a_failed_one_is_past_help_when_a_newer_one_is_due_that_no_tick_has_made(
    db: Database, clock: FrozenClock
) -> None:
    booking_id = book(db)
    clock.move(hours=2)
    with db.write() as session:
        of = session.get_one(factories.Booking, booking_id)
        job_id = factories.message(session, of, "failed").id
        session.execute(text("UPDATE plan SET next_number = 2, to_come = 3, next_at = :at"), {
            "at": (clock.now() + timedelta(hours=2)).replace(tzinfo=None)
            if session.get_bind().dialect.name == "sqlite" else clock.now() + timedelta(hours=2)
        })  # fmt: skip
    with db.read() as session:
        assert failures.worth_retrying(session) == [job_id]
    clock.move(hours=2)
    with db.read() as session:
        assert failures.worth_retrying(session) == []
    with db.write() as session, pytest.raises(Conflict, match="newer reminder"):
        service.retry(session, job_id, "user:1")


def test_after_an_outage_the_newest_is_sent_and_the_others_stand_there_as_skipped(
    db: Database, clock: FrozenClock, twilio: FakeTwilio
) -> None:
    booking_id = book(db, MONTH)
    clock.move(days=5)
    tick(Process())
    work()
    told = states(db, booking_id)
    assert told[:60] == [("skipped", "superseded")] * 59 + [("sent", None)]
    assert len(twilio.messages()) == 1


# --- what is read ---


def test_a_reminder_without_a_row_looks_like_one_that_has_one(
    db: Database, clock: FrozenClock
) -> None:
    booking_id = book(db)

    def shown() -> list[tuple[object, ...]]:
        names = planned.PlannedReminder._fields
        with db.read() as session:
            found = planned.messages_of(session, booking_id)
        left_out = {"booking", "enqueued_at"}
        return [tuple(getattr(each, name) for name in names if name not in left_out)
                for each in found]  # fmt: skip

    before = shown()
    with db.write() as session:
        session.execute(text("UPDATE plan SET next_number = 5, next_at = NULL, to_come = 0"))
        [plan] = session.scalars(select(Plan))
        for step in range(4):
            at = plan.first_at + step * timedelta(hours=2)
            row = materialize.new_message(booking_id, "reminder", step + 1, at,
                                          updated_at=plan.made_at)  # fmt: skip
            materialize.insert_messages(session, [row])
    assert shown() == before


def test_a_retry_of_what_has_no_row_says_why_not(db: Database) -> None:
    booking_id = book(db)
    for act, state in ((lambda: None, "pending"), (lambda: cancel(db, booking_id), "cancelled")):
        act()
        with db.write() as session, pytest.raises(Conflict, match=f"is {state}, not failed"):
            service.retry_reminder(session, booking_id, 3, "user:1")


def test_counters_cost_the_same_for_any_number_and_tell_what_no_worker_has_seen(
    db: Database, clock: FrozenClock
) -> None:
    book(db, MONTH)
    quiet(db, time(3), time(7))
    book(db, 12, customer_phone=factories.phone())
    with db.read() as session, counted(db) as statements:
        db.kept.clear()
        stats = statistics.stats(session)
    assert (stats.waiting, stats.delayed) == (0, 359 + 3)
    assert len([each for each in statements if each.startswith("SELECT")]) == 1
    clock.move(hours=9)
    with db.read() as session:
        stats = statistics.stats(session)
    assert (stats.waiting, stats.delayed) == (4 + 2, 355 + 1)


def test_what_is_due_next_is_found_among_messages_and_plans(
    db: Database, clock: FrozenClock
) -> None:
    near, far = book(db, 10), book(db, 9, customer_phone=factories.phone())
    with db.write() as session:
        extra = factories.booking(session)
        factories.message(session, extra, due_at=clock.now() + timedelta(hours=3))
    quiet(db, time(1), time(3))
    with db.read() as session:
        due = statistics.next_due(session, 5)
    assert [f"{each.due_at:%H}" for each in due] == ["03", "04", "04", "06", "06"]
    assert {each.booking_id for each in due} == {near, far, extra.id}
    assert all(each.booking.customer_name for each in due)


def test_beads_count_what_has_a_row_and_what_has_none(db: Database, clock: FrozenClock) -> None:
    quiet(db, time(21), time(8))
    booking_id = book(db, 100)
    quiet(db, None, None)
    clock.set(datetime(2026, 11, 23, 12, 1, tzinfo=UTC))

    def summary() -> str:
        with db.read() as session:
            return beads(reminders_of(session, [booking_id])[booking_id], clock.now()).summary

    assert summary() == "21 skipped, 3 due, 25 planned"
    materialize_due()
    assert summary() == "21 skipped, 3 due, 25 planned"
    cancel(db, booking_id)
    assert summary() == "21 skipped"


def test_the_live_stream_tells_of_what_becomes_due_while_no_worker_works(
    db: Database, clock: FrozenClock
) -> None:
    booking_id = book(db)
    for number in (1, 2):
        clock.move(hours=2, seconds=-1)
        with db.read() as session:
            before = take_snapshot(session).changes
        clock.move(seconds=1)
        with db.read() as session:
            after = take_snapshot(session).changes
        assert {each.message_id for each in after - before} == {f"{booking_id}-reminder-{number}"}
