"""How fast bookings are made over HTTP: `make bench`.

Everything shares one machine: the server (one process), a worker, the database, and the clients.
PostgreSQL is that of the tests, without fsync; SQLite syncs each commit.
"""

import json
import statistics
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path

import pytest

from app.db import Database
from tests.fake_twilio import FakeTwilio
from tests.support.running import RunningShop
from tests.support.valkey import Valkey

CONNECTIONS = 8
REQUESTS = 1600

Send = Callable[[HTTPConnection, int], int]


@dataclass(frozen=True)
class Figures:
    """`seconds` of each request, and of all together."""

    seconds: list[float]
    total: float

    @property
    def median(self) -> float:
        return statistics.median(self.seconds)

    def __str__(self) -> str:
        p99 = sorted(self.seconds)[int(len(self.seconds) * 0.99)]
        rate = len(self.seconds) / self.total
        return f"{rate:9.0f}/s {self.median * 1000:9.1f} ms {p99 * 1000:9.1f} ms"


@pytest.fixture
def running(
    db: Database, tmp_path: Path, twilio: FakeTwilio, valkey: Valkey
) -> Iterator[RunningShop]:
    url = db.engine.url.render_as_string(hide_password=False)
    with RunningShop(tmp_path, twilio, valkey, database_url=url, FEED_EVERY="10") as shop:
        yield shop


def measure(shop: RunningShop, send: Send, wanted: int, connections: int, requests: int) -> Figures:
    """`send` so often over so many connections; each answer must have the status `wanted`."""
    start = threading.Barrier(connections + 1)
    each = requests // connections

    def client(turn: int) -> list[float]:
        seconds = []
        connection = HTTPConnection("127.0.0.1", int(shop.environment["PORT"]))
        send(connection, -1 - turn)
        start.wait()
        for number in range(turn * each, (turn + 1) * each):
            begun = time.perf_counter()
            assert send(connection, number) == wanted
            seconds.append(time.perf_counter() - begun)
        connection.close()
        return seconds

    with ThreadPoolExecutor(connections) as threads:
        running = [threads.submit(client, turn) for turn in range(connections)]
        start.wait()
        begun = time.perf_counter()
        seconds = [one for done in running for one in done.result()]
        return Figures(seconds, time.perf_counter() - begun)


def health(connection: HTTPConnection, _number: int) -> int:
    connection.request("GET", "/health")
    answer = connection.getresponse()
    answer.read()
    return answer.status


def reader(shop: RunningShop, path: str) -> Send:
    """A GET of this path."""

    def read(connection: HTTPConnection, _number: int) -> int:
        connection.request(
            "GET", path, headers={"Authorization": shop.api.headers["Authorization"]}
        )
        answer = connection.getresponse()
        answer.read()
        return answer.status

    return read


def booker(shop: RunningShop, hours: float, prefix: str) -> Send:
    """A POST of a booking that far ahead, of another customer each time."""
    at = shop.in_seconds(hours * 3600 + 300)
    headers = {
        "Content-Type": "application/json",
        "Authorization": shop.api.headers["Authorization"],
    }

    def book(connection: HTTPConnection, number: int) -> int:
        body = {
            "customerName": "Ana Silva",
            "customerPhone": f"+44{prefix}{number % 1_000_000:06d}",
            "serviceId": "haircut",
            "barberId": f"barber_{1 + number % 3}",
            "scheduledTime": at,
            "allowOverlap": True,
        }
        connection.request("POST", "/api/bookings", json.dumps(body), headers)
        answer = connection.getresponse()
        answer.read()
        return answer.status

    return book


def test_the_rate_of_bookings_beside_that_of_health(running: RunningShop, db: Database) -> None:
    booking = running.book(seconds=25 * 3600 + 300)
    assert len(running.reminders(booking)) == 12
    path = f"/api/bookings/{booking['id']}"
    rows = [
        ("GET /health", health, 200),
        ("GET /api/bookings/{id}", reader(running, path), 200),
        ("GET /api/bookings/{id}/reminders", reader(running, f"{path}/reminders"), 200),
        ("POST /api/bookings, 12 reminders", booker(running, 25, "7700"), 201),
    ]
    name = "SQLite" if db.is_sqlite else "PostgreSQL"
    print(f"\n{name}, {CONNECTIONS} connections{'rate':>25} {'median':>11} {'p99':>12}")
    for what, send, wanted in rows:
        figures = measure(running, send, wanted, CONNECTIONS, REQUESTS)
        print(f"{what:<36} {figures}")


def test_a_booking_a_month_ahead_takes_at_most_four_times_as_long(
    running: RunningShop, db: Database
) -> None:
    month = running.book(seconds=720 * 3600)
    assert len(running.reminders(month)) == 359
    day = measure(running, booker(running, 25, "7701"), 201, 1, 200)
    month_ahead = measure(running, booker(running, 719.9, "7702"), 201, 1, 200)
    name = "SQLite" if db.is_sqlite else "PostgreSQL"
    ratio = month_ahead.median / day.median
    print(f"\n{name}, one connection\n12 reminders  {day}\n359 reminders {month_ahead}")
    print(f"ratio of the medians: {ratio:.2f}")
    assert ratio <= 4
