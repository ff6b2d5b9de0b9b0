"""Settling uncertain messages by Twilio's list: found is sent, twice not found is not sent."""

from datetime import datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from app.db import Database
from app.messages.channels import channel
from app.messages.lifecycle import outcomes
from app.messages.lifecycle.compare_and_set import booking_of
from app.messages.reconciliation import lookup, uncertain
from app.messages.reconciliation.lookup import find_sent
from app.messages.tick import Process, tick
from tests import factories
from tests.conftest import Configure
from tests.fake_twilio import FakeTwilio, Fault, Kind
from tests.support.frozen import FrozenClock
from tests.support.lifecycle import (
    HOME,
    at_once,
    attempts,
    book,
    cancel,
    deliver,
    due_message,
    enqueued,
    message,
    messages,
    move,
    work,
)

pytestmark = pytest.mark.usefixtures("valkey")


@pytest.fixture
def job_id(db: Database, clock: FrozenClock, twilio: FakeTwilio) -> str:
    """A reminder that is due: the first of a booking of 00:00 for 10:00, at 02:00."""
    booking_id = book(db)
    clock.move(hours=2)
    return f"{booking_id}-reminder-1"


def make_uncertain(db: Database, twilio: FakeTwilio, job_id: str, fault: Kind) -> None:
    twilio.script(HOME, [Fault(fault)])
    assert deliver(job_id) is None
    assert message(db, job_id).state == "uncertain"


def test_what_the_list_has_was_sent(
    db: Database, clock: FrozenClock, twilio: FakeTwilio, job_id: str
) -> None:
    make_uncertain(db, twilio, job_id, "lost_answer")
    clock.move(seconds=119)
    assert uncertain.settle_due() == 0
    clock.move(seconds=1)

    assert uncertain.settle_due() == 1

    [sent] = twilio.messages()
    row = message(db, job_id)
    assert (row.state, row.sid, row.delivery_status) == ("sent", sent.sid, "queued")
    assert attempts(db, job_id)[0].sid == sent.sid
    assert len(twilio.posts()) == 1


def test_what_the_list_has_not_twice_was_not_sent_and_is_tried_again(
    db: Database, clock: FrozenClock, twilio: FakeTwilio, job_id: str
) -> None:
    make_uncertain(db, twilio, job_id, "reset_before")
    looks = []
    for _ in range(40):
        clock.move(seconds=10)
        if uncertain.settle_due():
            looks.append((clock.now() - attempts(db, job_id)[0].started_at).total_seconds())

    assert looks == [120, 180]  # a minute apart, as the list may lag
    row = message(db, job_id)
    assert (row.state, row.tries) == ("pending", 1)
    assert enqueued() == [job_id]
    work()
    assert len(twilio.messages()) == 1
    assert message(db, job_id).attempts == 2


def test_a_list_that_lags_behind_one_look_doubles_nothing(
    db: Database, clock: FrozenClock, twilio: FakeTwilio, job_id: str
) -> None:
    twilio.list_lag = 3600
    make_uncertain(db, twilio, job_id, "lost_answer")
    clock.move(seconds=120)
    uncertain.settle_due()
    assert message(db, job_id).checks == 1
    twilio.list_lag = 0
    clock.move(seconds=60)
    uncertain.settle_due()

    assert message(db, job_id).state == "sent"
    assert len(twilio.messages()) == 1


def test_a_list_that_lags_behind_both_looks_is_asked_once_more_before_the_next_post(
    db: Database, clock: FrozenClock, twilio: FakeTwilio, job_id: str
) -> None:
    twilio.list_lag = 3600
    make_uncertain(db, twilio, job_id, "lost_answer")
    for seconds in (120, 60):
        clock.move(seconds=seconds)
        uncertain.settle_due()
    assert message(db, job_id).state == "pending"
    twilio.list_lag = 0
    clock.move(seconds=5)
    work()

    [sent] = twilio.messages()
    row = message(db, job_id)
    assert (row.state, row.sid, row.attempts) == ("sent", sent.sid, 1)
    assert len(twilio.posts()) == 1


