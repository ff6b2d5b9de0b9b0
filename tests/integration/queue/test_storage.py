"""What goes into Huey's list and schedule, and out of them, at less cost than Huey has for it."""

import math
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from app.db import Database
from app.messages.tasks import send_message
from app.queue.huey import huey
from tests.support.frozen import FrozenClock
from tests.support.valkey import Valkey


@pytest.fixture(autouse=True)
def _queue(sqlite_db: Database, valkey: Valkey) -> None:
    huey.pending_count()  # there is a connection already


def schedule(clock: FrozenClock, seconds: list[float]) -> None:
    """A task for each, so far from now; it is called by its place."""
    now = clock.now()
    huey.schedule_all(
        send_message.s(str(place), id=str(place), eta=now + timedelta(seconds=each))
        for place, each in enumerate(seconds)
    )


def taken() -> list[str]:
    return [huey.dequeue().args[0] for _ in range(huey.pending_count())]


def test_what_is_due_is_there_at_once_and_the_rest_at_its_time(clock: FrozenClock) -> None:
    schedule(clock, [60, 0, -1, 59.9])
    assert taken() == ["1", "2"]

    clock.move(seconds=59.9)
    assert huey.move_due() == pytest.approx(0.1)

    assert taken() == ["3"]
    assert huey.scheduled_count() == 1


def test_thousands_become_due_in_their_order_and_none_is_lost_or_doubled(
    clock: FrozenClock,
) -> None:
    schedule(clock, [1 + place / 1000 for place in range(2_500)])
    clock.move(seconds=10)

    with ThreadPoolExecutor(4) as workers:
        list(workers.map(lambda _: huey.move_due(), range(4)))

    assert huey.scheduled_count() == 0
    assert huey.move_due() == math.inf
    assert sorted(map(int, taken())) == list(range(2_500))


def test_no_tasks_are_no_call(clock: FrozenClock, valkey: Valkey) -> None:
    valkey.client.config_resetstat()
    schedule(clock, [])
    assert {"cmdstat_lpush", "cmdstat_zadd"}.isdisjoint(valkey.client.info("commandstats"))


def test_of_the_threads_of_an_idle_worker_one_waits_and_the_others_do_not_ask(
    valkey: Valkey,
) -> None:
    huey.storage.conn.ping()
    valkey.client.config_resetstat()

    with ThreadPoolExecutor(8) as threads:
        assert list(threads.map(lambda _: huey.dequeue(), range(8))) == [None] * 8

    assert valkey.client.info("commandstats")["cmdstat_brpop"]["calls"] <= 2


def test_each_of_many_threads_gets_a_task_of_its_own(clock: FrozenClock) -> None:
    schedule(clock, [0] * 40)

    with ThreadPoolExecutor(8) as threads:
        tasks = list(threads.map(lambda _: huey.dequeue().args[0], range(40)))

    assert sorted(map(int, tasks)) == list(range(40))
