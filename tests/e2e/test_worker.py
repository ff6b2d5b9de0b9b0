"""The worker as it is started: its own process, by the command line of the design."""

import signal
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from app import clock
from app.db import Database
from app.messages import statistics
from tests.fake_twilio import FakeTwilio
from tests.support.lifecycle import HOME, book, booking, due_message, message, states
from tests.support.processes import Process, wait_until
from tests.support.running import WORKER

pytestmark = pytest.mark.usefixtures("valkey")

HELD = 8  # messages at once

Start = Callable[[], Process]


@pytest.fixture
def start(db: Database, twilio: FakeTwilio, tmp_path: Path) -> Start:
    """Starts a worker on this test's database, queue and Twilio: `with start() as worker:`."""
    return lambda: Process(WORKER, {"FEED_EVERY": "0.3"}, tmp_path, "worker")


def test_a_cancel_that_the_webhook_missed_cancels_the_booking(
    db: Database, twilio: FakeTwilio, start: Start
) -> None:
    booking_id = book(db)
    twilio.now = lambda: datetime.now(UTC) - timedelta(minutes=2)  # what is younger may yet come
    twilio.receive(HOME, "CANCEL")

    with start():
        wait_until(lambda: booking(db, booking_id).status == "cancelled", 60)

    assert set(states(db, booking_id)) == {("cancelled", "booking_cancelled")}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda it: it.name)
def test_a_worker_that_is_asked_to_end_finishes_what_it_holds(
    db: Database, twilio: FakeTwilio, start: Start, number: signal.Signals
) -> None:
    job_ids = [due_message(db) for _ in range(HELD)]
    twilio.hold_after_accept()

    with start() as worker:
        twilio.wait_held(HELD, timeout=60)
        worker.send(number)
        worker.wait_for("Shutting down gracefully")
        twilio.release()
        assert worker.wait() == 0

    assert {message(db, job_id).state for job_id in job_ids} == {"sent"}


@pytest.mark.parametrize("hours", [-1, 1])
def test_a_worker_whose_host_has_another_time_sends_at_the_databases_time(
    postgres_db: Database, twilio: FakeTwilio, tmp_path: Path, hours: int
) -> None:
    due = due_message(postgres_db)
    later = due_message(postgres_db, due_at=clock.now() + timedelta(minutes=30))

    with Process(WORKER, {"FEED_EVERY": "0.3", **host_clock(hours)}, tmp_path, "worker"):
        wait_until(lambda: message(postgres_db, due).state == "sent", 60)
        sent_at = message(postgres_db, due).sent_at
        with postgres_db.read() as session:
            [seen] = statistics.workers(session)

    for at in (sent_at, seen.seen_at):
        assert at is not None
        assert abs(clock.now() - at) < timedelta(minutes=10)
    assert message(postgres_db, later).state == "pending"


def host_clock(hours: int) -> dict[str, str]:
    """The environment of a program on a host whose clock is that far ahead of the true time."""
    [library] = Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1")
    return {
        "LD_PRELOAD": str(library),
        "FAKETIME": f"{hours:+d}h",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",  # nobody sets that one
    }
