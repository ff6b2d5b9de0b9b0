"""A storm: workers killed at random, Twilio failing at random, the queue flushed, bookings moved.

`make storm`. The seed is printed; `STORM_SEED=…` repeats it, `STORM_BOOKINGS=…` makes it longer.
"""

import os
import random
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from app.db import Database
from tests.fake_twilio import FakeTwilio
from tests.support.ledger import check, is_calm
from tests.support.processes import wait_until
from tests.support.running import RunningShop
from tests.support.valkey import Valkey

pytestmark = pytest.mark.storm

BOOKINGS = int(os.environ.get("STORM_BOOKINGS", "120"))
SEED = int(os.environ.get("STORM_SEED", str(random.SystemRandom().randrange(10_000))))
AHEAD = 60.0  # seconds from a booking to its appointment
ODDS: dict[Any, float] = {
    "lost_answer": 0.05,
    "reset_before": 0.04,
    "error": 0.04,
    "garbage_201": 0.03,
    "html_503": 0.04,
}
ENVIRONMENT = {"REMINDER_EVERY": "20s", "WHATSAPP_MAX_PER_SECOND": "100"}


@pytest.fixture
def twilio() -> Iterator[FakeTwilio]:
    with FakeTwilio() as fake:
        yield fake


@pytest.mark.parametrize("name", ["sqlite", "postgres"])
def test_no_message_is_lost_or_doubled_in_a_storm(
    name: str,
    request: pytest.FixtureRequest,
    tmp_path: Path,
    twilio: FakeTwilio,
    valkey: Valkey,
    capsys: pytest.CaptureFixture[str],
) -> None:
    database: Database = request.getfixturevalue(f"{name}_db")
    chance = random.Random(SEED)
    twilio.chaos(SEED, ODDS)
    twilio.auto_callbacks = ("sent", "delivered")
    url = database.engine.url.render_as_string(hide_password=False)
    with RunningShop(tmp_path, twilio, valkey, url, **ENVIRONMENT) as shop:
        shop.start_worker()
        kills = weather(shop, valkey, chance)
        twilio.chaos(SEED, {})
        wait_until(lambda: is_calm(database), timeout=90, what="a settled state of all messages")

    counts = check(database, twilio)
    with capsys.disabled():
        print(f"\n{name}, seed {SEED}: {kills} kills, {len(twilio.posts())} POSTs, {dict(counts)}")


def test_the_check_sees_doubles_when_the_quiet_period_is_shorter_than_the_lists_lag(
    tmp_path: Path, twilio: FakeTwilio, valkey: Valkey, sqlite_db: Database
) -> None:
    twilio.list_lag = 5
    twilio.chaos(SEED, {"lost_answer": 0.5})
    url = sqlite_db.engine.url.render_as_string(hide_password=False)
    environment = {**ENVIRONMENT, "UNCERTAIN_QUIET": "0.2"}
    with RunningShop(tmp_path, twilio, valkey, url, **environment) as shop:
        for turn in range(20):
            shop.book(seconds=35, phone=f"+1212556{turn:04d}")
        wait_until(lambda: is_calm(sqlite_db), timeout=90, what="a settled state")

    with pytest.raises(AssertionError, match="more than once"):
        check(sqlite_db, twilio)


def weather(shop: RunningShop, valkey: Valkey, chance: random.Random) -> int:
    """Book, move and cancel for a minute while workers die; returns how many died."""
    kills, open_bookings = 0, []
    for turn in range(BOOKINGS):
        open_bookings.append(shop.book(seconds=AHEAD, phone=f"+1212557{turn:04d}"))
        if chance.random() < 0.15:
            booking = open_bookings.pop(chance.randrange(len(open_bookings)))
            shop.api.delete(f"/api/bookings/{booking['id']}")
        if chance.random() < 0.15 and open_bookings:
            booking = chance.choice(open_bookings)
            later = shop.in_seconds(AHEAD + chance.uniform(0, 20))
            shop.api.patch(
                f"/api/bookings/{booking['id']}",
                json={"scheduledTime": later, "allowOverlap": True},
            )
        if chance.random() < 0.2:
            kills += kill_one(shop, chance)
        if chance.random() < 0.05:
            valkey.flush()
        time.sleep(0.3)
    end = time.monotonic() + AHEAD
    while time.monotonic() < end:
        kills += kill_one(shop, chance)
        time.sleep(chance.uniform(0.5, 4))
    return kills


def kill_one(shop: RunningShop, chance: random.Random) -> int:
    """SIGKILL for one worker of two, and another in its place."""
    worker = shop.workers.pop(chance.randrange(len(shop.workers)))
    worker.kill()
    shop.start_worker()
    return 1
