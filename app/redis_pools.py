"""Connections to Redis by REDIS_URL, whatever it says.

redis-py knows `redis://`, `rediss://` (TLS) and `unix://`. For Sentinel it has classes and no URL:
ours is `redis+sentinel://user:password@host1:26379,host2:26379/name-of-the-primary/0`, and
`rediss+sentinel://` where both Redis and Sentinel speak TLS.
"""

from typing import Any

from redis import ConnectionPool, asyncio
from redis import sentinel as sentinels
from redis.asyncio import sentinel as async_sentinels
from redis.asyncio.retry import Retry as AsyncRetry
from redis.backoff import NoBackoff
from redis.connection import parse_url
from redis.retry import Retry

from app.environment import SentinelUrl, sentinel_url

SENTINEL_ANSWERS = 1.0
"""Seconds; who does not answer is passed over."""


def pool(url: str) -> ConnectionPool:
    """For threads. Raises ValueError for a URL that is none."""
    parts = sentinel_url(url)
    if parts is None:
        return ConnectionPool.from_url(url)
    once = {"retry": Retry(NoBackoff(), 0)}  # by itself it asks a dead one for seconds
    manager = sentinels.Sentinel(parts.hosts, sentinel_kwargs=_of_sentinels(parts) | once)
    return sentinels.SentinelConnectionPool(parts.primary, manager, **_of_redis(parts))


def async_pool(url: str) -> asyncio.ConnectionPool:
    """The same for an event loop."""
    parts = sentinel_url(url)
    if parts is None:
        return asyncio.ConnectionPool.from_url(url)
    once = {"retry": AsyncRetry(NoBackoff(), 0)}
    manager = async_sentinels.Sentinel(parts.hosts, sentinel_kwargs=_of_sentinels(parts) | once)
    return async_sentinels.SentinelConnectionPool(parts.primary, manager, **_of_redis(parts))


def _of_redis(parts: SentinelUrl) -> dict[str, Any]:
    options = dict(parse_url(parts.as_redis))
    for own in ("host", "port", "connection_class"):
        options.pop(own, None)
    return options | ({"ssl": True} if parts.is_tls else {})


def _of_sentinels(parts: SentinelUrl) -> dict[str, Any]:
    limits = {"socket_timeout": SENTINEL_ANSWERS, "socket_connect_timeout": SENTINEL_ANSWERS}
    tls = {name: value for name, value in _of_redis(parts).items() if name.startswith("ssl")}
    return limits | tls
