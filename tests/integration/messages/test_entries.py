"""A booking's timeline and the failed messages, as the pages show them."""

from datetime import timedelta

import pytest

from app.db import Database
from app.messages import entries, failures
from app.messages.entries import EventEntry, MessageEntry
from app.models.message import Message
from app.staff import audit
from tests import factories
from tests.support.frozen import FrozenClock

pytestmark = pytest.mark.usefixtures("valkey")


def test_the_timeline_has_each_message_once_with_its_attempts_and_receipts_in_order(
    db: Database, clock: FrozenClock
) -> None:
    with db.write() as session:
        booking = factories.booking(session)
        sent = factories.message(session, booking, state="sent", attempts=2)
        [first] = session.query(factories.Attempt).where(factories.Attempt.message_id == sent.id)
        second = factories.attempt(session, sent)
        factories.receipt(session, first, status="sent")
        factories.receipt(session, first, status="delivered")
        later = factories.message(session, booking, due_at=clock.now() + timedelta(hours=2))

    with db.read() as session:
        listed = entries.timeline(session, booking.id)

    assert [entry.message.id for entry in listed if isinstance(entry, MessageEntry)] == [
        sent.id,
        later.id,
    ]
    shown = listed[0]
    assert isinstance(shown, MessageEntry)
    assert [attempt.id for attempt in shown.attempts] == [first.id, second.id]
    assert [receipt.status for receipt in shown.receipts] == ["sent", "delivered"]


@pytest.mark.parametrize(
    ("actor", "who"),
    [
        ("token:abc", "the API"),
        ("customer:reply", "the customer, by WhatsApp"),
        ("system", "Chairtime"),
        ("user:gone", "a former member"),
    ],
)
def test_what_was_done_is_shown_with_who_did_it(
    db: Database, clock: FrozenClock, actor: str, who: str
) -> None:
    with db.write() as session:
        booking = factories.booking(session)
        audit.record(session, actor, "booking.created", booking.id)

    with db.read() as session:
        [entry] = entries.timeline(session, booking.id)

    assert isinstance(entry, EventEntry)
    assert (entry.who, entry.event.action, entry.at) == (who, "booking.created", clock.now())


def test_a_member_of_staff_is_shown_by_name(db: Database, clock: FrozenClock) -> None:
    with db.write() as session:
        booking = factories.booking(session)
        user = factories.user(session, name="Maya")
        audit.record(session, f"user:{user.id}", "booking.cancelled", booking.id)

    with db.read() as session:
        [entry] = entries.timeline(session, booking.id)

    assert isinstance(entry, EventEntry)
    assert entry.who == "Maya"


@pytest.mark.parametrize("is_sent", [False, True])
def test_who_answered_stands_right_above_the_answer(
    db: Database, clock: FrozenClock, is_sent: bool
) -> None:
    with db.write() as session:
        booking = factories.booking(session)
        state = {"state": "sent"} if is_sent else {"state": "pending", "due_at": clock.now()}
        answer = factories.message(session, booking, kind="answer", text="Yes, come!", **state)
        clock.move(milliseconds=3)
        audit.record(session, "system", "booking.answered", booking.id, job_id=answer.id)
        clock.move(seconds=1)
        audit.record(session, "system", "booking.changed", booking.id)

    with db.read() as session:
        event, message, other = entries.timeline(session, booking.id)
    assert isinstance(message, MessageEntry)
    assert isinstance(event, EventEntry)
    assert event.event.action == "booking.answered"
    assert isinstance(other, EventEntry)


def test_failed_messages_are_grouped_by_reason_the_largest_group_first(
    db: Database, clock: FrozenClock
) -> None:
    with db.write() as session:
        for code in ("63003", "21211", "63003"):
            failed(session, code)
        factories.message(session, factories.booking(session), state="sent")

    with db.read() as session:
        groups = failures.groups(session)

    assert [(group.advice.code, len(group.failures)) for group in groups] == [
        ("63003", 2),
        ("21211", 1),
    ]
    assert groups[0].advice.words == "No WhatsApp on this number"
    assert groups[0].failures[0].message.booking.service.name == "Haircut"


def test_a_group_is_retried_but_for_what_is_no_longer_useful(
    db: Database, clock: FrozenClock
) -> None:
    with db.write() as session:
        useful = failed(session, "63003")
        late = failed(session, "63003", starts_at=clock.now() + timedelta(minutes=1))
    clock.move(minutes=2)

    with db.write() as session:
        job_ids = failures.job_ids_of(session, "63003")
        assert job_ids == [useful]
        asked = [*job_ids, late, "booking_x-reminder-1"]
        retried = failures.retry_many(session, asked, "user:1")

    assert retried.done == 1
    assert retried.refused == {"The appointment has begun.": 1, "There is no such message.": 1}
    with db.read() as session:
        assert session.get_one(Message, useful).state == "pending"
        assert session.get_one(Message, late).state == "failed"
        assert failures.job_ids_of(session, "21211") == []


def failed(session, code, **booking) -> str:
    of = factories.booking(session, **booking)
    return str(factories.message(session, of, state="failed", error_code=code).id)
