"""What an attempt's answer, a look-up or a receipt makes of a message, in whatever order."""

import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import func, select

from app import clock as app_clock
from app.customers import service as customers
from app.db import Database
from app.messages.lifecycle import claims, outcomes, plans
from app.messages.lifecycle.claims import Claim
from app.messages.lifecycle.compare_and_set import booking_of, lock_booking
from app.models.message import DailySent
from tests import factories
from tests.support.frozen import FrozenClock
from tests.support.lifecycle import (
    at_once,
    attempts,
    book,
    cancel,
    due_message,
    materialize_due,
    message,
    move,
    start,
)

pytestmark = pytest.mark.usefixtures("clock", "valkey")

SID, OTHER_SID = factories.sid(), factories.sid()


def do(db: Database, act: Callable[..., Any], *args: Any, **values: Any) -> Any:
    with db.write() as session:
        return act(session, *args, **values)


def started(db: Database, job_id: str | None = None) -> Claim:
    """A message whose POST has begun."""
    materialize_due()
    taken = do(db, claims.claim, job_id or due_message(db))
    assert do(db, start, taken)
    return taken


def started_again(db: Database, clock: FrozenClock, first: Claim) -> Claim:
    """The next attempt of a message, the first one having counted as not sent."""
    due = do(db, outcomes.mark_for_retry, first.attempt_id, "63012", None)
    clock.set(due)
    return started(db, first.job_id)


def uncertain(db: Database) -> Claim:
    taken = started(db)
    assert do(db, outcomes.mark_uncertain, taken.attempt_id, "no_answer")
    return taken


def completed(db: Database) -> int:
    with db.read() as session:
        return session.scalar(select(func.sum(DailySent.messages))) or 0


# --- accepted ---


def test_an_accepted_message_is_sent_with_its_sid_and_leaves_the_phone_free(
    db: Database, clock: FrozenClock
) -> None:
    taken = started(db)

    do(db, outcomes.accept, taken.attempt_id, SID, "queued")

    row = message(db, taken.job_id)
    assert (row.state, row.sid, row.sent_at) == ("sent", SID, clock.now())
    assert (row.delivery_status, row.delivery_rank) == ("queued", 10)
    assert (row.sending_to, row.lease_until, row.check_at) == (None, None, None)
    assert attempts(db, taken.job_id)[0].outcome == "accepted"
    assert completed(db) == 1


def test_the_same_acceptance_again_changes_nothing_and_counts_nothing(db: Database) -> None:
    taken = started(db)

    for status in ("queued", None, "accepted", "queued"):
        do(db, outcomes.accept, taken.attempt_id, SID, status)

    row = message(db, taken.job_id)
    assert (row.delivery_status, row.doubled) == ("queued", False)
    assert completed(db) == 1


@pytest.mark.parametrize(
    "meanwhile",
    [
        lambda db, taken: do(db, outcomes.mark_uncertain, taken.attempt_id, "no_answer"),
        lambda db, taken: do(db, outcomes.mark_for_retry, taken.attempt_id, "20500", None),
        lambda db, taken: do(db, outcomes.mark_failed, taken.attempt_id, "63024"),
        lambda db, taken: cancel(db, booking_of(taken.job_id)),
    ],
    ids=["uncertain", "pending", "failed", "cancelled"],
)
def test_an_acceptance_that_comes_late_makes_any_message_sent(
    db: Database, meanwhile: Callable[[Database, Claim], object]
) -> None:
    taken = started(db)
    meanwhile(db, taken)

    do(db, outcomes.accept, taken.attempt_id, SID, "queued")

    row = message(db, taken.job_id)
    assert (row.state, row.sid, row.reason, row.error_code) == ("sent", SID, None, None)


def test_an_acceptance_of_the_first_attempt_stops_a_second_that_is_claimed_but_not_begun(
    db: Database, clock: FrozenClock
) -> None:
    first = started(db)
    clock.set(do(db, outcomes.mark_for_retry, first.attempt_id, "20500", None))
    second = do(db, claims.claim, first.job_id)

    do(db, outcomes.accept, first.attempt_id, SID, "queued")

    assert not do(db, start, second)
    assert message(db, first.job_id).state == "sent"


