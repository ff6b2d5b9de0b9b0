"""Reminders as a client of the API sees them, and a retry."""

from typing import Any

import pytest
from sqlalchemy import select

from app.db import Database
from app.errors import Conflict, NotFound
from app.messages import service
from app.messages.lifecycle.compare_and_set import booking_of
from app.messages.service import REASONS, ReminderView
from app.models.staff import AuditEvent
from app.whatsapp.errors import explain
from tests import factories
from tests.fake_twilio import FakeTwilio, Fault
from tests.support.frozen import FrozenClock
from tests.support.lifecycle import (
    HOME,
    at_once,
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

pytestmark = pytest.mark.usefixtures("clock", "valkey")


def views(db: Database, booking_id: str) -> list[ReminderView]:
    with db.read() as session:
        return service.reminders(session, booking_id)


def retry(db: Database, job_id: str) -> None:
    number = int(job_id.rpartition("-")[2])
    with db.write() as session:
        service.retry_reminder(session, booking_of(job_id), number, "user:1")


def refusal(db: Database, job_id: str) -> tuple[str, str]:
    with pytest.raises(Conflict) as caught:
        retry(db, job_id)
    return caught.value.reason, caught.value.detail


@pytest.mark.parametrize(
    ("state", "shown"),
    [
        ("pending", "waiting"),
        ("sending", "active"),
        ("uncertain", "active"),
        ("sent", "completed"),
        ("failed", "failed"),
        ("cancelled", "cancelled"),
        ("skipped", "skipped"),
    ],
)
def test_each_state_has_its_word_in_the_api(db: Database, state: str, shown: str) -> None:
    values: dict[str, Any] = {"reason": "superseded"} if state == "skipped" else {}
    job_id = due_message(db, state, **values)

    [view] = views(db, booking_of(job_id))

    assert (view.job_id, view.number, view.state) == (job_id, 1, shown)


def test_reminders_are_shown_by_number_with_their_times(db: Database, clock: FrozenClock) -> None:
    booking_id = book(db, 30)
    shown = views(db, booking_id)

    assert [view.number for view in shown] == list(range(1, 15))
    assert [view.scheduled_for for view in shown] == [
        row.planned_for for row in messages(db, booking_id)
    ]
    assert {(view.state, view.error, view.attempts) for view in shown} == {("delayed", None, 0)}
    with pytest.raises(NotFound):
        views(db, "booking_0")


def test_why_a_reminder_does_not_go_out_is_said_in_words(db: Database) -> None:
    for reason, words in REASONS.items():
        job_id = due_message(db, "skipped", reason=reason)
        assert views(db, booking_of(job_id))[0].error == f"{words}."


def test_what_went_wrong_is_said_in_words_and_with_advice_once_it_is_final(
    db: Database, clock: FrozenClock, twilio: FakeTwilio
) -> None:
    booking_id = book(db)
    clock.move(hours=2)
    twilio.script(HOME, [Fault.error(400, 63012), Fault.error(400, 63024)])
    clock.set(deliver(f"{booking_id}-reminder-1"))
    first = views(db, booking_id)[0]
    assert (first.error, first.attempts) == (f"{explain(63012).words}.", 1)

    deliver(f"{booking_id}-reminder-1")
    first = views(db, booking_id)[0]
    assert first.error == f"{explain(63024).words}. {explain(63024).advice}"


def test_an_error_of_a_sent_message_is_forgotten(
    db: Database, clock: FrozenClock, twilio: FakeTwilio
) -> None:
    booking_id = book(db)
    clock.move(hours=2)
    twilio.script(HOME, [Fault.error(400, 63012)])
    clock.set(deliver(f"{booking_id}-reminder-1"))
    deliver(f"{booking_id}-reminder-1")

    view = views(db, booking_id)[0]
    assert (view.state, view.error, view.delivery_status) == ("completed", None, "queued")
    assert view.sent_at == clock.now()


# --- retrying ---


def test_a_failed_reminder_is_sent_again_at_once_and_the_retry_is_in_the_log(
    db: Database, clock: FrozenClock, twilio: FakeTwilio
) -> None:
    booking_id = book(db)
    job_id = f"{booking_id}-reminder-1"
    clock.move(hours=2)
    twilio.script(HOME, [Fault.error(400, 63024)])
    deliver(job_id)

    retry(db, job_id)
    assert enqueued() == [job_id]
    work()

    assert len(twilio.messages()) == 1
    row = message(db, job_id)
    assert (row.state, row.attempts, twilio.lookups) == ("sent", 2, 0)
    with db.read() as session:
        event = session.scalars(select(AuditEvent).order_by(AuditEvent.id.desc())).first()
    assert event is not None
    assert (event.actor, event.action, event.subject) == ("user:1", "message.retried", booking_id)
    assert event.details == {"job_id": job_id}


def test_two_staff_who_retry_at_once_make_one_attempt(
    db: Database, clock: FrozenClock, twilio: FakeTwilio
) -> None:
    job_id = due_message(db, "failed")

    def try_it() -> str:
        try:
            retry(db, job_id)
        except Conflict as conflict:
            return conflict.reason
        return "retried"

    results = at_once(*[try_it] * 10)
    work()

    assert sorted(results) == ["not_failed"] * 9 + ["retried"]
    assert len(twilio.posts()) == 1


@pytest.mark.parametrize(
    "state", ["pending", "sending", "uncertain", "sent", "cancelled", "skipped"]
)
def test_only_what_failed_is_retried(db: Database, state: str) -> None:
    reason, detail = refusal(db, due_message(db, state))

    assert reason == "not_failed"
    assert state in detail


def test_what_nobody_wants_any_more_is_not_retried_and_the_answer_says_why(
    db: Database, clock: FrozenClock
) -> None:
    cancelled, moved, superseded, passed = (due_message(db, "failed") for _ in range(4))
    cancel(db, booking_of(cancelled))
    move(db, booking_of(moved), 20)
    clock.move(seconds=1)
    with db.write() as session:
        of = session.get_one(factories.Booking, booking_of(superseded))
        factories.message(session, of)
    clock.move(seconds=1)

    assert refusal(db, cancelled) == ("booking_cancelled", "The booking was cancelled.")
    assert refusal(db, moved) == ("rescheduled", "The booking was moved.")
    assert refusal(db, superseded) == ("superseded", "A newer reminder is due.")
    clock.move(hours=10)
    assert refusal(db, passed) == ("appointment_passed", "The appointment has begun.")


def test_a_reminder_whose_time_has_another_message_now_is_not_retried(
    db: Database, clock: FrozenClock
) -> None:
    with db.write() as session:
        of = factories.booking(session)
        job_id = factories.message(session, of, "failed", planned_for=clock.now()).id
        factories.message(session, of, planned_for=clock.now())

    assert refusal(db, job_id)[0] == "superseded"


def test_what_does_not_exist_is_not_found(db: Database) -> None:
    with pytest.raises(NotFound):
        retry(db, "booking_0-reminder-1")
    with pytest.raises(NotFound):
        retry(db, f"{book(db)}-reminder-99")
