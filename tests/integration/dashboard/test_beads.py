"""The reminders of many bookings as their rows and blocks show them: few rows, all of them told."""

from datetime import datetime, timedelta

import pytest

from app import clock
from app.dashboard.beads import reminders_of
from app.dashboard.labels import MOST_BEADS, Beads, beads
from app.db import Database
from app.messages.receipt_ranks import ASK_AFTER
from app.models.message import Message
from tests import factories
from tests.support.frozen import FrozenClock
from tests.support.statements import counted


def add(db: Database, states: str, **values: object) -> str:
    """A booking with a reminder for each letter: s(ent), f(ailed), k(skipped), c(ancelled), p."""
    names = {"s": "sent", "f": "failed", "k": "skipped", "c": "cancelled", "p": "pending"}
    with db.write() as session:
        booking = factories.booking(session)
        for hours, letter in enumerate(states):
            due = clock.now() + timedelta(hours=hours + 1)
            factories.message(session, booking, names[letter], due_at=due, **values)
    return booking.id


def shown(db: Database, booking_id: str) -> Beads:
    with db.read() as session:
        return beads(reminders_of(session, [booking_id])[booking_id], clock.now())


def test_of_a_month_of_reminders_few_rows_are_read_and_all_are_counted(
    db: Database, clock: FrozenClock
) -> None:
    booking_id = add(db, "s" * 200 + "p" * 159)
    with db.read() as session:
        reminders = reminders_of(session, [booking_id])[booking_id]
    assert [(each.state, each.number, count) for each, count in reminders.near] == [
        ("sent", 193, 8),
        ("pending", 201, 8),
    ]
    assert [
        (each.state, count) for each, count in sorted(reminders.rest, key=lambda it: it[1])
    ] == [
        ("pending", 151),
        ("sent", 192),
    ]
    row = shown(db, booking_id)
    assert [word.text for word in row.shown] == ["Sent"] * 2 + ["Planned"] * 6
    assert (row.earlier, row.later) == (198, 153)
    assert row.summary == "200 sent, 159 planned"


@pytest.mark.parametrize(
    ("states", "summary"),
    [
        ("", "no reminders"),
        ("cc", "no reminders"),
        ("sfkp", "1 sent, 1 failed, 1 skipped, 1 planned"),
        ("s" * 9 + "f" * 9 + "cc" + "p" * 9, "9 sent, 9 failed, 9 planned"),
    ],
)
def test_each_word_has_its_number(
    db: Database, clock: FrozenClock, states: str, summary: str
) -> None:
    assert shown(db, add(db, states)).summary == summary


def test_those_far_away_are_told_apart_by_all_that_makes_their_word(
    db: Database, clock: FrozenClock
) -> None:
    done = add(db, "s" * 12, delivery_status="read")
    late = add(db, "s" * 12, asks=len(ASK_AFTER))
    coming = add(db, "p" * 12)
    tried = add(db, "p" * 12, attempts=2)
    assert shown(db, done).summary == "12 read"
    assert shown(db, late).summary == "12 not delivered yet"
    assert shown(db, tried).summary == "12 retrying"
    clock.move(hours=10)
    assert shown(db, coming).summary == "10 due, 2 planned"


def test_many_bookings_take_two_statements_and_each_gets_its_own(
    db: Database, clock: FrozenClock
) -> None:
    ids = [add(db, "s" * number) for number in range(MOST_BEADS + 3)]
    with db.read() as session:
        _shop = factories.shop(session)  # while it is held, its quiet hours need no query
        with counted(db) as statements:
            by_booking = reminders_of(session, ids)
    assert len([each for each in statements if each.startswith("SELECT")]) == 2
    counts = [[count for _, count in by_booking[each].near] for each in ids]
    assert counts == [[], *([each] for each in (*range(1, MOST_BEADS + 1), 8, 8))]
    [(sample, _)] = by_booking[ids[1]].near
    assert isinstance(sample.due_at, datetime)
    assert sample.due_at.tzinfo is not None


def test_beads_keep_the_order_of_what_alternates_and_each_failure_its_reason(
    db: Database, clock: FrozenClock
) -> None:
    booking_id = add(db, "sfsskf")
    with db.write() as session:
        for number, reason in ((2, "refused"), (6, "undelivered")):
            session.get_one(Message, f"{booking_id}-reminder-{number}").reason = reason
    with db.read() as session:
        near = reminders_of(session, [booking_id])[booking_id].near
    assert [(each.number, each.state, each.reason, count) for each, count in near] == [
        (1, "sent", None, 1),
        (2, "failed", "refused", 1),
        (3, "sent", None, 2),
        (5, "skipped", "superseded", 1),
        (6, "failed", "undelivered", 1),
    ]
