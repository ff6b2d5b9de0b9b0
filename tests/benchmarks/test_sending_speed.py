"""How many messages a worker sends, what each costs it, and how late they leave: `make bench`.

Real worker processes, Valkey and database, all on this machine; both databases sync each commit.
The fake Twilio is a process of its own, and answers after 50 ms.
"""

import json
import math
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median, quantiles
from typing import Any
from urllib.request import urlopen

import pytest
from sqlalchemy import func, select

from app.db import Database
from app.models.booking import Booking, derived_of
from app.models.message import Message
from app.rows import insert_rows
from app.run import migrate
from tests import factories
from tests.fake_twilio import FakeTwilio
from tests.support.postgres import Postgres
from tests.support.processes import Process, cpu_seconds, program, wait_until
from tests.support.running import WORKER
from tests.support.valkey import Valkey

MESSAGES = 1000
ANSWERS_AFTER = "0.05"  # seconds
PER_SECOND = "400"
PACE = 80  # messages a second: what WhatsApp grants a sender
PACED_FOR = 15  # seconds
AHEAD = 15.0  # seconds from planning the messages until the first is due
LIMIT = 20
AT_MOST_EACH = {"sqlite": 8.0, "postgresql": 12.0}
"""The processor time of a message, in that of `unit`."""


@dataclass(frozen=True)
class Figures:
    """What `due` messages took: `late` in seconds, in order; `cpu` of the workers, in seconds."""

    late: list[float]
    seconds: float
    cpu: float

    @property
    def rate(self) -> float:
        return len(self.late) / self.seconds

    @property
    def cpu_each(self) -> float:
        """In ms."""
        return self.cpu / len(self.late) * 1000

    @property
    def p99(self) -> float:
        return quantiles(self.late, n=100)[98]

    def __str__(self) -> str:
        return (
            f"{self.rate:6.0f}/s  {self.cpu_each:5.1f} ms of CPU each  late by "
            f"{median(self.late):6.2f} s, p99 {self.p99:6.2f} s, the last {self.late[-1]:6.2f} s"
        )


class Sending:
    """Worker processes, what they need, and what they did."""

    def __init__(self, stack: ExitStack, folder: Path, valkey: Valkey, url: str) -> None:
        self._stack, self._folder = stack, folder
        command = [program("python"), "-m", "tests.benchmarks.prompt_twilio", ANSWERS_AFTER]
        self.twilio = stack.enter_context(Process(command, {}, folder, "twilio"))
        self._port = int(self.twilio.wait_for(r"^(\d+)\n")[1])
        self._environment = {
            **FakeTwilio().credentials,
            "WHATSAPP_API_URL": f"http://127.0.0.1:{self._port}",
            "STATE_DIR": str(folder / "var"),
            "DATABASE_URL": url,
            "REDIS_URL": valkey.url,
            "PUBLIC_URL": "https://shop.example",
            "FEED_EVERY": "2",
            "WHATSAPP_MAX_PER_SECOND": PER_SECOND,
            "TZ": "UTC",
        }
        self.database = Database(url)
        stack.callback(self.database.close)
        self._workers: list[Process] = []

    def start_workers(self, how_many: int, **variables: str) -> None:
        """They have ticked when this returns."""
        for _ in range(how_many):
            name = f"worker-{len(self._workers)}"
            environment = {**self._environment, **variables}
            worker = Process(WORKER, environment, self._folder, name)
            self._workers.append(self._stack.enter_context(worker))
        wait_until(lambda: self._count("SELECT count(*) FROM worker") == how_many)
        time.sleep(1)

    def send(self, messages: int, per_second: float | None = None) -> Figures:
        """Plan so many, due all at once or so many a second, and wait until all are recorded."""
        begun, cpu = len(self._posts()), self.cpu()
        due = self._plan(messages, per_second)
        sent = "SELECT count(*) FROM message WHERE state = 'sent'"
        wait_until(lambda: self._count(sent) == begun + messages, 300, "the last message")
        cpu = self.cpu() - cpu
        posts = self._posts()[begun:]
        assert sorted(to for to, _ in posts) == sorted(due), "each is sent once"
        late = sorted(at - due[to] for to, at in posts)
        return Figures(late, max(at for _, at in posts) - min(due.values()), cpu)

    def cpu(self) -> float:
        """Seconds that the workers have used so far."""
        return sum(cpu_seconds(worker.pid) for worker in self._workers)

    def most_in_a_second(self) -> int:
        """Of the POSTs so far."""
        times = sorted(at for _, at in self._posts())
        return max(sum(at <= other < at + 1 for other in times) for at in times)

    def _plan(self, messages: int, per_second: float | None) -> dict[str, float]:
        """When each number's message is due, in seconds since 1970."""
        with self.database.write() as session:
            at = session.scalar(select(func.count()).select_from(Message)) or 0
            factories.service(session)
            factories.barber(session)
            first = datetime.now(UTC) + timedelta(seconds=AHEAD)
            due = {
                f"+4477{at + turn:08d}": first + timedelta(seconds=turn / (per_second or math.inf))
                for turn in range(messages)
            }
            insert_rows(session, Booking, [_booking(phone, first) for phone in due])
            insert_rows(session, Message, [_reminder(phone, at) for phone, at in due.items()])
        assert datetime.now(UTC) < first - timedelta(seconds=2), "too slow to begin in time"
        return {phone: at.timestamp() for phone, at in due.items()}

    def _count(self, statement: str) -> int:
        with self.database.engine.connect() as connection:
            return int(connection.exec_driver_sql(statement).scalar_one())

    def _posts(self) -> list[Any]:
        with urlopen(f"http://127.0.0.1:{self._port}/posts") as answer:
            return list(json.load(answer))


