"""How long each page takes with 200,000 bookings, 2,000,000 messages, PostgreSQL: `make bench`.

Asked over HTTP, one request at a time; server, worker, database and test share one machine.
PostgreSQL is that of the tests, without fsync, and freshly analysed.
"""

import statistics
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from litestar.testing import TestClient

from app.asgi import create_app
from app.db import Database, database
from tests import factories
from tests.benchmarks import large_shop
from tests.benchmarks.test_live_speed import logged_in, web_seconds
from tests.conftest import Configure
from tests.fake_twilio import FakeTwilio
from tests.integration.models.test_indexes import caught, plan_of, scans
from tests.support.dashboard import OWNER
from tests.support.databases import migrate_url
from tests.support.postgres import Postgres
from tests.support.running import RunningShop
from tests.support.staff import sign_in
from tests.support.valkey import Valkey

SECRET = "s" * 40
TIMES = 40
MOST_P95 = 0.1  # seconds
MOST_BYTES = 30_000  # as sent
TURNS = 3
AT_ONCE = 10
MOST_COST = 6.0
"""The processor time of a page, in that of `GET /api/bookings`."""
MOST_EMPTY = 3.0
"""The same of a page that finds nothing."""
MOST_COST_OF = {"… of a year": 10.0}
"""It adds up what 26 times four weeks came to, by barber and status: 832 rows."""
AS_BROWSER = {"Sec-Fetch-Site": "same-origin"}

BOOKING = f"booking_{30 * 128 + 300:026d}"  # some days ago
COMING = f"booking_{25 * 128 + 300:026d}"
DAY = (datetime.now(UTC) - timedelta(days=200)).date()

PAGES = {
    "today": "/today",
    "a day long ago": f"/today?date={DAY}",
    "a week": "/today/week",
    "… of a barber": "/today/week?barber=barber_3",
    "a month": "/today/month",
    "… of a barber ": "/today/month?barber=barber_3",
    "bookings": "/bookings",
    "… past": "/bookings?past=1",
    "… part of a name": "/bookings?q=obermüller",
    "… part of a name, past": "/bookings?past=1&q=obermüller",
    "… part of a name that is nobody's": "/bookings?past=1&q=nobody",
    "… two letters that are nobody's": "/bookings?past=1&q=qz",
    "… a phone number": "/bookings?past=1&q=%2B447700901234",
    "… a part of one": "/bookings?past=1&q=00901234",
    "… a part that is nobody's": "/bookings?past=1&q=555666777",
    "… an id": f"/bookings?q={BOOKING}",
    "… by status": "/bookings?past=1&status=no_show",
    "… by barber": "/bookings?past=1&barber=barber_3",
    "… by barber and status": "/bookings?past=1&barber=barber_3&status=no_show",
    "… with failures": "/bookings?past=1&failed=1",
    "… of a day": f"/bookings?from={DAY}&to={DAY}",
    "a booking": f"/bookings/{BOOKING}",
    "a booking to come": f"/bookings/{COMING}",
    "customers": "/customers",
    "… here lately": "/customers?past=1",
    "… one letter": "/customers?q=a",
    "… part of a name ": "/customers?q=obermüller",
    "… nobody": "/customers?q=nobody",
    "… a rare letter": "/customers?q=x",
    "… two letters of nobody ": "/customers?q=qz",
    "… part of a number": "/customers?q=00901234",
    "… part of many numbers": "/customers?q=7700",
    "… a part of no number": "/customers?q=555666777",
    "… a number": "/customers?q=%2B447700901234",
    "a customer": f"/customers/{BOOKING}",
    "new booking of a customer": f"/bookings/new?like={BOOKING}",
    "new booking": f"/bookings/new?barber=barber_1&date={DAY}",
    "failed sends": "/failed",
    "queue": "/queue",
    "numbers": "/numbers",
    "… of a barber  ": "/numbers?barber=barber_3",
    "… of a week": "/numbers?length=week",
    "… of a year": "/numbers?length=year",
    "activity": "/activity",
    "… of one who did nothing": "/activity?who=customer:reply",
    "… of a booking": f"/activity?about={BOOKING}",
    "API: counters": "/api/queue/stats",
    "API: bookings": "/api/bookings",
    "API: … part of a name that is nobody's": "/api/bookings?q=nobody",
    "API: … confirmed": "/api/bookings?status=confirmed",
}

EMPTY = {
    "… part of a name that is nobody's",
    "… two letters that are nobody's",
    "… a part that is nobody's",
    "… nobody",
    "… two letters of nobody ",
    "… a part of no number",
    "… of one who did nothing",
}


