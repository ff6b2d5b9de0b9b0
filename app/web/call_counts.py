"""How many calls there were, counted by all processes and hosts together, in Redis.

While Redis is away or slow this process counts by itself, so that nobody waits for it.
"""

import asyncio
from contextlib import suppress
from functools import cached_property

from limits.aio.storage import RedisStorage
from limits.storage import MemoryStorage
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from app import redis_pools

PATIENCE = 0.1
"""Seconds that one request waits for Redis; then nobody does until it answers again."""
_REMEMBERED = 1_000
LOOKS_EVERY = 1.0
"""Seconds between two looks whether it does."""


class CallCounts:
    """The counts as one event loop reaches them: its connections are of no other."""

    def __init__(self, redis_url: str) -> None:
        self._pool = redis_pools.async_pool(redis_url)
        self._pool.connection_kwargs["retry"] = Retry(NoBackoff(), 0)
        self._shared = RedisStorage(
            "async+redis://",
            implementation="redispy",
            key_prefix="chairtime_calls",
            connection_pool=self._pool,  # type: ignore[arg-type]
        )
        self._away: asyncio.Task[None] | None = None
        self.known: dict[str, int] = {}
        """What was counted of a key when it was last counted here."""

    async def more(self, key: str, expiry: int) -> int:
        """One more call, and how many there were."""
        if len(self.known) > _REMEMBERED:
            self.known.clear()
        self.known[key] = await self._more(key, expiry)
        return self.known[key]

    async def _more(self, key: str, expiry: int) -> int:
        if self._away is None:
            try:
                async with asyncio.timeout(PATIENCE):
                    return await self._shared.incr(key, expiry)
            except (RedisError, OSError, TimeoutError):
                self._away = asyncio.create_task(self._until_it_answers())
        return self._own.incr(key, expiry)

    async def close(self) -> None:
        if self._away is not None:
            self._away.cancel()
        with suppress(RedisError, OSError):
            await self._pool.disconnect()

    @cached_property
    def _own(self) -> MemoryStorage:
        """This process's own counts."""
        return MemoryStorage()

    async def _until_it_answers(self) -> None:
        answers = False
        while not answers:
            await asyncio.sleep(LOOKS_EVERY)
            with suppress(TimeoutError):
                async with asyncio.timeout(PATIENCE):
                    answers = await self._shared.check()
        self._away = None
