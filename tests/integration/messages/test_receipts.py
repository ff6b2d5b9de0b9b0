"""Receipts: what Twilio says became of a message, late, twice, at once and in any order."""

import itertools
from datetime import datetime, timedelta
from typing import cast

import pytest
from sqlalchemy import func, select

from app.channel import StatusReport
from app.db import Database
from app.messages import receipts
from app.messages.tick import Process, tick
from app.models.booking import Booking
from app.models.customer import Customer
from app.models.message import DailySent, Message, Receipt
from tests import factories
from tests.fake_twilio import FakeTwilio, Fault
from tests.support.frozen import FrozenClock
from tests.support.lifecycle import (
    HOME,
    at_once,
    attempts,
    book,
    booking,
    deliver,
    due_message,
    enqueued,
    message,
    sending,
    states,
    work,
)

pytestmark = pytest.mark.usefixtures("clock", "valkey")


def receive(db: Database, attempt_id: str, sid: str, status: str, code: str = "") -> None:
    with db.write() as session:
        receipts.record(session, attempt_id, StatusReport(sid, status, code))


def stored(db: Database) -> int:
    with db.read() as session:
        return session.scalar(select(func.count()).select_from(Receipt)) or 0


def sent(db: Database) -> Message:
    return message(db, due_message(db, "sent", delivery_rank=10))


def receive_for(db: Database, row: Message, status: str, code: str = "") -> Message:
    receive(db, str(row.attempt_id), str(row.sid), status, code)
    return message(db, row.id)


def test_a_receipt_raises_the_status_and_a_lower_one_that_comes_later_does_not_lower_it(
    db: Database,
) -> None:
    row = sent(db)

    seen = [
        receive_for(db, row, status).delivery_status
        for status in ("sent", "queued", "delivered", "sent", "read", "delivered")
    ]

    assert seen == ["sent", "sent", "delivered", "delivered", "read", "read"]
    assert stored(db) == 4  # each once


def test_all_120_orders_of_five_receipts_end_the_same(sqlite_db: Database) -> None:
    statuses = [("sending", ""), ("sent", ""), ("failed", "30008"), ("delivered", ""), ("read", "")]
    ends = set()
    for order in itertools.permutations(statuses):
        row = sent(sqlite_db)
        for status, code in order:
            receive_for(sqlite_db, row, status, code)
        row = message(sqlite_db, row.id)
        ends.add((row.state, row.delivery_status, row.reason, row.error_code, row.doubled))

    assert ends == {("sent", "read", None, None, False)}


def test_all_24_orders_of_four_receipts_of_a_failure_end_as_failed(sqlite_db: Database) -> None:
    ends = set()
    for order in itertools.permutations(["queued", "sending", "sent", "undelivered"]):
        row = sent(sqlite_db)
        for status in order:
            receive_for(sqlite_db, row, status, "63024" if status == "undelivered" else "")
        row = message(sqlite_db, row.id)
        ends.add((row.state, row.delivery_status, row.reason, row.error_code))

    assert ends == {("failed", None, "undelivered", "63024")}


def test_a_hundred_identical_receipts_at_once_are_one_row_and_one_change(db: Database) -> None:
    row = sent(db)

    at_once(*[lambda: receive_for(db, row, "failed", "30008")] * 100)

    assert stored(db) == 1
    row = message(db, row.id)
    assert (row.state, row.tries) == ("pending", 1)


def test_a_failure_and_an_older_status_at_once_end_as_a_retry(db: Database) -> None:
    for _ in range(20):
        row = sent(db)

        at_once(
            lambda row=row: receive_for(db, row, "failed", "30008"),
            lambda row=row: receive_for(db, row, "sent"),
            lambda row=row: receive_for(db, row, "sending"),
        )

        assert message(db, row.id).state == "pending"


def test_a_receipt_for_an_attempt_that_nobody_knows_is_kept_and_changes_nothing(
    db: Database,
) -> None:
    sid = factories.sid()
    for _ in range(2):
        receive(db, "0" * 36, sid, "delivered")

    with db.read() as session:
        [row] = session.scalars(select(Receipt))
    assert (row.attempt_id, row.callback_id, row.status) == (None, "0" * 36, "delivered")


@pytest.mark.parametrize("status", ["partially_delivered", "received", "nonsense", "x" * 100])
def test_a_status_that_says_nothing_of_a_sent_message_is_kept_and_changes_nothing(
    db: Database, status: str
) -> None:
    row = sent(db)

    assert receive_for(db, row, status).delivery_status == "queued"
    assert stored(db) == 1


def test_a_status_in_capitals_counts_as_the_status(db: Database) -> None:
    assert receive_for(db, sent(db), "Delivered").delivery_status == "delivered"


# --- a receipt that is the first to say that a message was sent ---