@dataclass(frozen=True)
class Figures:
    """Of one address: `seconds` of each request, and how many bytes an answer is as it is sent."""

    name: str
    seconds: list[float]
    size: int

    @property
    def p95(self) -> float:
        return sorted(self.seconds)[int(len(self.seconds) * 0.95) - 1]

    def __str__(self) -> str:
        median, p95 = statistics.median(self.seconds) * 1000, self.p95 * 1000
        return f"{self.name:<42}{median:8.1f} ms {p95:8.1f} ms {self.size / 1000:9.1f} kB"


@pytest.fixture(scope="module")
def large(postgres_cluster: Postgres) -> Iterator[str]:
    """The URL of a database with a large shop in it."""
    name = postgres_cluster.create()
    url = postgres_cluster.url(name)
    migrate_url(url)
    engine = Database(url.replace("postgresql:", "postgresql+psycopg:"))
    began = time.monotonic()
    large_shop.fill(engine.engine)
    print(f"\nfilled in {time.monotonic() - began:.0f} s")
    engine.close()
    yield url
    postgres_cluster.drop(name)


def test_each_page_takes_less_than_a_tenth_of_a_second(
    large: str, tmp_path: Path, twilio: FakeTwilio, valkey: Valkey
) -> None:
    with (
        RunningShop(tmp_path, twilio, valkey, database_url=large, **OWNER) as shop,
        closing(logged_in(shop)) as pages,
    ):
        measured = [
            _measure(shop.api if path.startswith("/api/") else pages, name, path)
            for name, path in PAGES.items()
        ]
    print(f"\n{'':<42}{'median':>11} {'p95':>11} {'answer':>12}")
    print(*measured, sep="\n")
    slow = [each for each in measured if each.p95 >= MOST_P95]
    assert [str(each) for each in slow] == []
    assert [str(each) for each in measured if each.size >= MOST_BYTES] == []


def _measure(client: httpx.Client, name: str, path: str) -> Figures:
    """A few requests first, so that PostgreSQL has settled for a plan of each statement."""
    seconds = []
    for turn in range(-12, TIMES):
        began = time.perf_counter()
        answer = client.get(path, headers=AS_BROWSER)
        if turn >= 0:
            seconds.append(time.perf_counter() - began)
        assert answer.status_code == 200, answer.text
    return Figures(name, seconds, answer.num_bytes_downloaded)


def test_no_page_costs_many_times_what_a_list_of_the_api_does(
    large: str, tmp_path: Path, twilio: FakeTwilio, valkey: Valkey
) -> None:
    """By the web app's processor time; all addresses in turns, so that all have the same luck."""
    with (
        RunningShop(tmp_path, twilio, valkey, database_url=large, **OWNER) as shop,
        closing(logged_in(shop)) as pages,
    ):
        costs = dict.fromkeys(PAGES, 0.0)
        for turn in range(-1, TURNS):
            for name, path in PAGES.items():
                client = shop.api if path.startswith("/api/") else pages
                cost = _cost(shop, client, path)
                costs[name] += cost if turn >= 0 else 0
    ratios = {name: cost / costs["API: bookings"] for name, cost in costs.items()}
    print(f"\n{'':<42}{'CPU':>8}    ÷ API")
    for name, ratio in ratios.items():
        print(f"{name:<42}{costs[name] / (TURNS * AT_ONCE) * 1000:8.1f} ms {ratio:8.1f}")
    over = {name: f"{ratio:.1f}" for name, ratio in ratios.items() if ratio > _most(name)}
    assert not over


def _cost(shop: RunningShop, client: httpx.Client, path: str) -> float:
    """Seconds of the processor for a few requests: the system counts in hundredths."""
    begun = web_seconds(shop)
    for _ in range(AT_ONCE):
        assert client.get(path, headers=AS_BROWSER).status_code == 200
    return web_seconds(shop) - begun


def _most(name: str) -> float:
    return MOST_EMPTY if name in EMPTY else MOST_COST_OF.get(name, MOST_COST)


def test_no_page_reads_a_large_table_from_end_to_end(
    large: str, configure: Configure, twilio: FakeTwilio, valkey: Valkey
) -> None:
    configure(DATABASE_URL=large)
    db = database()
    bad = []
    with db.write() as session:
        factories.api_token(session, SECRET)
    with TestClient(create_app()) as client:
        sign_in(client, db)
        client.headers["Authorization"] = f"Bearer {SECRET}"
        for name, path in PAGES.items():
            with caught(db) as statements:
                assert client.get(path).status_code == 200
            plans = {sql: plan_of(db, (sql, given)) for sql, given in statements}
            bad += [f"{name}: {sql}\n{plan}" for sql, plan in plans.items() if scans(plan)]
    assert not bad, "\n\n".join(bad)
