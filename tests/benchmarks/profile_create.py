"""Where the time of a create goes, by statement and by function: `make profile`.

A booking with 12 reminders, made by a request to the whole web app in this process, all in one
thread, so that the profile sees all of it. Times are longer than they are without a profile: it is
what they are beside each other that counts. The statements are timed by the clock, commits too,
without a profile; both databases sync each commit.
"""

import asyncio
import cProfile
import json
import pstats
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event

from app.asgi import create_app
from app.db import Database, database
from tests import factories
from tests.conftest import Configure
from tests.support.databases import migrate_url
from tests.support.postgres import Postgres
from tests.support.valkey import Valkey

TIMES = 200
WARM_UP = 20
SECRET = "s" * 40
FUNCTIONS = 30
_SHOWN = 78  # characters of a statement


class InLine(ThreadPoolExecutor):
    """In the place of threads: does at once what it is given."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        done: Future[Any] = Future()
        try:
            done.set_result(fn(*args, **kwargs))
        except BaseException as error:
            done.set_exception(error)
        return done


class Statements:
    """How often each was executed, and the seconds of all its times."""

    def __init__(self) -> None:
        self.times: Counter[str] = Counter()
        self.seconds: defaultdict[str, float] = defaultdict(float)

    @contextmanager
    def timed(self, statement: str) -> Iterator[None]:
        begun = time.perf_counter()
        yield
        self.times[statement] += 1
        self.seconds[statement] += time.perf_counter() - begun

    def listen(self, db: Database) -> None:
        """To all that is executed there from now on."""
        dialect = db.engine.dialect
        commit, execute = dialect.do_commit, dialect.do_execute

        def timed_commit(connection: Any) -> None:
            with self.timed("COMMIT"):
                commit(connection)

        def timed_execute(cursor: Any, statement: str, *given: Any) -> None:
            with self.timed(" ".join(statement.split())):
                execute(cursor, statement, *given)

        event.listen(db.engine, "do_execute", lambda *given: timed_execute(*given) or True)
        dialect.do_commit = timed_commit  # type: ignore[method-assign]

    def say(self) -> None:
        print(f"\n{'a create':>9} {'ms each':>8} {'ms':>7}  statement")
        for statement, seconds in sorted(self.seconds.items(), key=lambda each: -each[1]):
            times, all_ms = self.times[statement], seconds * 1000
            print(
                f"{times / TIMES:9.2f} {all_ms / times:8.3f} {all_ms / TIMES:7.3f}  "
                f"{statement[:_SHOWN]}"
            )


@pytest.fixture(params=["sqlite", "postgres"])
def durable(request: pytest.FixtureRequest, tmp_path: Path, configure: Configure) -> Iterator[None]:
    """A migrated database that syncs each commit, as the process's own."""
    cluster = None
    url = f"sqlite:///{tmp_path / 'chairtime.db'}"
    if request.param == "postgres":
        cluster = Postgres(is_durable=True)
        url = cluster.url(cluster.create())
    migrate_url(url)
    configure(DATABASE_URL=url)
    yield
    if cluster:
        cluster.stop()


def test_where_the_time_of_a_create_goes(durable: None, valkey: Valkey) -> None:
    db = database()
    with db.write() as session:
        factories.api_token(session, SECRET)
    print(f"\n\n=== a create with 12 reminders, {db.engine.dialect.name}: {TIMES} of them ===")
    asyncio.run(_all(db))


async def _all(db: Database) -> None:
    app = create_app()
    async with app.lifespan():
        asyncio.get_running_loop().set_default_executor(InLine())
        await _create(app, WARM_UP)
        wall, cpu = time.perf_counter(), time.thread_time()
        await _create(app, TIMES)
        wall, cpu = (time.perf_counter() - wall) / TIMES, (time.thread_time() - cpu) / TIMES
        print(f"{wall * 1000:.2f} ms each, {cpu * 1000:.2f} ms of them of this thread's processor")
        with cProfile.Profile() as profile:
            await _create(app, TIMES)
        (statements := Statements()).listen(db)
        await _create(app, TIMES)
    statements.say()
    pstats.Stats(profile).strip_dirs().sort_stats("tottime").print_stats(FUNCTIONS)


_made = iter(range(1_000_000))


async def _create(app: Any, times: int) -> None:
    for _ in range(times):
        number = next(_made)
        at = datetime.now(UTC) + timedelta(hours=25, minutes=5)
        body = {
            "customerName": "Ana Silva",
            "customerPhone": f"+44770{number:07d}",
            "serviceId": "haircut",
            "barberId": f"barber_{1 + number % 3}",
            "scheduledTime": at.isoformat(timespec="milliseconds"),
            "allowOverlap": True,
        }
        assert await _post(app, json.dumps(body).encode()) == 201


async def _post(app: Any, body: bytes) -> int:
    """The status of an answer, asked for without a client."""
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "POST",
        "scheme": "http",
        "path": "/api/bookings",
        "raw_path": b"/api/bookings",
        "root_path": "",
        "query_string": b"",
        "headers": [
            (b"host", b"testserver"),
            (b"authorization", f"Bearer {SECRET}".encode()),
            (b"content-type", b"application/json"),
            (b"content-length", str(len(body)).encode()),
        ],
        "client": ("127.0.0.1", 1),
        "server": ("testserver", 80),
        "state": {},
    }
    answers: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: dict[str, Any]) -> None:
        answers.append(message)

    await app(scope, receive, send)
    return int(answers[0]["status"])
