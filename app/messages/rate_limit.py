"""A turn to send: WHATSAPP_MAX_PER_SECOND over all workers together.

Turns are evenly spaced, and whoever wants one reserves the next in Redis: so no second has more of
them than it may, whatever second one looks at. The place in a worker's own line comes first, as a
message that waits for its turn is in its worker's hands and can no longer be cancelled.
"""

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from threading import BoundedSemaphore
from typing import Any

from redis import RedisError

from app.queue.huey import huey
from app.queue.storage import Storage, while_it_answers
from app.settings import settings

_log = logging.getLogger(__name__)

_UNEVEN = 0.05
"""Seconds by which the way of one message may be longer than another's: so much wider is a second
of turns."""
_IN_HAND = 0.1
"""Seconds before its turn that a message is claimed: as long as that may take."""
_FARTHEST = 120.0
"""Seconds, and as many as there are between two turns: none is reserved farther ahead, but the
server's clock may have been set back."""

_RESERVE = """
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local spacing, longest, farthest = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local turn = math.max(now, tonumber(redis.call('GET', KEYS[1]) or 0))
if turn - now > farthest then
  turn = now
end
if turn - now <= longest then
  local free = string.format('%.0f', turn + spacing)
  redis.call('SET', KEYS[1], free, 'PX', math.ceil(farthest / 1000))
end
return turn - now
"""
"""All in microseconds. What it returns is reserved if that is no more than `longest`."""


class _Line:
    """This process's messages that wait for their turn, the first few of them claimed."""

    def __init__(self, rate: float) -> None:
        self.spacing = (1 + _UNEVEN) / rate
        # A place is held somewhat longer than _IN_HAND; whoever has the last one waits little more.
        self.places = BoundedSemaphore(1 + int(rate * _IN_HAND * 1.5))
        self.next_turn = 0.0  # on the steady clock, at the earliest


@lru_cache(maxsize=1)
def _line(rate: float) -> _Line:
    return _Line(rate)


@contextmanager
def line(longest: float) -> Iterator[bool]:
    """Wait until the caller's turn is near, and hold that place in the block, which claims a
    message and waits for its turn. False if it is not near within `longest` seconds.
    """
    ours = _line(settings().whatsapp_max_per_second)
    give_up = time.monotonic() + longest
    if not ours.places.acquire(timeout=longest):
        yield False
        return
    try:
        near = ours.next_turn - _IN_HAND
        _sleep(min(near, give_up) - time.monotonic())
        yield near <= give_up
    finally:
        ours.places.release()


def wait(longest: float) -> bool:
    """Block until it is this caller's turn; False at once if it is not within `longest` seconds.

    A queue that is away limits nobody: what was fetched from it is sent at the workers' own pace.
    """
    ours = _line(settings().whatsapp_max_per_second)
    try:
        pause = _reserve(ours.spacing, longest)
    except (RedisError, OSError) as error:
        _log.warning("sending without a rate limit", exc_info=error)
        return True
    is_ours = pause <= longest
    ours.next_turn = time.monotonic() + pause + (ours.spacing if is_ours else 0)
    if is_ours:
        _sleep(pause)
    return is_ours


def _sleep(seconds: float) -> None:
    if seconds > 0:
        time.sleep(seconds)


def _reserve(spacing: float, longest: float) -> float:
    """After how many seconds the next turn comes; it is the caller's if that is not too long."""
    with while_it_answers():
        queue = huey.storage
        seconds = spacing, longest, _FARTHEST + spacing
        arguments = [int(each * 1_000_000) for each in seconds]
        pause = _script(queue)(keys=[f"limit.{queue.name}.turn"], args=arguments)
    return float(pause) / 1_000_000


@lru_cache(maxsize=1)
def _script(queue: Storage) -> Any:
    return queue.conn.register_script(_RESERVE)