@pytest.mark.parametrize("state", ["sending", "uncertain"])
def test_a_receipt_before_the_answer_shows_that_the_message_was_sent(
    db: Database, state: str
) -> None:
    row = message(db, due_message(db, state))

    receive(db, str(row.attempt_id), sid := factories.sid(), "sent")

    row = message(db, row.id)
    assert (row.state, row.sid, row.delivery_status) == ("sent", sid, "sent")


def test_a_message_that_was_skipped_as_unresolved_is_corrected_by_a_late_receipt(
    db: Database, clock: FrozenClock
) -> None:
    row = message(db, due_message(db, "uncertain"))
    with db.write() as session:
        changed = session.get_one(Message, row.id)
        changed.state, changed.reason, changed.sending_to = "skipped", "unresolved", None
        changed.check_at = None

    receive(db, str(row.attempt_id), factories.sid(), "delivered")

    row = message(db, row.id)
    assert (row.state, row.reason, row.delivery_status) == ("sent", None, "delivered")


def test_a_receipt_of_an_answer_that_got_lost_needs_no_look_up(
    db: Database, clock: FrozenClock, twilio: FakeTwilio
) -> None:
    job_id = f"{book(db)}-reminder-1"
    clock.move(hours=2)
    twilio.script(HOME, [Fault("lost_answer")])
    deliver(job_id)
    [at_twilio] = twilio.messages()

    receive(db, str(message(db, job_id).attempt_id), at_twilio.sid, "sent")
    clock.move(minutes=10)
    tick(Process())

    assert message(db, job_id).sid == at_twilio.sid
    assert twilio.lookups == 0
    assert len(twilio.posts()) == 1


def test_a_failure_that_is_the_first_to_be_heard_of_is_a_failure(db: Database) -> None:
    row = message(db, due_message(db, "sending"))

    receive(db, str(row.attempt_id), factories.sid(), "failed", "63024")

    row = message(db, row.id)
    assert (row.state, row.reason, row.error_code) == ("failed", "undelivered", "63024")


def test_a_late_receipt_of_an_older_attempt_stops_the_retry_that_it_makes_needless(
    db: Database, clock: FrozenClock, twilio: FakeTwilio
) -> None:
    job_id = f"{book(db)}-reminder-1"
    clock.move(hours=2)
    twilio.script(HOME, [Fault.error(503, 20503, after_accept=True)])
    due = deliver(job_id)
    [first] = attempts(db, job_id)
    [at_twilio] = twilio.messages()

    receive(db, first.id, at_twilio.sid, "delivered")
    clock.set(due)
    work()

    assert len(twilio.posts()) == 1
    assert message(db, job_id).delivery_status == "delivered"


def test_a_second_sid_for_a_message_is_seen_as_doubled(
    db: Database, clock: FrozenClock, twilio: FakeTwilio
) -> None:
    job_id = f"{book(db)}-reminder-1"
    clock.move(hours=2)
    twilio.list_lag = 60  # the look-up comes too early
    twilio.script(HOME, [Fault.error(503, 20503, after_accept=True)])
    clock.set(deliver(job_id))
    deliver(job_id)
    older, newer = twilio.messages()
    first, second = attempts(db, job_id)

    receive(db, first.id, older.sid, "delivered")
    receive(db, second.id, newer.sid, "sent")

    row = message(db, job_id)
    assert (row.state, row.sid, row.doubled) == ("sent", newer.sid, True)
    assert row.delivery_status == "sent"


def test_a_late_receipt_of_a_failed_reminder_whose_time_another_has_by_now_does_no_harm(
    db: Database,
) -> None:
    row = receive_for(db, sent(db), "failed", "63024")
    [attempt] = attempts(db, row.id)
    with db.write() as session:  # as after a move, by a host whose clock is behind
        of = session.get_one(Booking, row.booking_id)
        other = factories.message(session, of, planned_for=row.planned_for).id

    receive(db, attempt.id, str(attempt.sid), "delivered")

    assert message(db, row.id).state == "failed"
    assert message(db, other).state == "pending"
    assert attempts(db, row.id)[0].outcome == "accepted"


# --- not delivered ---


def test_a_message_that_was_not_delivered_is_sent_again_at_its_delay(
    db: Database, clock: FrozenClock, twilio: FakeTwilio
) -> None:
    job_id = f"{book(db)}-reminder-1"
    clock.move(hours=2)
    deliver(job_id)
    row = message(db, job_id)

    receive_for(db, row, "undelivered", "30008")

    assert enqueued() == [job_id]  # at once: the tick would be half a minute late
    clock.move(seconds=4)
    work()
    assert len(twilio.posts()) == 1
    clock.move(seconds=1)
    work()
    _, second = twilio.messages()
    row = message(db, job_id)
    assert (row.sid, row.attempts, row.tries) == (second.sid, 2, 1)
    assert [attempt.outcome for attempt in attempts(db, job_id)] == ["undelivered", "accepted"]


