"""Another rule for reminders, for those who are booked already."""

from datetime import timedelta
from functools import partial

import pytest
from sqlalchemy import func, select

from app import clock as app_clock
from app.db import Database
from app.errors import Invalid
from app.messages import enqueue
from app.models.staff import AuditEvent
from app.reminders import replan
from app.reminders.replan import Outlook
from app.shop import changes
from app.shop.policy import Policy, of_shop
from tests import factories
from tests.support.frozen import FrozenClock
from tests.support.lifecycle import (
    at_once,
    book,
    booking,
    cancel,
    due_message,
    enqueued,
    materialize_due,
    message,
    messages,
    move,
    states,
)
from tests.support.statements import counted

pytestmark = pytest.mark.usefixtures("clock", "valkey")

ACTOR = "user:user_1"
PENDING = ("pending", None)
REPLACED = ("cancelled", "rule_changed")


def rule(db: Database, hours: float = 3, **others: object) -> Policy:
    """One every so many hours, as the shop's rule from now on."""
    with db.write() as session:
        row = changes.locked(session)
        row.reminder_every = round(hours * 3600)
        for name, value in others.items():
            setattr(row, name, value)
        return of_shop(row)


def apply(db: Database, policy: Policy) -> int:
    with db.write() as session:
        return replan.apply(session, policy, ACTOR)


def hours_to_come(db: Database, booking_id: str) -> list[float]:
    """In how many hours from now each pending reminder is due."""
    due = (each.due_at for each in messages(db, booking_id) if each.state == "pending")
    return [(at - app_clock.now()) / timedelta(hours=1) for at in due]


def test_those_to_come_are_planned_anew_counted_from_when_it_was_booked(
    db: Database, clock: FrozenClock
) -> None:
    booking_id, other = book(db), book(db, 30)
    over = book(db, 1)
    clock.move(hours=2, minutes=30)
    materialize_due()

    policy = rule(db)
    with db.read() as session:
        assert replan.outlook(session, policy) == Outlook(bookings=2, now=3 + 13, then=3 + 9)
    assert apply(db, policy) == 2

    assert hours_to_come(db, booking_id) == [-0.5, 0.5, 3.5, 6.5]
    assert [row.number for row in messages(db, booking_id)] == list(range(1, 8))
    assert states(db, booking_id) == [PENDING, *[REPLACED] * 3, *[PENDING] * 3]
    assert hours_to_come(db, other) == [-0.5, *(0.5 + 3 * turn for turn in range(9))]
    assert states(db, over) == []
    with db.read() as session:
        noted = select(func.count()).where(AuditEvent.action == "booking.replanned")
        assert session.scalar(noted) == 2


def test_again_and_after_a_move_it_counts_from_the_booking_or_the_move(
    db: Database, clock: FrozenClock
) -> None:
    booking_id = book(db)
    clock.move(hours=1)
    apply(db, rule(db, 20))  # no reminder fits
    assert hours_to_come(db, booking_id) == []
    apply(db, rule(db, 4))
    assert hours_to_come(db, booking_id) == [3, 7]

    apply(db, rule(db, 20))
    clock.move(hours=1)
    rule(db, 6)
    move(db, booking_id, 10)
    assert hours_to_come(db, booking_id) == [6]
    clock.move(minutes=30)
    apply(db, rule(db, 4))
    assert hours_to_come(db, booking_id) == [3.5, 7.5]


def test_times_of_the_shops_own_that_are_over_are_not_made_again(
    sqlite_db: Database, clock: FrozenClock
) -> None:
    booking_id = book(sqlite_db)
    clock.move(hours=3)
    assert apply(sqlite_db, rule(sqlite_db, own_times="8 hours, 90 minutes, 1 hour")) == 1
    assert hours_to_come(sqlite_db, booking_id)[-2:] == [5.5, 6]
    clock.move(hours=6, minutes=30)
    apply(sqlite_db, rule(sqlite_db, own_times="8 hours"))
    assert [at for at in hours_to_come(sqlite_db, booking_id) if at > 0] == []


def test_what_was_sent_is_due_or_was_tried_stays_and_what_is_in_the_queue_is_taken_back(
    db: Database, clock: FrozenClock
) -> None:
    booking_id = book(db, 24)
    clock.move(hours=1, minutes=57)
    materialize_due()
    soon = f"{booking_id}-reminder-1"
    tried = due_message(db, attempts=1, tries=1, due_at=clock.now() + timedelta(hours=1))
    late = due_message(db)
    apply(db, rule(db, 2.5))

    assert (message(db, soon).state, message(db, soon).reason) == REPLACED
    assert message(db, tried).state == message(db, late).state == "pending"
    assert hours_to_come(db, booking_id)[0] == pytest.approx(0.55)
    clock.move(minutes=30)
    materialize_due()
    enqueue.enqueue_due()
    assert soon not in enqueued()
    assert f"{booking_id}-reminder-12" in enqueued()


def test_a_cancel_at_the_same_time_ends_with_nothing_to_come(db: Database) -> None:
    policy = rule(db)
    for booking_id in [book(db) for _ in range(5)]:
        at_once(partial(cancel, db, booking_id), partial(apply, db, policy))
        assert booking(db, booking_id).status == "cancelled"
        assert hours_to_come(db, booking_id) == []


def test_a_rule_that_would_be_too_many_for_one_changes_nothing(
    sqlite_db: Database, clock: FrozenClock
) -> None:
    booking_id = book(sqlite_db, 48)
    policy = rule(sqlite_db, 0.005)
    with pytest.raises(Invalid) as raised:
        apply(sqlite_db, policy)
    [error] = raised.value.errors
    assert (error.field, "9599 reminders" in error.message) == ("also", True)
    assert states(sqlite_db, booking_id) == [PENDING] * 23


def test_a_thousand_bookings_take_few_statements(sqlite_db: Database, clock: FrozenClock) -> None:
    with sqlite_db.write() as session:
        for _ in range(1_000):
            factories.booking(session, clock.now() + timedelta(days=3))
    policy = rule(sqlite_db)
    with counted(sqlite_db) as statements:
        assert apply(sqlite_db, policy) == 1_000
    assert len([each for each in statements if "audit_event" not in each]) < 20
    with sqlite_db.read() as session:
        assert replan.outlook(session, policy) == Outlook(1_000, now=1_000 * 23, then=None)
