"""The one Huey instance. The queue is a hint: the database decides what a task may do."""

import os
import time

from huey import RedisHuey

from app.settings import settings

# Huey computes Redis scores with mktime(): in any other zone tasks run hours off.
os.environ["TZ"] = "UTC"
time.tzset()

huey = RedisHuey("chairtime", url=settings().redis_url, results=False)


def ping() -> None:
    """Raises redis.RedisError or OSError when the queue is away."""
    huey.storage.conn.ping()
