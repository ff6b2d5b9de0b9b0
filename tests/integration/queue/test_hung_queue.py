"""A queue that takes connections and never answers: SIGSTOP to a real Valkey."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from app.db import Database
from app.messages import rate_limit
from app.messages.tick import Process, tick
from app.queue import hand_over
from app.queue.huey import huey
from tests import factories
from tests.fake_twilio import FakeTwilio
from tests.integration.conftest import Client, body
from tests.support.frozen import FrozenClock
from tests.support.lifecycle import due_message, enqueued, message
from tests.support.staff import sign_in
from tests.support.valkey import Valkey
from tests.support.web import web_client

STUCK = 14.0
"""Seconds: less than the 15 that REDIS_URL's own patience would make a single call take."""


@pytest.fixture
def hung(valkey: Valkey) -> Iterator[Valkey]:
    """A Valkey that does not answer until the test has ended, or says `resume()`."""
    enqueued()  # there is a connection already
    valkey.hang()
    yield valkey
    valkey.resume()
    hand_over.finish()


@pytest.fixture
def soon(sqlite_shop: Database) -> Database:
    """A shop whose reminders fall due within the minutes that the queue is told of."""
    with sqlite_shop.write() as session:
        factories.shop(session, reminder_every=60)
    return sqlite_shop


def test_no_call_of_the_api_waits_for_a_hung_queue(
    soon: Database, sqlite_api: Client, hung: Valkey
) -> None:
    started = time.monotonic()
    ids = []
    for minute in range(10):
        at = f"2026-11-23T00:{10 + minute}:00Z"
        answer = sqlite_api.post("/api/bookings", json=body(scheduledTime=at, allowOverlap=True))
        assert answer.status_code == 201, answer.text
        ids.append(answer.json()["id"])
    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(lambda id: sqlite_api.delete(f"/api/bookings/{id}"), ids))
    assert {answer.status_code for answer in answers} == {200}
    assert sqlite_api.get("/api/bookings").status_code == 200
    assert time.monotonic() - started < STUCK


def test_no_button_of_a_page_waits_for_a_hung_queue(soon: Database, hung: Valkey) -> None:
    failed, planned = due_message(soon, "failed"), due_message(soon)
    booking_id = message(soon, planned).booking_id
    with web_client() as browser:
        sign_in(browser, soon, "owner")
        started = time.monotonic()
        for path in (f"/messages/{failed}/retry", f"/bookings/{booking_id}/cancel"):
            assert browser.post(path).status_code == 303, path
        assert browser.get("/queue").status_code == 200
        assert time.monotonic() - started < STUCK


def test_what_a_hung_queue_did_not_take_is_handed_over_by_the_first_tick_that_reaches_it(
    soon: Database, sqlite_api: Client, hung: Valkey, clock: FrozenClock
) -> None:
    soonest = body(scheduledTime="2026-11-23T00:03:00Z")
    booking_id = sqlite_api.post("/api/bookings", json=soonest).json()["id"]
    hand_over.finish()
    assert message(soon, f"{booking_id}-reminder-1").enqueued_at is None

    hung.resume()
    hung.flush()  # Valkey read the stopped calls after all
    tick(Process())
    assert sorted(enqueued()) == [f"{booking_id}-reminder-{number}" for number in (1, 2)]


def test_a_tick_goes_on_beside_a_hung_queue_and_claims_do_not_wait_for_it(
    soon: Database, hung: Valkey, clock: FrozenClock, twilio: FakeTwilio
) -> None:
    job_id = due_message(soon)
    started = time.monotonic()
    with ThreadPoolExecutor(1) as thread:
        ticking = thread.submit(tick, Process())
        for _ in range(5):
            with soon.write() as session:
                factories.booking(session)
        ticking.result()
    assert rate_limit.wait(1)
    assert time.monotonic() - started < STUCK
    assert message(soon, job_id).enqueued_at is None


def test_a_task_that_is_taken_waits_as_long_as_redis_url_says(
    sqlite_db: Database, valkey: Valkey
) -> None:
    """What a connection takes that has given up is lost for half a minute."""
    with ThreadPoolExecutor(1) as thread:
        enqueued()
        valkey.hang()
        taking = thread.submit(huey.dequeue)
        time.sleep(1.5)
        assert not taking.done()
        valkey.resume()
        assert taking.result() is None