@pytest.mark.parametrize("first_answers_first", [True, False])
def test_a_message_with_two_accepted_attempts_is_marked_as_doubled(
    db: Database, clock: FrozenClock, first_answers_first: bool
) -> None:
    first = started(db)
    second = started_again(db, clock, first)
    answers = [(first.attempt_id, SID), (second.attempt_id, OTHER_SID)]

    for attempt_id, sid in answers if first_answers_first else answers[::-1]:
        do(db, outcomes.accept, attempt_id, sid, "queued")

    row = message(db, first.job_id)
    assert (row.state, row.doubled) == ("sent", True)
    assert row.sid == (SID if first_answers_first else OTHER_SID)
    assert completed(db) == 1


def test_a_refused_second_attempt_does_not_undo_a_first_that_was_accepted_late(
    db: Database, clock: FrozenClock
) -> None:
    first = started(db)
    second = started_again(db, clock, first)
    do(db, outcomes.accept, first.attempt_id, SID, "queued")

    do(db, outcomes.mark_failed, second.attempt_id, "63024")
    do(db, outcomes.mark_for_retry, second.attempt_id, "20500", None)
    do(db, outcomes.mark_waiting, second.attempt_id, "20429", None, clock.now())
    do(db, outcomes.mark_uncertain, second.attempt_id, "no_answer")

    row = message(db, first.job_id)
    assert (row.state, row.sid, row.doubled) == ("sent", SID, False)


# --- not delivered ---


def test_an_answer_after_the_receipt_of_a_failure_does_not_hide_the_failure(
    db: Database, clock: FrozenClock
) -> None:
    taken = started(db)
    due = do(db, outcomes.accept, taken.attempt_id, SID, "undelivered", "30008")
    assert due == clock.now() + timedelta(seconds=5)

    assert do(db, outcomes.accept, taken.attempt_id, SID, "queued") is None

    row = message(db, taken.job_id)
    assert (row.state, row.due_at, row.tries, row.error_code) == ("pending", due, 1, "30008")
    assert completed(db) == 0


def test_a_message_that_twilios_list_shows_as_undelivered_is_tried_again(
    db: Database, clock: FrozenClock
) -> None:
    taken = uncertain(db)

    due = do(db, outcomes.accept, taken.attempt_id, SID, "failed", "30008")

    assert due == clock.now() + timedelta(seconds=25)  # the second try: "no answer" was the first
    assert message(db, taken.job_id).state == "pending"


def test_a_permanent_failure_after_acceptance_fails_the_message(db: Database) -> None:
    taken = started(db)
    do(db, outcomes.accept, taken.attempt_id, SID, "sent")

    assert do(db, outcomes.accept, taken.attempt_id, SID, "undelivered", "63024") is None

    row = message(db, taken.job_id)
    assert (row.state, row.reason, row.error_code) == ("failed", "undelivered", "63024")
    assert (row.sid, row.sent_at, row.delivery_status) == (None, None, None)
    assert attempts(db, taken.job_id)[0].sid == SID  # which is kept where it was made
    assert completed(db) == 0


def test_a_delivery_after_a_failure_is_the_truth(db: Database) -> None:
    taken = started(db)
    do(db, outcomes.accept, taken.attempt_id, SID, "failed", "63024")

    do(db, outcomes.accept, taken.attempt_id, SID, "delivered")

    row = message(db, taken.job_id)
    assert (row.state, row.delivery_status, row.sid) == ("sent", "delivered", SID)
    assert completed(db) == 1


def test_a_failure_after_a_delivery_is_ignored(db: Database) -> None:
    taken = started(db)
    do(db, outcomes.accept, taken.attempt_id, SID, "delivered")

    assert do(db, outcomes.accept, taken.attempt_id, SID, "failed", "30008") is None

    assert message(db, taken.job_id).delivery_status == "delivered"


