"""The queue's figures over JSON, and whether this install is well."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Literal

from litestar import HttpMethod, Response, Router, get, route
from litestar.openapi.datastructures import ResponseSpec
from msgspec import Struct

from app import db
from app.queue import failing, huey, stats
from app.queue.stats import Stats
from app.settings import settings
from app.web.problems import documented

PATIENCE = 2.0
"""Seconds that a check may take before what it checks counts as away."""

# A thread each, and not those of the handlers: these must answer while everything else waits.
_database_thread = ThreadPoolExecutor(1, "health-database")
_queue_thread = ThreadPoolExecutor(1, "health-queue")


class Checks(Struct):
    """`worker` is `missing` when none was seen in the last minute, and `failing` when it ends again
    and again right after its start.
    """

    database: Literal["ok", "away"]
    queue: Literal["ok", "away"]
    worker: Literal["ok", "missing", "failing", "unknown"]


class Health(Struct):
    """`degraded`: bookings can be made, but nothing is sent until a worker runs."""

    status: Literal["ok", "degraded", "unavailable"]
    checks: Checks


@get(
    "/api/queue/stats",
    opt={"access": "read"},
    responses=documented(401, 403),
    security=[{"bearer": []}],
    sync_to_thread=True,
)
def queue_stats() -> Stats:
    """How many messages are in which state."""
    with db.database().read() as session:
        return stats.stats(session)


@route(
    "/health",
    http_method=[HttpMethod.GET, HttpMethod.HEAD],
    opt={"access": "public"},
    responses={503: ResponseSpec(Health, description="The database or the queue is away.")},
)
async def health() -> Response[Health]:
    """Whether the database, the queue and a worker are there."""
    has_worker, is_queue = await asyncio.gather(
        _answer(_database_thread, _has_worker), _answer(_queue_thread, _has_queue)
    )
    checks = Checks(
        database="away" if has_worker is None else "ok",
        queue="ok" if is_queue else "away",
        worker=_worker(has_worker),
    )
    if has_worker is None or not is_queue:
        return Response(Health("unavailable", checks), status_code=503)
    status: Literal["ok", "degraded"] = "ok" if checks.worker == "ok" else "degraded"
    return Response(Health(status, checks), status_code=200)


def _worker(was_seen: bool | None) -> Literal["ok", "missing", "failing", "unknown"]:
    if failing.failures(settings().state_dir):
        return "failing"
    return "unknown" if was_seen is None else "ok" if was_seen else "missing"


async def _answer(thread: ThreadPoolExecutor, check: Callable[[], bool]) -> bool | None:
    """What `check` says, or None if it fails or takes too long."""
    loop = asyncio.get_running_loop()
    try:
        return await asyncio.wait_for(loop.run_in_executor(thread, check), PATIENCE)
    except Exception:  # whatever it is: `chairtime doctor` says more, and to the right people
        return None


def _has_worker() -> bool:
    with db.database().read() as session:
        return bool(stats.workers(session))


def _has_queue() -> bool:
    huey.ping()
    return True


router = Router("/", route_handlers=[queue_stats, health], tags=["Queue"])
