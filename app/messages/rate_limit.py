"""A turn to send: WHATSAPP_MAX_PER_SECOND, over all workers together, counted in Redis."""

import logging
import time
from functools import lru_cache

from limits import RateLimitItem, RateLimitItemPerSecond
from limits.storage import RedisStorage
from limits.strategies import MovingWindowRateLimiter
from redis import RedisError

from app.queue.huey import huey
from app.queue.storage import Storage, while_it_answers
from app.settings import settings

_log = logging.getLogger(__name__)
_KEY = "whatsapp"


def wait(longest: float) -> bool:
    """Block until it is this caller's turn; False after `longest` seconds in vain.

    A queue that is away limits nobody: what was fetched from it is sent at the workers' own pace.
    """
    give_up = time.monotonic() + longest
    try:
        while pause := _pause():
            if time.monotonic() + pause > give_up:
                return False
            time.sleep(pause)
    except (RedisError, OSError) as error:
        _log.warning("sending without a rate limit", exc_info=error)
    return True


def _pause() -> float:
    """0 if it is the caller's turn now, else after how many seconds to ask again."""
    with while_it_answers():
        limiter, limit = _limiter(huey.storage), _limit(settings().whatsapp_max_per_second)
        if limiter.hit(limit, _KEY):
            return 0.0
        reset_time = limiter.get_window_stats(limit, _KEY).reset_time
    return min(max(reset_time - time.time(), 0.01), 1.0)


@lru_cache(maxsize=1)
def _limiter(queue: Storage) -> MovingWindowRateLimiter:
    return MovingWindowRateLimiter(
        RedisStorage("redis://", connection_pool=queue.pool, key_prefix=f"limit.{queue.name}")
    )


@lru_cache(maxsize=1)
def _limit(rate: float) -> RateLimitItem:
    """So many a second; less than one a second becomes one in so many seconds."""
    return RateLimitItemPerSecond(max(1, int(rate)), max(1, round(1 / rate)))