def test_a_failure_of_an_older_attempt_does_not_touch_what_a_newer_one_sent(
    db: Database, clock: FrozenClock
) -> None:
    first = started(db)
    second = started_again(db, clock, first)
    do(db, outcomes.accept, second.attempt_id, OTHER_SID, "delivered")

    do(db, outcomes.accept, first.attempt_id, SID, "failed", "30008")

    row = message(db, first.job_id)
    assert (row.state, row.sid, row.delivery_status) == ("sent", OTHER_SID, "delivered")
    assert row.doubled  # Twilio took it twice, whatever came of it


def test_an_undelivered_reminder_is_not_tried_again_when_a_newer_one_is_due(
    db: Database, clock: FrozenClock
) -> None:
    job_id = f"{book(db)}-reminder-1"
    clock.move(hours=2)
    taken = started(db, job_id)
    do(db, outcomes.accept, taken.attempt_id, SID, "sent")
    clock.move(hours=2)

    assert do(db, outcomes.accept, taken.attempt_id, SID, "failed", "30008") is None

    row = message(db, job_id)
    assert (row.state, row.reason) == ("failed", "undelivered")


@pytest.mark.parametrize("stop", [cancel, lambda db, id: move(db, id, 20)])
def test_a_reminder_that_turns_out_undelivered_after_a_cancel_or_a_move_is_not_sent_again(
    db: Database, stop: Callable[[Database, str], None]
) -> None:
    taken = started(db)
    do(db, outcomes.accept, taken.attempt_id, SID, "sent")
    stop(db, booking_of(taken.job_id))

    assert do(db, outcomes.accept, taken.attempt_id, SID, "failed", "30008") is None

    row = message(db, taken.job_id)
    assert (row.state, row.reason) == ("failed", "undelivered")


def test_a_configuration_error_after_acceptance_stops_sending_and_costs_no_try(
    db: Database, clock: FrozenClock
) -> None:
    taken = started(db)

    due = do(db, outcomes.accept, taken.attempt_id, SID, "failed", "63016")

    assert due == clock.now() + timedelta(seconds=60)
    row = message(db, taken.job_id)
    assert (row.state, row.tries, row.error_code) == ("pending", 0, "63016")
    assert do(db, claims.claim, due_message(db)) is None


def test_whatsapps_limit_after_acceptance_slows_all_sending_and_costs_no_try(
    db: Database, clock: FrozenClock
) -> None:
    taken = started(db)

    due = do(db, outcomes.accept, taken.attempt_id, SID, "failed", "63018")

    assert due == clock.now() + timedelta(minutes=15)
    assert message(db, taken.job_id).tries == 0
    assert do(db, claims.claim, due_message(db)) is None


# --- not sent ---


def test_retries_follow_the_delays_and_end_as_given_up(db: Database, clock: FrozenClock) -> None:
    taken, delays = started(db), []
    while due := do(db, outcomes.mark_for_retry, taken.attempt_id, "20500", "Oops", verify=True):
        delays.append((due - clock.now()).total_seconds())
        assert message(db, taken.job_id).verify_first
        clock.set(due)
        taken = started(db, taken.job_id)

    row = message(db, taken.job_id)
    assert delays == [5, 25, 125, 625, 3125]
    assert (row.state, row.reason, row.error_code, row.tries) == ("failed", "gave_up", "20500", 5)
    assert {attempt.outcome for attempt in attempts(db, taken.job_id)} == {"not_sent"}
    assert attempts(db, taken.job_id)[0].error_detail == "Oops"


def test_no_try_is_planned_at_or_after_the_appointment(db: Database, clock: FrozenClock) -> None:
    job_id = f"{book(db, hours=2.5)}-reminder-1"
    clock.move(hours=2.5, seconds=-5)
    taken = started(db, job_id)

    assert do(db, outcomes.mark_for_retry, taken.attempt_id, "63012", None) is None

    row = message(db, job_id)
    assert (row.state, row.reason) == ("failed", "no_time_left")


