"""How much it costs bookings that other programs are told of them, and how fast they are told.

Printed: bookings a second and how long one takes, without a webhook and with two; then how many
events a second are brought to a receiver that was down, and how late they come while it works.
"""

import statistics
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from app.db import Database
from tests.fake_twilio import FakeTwilio
from tests.support.processes import wait_until
from tests.support.receiver import Receiver
from tests.support.running import RunningShop
from tests.support.valkey import Valkey

BOOKINGS = 600
CALLERS = 4


@pytest.fixture
def shop(request: pytest.FixtureRequest, tmp_path: Path, valkey: Valkey) -> Iterator[RunningShop]:
    database: Database = request.getfixturevalue(f"{request.param}_db")
    url = database.engine.url.render_as_string(hide_password=False)
    with FakeTwilio() as twilio, RunningShop(tmp_path, twilio, valkey, url) as running:
        running.wait_for_worker()
        yield running


@pytest.mark.parametrize("shop", ["sqlite", "postgres"], indirect=True)
def test_events_do_not_slow_bookings_and_come_soon(shop: RunningShop) -> None:
    book_many(shop, 100)
    plain = book_many(shop, BOOKINGS)
    with Receiver() as receiver, Receiver() as other:
        for each in (receiver, other):
            body = {"url": each.url, "events": ["booking.created"]}
            each.secrets = [shop.api.post("/api/webhooks", json=body).json()["secret"]]
        time.sleep(1)
        begun = time.monotonic()
        told = book_many(shop, BOOKINGS)
        wait_until(
            lambda: len(receiver.heard) == len(other.heard) == BOOKINGS,
            what="all events",
            timeout=60,
        )
        took = time.monotonic() - begun
        receiver.close()
        book_many(shop, BOOKINGS)
        wait_until(lambda: len(other.heard) == 2 * BOOKINGS, what="all events", timeout=60)
        receiver.open()
        wait_until(lambda: len(receiver.heard) > BOOKINGS, what="the first again", timeout=320)
        begun, had = time.monotonic(), len(receiver.heard)
        wait_until(lambda: len(receiver.heard) == 2 * BOOKINGS, what="the rest", timeout=60)
        rate = (2 * BOOKINGS - had) / (time.monotonic() - begun)
    print(f"\nwithout a webhook: {line(plain)}\nwith two webhooks: {line(told)}")
    print(f"{2 * BOOKINGS} events came within {took:.1f} s of the first booking")
    print(f"after an outage: {rate:.0f} events a second to one address")
    assert statistics.median(told) < 1.5 * statistics.median(plain)
    assert rate > 200


def book_many(shop: RunningShop, number: int) -> list[float]:
    """Books so many, by CALLERS at once; returns how long each took."""

    def book(_: int) -> float:
        begun = time.monotonic()
        shop.book(seconds=864_000)
        return time.monotonic() - begun

    with ThreadPoolExecutor(CALLERS) as callers:
        return list(callers.map(book, range(number)))


def line(seconds: list[float]) -> str:
    worst = statistics.quantiles(seconds, n=20)[-1]
    rate = CALLERS / statistics.mean(seconds)
    median = statistics.median(seconds)
    return f"{rate:.0f} bookings/s, {1000 * median:.1f} ms, p95 {1000 * worst:.1f} ms"