def test_a_message_that_no_look_showed_is_doubled_and_that_is_seen_by_its_receipt(
    db: Database, clock: FrozenClock, twilio: FakeTwilio, job_id: str
) -> None:
    twilio.list_lag = 3600
    make_uncertain(db, twilio, job_id, "lost_answer")
    for seconds in (120, 60):
        clock.move(seconds=seconds)
        uncertain.settle_due()
    clock.move(seconds=5)
    work()
    first, _second = twilio.messages()
    assert message(db, job_id).state == "sent"
    with db.write() as session:
        outcomes.accept(session, attempts(db, job_id)[0].id, first.sid, "delivered")
    assert message(db, job_id).doubled


@pytest.mark.parametrize(("second", "is_doubled"), [("reset_before", False), ("lost_answer", True)])
def test_an_older_attempt_that_the_list_shows_only_after_the_next_is_found_too(
    db: Database,
    clock: FrozenClock,
    twilio: FakeTwilio,
    job_id: str,
    second: Kind,
    is_doubled: bool,
) -> None:
    twilio.list_lag = 3600
    make_uncertain(db, twilio, job_id, "lost_answer")
    for seconds in (120, 60):
        clock.move(seconds=seconds)
        uncertain.settle_due()
    clock.move(seconds=5)
    make_uncertain(db, twilio, job_id, second)
    twilio.list_lag = 0
    clock.move(seconds=120)
    uncertain.settle_due()

    row, sids = message(db, job_id), [sent.sid for sent in twilio.messages()]
    assert (row.state, row.attempts, row.doubled) == ("sent", 2, is_doubled)
    assert row.sid in sids
    assert [each.sid for each in attempts(db, job_id)] == [*sids, *([] if is_doubled else [None])]


def test_what_the_list_showed_too_late_is_not_taken_for_the_next_reminder(
    db: Database, clock: FrozenClock, twilio: FakeTwilio, configure: Configure
) -> None:
    configure(REMINDER_EVERY="10s", UNCERTAIN_QUIET="1")
    booking_id = book(db, hours=35 / 3600)
    first, second = (f"{booking_id}-reminder-{number}" for number in (1, 2))
    twilio.list_lag = 3600
    clock.move(seconds=10)
    make_uncertain(db, twilio, first, "lost_answer")
    for seconds in (1, 9):
        clock.move(seconds=seconds)
        uncertain.settle_due()
    assert message(db, first).reason == "superseded"  # and so, by all that is known, not sent
    make_uncertain(db, twilio, second, "reset_before")
    twilio.list_lag = 0
    clock.move(seconds=1)

    uncertain.settle_due()

    [sent] = twilio.messages()
    assert (message(db, first).state, message(db, first).sid) == ("sent", sent.sid)
    assert message(db, second).state == "uncertain"
    clock.move(seconds=1)
    uncertain.settle_due()
    clock.move(seconds=6)
    tick(Process())
    work()
    assert message(db, second).state == "sent"
    assert len(twilio.messages()) == 2


def test_of_two_bookings_told_of_in_the_same_moment_each_gets_what_is_its_own(
    db: Database, clock: FrozenClock, twilio: FakeTwilio
) -> None:
    """Both answers are 5xx, and Twilio has accepted the second message all the same."""
    first, second = (f"{book(db, hours)}-reminder-1" for hours in (10, 11))
    clock.move(hours=2)
    twilio.script(HOME, [Fault.error(503, 20503), Fault.error(503, 20503, after_accept=True)])
    for job_id in (first, second):
        deliver(job_id)
    [accepted] = twilio.messages()

    for _ in range(4):
        clock.move(seconds=60)
        tick(Process())
        work()

    assert message(db, second).sid == accepted.sid
    assert [message(db, job_id).state for job_id in (first, second)] == ["sent", "sent"]
    assert len(attempts(db, second)) == 1
    assert len(twilio.messages()) == 2


def test_while_the_list_is_down_a_wanted_message_stays_uncertain_and_is_not_repeated(
    db: Database, clock: FrozenClock, twilio: FakeTwilio, job_id: str
) -> None:
    make_uncertain(db, twilio, job_id, "lost_answer")
    twilio.lists_down = True
    for _ in range(55):
        clock.move(minutes=2)
        tick(Process())
        work()

    assert message(db, job_id).state == "uncertain"
    assert len(twilio.posts()) == 1
    twilio.lists_down = False
    clock.move(minutes=1)
    tick(Process())
    assert message(db, job_id).state == "sent"


