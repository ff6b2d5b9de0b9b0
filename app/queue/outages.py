"""A queue that is away is one line a minute in the log, however many threads meet it."""

import logging
import time
from collections.abc import Callable
from threading import Lock

from redis import RedisError

EVERY = 60.0
"""Seconds between two lines."""

_LOGGERS = (
    "huey",
    "huey.consumer.Worker",
    "huey.consumer.Scheduler",
    "app.messages.enqueue",
    "app.messages.tick",
    "app.messages.rate_limit",
)


class OneLine(logging.Filter):
    """Lets through the first error of Redis in a minute, without its traceback, and counts.

    `now` gives seconds that only grow.
    """

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._now = now
        self._lock = Lock()
        self._next_at = 0.0
        self._count = 0

    def filter(self, record: logging.LogRecord) -> bool:
        error = record.exc_info[1] if record.exc_info else None
        if not isinstance(error, RedisError):
            return True
        with self._lock:
            self._count += 1
            now = self._now()
            if now < self._next_at:
                return False
            self._next_at = now + EVERY
            count, self._count = self._count, 0
        often = "once" if count == 1 else f"{count} times"
        record.exc_info, record.args = None, (type(error).__name__, often)
        record.msg = "the queue is away: %s (%s since the last such line)"
        record.levelno, record.levelname = logging.WARNING, "WARNING"
        return True


def install(one_line: OneLine) -> None:
    """Put it before all loggers that meet the queue, in the place of the one that was there."""
    for name in _LOGGERS:
        logger = logging.getLogger(name)
        logger.filters = [each for each in logger.filters if not isinstance(each, OneLine)]
        logger.addFilter(one_line)
