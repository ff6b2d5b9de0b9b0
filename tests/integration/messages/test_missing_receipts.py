"""Asking Twilio what became of a sent message whose receipts do not come."""

from datetime import datetime, timedelta

import pytest
from sqlalchemy import func, select

from app import clock as app_clock
from app.channel import StatusReport
from app.dashboard.labels import staff_word
from app.db import Database
from app.messages.lifecycle.compare_and_set import booking_of
from app.messages.receipts import record
from app.messages.reconciliation import missing_receipts
from app.messages.reconciliation.missing_receipts import ask_due
from app.messages.statistics import stats
from app.messages.tick import Process, tick
from app.models.booking import Booking
from app.models.message import DailySent, Message, Receipt
from tests import factories
from tests.fake_twilio import FakeTwilio
from tests.support.frozen import FrozenClock
from tests.support.lifecycle import at_once, book, deliver, due_message, message, sending, work

pytestmark = pytest.mark.usefixtures("clock", "valkey")

MINUTES = [2, 10, 60, 6 * 60, 24 * 60]


def sent(db: Database, twilio: FakeTwilio, hours: float = 10) -> Message:
    """A reminder that Twilio has accepted just now."""
    with db.write() as session:
        of = factories.booking(session, app_clock.now() + timedelta(hours=hours))
        job_id = factories.message(session, of).id
    assert deliver(job_id) is None
    row = message(db, job_id)
    assert row.state == "sent"
    return row


def receipts(db: Database) -> list[str]:
    with db.read() as session:
        return list(session.scalars(select(Receipt.status).order_by(Receipt.id)))


def test_it_is_asked_for_after_2_and_10_minutes_and_1_6_and_24_hours_and_then_not_any_more(
    db: Database, clock: FrozenClock, twilio: FakeTwilio
) -> None:
    row = sent(db, twilio)
    asked = []
    for minute in range(0, 30 * 60, 1):
        if ask_due():
            asked.append(minute)
        clock.move(minutes=1)

    assert asked == MINUTES
    assert twilio.fetches == 5
    row = message(db, row.id)
    assert (row.state, row.delivery_status, row.asks, row.ask_at) == ("sent", "queued", 5, None)


@pytest.mark.parametrize("status", ["delivered", "read"])
def test_what_was_delivered_is_noted_like_a_receipt_and_not_asked_for_again(
    db: Database, clock: FrozenClock, twilio: FakeTwilio, status: str
) -> None:
    row = sent(db, twilio)
    twilio.set_status(str(row.sid), status)
    clock.move(minutes=2)

    assert ask_due() == 1

    row = message(db, row.id)
    assert (row.delivery_status, row.ask_at) == (status, None)
    assert receipts(db) == [status]
    clock.move(hours=30)
    assert ask_due() == 0


def test_what_is_on_its_way_is_noted_and_asked_for_again(
    db: Database, clock: FrozenClock, twilio: FakeTwilio
) -> None:
    row = sent(db, twilio)
    twilio.set_status(str(row.sid), "sent")
    for pause in (2, 8):
        clock.move(minutes=pause)
        assert ask_due() == 1

    row = message(db, row.id)
    assert (row.delivery_status, row.asks) == ("sent", 2)
    assert receipts(db) == ["sent"]


def test_what_was_not_delivered_is_tried_again_or_fails_by_its_code(
    db: Database, clock: FrozenClock, twilio: FakeTwilio
) -> None:
    again, never = sent(db, twilio), sent(db, twilio)
    twilio.set_status(str(again.sid), "undelivered", 30008)
    twilio.set_status(str(never.sid), "failed", 63024)
    clock.move(minutes=2)

    assert ask_due() == 2

    again, never = message(db, again.id), message(db, never.id)
    assert (again.state, again.due_at) == ("pending", clock.now() + timedelta(seconds=5))
    assert (never.state, never.reason, never.error_code) == ("failed", "undelivered", "63024")
    clock.move(seconds=5)
    work()
    row = message(db, again.id)
    assert (row.state, row.asks, row.ask_at) == ("sent", 0, clock.now() + timedelta(minutes=2))


def test_a_receipt_of_the_delivery_makes_asking_needless(
    db: Database, clock: FrozenClock, twilio: FakeTwilio
) -> None:
    row = sent(db, twilio)
    with db.write() as session:
        record(session, str(row.attempt_id), StatusReport(str(row.sid), "delivered"))
    clock.move(hours=30)

    tick(Process())

    assert twilio.fetches == 0


def test_a_message_that_a_late_receipt_shows_as_delivered_at_once_is_not_asked_for(
    db: Database, clock: FrozenClock, twilio: FakeTwilio
) -> None:
    row = message(db, due_message(db, "uncertain"))
    with db.write() as session:
        record(session, str(row.attempt_id), StatusReport(factories.sid(), "read"))

    assert message(db, row.id).ask_at is None


def test_after_a_long_outage_of_ours_it_is_asked_for_once_for_all_the_times_missed(
    db: Database, clock: FrozenClock, twilio: FakeTwilio
) -> None:
    row = sent(db, twilio)
    clock.move(hours=5)

    assert [ask_due() for _ in range(3)] == [1, 0, 0]

    row = message(db, row.id)
    assert (row.asks, row.ask_at) == (3, sent_at(row) + timedelta(hours=6))


def sent_at(row: Message) -> datetime:
    assert row.sent_at is not None
    return row.sent_at


