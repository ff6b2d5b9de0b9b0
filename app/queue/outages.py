"""A queue that is away is one line a minute in the log, however many threads meet it."""

import logging
import time
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


class _OneLine(logging.Filter):
    """Lets through the first error of Redis in a minute, without its traceback, and counts."""

    def __init__(self) -> None:
        super().__init__()
        self._lock = Lock()
        self._next_at = 0.0
        self._count = 0

    def filter(self, record: logging.LogRecord) -> bool:
        error = record.exc_info[1] if record.exc_info else None
        if not isinstance(error, RedisError):
            return True
        with self._lock:
            self._count += 1
            if time.monotonic() < self._next_at:
                return False
            self._next_at = time.monotonic() + EVERY
            count, self._count = self._count, 0
        often = "once" if count == 1 else f"{count} times"
        record.exc_info, record.args = None, (type(error).__name__, often)
        record.msg = "the queue is away: %s (%s since the last such line)"
        record.levelno, record.levelname = logging.WARNING, "WARNING"
        return True


def install() -> None:
    """Put it before all loggers that meet the queue; doing so twice is harmless."""
    for name in _LOGGERS:
        logging.getLogger(name).addFilter(_one_line)


_one_line = _OneLine()
