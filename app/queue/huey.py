"""The one Huey instance. The queue is a hint: the database decides what a task may do."""

import os
import signal
import time
from collections.abc import Iterable
from datetime import datetime
from functools import lru_cache
from typing import Any

from huey import RedisHuey
from huey.api import Task
from huey.consumer import Consumer, Scheduler
from redis import Redis
from sqlalchemy import text

from app import clock, logs
from app.db import Database, database
from app.queue import outages
from app.queue.storage import Storage, forget_outage, quick_pool
from app.settings import settings

# Huey computes Redis scores with mktime(): in any other zone tasks run hours off.
os.environ["TZ"] = "UTC"
time.tzset()

_LOOK_EVERY = 0.25
"""Seconds between looks of a worker at what has become due, if nothing it knows of is due before;
each is one call of Redis. Huey itself knows whole seconds only, and would send up to one late."""


class _PromptScheduler(Scheduler):  # type: ignore[misc]
    def loop(self, now: datetime | None = None) -> None:
        """One look; `now` is naive, in UTC."""
        begun, pause = time.monotonic(), _LOOK_EVERY
        try:
            pause = min(self.huey.move_due(now), _LOOK_EVERY)
        except Exception:
            self._logger.exception("the schedule could not be read")
        self.sleep_for_interval(begun, pause)


class _Consumer(Consumer):  # type: ignore[misc]
    """One that finishes what it holds on SIGTERM and on SIGINT alike; the same signal a second
    time interrupts it.

    Huey makes only one of the two gentle (`-g`); systemd sends one, and PM2 the other.
    """

    scheduler_class = _PromptScheduler

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        restart, graceful = False, True
        self._signal_actions |= dict.fromkeys((signal.SIGINT, signal.SIGTERM), (restart, graceful))

    def run(self) -> None:
        logs.set_up()  # in the place of Huey's own
        super().run()

    def start(self) -> None:
        self._set_signal_handlers()  # Huey does it when its threads may hold something already
        super().start()


class _Huey(RedisHuey):  # type: ignore[misc]
    def create_consumer(self, **options: Any) -> Consumer:
        """What `huey_consumer` runs."""
        return _Consumer(self, **options)

    def schedule_all(self, tasks: Iterable[Task]) -> None:
        """What `schedule` does for tasks that have an eta, by one call. Raises RedisError.

        Huey's own way to the schedule is through the list, and through a worker's hands.
        """
        now, due, later = self._get_timestamp(), [], {}
        for task in tasks:
            data = self.serialize_task(task)
            if task.eta <= now:
                due.append(data)
            else:
                later[data] = task.eta
        self.storage.add_all(due, later)

    def move_due(self, now: datetime | None = None) -> float:
        """Let the workers have what has become due; returns in how many seconds more will be.

        Raises RedisError.
        """
        return self.storage.move_due(now or self._get_timestamp())

    def _get_timestamp(self) -> datetime:
        """What is due is due by our clock, not by this host's: naive, in UTC, as Huey has it."""
        return clock.now().replace(tzinfo=None)

    def create_storage(self) -> None:
        """None yet: the database may not be there when this is imported."""

    @property
    def storage(self) -> Storage:
        """The queue of this install. Raises SQLAlchemyError while the database is needed for it."""
        env = settings()
        return _storage(env.queue_name or f"chairtime_{_id_of_install(database())}", env.redis_url)

    @storage.setter
    def storage(self, _: None) -> None:
        """Huey itself sets what `create_storage` returns."""


@lru_cache(maxsize=1)
def _storage(name: str, url: str) -> Storage:
    """`name` is what the keys in Redis begin with: several installs may share one."""
    return Storage(name, url)


@lru_cache(maxsize=1)
def _id_of_install(where: Database) -> str:
    with where.read() as session:
        return str(session.execute(text("SELECT queue_id FROM install")).scalar_one())


@lru_cache(maxsize=1)
def _client(url: str) -> Redis:
    return Redis(connection_pool=quick_pool(url))


huey = _Huey("chairtime", results=False)
outages.install(outages.OneLine())


def ping() -> None:
    """Raises redis.RedisError or OSError when the queue is away."""
    _client(settings().redis_url).ping()
    forget_outage()


def depth() -> tuple[int, int]:
    """How many tasks wait for a worker, and how many for their time. Raises as `ping` does."""
    return huey.pending_count(), huey.scheduled_count()
