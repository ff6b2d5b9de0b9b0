"""SIGKILL for the worker at the worst moments: nothing is lost, and nothing doubled."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.db import Database
from tests.fake_twilio import FakeTwilio, Fault
from tests.support.ledger import check, is_calm
from tests.support.processes import wait_until
from tests.support.running import RunningShop
from tests.support.valkey import Valkey


@pytest.fixture
def twilio() -> Iterator[FakeTwilio]:
    with FakeTwilio() as fake:
        yield fake


@pytest.fixture
def shop(
    request: pytest.FixtureRequest, tmp_path: Path, twilio: FakeTwilio, valkey: Valkey
) -> Iterator[RunningShop]:
    database = request.getfixturevalue(f"{request.param}_db")
    url = database.engine.url.render_as_string(hide_password=False)
    with RunningShop(tmp_path, twilio, valkey, url) as running:
        yield running


LOOK_UP: tuple[str, ...] = ()
CALLBACK = ("sent", "delivered")


@pytest.mark.parametrize(
    ("shop", "callbacks", "kills"),
    [
        pytest.param("sqlite", LOOK_UP, 5, id="sqlite-look-up"),
        pytest.param("postgres", CALLBACK, 5, id="postgres-callback"),
        *(
            pytest.param(name, callbacks, 20, id=f"{name}-{how}-often", marks=pytest.mark.storm)
            for name in ("sqlite", "postgres")
            for how, callbacks in (("look-up", LOOK_UP), ("callback", CALLBACK))
        ),
    ],
    indirect=["shop"],
)
def test_killed_after_acceptance_or_before_it_each_message_is_accepted_once(
    shop: RunningShop, twilio: FakeTwilio, callbacks: tuple[str, ...], kills: int
) -> None:
    """Each kill is amid two POSTs: one was accepted and is not recorded, the other never arrived
    and is for another worker to send.
    """
    twilio.auto_callbacks = callbacks
    accepted = [f"+1212555{1000 + turn}" for turn in range(kills)]
    lost = [f"+1212555{2000 + turn}" for turn in range(kills)]

    for phones in zip(accepted, lost, strict=True):
        for phone, fault in zip(phones, (Fault("hang"), Fault("hang_before")), strict=True):
            twilio.script(phone, [fault])
            cancelled(shop, phone)
        for phone in phones:
            twilio.wait_for_posts(1, to=phone)
        shop.kill_worker()
        twilio.release()
        shop.start_worker()

    wait_until(lambda: completed(shop) == 2 * kills, what="the end of all look-ups and tries")
    assert sorted(message.to for message in twilio.messages()) == accepted + lost
    assert sorted(post.to for post in twilio.posts() if post.to in accepted) == accepted


@pytest.mark.parametrize(
    ("name", "rounds"),
    [
        ("sqlite", 10),
        pytest.param("sqlite", 100, marks=pytest.mark.storm),
        pytest.param("postgres", 100, marks=pytest.mark.storm),
    ],
)
def test_five_kills_two_seconds_apart_leave_each_reminder_sent_or_explained(
    name: str,
    rounds: int,
    request: pytest.FixtureRequest,
    tmp_path: Path,
    twilio: FakeTwilio,
    valkey: Valkey,
) -> None:
    """A round is a booking with four reminders or so, at a phone of its own, amid the five kills.

    Most POSTs are under way when the worker dies, some never arrive, and the list lags.
    """
    database: Database = request.getfixturevalue(f"{name}_db")
    url = database.engine.url.render_as_string(hide_password=False)
    twilio.list_lag = 0.8
    twilio.chaos(1, {Fault.slow(0.7): 0.5, "hang_before": 0.2})
    environment = {"REMINDER_EVERY": "2s", "WHATSAPP_MAX_PER_SECOND": "100"}
    with RunningShop(tmp_path, twilio, valkey, url, **environment) as shop:
        shop.wait_for_worker()
        bookings = [shop.book(9, f"+1212559{turn:04d}") for turn in range(rounds)]
        planned = [row["jobId"] for booking in bookings for row in shop.reminders(booking)]
        for _ in range(5):
            time.sleep(2)
            shop.kill_worker()
            shop.start_worker()
        wait_until(lambda: is_calm(database), what="a settled state of all messages")
        reminders = [row for booking in bookings for row in shop.reminders(booking)]

    counts = check(database, twilio)
    assert [row["jobId"] for row in reminders] == planned
    assert len(planned) == counts.total() >= 3 * rounds  # the slower the POST, the fewer
    assert all(row["state"] == "completed" or row["error"] for row in reminders)


def cancelled(shop: RunningShop, phone: str) -> None:
    """A booking that is cancelled: its cancellation message is due at once."""
    booking = shop.book(seconds=86_400, phone=phone)
    assert shop.api.delete(f"/api/bookings/{booking['id']}").status_code == 200


def completed(shop: RunningShop) -> int:
    return int(shop.api.get("/api/queue/stats").json()["completed"])
