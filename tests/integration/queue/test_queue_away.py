"""Redis is away: a banner on every page, and one line a minute in the log, which counts."""

import logging
from collections.abc import Iterator

import pytest
from huey.consumer import Scheduler, Worker

from app.db import Database
from app.messages.tick import Process, beat
from app.queue import outages
from app.queue.huey import huey
from app.queue.outages import OneLine
from tests.integration.conftest import Client
from tests.support.frozen import FrozenClock
from tests.support.valkey import Valkey

BANNER = "The queue does not answer"


def test_every_page_says_since_when_the_queue_is_away_until_it_is_back(
    client: Client, shop: Database, valkey: Valkey, clock: FrozenClock
) -> None:
    worker = Process()
    valkey.stop()
    beat(worker)
    since = client.get("/today").text.partition(BANNER)[2].partition("Bookings go on")[0]
    assert "0:00" in since or "12:00" in since, since
    clock.move(seconds=50)
    beat(worker)
    for path in ("/today", "/queue", "/failed", "/bookings"):
        assert client.get(path).text.partition(BANNER)[2].startswith(since)
    valkey.start()
    beat(worker)
    assert BANNER not in client.get("/today").text


@pytest.fixture
def seconds() -> Iterator[list[float]]:
    """The time by which the log's lines are counted, which a test may move."""
    seconds = [100.0]
    outages.install(OneLine(now=lambda: seconds[0]))
    yield seconds
    outages.install(OneLine())


def test_hueys_own_threads_write_one_line_a_minute_that_counts(
    sqlite_db: Database, valkey: Valkey, caplog: pytest.LogCaptureFixture, seconds: list[float]
) -> None:
    stop = type("Flag", (), {"wait": lambda self, _: None})()
    worker = Worker(huey, stop, 0.0, 0.0, 1.0)
    scheduler = Scheduler(huey, stop, 1, False)
    huey.pending_count()
    valkey.stop()
    for _ in range(3):
        worker.loop()
        scheduler.loop()
    assert [each.getMessage() for each in caplog.records] == [
        "the queue is away: ConnectionError (once since the last such line)"
    ]
    assert caplog.records[0].exc_info is None
    seconds[0] += outages.EVERY
    worker.loop()
    assert "times since the last such line)" in caplog.records[-1].getMessage()
    assert len(caplog.records) == 2
    assert caplog.records[-1].levelno == logging.WARNING
    valkey.start()