def test_an_undelivered_message_is_tried_six_times_in_all(
    db: Database, clock: FrozenClock, twilio: FakeTwilio
) -> None:
    job_id = f"{book(db, 100)}-reminder-1"
    clock.move(hours=2)
    while message(db, job_id).state == "pending":
        clock.set(max(clock.now(), message(db, job_id).due_at))
        deliver(job_id)
        receive_for(db, message(db, job_id), "undelivered", "30008")

    row = message(db, job_id)
    assert (row.state, row.reason, row.attempts) == ("failed", "gave_up", 6)


def test_a_failure_without_a_code_is_tried_again(db: Database, clock: FrozenClock) -> None:
    row = receive_for(db, sent(db), "failed")

    assert (row.state, row.error_code) == ("pending", "no code")


def test_a_configuration_error_by_receipt_opens_the_breaker_and_burns_no_try(
    db: Database, clock: FrozenClock
) -> None:
    first, second = sent(db), sent(db)

    for row in (first, second):
        row = receive_for(db, row, "failed", "63016")
        assert (row.state, row.tries) == ("pending", 0)
        assert row.due_at == clock.now() + timedelta(seconds=60)

    assert sending(db).breaker_code == "63016"


def test_a_template_that_whatsapp_refuses_is_probed_one_by_one_until_a_message_gets_through(
    db: Database, clock: FrozenClock, twilio: FakeTwilio
) -> None:
    job_ids = [due_message(db) for _ in range(4)]
    for job_id in job_ids:
        deliver(job_id)  # all accepted, before the first receipt tells
    for job_id in job_ids:
        receive_for(db, message(db, job_id), "failed", "63016")
    posts, probes = len(twilio.posts()), []

    for _ in range(4):
        clock.set(cast(datetime, sending(db).probe_at))
        probes.append(clock.now())
        for job_id in job_ids:
            deliver(job_id)
        posts += 1
        assert len(twilio.posts()) == posts  # one, whoever it is
        [probe] = [row for row in (message(db, each) for each in job_ids) if row.state == "sent"]
        receive_for(db, probe, "failed", "63016")

    minutes = [(at - probes[0]).total_seconds() / 60 for at in probes]
    assert minutes == [0, 5, 20, 35]
    assert {message(db, job_id).tries for job_id in job_ids} == {0}

    clock.set(cast(datetime, sending(db).probe_at))
    for job_id in job_ids:
        deliver(job_id)
    [probe] = [row for row in (message(db, each) for each in job_ids) if row.state == "sent"]
    receive_for(db, probe, "sent")
    assert sending(db).breaker_code is None
    for job_id in job_ids:
        deliver(job_id)
    assert {message(db, job_id).state for job_id in job_ids} == {"sent"}


def test_a_message_that_waits_beyond_its_appointment_is_skipped_at_its_appointment(
    db: Database, clock: FrozenClock
) -> None:
    clock.move(hours=1)  # out of the minutes after midnight
    row = sent(db)  # ten hours ahead
    receive_for(db, row, "failed", "63038")  # until tomorrow
    assert message(db, row.id).due_at == booking(db, row.booking_id).starts_at
    clock.move(hours=10)

    tick(Process())

    row = message(db, row.id)
    assert (row.state, row.reason) == ("skipped", "appointment_passed")


def test_a_customer_who_blocked_us_gets_nothing_more(
    db: Database, clock: FrozenClock, twilio: FakeTwilio
) -> None:
    booking_id = book(db)
    clock.move(hours=2)
    deliver(f"{booking_id}-reminder-1")

    receive_for(db, message(db, f"{booking_id}-reminder-1"), "undelivered", "63014")
    clock.move(hours=2)
    tick(Process())
    work()

    assert states(db, booking_id)[:2] == [("failed", "undelivered"), ("skipped", "opted_out")]
    assert len(twilio.posts()) == 1
    with db.read() as session:
        known = session.get_one(Customer, HOME)
    assert (known.opted_out_how, known.opted_out_at) == ("twilio", clock.now() - timedelta(hours=2))


def test_the_count_of_what_was_sent_goes_with_the_truth(db: Database, clock: FrozenClock) -> None:
    def completed() -> int:
        with db.read() as session:
            return session.scalar(select(func.sum(DailySent.messages))) or 0

    row = message(db, due_message(db, "sending"))
    sid = factories.sid()
    for status, expected in (("sent", 1), ("failed", 0), ("delivered", 1), ("read", 1)):
        clock.move(days=1)
        receive(db, str(row.attempt_id), sid, status, "63024" if status == "failed" else "")
        assert completed() == expected