def test_while_twilio_does_not_answer_one_is_tried_and_the_others_wait(
    db: Database, clock: FrozenClock, twilio: FakeTwilio
) -> None:
    rows = [sent(db, twilio) for _ in range(3)]
    clock.move(minutes=2)
    twilio.down = True

    assert ask_due() == 0
    assert twilio.fetches == 1
    assert ask_due() == 0
    assert twilio.fetches == 1

    clock.move(minutes=10)
    twilio.down = False
    assert ask_due() == 3
    assert {message(db, row.id).asks for row in rows} == {2}


def test_a_message_that_nobody_can_ask_for_is_given_up_after_two_days(
    db: Database, clock: FrozenClock, twilio: FakeTwilio
) -> None:
    row = sent(db, twilio)
    twilio.down = True
    for _ in range(60):
        clock.move(hours=1)
        ask_due()

    row = message(db, row.id)
    assert (row.state, row.ask_at) == ("sent", None)
    assert twilio.fetches == 48
    assert staff_word(row, clock.now()).text == "Sent"  # for nobody knows


def test_a_message_that_twilio_has_forgotten_stays_as_it_is(
    db: Database, clock: FrozenClock, twilio: FakeTwilio
) -> None:
    job_id = due_message(db, "sent", ask_at=clock.now())

    assert ask_due() == 1

    row = message(db, job_id)
    assert (row.state, row.delivery_status, row.asks) == ("sent", "queued", 0)
    assert row.ask_at == clock.now() + timedelta(minutes=2)


def test_several_workers_at_once_ask_once_for_each(
    db: Database, clock: FrozenClock, twilio: FakeTwilio
) -> None:
    for _ in range(8):
        twilio.set_status(str(sent(db, twilio).sid), "delivered")
    clock.move(minutes=2)

    assert sum(at_once(*[ask_due] * 6)) == 8
    assert twilio.fetches == 8
    assert receipts(db) == ["delivered"] * 8


def test_the_answer_and_a_receipt_at_once_end_the_same(
    db: Database, clock: FrozenClock, twilio: FakeTwilio
) -> None:
    for _ in range(10):
        row = sent(db, twilio)
        twilio.set_status(str(row.sid), "undelivered", 30008)
        clock.move(minutes=2)

        def receive(row: Message = row) -> None:
            with db.write() as session:
                record(
                    session, str(row.attempt_id), StatusReport(str(row.sid), "undelivered", "30008")
                )

        at_once(ask_due, receive)

        row = message(db, row.id)
        assert (row.state, row.tries, row.ask_at) == ("pending", 1, None)


def test_one_tick_asks_for_a_few_and_the_next_for_more(
    db: Database, clock: FrozenClock, twilio: FakeTwilio, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(missing_receipts, "AT_ONCE", 2)
    for _ in range(5):
        sent(db, twilio)
    clock.move(minutes=2)

    assert [ask_due() for _ in range(4)] == [2, 2, 1, 0]


def test_one_tick_asks_for_a_while_and_leaves_the_rest_to_the_next(
    db: Database, clock: FrozenClock, twilio: FakeTwilio, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(missing_receipts, "LONGEST", -1.0)
    sent(db, twilio)
    clock.move(minutes=2)
    assert ask_due() == 0

    monkeypatch.setattr(missing_receipts, "LONGEST", 10.0)
    assert ask_due() == 0  # the lease
    clock.move(minutes=1)
    assert ask_due() == 1


def test_without_receipts_the_answer_shows_that_a_template_is_repaired(
    db: Database, clock: FrozenClock, twilio: FakeTwilio
) -> None:
    first = sent(db, twilio, hours=20)
    twilio.set_status(str(first.sid), "failed", 63041)
    clock.move(minutes=2)
    ask_due()
    assert sending(db).breaker_code == "63041"
    probed = clock.now() + timedelta(seconds=60)
    assert message(db, first.id).due_at == probed

    clock.set(probed)
    deliver(first.id)  # the probe; nothing tells yet what came of it
    assert sending(db).breaker_code == "63041"
    assert deliver(due_message(db)) is None
    assert len(twilio.posts()) == 2
    twilio.set_status(str(message(db, first.id).sid), "delivered")
    clock.move(minutes=2)
    ask_due()

    assert sending(db).breaker_code is None


def test_a_message_that_is_still_only_sent_after_a_day_is_not_delivered_yet_and_no_failure(
    db: Database, clock: FrozenClock, twilio: FakeTwilio
) -> None:
    row = sent(db, twilio, hours=48)
    twilio.set_status(str(row.sid), "sent")
    clock.move(hours=23)
    ask_due()
    assert staff_word(message(db, row.id), clock.now()).text == "Sent"
    clock.move(hours=1)
    ask_due()

    row = message(db, row.id)
    word = staff_word(row, clock.now())
    assert (word.text, word.colour) == ("Not delivered yet", "due")
    assert "call them" in word.advice
    with db.read() as session:
        counted = stats(session)
        assert session.scalar(select(func.sum(DailySent.messages))) == 1
    assert (counted.completed, counted.failed) == (1, 0)

    with db.write() as session:  # the phone is on again
        record(session, str(row.attempt_id), StatusReport(str(row.sid), "delivered"))
    assert staff_word(message(db, row.id), clock.now()).text == "Delivered"


def test_a_message_of_a_cancelled_booking_that_was_not_delivered_is_not_sent_again(
    db: Database, clock: FrozenClock, twilio: FakeTwilio
) -> None:
    job_id = f"{book(db)}-reminder-1"
    clock.move(hours=2)
    deliver(job_id)
    twilio.set_status(str(message(db, job_id).sid), "failed", 30008)
    with db.write() as session:
        session.get_one(Booking, booking_of(job_id)).status = "cancelled"
    clock.move(minutes=2)

    ask_due()

    assert (message(db, job_id).state, message(db, job_id).reason) == ("failed", "undelivered")
