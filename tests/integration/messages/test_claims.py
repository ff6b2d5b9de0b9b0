"""Taking a message in hand: who wins, who must not send any more, and what dead workers held."""

import threading
import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy.exc import IntegrityError

from app.bookings import service
from app.db import Database
from app.messages import gate
from app.messages.lifecycle import claims, outcomes, plans
from app.messages.lifecycle.claims import Claim
from app.messages.lifecycle.compare_and_set import booking_of
from app.models.message import Message
from tests import factories
from tests.support import lifecycle
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
)

pytestmark = pytest.mark.usefixtures("clock", "valkey")


def claim(db: Database, job_id: str) -> Any:
    """As its caller does it, who looks again if another message to the person was faster."""
    materialize_due()
    try:
        return claim_once(db, job_id)
    except IntegrityError:
        return claim_once(db, job_id)


def claim_once(db: Database, job_id: str) -> Any:
    with db.write() as session:
        return claims.claim(session, job_id)


def start(db: Database, taken: Claim) -> bool:
    with db.write() as session:
        return lifecycle.start(session, taken)


def claimed(db: Database, **values: Any) -> Claim:
    taken = claim(db, due_message(db, **values))
    assert isinstance(taken, Claim)
    return taken


def expire(db: Database) -> int:
    with db.write() as session:
        return claims.expire_leases(session)


# --- who wins ---


def test_of_twenty_workers_that_claim_one_message_exactly_one_wins(db: Database) -> None:
    job_id = due_message(db)

    results = at_once(*[lambda: claim(db, job_id)] * 20)

    [won] = [result for result in results if isinstance(result, Claim)]
    row = message(db, job_id)
    assert (row.state, row.attempt_id) == ("sending", won.attempt_id)
    assert row.attempts == 0  # no POST has begun


def test_of_six_messages_to_one_phone_exactly_one_is_claimed_and_the_others_wait(
    db: Database, clock: FrozenClock
) -> None:
    phone = factories.phone()
    with db.write() as session:
        times = [clock.now() + timedelta(hours=hours) for hours in range(5, 11)]
        bookings = [factories.booking(session, at, customer_phone=phone) for at in times]
        job_ids = [factories.message(session, one).id for one in bookings]

    results = at_once(*[lambda job_id=job_id: claim(db, job_id) for job_id in job_ids])

    assert sum(isinstance(result, Claim) for result in results) == 1
    waiting = [result for result in results if not isinstance(result, Claim)]
    assert set(waiting) == {clock.now() + timedelta(seconds=2)}
    rows = [message(db, job_id) for job_id in job_ids]
    assert sorted(row.state for row in rows) == ["pending"] * 5 + ["sending"]
    assert {row.due_at for row in rows if row.state == "pending"} == set(waiting)


@pytest.mark.parametrize("stop", [cancel, lambda db, id: move(db, id, 20)])
def test_in_a_hundred_races_with_a_cancel_or_a_move_no_post_begins_after_its_commit(
    db: Database, stop: Callable[[Database, str], None]
) -> None:
    for _ in range(50):
        job_id = due_message(db)
        is_stopped = threading.Event()

        def send(job_id: str = job_id, is_stopped: threading.Event = is_stopped) -> bool | None:
            taken = claim(db, job_id)
            if not isinstance(taken, Claim):
                return None
            with db.write() as session:
                won = lifecycle.start(session, taken)
                assert not (won and is_stopped.is_set())  # its commit waits for ours
            return won

        def stop_it(job_id: str = job_id, is_stopped: threading.Event = is_stopped) -> None:
            stop(db, booking_of(job_id))
            is_stopped.set()

        won, _ = at_once(send, stop_it)
        row = message(db, job_id)
        assert row.state == ("sending" if won else "cancelled")
        assert len(attempts(db, job_id)) == bool(won)
        assert row.cancel_reason is not None or row.state == "cancelled"
        if won:  # out of the way of the next round
            with db.write() as session:
                outcomes.mark_sent(session, str(row.attempt_id), factories.sid(), "queued")


