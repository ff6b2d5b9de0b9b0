"""The worker as it is started: its own process, by the command line of the design."""

import signal
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from app.db import Database
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
