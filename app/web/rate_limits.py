"""How often a caller may call (API_RATE_LIMIT), and the headers that say so.

All processes and hosts count together, in Redis; while that is away or slow, each by itself.
"""

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from litestar.connection import ASGIConnection
from litestar.exceptions import TooManyRequestsException
from litestar.types import Message, Scope

from app import clock
from app.settings import settings

if TYPE_CHECKING:  # else where it is used: its import takes a tenth of a second
    from limits import RateLimitItem

    from app.web.call_counts import CallCounts

OFF = "off"
_STATE = "rate_limit"


@dataclass(frozen=True)
class Call:
    """A call that is counted, of a caller who may make `limit` in `window` seconds, of which there
    are `resets_in` left; `counting` ends in how many there were.
    """

    limit: int
    window: int
    resets_in: int
    counting: "asyncio.Task[int]"

    async def headers(self) -> dict[str, str]:
        """By draft-ietf-httpapi-ratelimit-headers-10."""
        remaining = max(self.limit - await self.counting, 0)
        return {
            "RateLimit-Policy": f'"token";q={self.limit};w={self.window}',
            "RateLimit": f'"token";r={remaining};t={self.resets_in}',
        }


async def check(connection: ASGIConnection[Any, Any, Any, Any], caller: str) -> None:
    """Count a call of `caller`. Raises TooManyRequestsException for one too many.

    Who is known to be far from the limit is counted while the call is answered.
    """
    if settings().api_rate_limit == OFF:
        return
    from limits import parse

    item, counts = parse(settings().api_rate_limit), _counts()
    now, window = clock.now().timestamp(), item.get_expiry()
    key = item.key_for(caller, str(int(now // window)))
    known = counts.known.get(key, item.amount)
    counting = asyncio.create_task(counts.more(key, 2 * window))
    call = Call(item.amount, window, window - int(now % window), counting)
    connection.scope["state"][_STATE] = call
    if known > item.amount / 2 and await counting > item.amount:
        raise TooManyRequestsException(
            f"This token may make {_in_words(item)}: wait {call.resets_in} s.",
            headers={"Retry-After": str(call.resets_in)},
        )


async def add_headers(message: Message, scope: Scope) -> None:
    """A Litestar `before_send` hook: where a call was counted, its answer says how it stands."""
    if message["type"] == "http.response.start" and _STATE in scope.get("state", {}):
        headers = await scope["state"][_STATE].headers()
        more = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
        message["headers"] = [*message["headers"], *more]


async def prepare() -> None:
    """Litestar's `on_startup`: no call has to wait for what is needed."""
    if settings().api_rate_limit != OFF:
        _counts()


async def close() -> None:
    """Litestar's `on_shutdown`: let go of Redis."""
    counts = _of_loop.pop(asyncio.get_running_loop(), None)
    if counts is not None:
        await counts.close()


_of_loop: "WeakKeyDictionary[asyncio.AbstractEventLoop, CallCounts]" = WeakKeyDictionary()


def _counts() -> "CallCounts":
    from app.web.call_counts import CallCounts

    loop = asyncio.get_running_loop()
    if loop not in _of_loop:
        _of_loop[loop] = CallCounts(settings().redis_url)
    return _of_loop[loop]


def _in_words(item: "RateLimitItem") -> str:
    unit = item.GRANULARITY.name
    return f"{item.amount:,} calls a {unit}"