@pytest.mark.parametrize("ending", ["superseded", "cancelled", "moved"])
def test_while_the_list_is_down_an_unwanted_message_is_skipped_and_its_phone_is_free(
    db: Database, clock: FrozenClock, twilio: FakeTwilio, job_id: str, ending: str
) -> None:
    make_uncertain(db, twilio, job_id, "lost_answer")
    twilio.lists_down = True
    if ending == "superseded":
        clock.move(hours=2)
    elif ending == "cancelled":
        cancel(db, booking_of(job_id))
    else:
        move(db, booking_of(job_id), 20)
    clock.move(minutes=3)
    tick(Process())
    work()

    row = message(db, job_id)
    assert (row.state, row.reason) == ("skipped", "unresolved")
    assert len(twilio.messages()) == (1 if ending == "moved" else 2)

    twilio.lists_down = False
    clock.move(minutes=10)
    tick(Process())
    row = message(db, job_id)
    assert (row.state, row.sid) == ("sent", twilio.messages()[0].sid)


def test_an_unresolved_message_that_the_list_has_not_twice_stays_skipped_and_is_let_alone(
    db: Database, clock: FrozenClock, twilio: FakeTwilio, job_id: str
) -> None:
    make_uncertain(db, twilio, job_id, "reset_before")
    cancel(db, booking_of(job_id))
    twilio.lists_down = True
    clock.move(minutes=3)
    tick(Process())
    twilio.lists_down = False
    for _ in range(3):
        clock.move(minutes=10)
        tick(Process())

    row = message(db, job_id)
    assert (row.state, row.reason, row.check_at) == ("skipped", "unresolved", None)


def test_looking_up_an_unresolved_message_ends_a_day_after_the_appointment(
    db: Database, clock: FrozenClock, twilio: FakeTwilio, job_id: str
) -> None:
    make_uncertain(db, twilio, job_id, "lost_answer")
    twilio.lists_down = True
    clock.move(hours=9)
    uncertain.settle_due()
    assert message(db, job_id).check_at is not None
    clock.move(hours=24)
    uncertain.settle_due()

    row = message(db, job_id)
    assert (row.state, row.reason, row.check_at) == ("skipped", "unresolved", None)


@pytest.mark.parametrize("status", ["failed", "undelivered"])
def test_what_the_list_shows_as_failed_is_tried_again_without_a_receipt(
    db: Database, clock: FrozenClock, twilio: FakeTwilio, job_id: str, status: str
) -> None:
    make_uncertain(db, twilio, job_id, "lost_answer")
    twilio.set_status(twilio.messages()[0], status, 30008)
    clock.move(seconds=120)
    uncertain.settle_due()

    row = message(db, job_id)
    assert (row.state, row.error_code, row.tries) == ("pending", "30008", 2)
    assert enqueued() == [job_id]


def test_an_uncertain_message_that_was_not_sent_and_is_superseded_is_skipped(
    db: Database, clock: FrozenClock, twilio: FakeTwilio, job_id: str
) -> None:
    make_uncertain(db, twilio, job_id, "reset_before")
    clock.move(hours=2)
    for _ in range(3):
        tick(Process())
        work()
        clock.move(minutes=1)

    row = message(db, job_id)
    assert (row.state, row.reason) == ("skipped", "superseded")
    assert [row.state for row in messages(db, booking_of(job_id))][:2] == ["skipped", "sent"]


# --- several at once ---


def test_two_ticks_at_once_look_each_message_up_once(
    db: Database, clock: FrozenClock, twilio: FakeTwilio
) -> None:
    for _ in range(10):
        due_message(db, "uncertain")
    clock.move(seconds=120)

    assert sum(at_once(*[uncertain.settle_due] * 3)) == 10
    assert twilio.lookups == 10


