"""How Huey reaches Redis or Valkey.

A queue that is hung must not hang us. Only a worker's wait for tasks has the patience that
REDIS_URL says (a task taken by a connection that gave up is lost); all else ends within `ANSWERS`.

Three things are done at less cost than Huey does them: what has become due goes from the schedule
into the list within Redis, so that no worker can lose it on the way; many tasks are scheduled by
one call; and of a worker's threads one waits for a task, the others for that one.
"""

import math
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from functools import cache
from threading import Lock
from typing import Any

from huey.storage import RedisStorage
from redis import ConnectionPool, Redis, RedisError
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError, TimeoutError
from redis.retry import Retry

from app import redis_pools

ANSWERS = 1.0
"""Seconds within which a queue that is well answers, also one far away on a busy machine."""


_MOVED_AT_ONCE = 1_000
_MOVE = """
local due = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', ARGV[1], 'LIMIT', 0, ARGV[2])
if #due > 0 then
  redis.call('LPUSH', KEYS[2], unpack(due))
  redis.call('ZREMRANGEBYRANK', KEYS[1], 0, #due - 1)
end
local soonest = redis.call('ZRANGE', KEYS[1], 0, 0, 'WITHSCORES')
return soonest[2] or ''
"""


class Storage(RedisStorage):  # type: ignore[misc]
    """Two ways to one server: `conn`, which is soon tired, and a patient one that takes tasks."""

    pool: ConnectionPool

    def __init__(self, name: str, url: str) -> None:
        super().__init__(name, connection_pool=redis_pools.pool(url))
        self._patient = Redis(connection_pool=self.pool)
        self.pool = quick_pool(url)
        self.conn = Redis(connection_pool=self.pool)
        self._move = self.conn.register_script(_MOVE)
        self._waiting = Lock()

    def dequeue(self) -> Any:
        """A task, or None if none came within a second. Raises RedisError."""
        if not self._waiting.acquire(timeout=self.read_timeout):
            return None
        try:
            taken = self._patient.brpop([self.queue_key], timeout=self.read_timeout)
        except TimeoutError:
            return None
        finally:
            self._waiting.release()
        return taken[1] if taken else None

    def add_all(self, due: Sequence[bytes], later: Mapping[bytes, datetime]) -> None:
        """Put tasks into the list, and others into the schedule, each with its time (naive, in
        UTC). Raises RedisError.
        """
        calls = self.conn.pipeline(transaction=False)
        if due:
            calls.lpush(self.queue_key, *due)
        if later:
            scores = {task: self.convert_ts(at) for task, at in later.items()}
            calls.zadd(self.schedule_key, scores)
        calls.execute()

    def move_due(self, at: datetime) -> float:
        """Into the list with all that is due by then (naive, in UTC); returns how many seconds
        later the next is. Raises RedisError.
        """
        keys, until = [self.schedule_key, self.queue_key], self.convert_ts(at)
        left = 0.0
        while left <= 0:
            soonest = self._move(keys=keys, args=[until, _MOVED_AT_ONCE])
            left = float(soonest) - until if soonest else math.inf
        return left


def quick_pool(url: str) -> ConnectionPool:
    """Connections that give up after ANSWERS, whatever the URL says."""
    pool = redis_pools.pool(url)
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