def answer(db: Database, wrote: timedelta, hours: float = -1) -> Claim:
    """An answer being sent to a customer who wrote so long ago, `hours` before the appointment."""
    with db.write() as session:
        of = factories.booking(session, app_clock.now() + timedelta(hours=hours))
        customers.note_written(session, of.customer_phone, None, app_clock.now() - wrote)
        job_id = factories.message(session, of, kind="answer", text="See you!").id
    return started(db, job_id)


def test_an_answer_is_tried_again_while_free_text_may_be_sent_whenever_the_appointment_is(
    db: Database, clock: FrozenClock
) -> None:
    taken = answer(db, timedelta(hours=2))
    due = do(db, outcomes.mark_for_retry, taken.attempt_id, "63012", None)
    assert due == clock.now() + timedelta(seconds=5)

    clock.set(due)
    assert do(db, claims.claim, taken.job_id) is not None

    taken = answer(db, timedelta(hours=23, minutes=54, seconds=57))
    assert do(db, outcomes.mark_for_retry, taken.attempt_id, "63012", None) is None
    row = message(db, taken.job_id)
    assert (row.state, row.reason) == ("failed", "no_time_left")


def test_an_answer_of_which_nobody_knows_whether_it_was_sent_is_settled_like_a_reminder(
    db: Database, clock: FrozenClock
) -> None:
    taken = answer(db, timedelta(hours=2))
    do(db, outcomes.mark_uncertain, taken.attempt_id, "no_answer")

    due = do(db, outcomes.settle_not_sent, taken.job_id)

    assert due == clock.now() + timedelta(seconds=5)
    assert message(db, taken.job_id).state == "pending"


def test_a_cancel_leaves_an_answer_alone_also_when_it_is_tried_again(
    db: Database, clock: FrozenClock
) -> None:
    taken = answer(db, timedelta(hours=2), hours=5)
    cancel(db, booking_of(taken.job_id))

    assert do(db, outcomes.mark_for_retry, taken.attempt_id, "63012", None) is not None

    assert message(db, taken.job_id).state == "pending"


def test_a_message_that_was_cancelled_in_flight_and_not_sent_is_cancelled(
    db: Database, clock: FrozenClock
) -> None:
    marks: list[Callable[[Claim], object]] = [
        lambda taken: do(db, outcomes.mark_for_retry, taken.attempt_id, "20500", None),
        lambda taken: do(db, outcomes.mark_waiting, taken.attempt_id, "20429", None, clock.now()),
    ]
    for mark in marks:
        taken = started(db)
        cancel(db, booking_of(taken.job_id))

        mark(taken)

        row = message(db, taken.job_id)
        assert (row.state, row.reason) == ("cancelled", "booking_cancelled")


def test_a_refusal_for_good_fails_the_message_at_once(db: Database) -> None:
    taken = started(db)

    assert do(db, outcomes.mark_failed, taken.attempt_id, "63024", "no WhatsApp")

    row = message(db, taken.job_id)
    assert (row.state, row.reason, row.error_code) == ("failed", "refused", "63024")
    [attempt] = attempts(db, taken.job_id)
    assert (attempt.outcome, attempt.error_detail) == ("refused", "no WhatsApp")


def test_waiting_costs_no_try_also_when_the_answer_came_after_the_lease(
    db: Database, clock: FrozenClock
) -> None:
    until = clock.now() + timedelta(minutes=1)
    for taken in (started(db), uncertain(db)):
        assert do(db, outcomes.mark_waiting, taken.attempt_id, "20429", None, until) == until

        row = message(db, taken.job_id)
        assert (row.state, row.tries, row.due_at, row.attempts) == ("pending", 0, until, 1)


def test_a_late_answer_of_an_uncertain_message_settles_it_and_counts_its_try_once(
    db: Database, clock: FrozenClock
) -> None:
    retried, refused = uncertain(db), uncertain(db)

    due = do(db, outcomes.mark_for_retry, retried.attempt_id, "63012", None)
    do(db, outcomes.mark_failed, refused.attempt_id, "63024")

    row = message(db, retried.job_id)
    assert (row.state, row.tries, row.check_at) == ("pending", 1, None)
    assert due == clock.now() + timedelta(seconds=5)
    assert message(db, refused.job_id).state == "failed"