@pytest.mark.parametrize("stop", [cancel, lambda db, id: move(db, id, 20)])
def test_a_claimed_message_is_not_started_after_a_cancel_or_a_move(
    db: Database, stop: Callable[[Database, str], None]
) -> None:
    taken = claimed(db)

    stop(db, booking_of(taken.job_id))

    assert not start(db, taken)
    row = message(db, taken.job_id)
    assert row.state == "cancelled"
    assert row.reason in {"booking_cancelled", "rescheduled"}
    assert attempts(db, taken.job_id) == []


def test_a_start_sees_a_move_that_was_committed_while_it_waited_for_the_booking(
    postgres_db: Database,
) -> None:
    taken = claimed(postgres_db)

    with postgres_db.write() as session:
        message_before = session.get_one(Message, taken.job_id)
        move(postgres_db, booking_of(taken.job_id), 20)
        assert message_before.cancel_reason is None  # what this session had read is stale
        assert not lifecycle.start(session, taken)

    row = message(postgres_db, taken.job_id)
    assert (row.state, row.reason) == ("cancelled", "rescheduled")


def test_who_read_a_message_before_another_worker_tried_it_does_not_try_it_before_its_next_time(
    postgres_db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    job_id = due_message(postgres_db)
    may_start = gate.may_start

    def another_worker_is_faster(session: Any, sending: Any, now: Any) -> bool:
        monkeypatch.setattr(gate, "may_start", may_start)
        taken = claim(postgres_db, job_id)
        start(postgres_db, taken)
        with postgres_db.write() as other:
            outcomes.mark_for_retry(other, taken.attempt_id, "20500", None, verify=True)
        return True

    monkeypatch.setattr(gate, "may_start", another_worker_is_faster)

    assert claim(postgres_db, job_id) is None
    row = message(postgres_db, job_id)
    assert (row.state, row.attempts, row.verify_first) == ("pending", 1, True)


# --- what may be claimed ---


def test_what_is_unknown_or_not_pending_is_not_claimed(db: Database) -> None:
    assert claim(db, "booking_0-reminder-1") is None
    assert claim(db, "nonsense") is None
    for state in ("sending", "uncertain", "sent", "failed", "cancelled", "skipped"):
        job_id = due_message(db, state)
        assert claim(db, job_id) is None
        assert message(db, job_id).state == state


def test_a_task_that_comes_a_moment_early_is_told_when_to_come_back(
    db: Database, clock: FrozenClock
) -> None:
    soon, later = (clock.now() + timedelta(seconds=seconds) for seconds in (2, 3))

    assert claim(db, due_message(db, due_at=soon)) == soon
    assert claim(db, due_message(db, due_at=later)) is None


def test_a_reminder_is_skipped_when_a_newer_one_of_its_booking_is_due(
    db: Database, clock: FrozenClock
) -> None:
    booking_id = book(db)
    clock.move(hours=4)

    assert claim(db, f"{booking_id}-reminder-1") is None
    assert isinstance(claim(db, f"{booking_id}-reminder-2"), Claim)

    row = message(db, f"{booking_id}-reminder-1")
    assert (row.state, row.reason) == ("skipped", "superseded")


@pytest.mark.parametrize("state", ["pending", "sending", "uncertain", "sent"])
def test_a_newer_reminder_supersedes_an_older_one_in_whatever_state_it_may_still_arrive(
    db: Database, clock: FrozenClock, state: str
) -> None:
    with db.write() as session:
        of = factories.booking(session)
        older = factories.message(session, of).id
        clock.move(seconds=1)
        factories.message(session, of, state)
    clock.move(seconds=1)

    assert claim(db, older) is None
    assert message(db, older).reason == "superseded"


@pytest.mark.parametrize("state", ["failed", "cancelled", "skipped"])
def test_a_newer_reminder_that_ended_badly_supersedes_nothing(
    db: Database, clock: FrozenClock, state: str
) -> None:
    with db.write() as session:
        of = factories.booking(session)
        older = factories.message(session, of).id
        clock.move(seconds=1)
        factories.message(session, of, state)
    clock.move(seconds=1)

    assert isinstance(claim(db, older), Claim)


def test_nothing_is_claimed_from_the_moment_of_the_appointment_on(
    db: Database, clock: FrozenClock
) -> None:
    with db.write() as session:
        of = factories.booking(session, starts_at=clock.now() + timedelta(seconds=1))
        reminder = factories.message(session, of).id
        cancellation = factories.message(session, of, kind="cancellation").id
    clock.move(seconds=1)

    for job_id in (reminder, cancellation):
        assert claim(db, job_id) is None
        row = message(db, job_id)
        assert (row.state, row.reason) == ("skipped", "appointment_passed")


def test_of_a_booking_that_is_not_confirmed_only_the_cancellation_is_claimed(
    db: Database,
) -> None:
    with db.write() as session:
        of = factories.booking(session, status="no_show")
        reminder = factories.message(session, of).id
        cancellation = factories.message(session, of, kind="cancellation").id

    assert claim(db, reminder) is None
    assert message(db, reminder).reason == "not_confirmed"
    assert isinstance(claim(db, cancellation), Claim)


# --- from the claim to the POST ---


def test_a_start_counts_the_attempt_and_renews_the_lease(db: Database, clock: FrozenClock) -> None:
    taken = claimed(db)
    clock.move(seconds=59)

    assert start(db, taken)

    row = message(db, taken.job_id)
    assert (row.attempts, row.lease_until) == (1, clock.now() + timedelta(seconds=60))
    [attempt] = attempts(db, taken.job_id)
    assert (attempt.id, attempt.sent_to) == (taken.attempt_id, taken.to)
    assert (attempt.body, attempt.started_at, attempt.outcome) == ("Hello!", clock.now(), None)


def test_who_lost_the_lease_starts_nothing(db: Database, clock: FrozenClock) -> None:
    taken = claimed(db)
    clock.move(seconds=60)

    assert not start(db, taken)
    assert attempts(db, taken.job_id) == []


def test_who_lost_the_claim_to_another_starts_nothing(db: Database, clock: FrozenClock) -> None:
    taken = claimed(db)
    clock.move(seconds=61)
    expire(db)
    other = claim(db, taken.job_id)

    assert not start(db, taken)
    assert start(db, other)


def test_a_message_that_became_ineligible_after_its_claim_is_skipped(
    db: Database, clock: FrozenClock
) -> None:
    booking_id = book(db)
    clock.move(hours=4, seconds=-1)
    taken = claim(db, f"{booking_id}-reminder-1")
    clock.move(seconds=1)

    assert not start(db, taken)

    row = message(db, taken.job_id)
    assert (row.state, row.reason) == ("skipped", "superseded")


def test_a_message_whose_customer_got_another_number_goes_back_and_then_to_that_number(
    db: Database,
) -> None:
    taken = claimed(db)
    with db.write() as session:
        service.change(
            session, booking_of(taken.job_id), {"customer_phone": "+447700900999"}, "system"
        )

    assert not start(db, taken)

    again = claim(db, taken.job_id)
    assert again.to == "+447700900999"
    assert start(db, again)


def test_nothing_starts_once_staff_have_paused_sending(db: Database) -> None:
    taken = claimed(db)
    with db.write() as session:
        gate.pause(session, "user:1")

    assert not start(db, taken)
    assert message(db, taken.job_id).state == "pending"
    assert claim(db, taken.job_id) is None


def test_a_claim_can_be_given_back_unused(db: Database, clock: FrozenClock) -> None:
    taken = claimed(db)
    until = clock.now() + timedelta(seconds=5)

    with db.write() as session:
        assert claims.release(session, taken, until)
        assert not claims.release(session, taken, until)

    row = message(db, taken.job_id)
    assert (row.state, row.due_at, row.attempts, row.tries) == ("pending", until, 0, 0)
    assert row.sending_to is None


def test_a_claim_that_is_given_back_after_a_cancel_is_cancelled(
    db: Database, clock: FrozenClock
) -> None:
    taken = claimed(db)
    cancel(db, booking_of(taken.job_id))

    with db.write() as session:
        claims.release(session, taken, clock.now())

    assert message(db, taken.job_id).state == "cancelled"


def test_a_message_whose_text_cannot_be_made_fails_at_once(db: Database) -> None:
    taken = claimed(db)

    with db.write() as session:
        assert claims.mark_unsendable(session, taken, "render_error")

    row = message(db, taken.job_id)
    assert (row.state, row.reason, row.error_code) == ("failed", "refused", "render_error")


# --- what dead workers held ---


def test_a_lease_that_ends_before_the_post_began_makes_the_message_due_at_once(
    db: Database, clock: FrozenClock
) -> None:
    taken = claimed(db)
    clock.move(seconds=60)
    assert expire(db) == 0
    clock.move(seconds=1)

    assert expire(db) == 1

    row = message(db, taken.job_id)
    assert (row.state, row.due_at, row.tries, row.enqueued_at) == ("pending", clock.now(), 0, None)
    assert isinstance(claim(db, taken.job_id), Claim)


def test_a_lease_that_ends_after_the_post_began_makes_the_message_uncertain(
    db: Database, clock: FrozenClock
) -> None:
    taken = claimed(db)
    start(db, taken)
    clock.move(seconds=61)

    assert expire(db) == 1

    row = message(db, taken.job_id)
    assert (row.state, row.error_code, row.tries) == ("uncertain", "no_answer", 1)
    assert row.check_at == clock.now() + timedelta(seconds=120)
    assert row.sending_to == taken.to  # nothing else goes to this phone until it is settled
    [attempt] = attempts(db, taken.job_id)
    assert (attempt.outcome, attempt.error_detail) == (None, "the worker died")


def test_a_lease_that_ends_after_a_cancel_and_before_the_post_cancels_the_message(
    db: Database, clock: FrozenClock
) -> None:
    taken = claimed(db)
    cancel(db, booking_of(taken.job_id))
    clock.move(seconds=61)

    expire(db)

    assert message(db, taken.job_id).state == "cancelled"


def test_two_ticks_that_expire_a_lease_at_once_do_it_once(db: Database, clock: FrozenClock) -> None:
    taken = [claimed(db) for _ in range(20)]
    for one in taken[:10]:
        start(db, one)
    clock.move(seconds=61)

    at_once(*[lambda: expire(db)] * 4)

    rows = [message(db, one.job_id) for one in taken]
    assert [row.state for row in rows] == ["uncertain"] * 10 + ["pending"] * 10
    assert {row.tries for row in rows[:10]} == {1}


def test_a_start_that_commits_while_its_lease_is_expired_stays_started(
    db: Database, clock: FrozenClock
) -> None:
    for _ in range(20):
        taken = claimed(db)
        clock.move(seconds=59)

        def expire_later() -> int:
            clock.move(seconds=2)
            return expire(db)

        started, _ = at_once(lambda taken=taken: start(db, taken), expire_later)

        row = message(db, taken.job_id)
        assert row.state in ({"sending", "uncertain"} if started else {"pending", "sending"})
        assert len(attempts(db, taken.job_id)) == started


def test_a_message_is_skipped_only_while_it_is_pending(db: Database) -> None:
    pending, sent = due_message(db), due_message(db, "sent")

    with db.write() as session:
        plans.skip(session, [pending, sent, str(uuid.uuid4())], "superseded")

    assert [message(db, job_id).state for job_id in (pending, sent)] == ["skipped", "sent"]