def _booking(phone: str, at: datetime) -> dict[str, Any]:
    return {
        "id": f"booking_{phone[1:]}",
        "customer_name": "Zoë Ångström",
        "customer_phone": phone,
        **derived_of("customer_phone", phone),
        **derived_of("customer_name", "Zoë Ångström"),
        "service_id": "haircut",
        "barber_id": "barber_1",
        "starts_at": at + timedelta(hours=10),
        "ends_at": at + timedelta(hours=11),
        "busy_from": at + timedelta(hours=10),
        "busy_until": at + timedelta(hours=11),
        "status": "confirmed",
        "created_at": at,
        "updated_at": at,
    }


def _reminder(phone: str, at: datetime) -> dict[str, Any]:
    booking_id = f"booking_{phone[1:]}"
    return {
        "id": f"{booking_id}-reminder-1",
        "booking_id": booking_id,
        "kind": "reminder",
        "number": 1,
        "state": "pending",
        "planned_for": at,
        "due_at": at,
        "updated_at": at,
    }


@pytest.fixture(scope="module")
def durable_postgres() -> Iterator[Postgres]:
    cluster = Postgres(is_durable=True)
    yield cluster
    cluster.stop()


@pytest.fixture(params=["SQLite", "PostgreSQL"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty database's."""
    if request.param == "SQLite":
        return f"sqlite:///{tmp_path / 'chairtime.db'}"
    cluster: Postgres = request.getfixturevalue("durable_postgres")
    return cluster.url(cluster.create())


@pytest.fixture
def sending(url: str, tmp_path: Path, valkey: Valkey) -> Iterator[Sending]:
    database = Database(url)
    migrate.upgrade(database)
    database.close()
    with ExitStack() as stack:
        yield Sending(stack, tmp_path, valkey, url)


def unit() -> float:
    """What this machine's processor takes for a loop of Python, in ms: about 0.8 on an idle one."""

    def once() -> float:
        begun = time.process_time()
        sum(number * number for number in range(33_000))
        return (time.process_time() - begun) * 1000

    return median(once() for _ in range(50))


def say(what: str, figures: object, url: str) -> None:
    print(f"\n{database_of(url):<10}  {what:<34} {figures}")


def database_of(url: str) -> str:
    return url.partition(":")[0].partition("+")[0]


@pytest.mark.parametrize("workers", [1, 2])
def test_a_thousand_at_once(sending: Sending, url: str, workers: int) -> None:
    sending.start_workers(workers)
    before = cpu_seconds(sending.twilio.pid)
    figures = sending.send(MESSAGES)
    say(f"{MESSAGES} at once, workers: {workers}", figures, url)
    share = (cpu_seconds(sending.twilio.pid) - before) / MESSAGES * 1000
    print(f"            (the fake Twilio: {share:.1f} ms of CPU each; {unit():.2f} ms the unit)")
    assert figures.cpu_each <= AT_MOST_EACH[database_of(url)] * unit()


def test_at_the_pace_that_whatsapp_grants(sending: Sending, url: str) -> None:
    sending.start_workers(1)
    figures = sending.send(PACE * PACED_FOR, PACE)
    say(f"{PACE} a second, one worker", figures, url)
    print(f"            (of a core: {figures.cpu / (PACED_FOR + AHEAD):.0%})")
    assert figures.cpu < PACED_FOR, "a core is enough"
    assert figures.p99 < 1


def test_the_limit_is_held(sending: Sending, url: str) -> None:
    sending.start_workers(1, WHATSAPP_MAX_PER_SECOND=str(LIMIT))
    figures = sending.send(200)
    say(f"200 at once, limit {LIMIT}/s", figures, url)
    print(f"            (most in one second: {sending.most_in_a_second()})")  # busy: they catch up
    assert figures.rate <= LIMIT


def test_a_worker_with_nothing_to_do(sending: Sending, url: str) -> None:
    sending.start_workers(1, FEED_EVERY="10")
    before, begun = sending.cpu(), time.monotonic()
    time.sleep(30)
    share = (sending.cpu() - before) / (time.monotonic() - begun)
    say("idle", f"{share:.1%} of a core", url)