# --- settled ---


def test_a_message_that_the_list_does_not_have_is_tried_again_after_its_delay(
    db: Database, clock: FrozenClock
) -> None:
    taken = uncertain(db)

    due = do(db, outcomes.settle_not_sent, taken.job_id)

    assert due == clock.now() + timedelta(seconds=5)
    assert message(db, taken.job_id).state == "pending"
    assert attempts(db, taken.job_id)[0].outcome == "not_sent"


def test_a_message_that_was_settled_while_it_was_looked_up_stays_settled(db: Database) -> None:
    taken = uncertain(db)
    do(db, outcomes.accept, taken.attempt_id, SID, "queued")

    assert do(db, outcomes.settle_not_sent, taken.job_id) is None
    assert message(db, taken.job_id).state == "sent"


def test_an_uncertain_message_that_was_not_sent_is_skipped_or_cancelled_if_nobody_wants_it(
    db: Database, clock: FrozenClock
) -> None:
    passed, cancelled = uncertain(db), uncertain(db)
    cancel(db, booking_of(cancelled.job_id))
    clock.move(hours=10)

    for taken in (passed, cancelled):
        assert do(db, outcomes.settle_not_sent, taken.job_id) is None

    row = message(db, passed.job_id)
    assert (row.state, row.reason) == ("skipped", "appointment_passed")
    row = message(db, cancelled.job_id)
    assert (row.state, row.reason) == ("cancelled", "booking_cancelled")


# --- at the same time ---


def test_an_answer_and_a_callback_at_once_send_the_message_once(db: Database) -> None:
    for _ in range(10):
        taken, sid = started(db), factories.sid()

        at_once(
            lambda taken=taken, sid=sid: do(db, outcomes.accept, taken.attempt_id, sid, "queued"),
            lambda taken=taken, sid=sid: do(db, outcomes.accept, taken.attempt_id, sid, "sent"),
            lambda taken=taken: do(db, outcomes.mark_uncertain, taken.attempt_id, "no_answer"),
        )

        row = message(db, taken.job_id)
        assert (row.state, row.sid, row.doubled) == ("sent", sid, False)
        assert row.delivery_status == "sent"
    assert completed(db) == 10


@pytest.mark.parametrize("code", ["20500", "30008"])
def test_an_old_reminder_is_never_pending_after_a_move_that_races_with_its_outcome(
    db: Database, code: str
) -> None:
    for _ in range(25):
        taken, sid = started(db), factories.sid()
        if code == "30008":
            do(db, outcomes.accept, taken.attempt_id, sid, "sent")

        def end(taken: Claim = taken, sid: str = sid) -> None:
            if code == "30008":
                do(db, outcomes.accept, taken.attempt_id, sid, "failed", code)
            else:
                do(db, outcomes.mark_for_retry, taken.attempt_id, code, None)

        at_once(end, lambda taken=taken: move(db, booking_of(taken.job_id), 20))

        assert message(db, taken.job_id).state in {"cancelled", "failed"}


def test_a_retry_that_is_recorded_in_the_middle_of_a_move_does_not_survive_it(
    postgres_db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken = started(postgres_db)
    marking = threading.Thread(
        target=do,
        args=(postgres_db, outcomes.mark_for_retry, taken.attempt_id, "20500", None),
    )

    with postgres_db.write() as session:
        connection = session.connection()
        execute = connection.execute

        def mark_after_the_first_statement(*args: Any, **values: Any) -> Any:
            result = execute(*args, **values)
            if marking.ident is None:
                marking.start()
                marking.join(0.3)  # it is done, or waits for this transaction
            return result

        lock_booking(session, booking_of(taken.job_id), to_change=True)
        monkeypatch.setattr(connection, "execute", mark_after_the_first_statement)
        plans.cancel_pending(session, booking_of(taken.job_id), "rescheduled")
    marking.join()

    row = message(postgres_db, taken.job_id)
    assert (row.state, row.reason) == ("cancelled", "rescheduled")
