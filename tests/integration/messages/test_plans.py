"""Messages as a booking's changes make, cancel, skip and retry them."""

import contextlib
from dataclasses import replace
from datetime import time, timedelta

import pytest

from app.db import Database
from app.errors import Conflict
from app.messages.lifecycle import materialize, plans
from app.models.plan import ReminderTimes
from tests import factories
from tests.support.frozen import FrozenClock
from tests.support.lifecycle import (
    at_once,
    book,
    booking,
    cancel,
    due_message,
    materialize_due,
    message,
    messages,
    move,
    states,
)

pytestmark = pytest.mark.usefixtures("clock", "valkey")

PENDING = ("pending", None)
MOVED = ("cancelled", "rescheduled")


def test_a_booking_at_ten_made_at_midnight_has_reminders_at_two_four_six_and_eight(
    db: Database, clock: FrozenClock
) -> None:
    rows = messages(db, book(db))

    hours = [(row.planned_for - clock.now()) / timedelta(hours=1) for row in rows]
    assert hours == [2, 4, 6, 8]
    assert [row.number for row in rows] == [1, 2, 3, 4]
    assert [row.id for row in rows] == [f"{rows[0].booking_id}-reminder-{n}" for n in range(1, 5)]
    assert all((row.state, row.due_at, row.enqueued_at) == ("pending", row.planned_for, None)
               for row in rows)  # fmt: skip


def test_reminders_at_times_of_a_shops_own_become_messages_and_are_cancelled(
    db: Database, clock: FrozenClock
) -> None:
    with db.write() as session:
        factories.shop(session, own_times="1 day, 5 hours, 90 minutes")
    booking_id = book(db)  # at ten
    rows = messages(db, booking_id)
    assert [(row.planned_for - clock.now()) / timedelta(hours=1) for row in rows] == [5, 8.5]
    clock.move(hours=6)
    materialize_due()
    assert states(db, booking_id) == [PENDING] * 2
    cancel(db, booking_id)
    cancelled = ("cancelled", "booking_cancelled")
    assert [each for each in states(db, booking_id) if each != PENDING] == [cancelled] * 2


def test_numbers_count_on_over_moves_there_and_back_and_none_is_used_twice(
    db: Database, clock: FrozenClock
) -> None:
    booking_id = book(db)
    first = booking(db, booking_id).starts_at

    move(db, booking_id, 5)
    move(db, booking_id, (first - clock.now()) / timedelta(hours=1))

    rows = messages(db, booking_id)
    assert [row.number for row in rows] == list(range(1, 11))
    assert states(db, booking_id) == [MOVED] * 6 + [PENDING] * 4
    assert [row.planned_for for row in rows[:4]] == [row.planned_for for row in rows[6:]]


def test_a_slot_that_has_its_message_already_gets_no_second_one(
    db: Database, clock: FrozenClock
) -> None:
    with db.write() as session:
        of = factories.booking(session)
        slot = clock.now() + timedelta(hours=1)
        factories.message(session, of, "sending", planned_for=slot)
        enqueued = plans.add(session, of.id, "reminder", slot, slot + timedelta(hours=1))

    assert enqueued == []
    assert [row.number for row in messages(db, of.id)] == [1, 3]


def test_times_in_quiet_hours_are_skipped_messages_and_the_rest_keep_their_order(
    db: Database,
) -> None:
    with db.write() as session:
        factories.shop(session, quiet_from=time(3), quiet_until=time(7), time_zone="UTC")

    assert states(db, book(db)) == [
        PENDING,
        ("skipped", "quiet_hours"),
        ("skipped", "quiet_hours"),
        PENDING,
    ]


def test_a_plan_says_which_of_its_messages_belong_into_the_queue_now(
    db: Database, clock: FrozenClock
) -> None:
    with db.write() as session:
        of = factories.booking(session)
        every = timedelta(minutes=2)
        soon = ReminderTimes(clock.now() + timedelta(minutes=1), every, count=9)
        assert materialize.make(session, of.id, soon) == [
            f"{of.id}-reminder-1",
            f"{of.id}-reminder-2",
            f"{of.id}-reminder-3",
        ]
        assert materialize.make(session, of.id, replace(soon, count=0)) == []
    assert [row.number for row in messages(db, of.id)] == list(range(1, 10))