def test_one_tick_looks_up_at_most_twenty_and_stops_when_it_takes_too_long(
    sqlite_db: Database, clock: FrozenClock, twilio: FakeTwilio, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(30):
        due_message(sqlite_db, "uncertain")
    clock.move(seconds=120)
    assert uncertain.settle_due() == 20
    clock.move(seconds=1)
    assert uncertain.settle_due() == 10

    clock.move(seconds=61)
    elapsed = [0.0]
    monkeypatch.setattr(uncertain, "time", SimpleNamespace(monotonic=lambda: elapsed[0]))
    look = find_sent

    def slowly(*args: Any) -> Any:
        elapsed[0] += uncertain.LONGEST + 1
        return look(*args)

    monkeypatch.setattr(uncertain, "find_sent", slowly)
    assert uncertain.settle_due() == 1


@pytest.mark.parametrize("is_down", [False, True])
def test_a_look_that_ends_after_another_process_took_it_over_does_not_count(
    db: Database,
    clock: FrozenClock,
    twilio: FakeTwilio,
    monkeypatch: pytest.MonkeyPatch,
    is_down: bool,
) -> None:
    job_id = due_message(db, "uncertain")
    clock.move(seconds=120)
    twilio.lists_down = is_down
    look = find_sent

    def slowly(*args: Any) -> Any:
        monkeypatch.setattr(uncertain, "find_sent", look)
        clock.move(seconds=61)
        uncertain.settle_due()  # by another process
        return look(*args)

    monkeypatch.setattr(uncertain, "find_sent", slowly)
    uncertain.settle_due()

    row = message(db, job_id)
    assert (row.state, row.checks) == ("uncertain", 0 if is_down else 1)
    assert row.check_at == clock.now() + timedelta(seconds=60)


# --- whose message it is ---


def test_a_message_that_another_attempt_has_is_not_taken_for_this_one(
    db: Database, clock: FrozenClock, twilio: FakeTwilio, job_id: str
) -> None:
    deliver(job_id)
    make_uncertain(db, twilio, due_for(db, clock), "reset_before")
    clock.move(seconds=120)
    uncertain.settle_due()
    clock.move(seconds=60)
    uncertain.settle_due()

    assert len({row.sid for row in twilio.messages()}) == 1
    assert message(db, job_id).doubled is False


def due_for(db: Database, clock: FrozenClock) -> str:
    with db.write() as session:
        of = factories.booking(session, clock.now() + timedelta(hours=7), customer_phone=HOME)
        return factories.message(session, of).id


@pytest.mark.parametrize(("seconds", "is_ours"), [(-121, False), (-119, True), (119, True)])
def test_only_a_message_of_the_attempts_own_time_is_it(
    db: Database,
    clock: FrozenClock,
    twilio: FakeTwilio,
    job_id: str,
    seconds: float,
    is_ours: bool,
) -> None:
    started: datetime = clock.now()
    twilio.now = lambda: started + timedelta(seconds=seconds)
    make_uncertain(db, twilio, job_id, "lost_answer")

    match = find_sent(channel(), job_id)

    assert (match is not None) is is_ours


def test_a_message_with_another_text_is_not_it_unless_a_template_made_it(
    db: Database, clock: FrozenClock, twilio: FakeTwilio, job_id: str, configure: Configure
) -> None:
    make_uncertain(db, twilio, job_id, "lost_answer")
    with db.write() as session:
        [attempt] = session.query(lookup.Attempt)
        attempt.body = "Something else"
    configure(WHATSAPP_REMINDER_CONTENT_SID=None)
    assert find_sent(channel(), job_id) is None

    configure(WHATSAPP_REMINDER_CONTENT_SID="HX" + "a" * 32)
    assert find_sent(channel(), job_id) is not None


def test_white_space_that_was_tidied_on_the_way_does_not_hide_a_message(
    db: Database, clock: FrozenClock, twilio: FakeTwilio, job_id: str
) -> None:
    make_uncertain(db, twilio, job_id, "lost_answer")
    with db.write() as session:
        [attempt] = session.query(lookup.Attempt)
        attempt.body = f"  {attempt.body}\n"

    assert find_sent(channel(), job_id) is not None


def test_a_message_without_an_open_attempt_needs_no_look_up(
    db: Database, clock: FrozenClock, twilio: FakeTwilio
) -> None:
    assert find_sent(channel(), due_message(db)) is None
    assert find_sent(channel(), due_message(db, "sent")) is None
    assert twilio.lookups == 0
