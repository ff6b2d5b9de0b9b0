"""The queue's figures over JSON, and whether this install is well."""

import asyncio
import math
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from typing import Literal, TypeVar
from weakref import WeakKeyDictionary

from litestar import HttpMethod, Response, Router, get, route
from litestar.openapi.datastructures import ResponseSpec
from msgspec import Struct
from sqlalchemy.orm import Session

from app import db
from app.messages import health as parts
from app.messages import statistics
from app.messages.statistics import Stats
from app.queue import failing, huey
from app.settings import settings
from app.web.problems import documented

PATIENCE = 2.0
"""Seconds that a check may take before what it checks counts as away."""
WRITES_EVERY = 5.0
"""Seconds for which a write that succeeded is believed: whoever asks often must cost little."""

# A thread each, and not those of the handlers: these must answer while everything else waits.
_database_thread = ThreadPoolExecutor(1, "health-database")
_writing_thread = ThreadPoolExecutor(1, "health-writing")
_queue_thread = ThreadPoolExecutor(1, "health-queue")
_statistics_thread = ThreadPoolExecutor(1, "statistics")
"""One: who asks while another looks gets what that one finds."""

_written_at = WeakKeyDictionary[db.Database, float]()
"""When a write last succeeded, by the monotonic clock."""

T = TypeVar("T")


class QueueStats(Struct, rename="camel"):
    """How many messages are in which state, and since when the oldest that is due waits."""

    waiting: int
    active: int
    completed: int
    failed: int
    delayed: int
    oldest_due_seconds: int


class Checks(Struct):
    """`ok` for each part, or in a word what is wrong; `problems` has the sentences."""

    database: Literal["ok", "away", "busy", "read_only", "full"]
    queue: Literal["ok", "away"]
    worker: Literal["ok", "missing", "failing", "unknown"]
    sending: Literal["ok", "paused", "stopped", "limited", "budget", "unknown"]
    disk: Literal["ok", "low", "full"]


class Health(Struct):
    """`degraded`: bookings can be made, but `problems` says what does not work."""

    status: Literal["ok", "degraded", "unavailable"]
    checks: Checks
    problems: list[str]


class Answer(Struct):
    """That the process answers, or can do its work."""

    status: Literal["ok", "unavailable"]


@get(
    "/api/queue/stats",
    opt={"access": "read"},
    responses=documented(401, 403),
    security=[{"bearer": []}],
)
async def get_queue_stats() -> QueueStats:
    """How many messages are in which state."""
    stats = statistics.known_stats(db.database())
    if stats is None:
        stats = await _off_loop(_statistics_thread, _look)
    return QueueStats(
        waiting=stats.waiting,
        active=stats.active,
        completed=stats.completed,
        failed=stats.failed,
        delayed=stats.delayed,
        oldest_due_seconds=stats.oldest_due_seconds,
    )


@route(
    "/health",
    http_method=[HttpMethod.GET, HttpMethod.HEAD],
    opt={"access": "public"},
    responses={503: ResponseSpec(Health, description="No bookings can be made.")},
)
async def get_health() -> Response[Health]:
    """Whether everything works, and what does not."""
    known, database, queue = await asyncio.gather(_known(), _database(), _queue())
    worker, (sending, why) = known
    checks = {
        "database": database,
        "queue": queue,
        "worker": worker,
        "sending": sending,
        "disk": parts.disk(settings()),
    }
    wrong = [name for name, code in checks.items() if code != "ok"]
    problems = [parts.WORDS[name].get(checks[name], why) for name in wrong]
    can_book = database in {"ok", "busy"}
    status = "unavailable" if not can_book else "degraded" if wrong else "ok"
    answer = Health(status, Checks(**checks), problems)  # type: ignore[arg-type]
    return Response(answer, status_code=200 if can_book else 503)


@route("/livez", http_method=[HttpMethod.GET, HttpMethod.HEAD], opt={"access": "public"})
async def get_liveness() -> Answer:
    """The process answers. It asks nobody else, so nothing but a restart helps if it fails."""
    return Answer("ok")


@route(
    "/readyz",
    http_method=[HttpMethod.GET, HttpMethod.HEAD],
    opt={"access": "public"},
    responses={503: ResponseSpec(Answer, description="The database does not answer.")},
)
async def get_readiness() -> Response[Answer]:
    """Requests can be sent here: the database answers."""
    try:
        await _in(_database_thread, statistics.workers)
    except Exception:  # whatever it is: `chairtime doctor` says more, and to the right people
        return Response(Answer("unavailable"), status_code=503)
    return Response(Answer("ok"))


async def _known() -> tuple[str, tuple[str, str]]:
    """The worker's code, and the code and words of sending, as the database knows them."""
    state_dir = settings().state_dir
    try:
        return await _in(
            _database_thread,
            lambda session: (parts.worker(session, state_dir), parts.sending(session)),
        )
    except Exception:
        return "failing" if failing.failures(state_dir) else "unknown", ("unknown", "")


async def _database() -> str:
    """Whether it can be read, and then whether it can be written, as the code of the part."""
    try:
        await _in(_database_thread, statistics.workers)
    except Exception:
        return "away"
    if time.monotonic() - _written_at.get(db.database(), -math.inf) < WRITES_EVERY:
        return "ok"
    try:
        await _in(_writing_thread, parts.write, db.Database.write)
    except TimeoutError:
        return "busy"
    except Exception as error:
        return db.trouble(error) or "away"
    _written_at[db.database()] = time.monotonic()
    return "ok"


async def _queue() -> str:
    try:
        await asyncio.wait_for(_off_loop(_queue_thread, huey.ping), PATIENCE)
    except Exception:
        return "away"
    return "ok"


async def _in(
    thread: ThreadPoolExecutor,
    look: Callable[[Session], T],
    begin: Callable[[db.Database], AbstractContextManager[Session]] = db.Database.read,
) -> T:
    """What `look` finds. Raises TimeoutError after PATIENCE, and what the database raises."""

    def work() -> T:
        with begin(db.database()) as session:
            return look(session)

    return await asyncio.wait_for(_off_loop(thread, work), PATIENCE)


def _off_loop(thread: ThreadPoolExecutor, work: Callable[[], T]) -> asyncio.Future[T]:
    return asyncio.get_running_loop().run_in_executor(thread, work)


def _look() -> Stats:
    with db.database().read() as session:
        return statistics.stats(session)


router = Router(
    "/", route_handlers=[get_queue_stats, get_health, get_liveness, get_readiness], tags=["Queue"]
)