def test_a_cancel_cancels_what_waits_and_wishes_away_what_has_begun(
    db: Database, clock: FrozenClock
) -> None:
    begun = ("sending", "uncertain", "sent", "failed")
    ids = {}
    for state in (*begun, "pending", "skipped"):
        with db.write() as session:
            of = factories.booking(session)
            ids[state] = factories.message(session, of, state, enqueued_at=clock.now()).id
            enqueued = plans.cancel_pending(session, of.id, "booking_cancelled")
        assert enqueued == ([ids[state]] if state == "pending" else [])

    for state in begun:
        row = message(db, ids[state])
        assert (row.state, row.cancel_reason) == (state, "booking_cancelled")
    row = message(db, ids["pending"])
    assert (row.state, row.reason) == ("cancelled", "booking_cancelled")
    assert message(db, ids["skipped"]).cancel_reason is None


def test_a_cancellation_message_is_not_wished_away(db: Database) -> None:
    with db.write() as session:
        of = factories.booking(session, status="cancelled")
        job_id = factories.message(session, of, "sending", kind="cancellation").id
        plans.cancel_pending(session, of.id, "rescheduled")

    assert message(db, job_id).cancel_reason is None


def test_a_retry_gives_a_failed_message_a_new_set_of_tries_after_a_look(
    db: Database, clock: FrozenClock
) -> None:
    tried, untried = due_message(db, "failed", attempts=6, tries=5), due_message(db, "failed")
    clock.move(minutes=1)

    for job_id, is_looked_up in ((tried, True), (untried, False)):
        with db.write() as session:
            assert plans.retry(session, job_id)
            assert not plans.retry(session, job_id)
        row = message(db, job_id)
        assert (row.state, row.reason, row.tries, row.due_at) == ("pending", None, 0, clock.now())
        assert row.verify_first is is_looked_up
    assert message(db, tried).attempts == 6  # their numbers count on


def test_what_was_wished_away_or_has_not_failed_is_not_retried(db: Database) -> None:
    unwanted, sent = due_message(db, "failed", cancel_reason="rescheduled"), due_message(db, "sent")

    with db.write() as session:
        assert not plans.retry(session, unwanted)
        assert not plans.retry(session, sent)


def test_what_is_ineligible_is_listed_with_its_reason_the_oldest_first(
    db: Database, clock: FrozenClock
) -> None:
    superseded = f"{book(db, 5)}-reminder-1"
    passed = due_message(db, due_at=clock.now() + timedelta(hours=3))
    with db.write() as session:
        no_show = factories.booking(session, status="no_show")
        unwanted = factories.message(session, no_show, due_at=clock.now() + timedelta(hours=1)).id
    clock.move(hours=4)
    materialize_due()
    with db.read() as session:
        assert plans.ineligible(session, 10) == [
            (unwanted, "not_confirmed"),
            (superseded, "superseded"),
        ]
        assert plans.ineligible(session, 1) == [(unwanted, "not_confirmed")]
    clock.move(hours=6)
    with db.read() as session:
        assert (passed, "appointment_passed") in plans.ineligible(session, 10)


def test_moves_by_twenty_people_at_once_leave_one_plan(db: Database) -> None:
    booking_id = book(db)

    at_once(*[lambda hours=hours: move(db, booking_id, hours) for hours in range(11, 31)])

    rows = messages(db, booking_id)
    assert len({row.number for row in rows}) == len(rows)
    pending = [row for row in rows if row.state == "pending"]
    last = max(row.planned_for for row in pending)
    starts_at = booking(db, booking_id).starts_at
    assert timedelta(0) < starts_at - last <= timedelta(hours=2)
    assert [row.number for row in pending] == [row.number for row in rows[-len(pending) :]]


def test_a_cancel_and_moves_at_once_leave_nothing_pending_or_one_plan(db: Database) -> None:
    for _ in range(10):
        booking_id = book(db)

        def try_to_move(booking_id: str = booking_id) -> None:
            with contextlib.suppress(Conflict):
                move(db, booking_id, 20)

        at_once(lambda booking_id=booking_id: cancel(db, booking_id), try_to_move)

        assert {state for state, _ in states(db, booking_id)} == {"cancelled"}
        [told] = messages(db, booking_id, "cancellation")
        assert told.state == "pending"
