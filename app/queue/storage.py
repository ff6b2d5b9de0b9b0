"""How Huey reaches Redis or Valkey.

A queue that is hung must not hang us. Only a worker's wait for tasks has the patience that
REDIS_URL says (a task taken by a connection that gave up is lost); all else ends within `ANSWERS`.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

from huey.storage import RedisStorage
from redis import ConnectionPool, Redis, RedisError
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError, TimeoutError
from redis.retry import Retry

ANSWERS = 1.0
"""Seconds within which a queue that is well answers, also one far away on a busy machine."""


class Storage(RedisStorage):  # type: ignore[misc]
    """Two ways to one server: `conn`, which is soon tired, and a patient one that takes tasks."""

    pool: ConnectionPool

    def __init__(self, name: str, url: str) -> None:
        super().__init__(name, url=url)  # what takes from the schedule keeps this connection
        self._patient = Redis(connection_pool=self.pool)
        self.pool = quick_pool(url)
        self.conn = Redis(connection_pool=self.pool)

    def dequeue(self) -> Any:
        """A task, or None if none came within a second. Raises RedisError."""
        try:
            taken = self._patient.brpop([self.queue_key], timeout=self.read_timeout)
        except TimeoutError:
            return None
        return taken[1] if taken else None


def quick_pool(url: str) -> ConnectionPool:
    """Connections that give up after ANSWERS, whatever the URL says."""
    pool = ConnectionPool.from_url(url)
    pool.connection_kwargs.update(
        socket_timeout=ANSWERS, socket_connect_timeout=ANSWERS, retry=Retry(NoBackoff(), 0)
    )
    return pool


class _Outage:
    """When the queue last failed, so that not everybody waits for it in turn."""

    until = 0.0


@cache
def _outage() -> _Outage:
    return _Outage()


@contextmanager
def while_it_answers() -> Iterator[None]:
    """For what may be left undone: fails at once if the queue failed within the last second.

    Raises redis.RedisError or OSError.
    """
    if time.monotonic() < _outage().until:
        raise ConnectionError("the queue did not answer a moment ago")
    try:
        yield
    except (RedisError, OSError):
        _outage().until = time.monotonic() + ANSWERS
        raise


def forget_outage() -> None:
    """It has answered again."""
    _outage().until = 0.0
