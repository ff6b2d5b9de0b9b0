"""SIGKILL for the worker at the worst moments: nothing is lost, and nothing doubled."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fake_twilio import FakeTwilio, Fault
from tests.support.processes import wait_until
from tests.support.running import RunningShop
from tests.support.valkey import Valkey

KILLS = 20


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
    ("shop", "callbacks"),
    [
        pytest.param("sqlite", LOOK_UP, id="sqlite-look-up"),
        pytest.param("postgres", CALLBACK, id="postgres-callback"),
        pytest.param("sqlite", CALLBACK, id="sqlite-callback", marks=pytest.mark.storm),
        pytest.param("postgres", LOOK_UP, id="postgres-look-up", marks=pytest.mark.storm),
    ],
    indirect=["shop"],
)
def test_killed_between_acceptance_and_record_each_message_is_accepted_once(
    shop: RunningShop, twilio: FakeTwilio, callbacks: tuple[str, ...]
) -> None:
    twilio.auto_callbacks = callbacks
    phones = [f"+1212555{1000 + turn}" for turn in range(KILLS)]

    for phone in phones:
        twilio.hold_after_accept()
        cancelled(shop, phone)
        twilio.wait_held(1)
        shop.kill_worker()
        twilio.release()
        shop.start_worker()

    wait_until(lambda: completed(shop) == KILLS, what="the end of all look-ups")
    assert sorted(message.to for message in twilio.messages()) == sorted(phones)
    assert len(twilio.posts()) == KILLS


@pytest.mark.parametrize("shop", ["sqlite", "postgres"], indirect=True)
def test_killed_before_acceptance_each_message_is_sent_by_another_worker(
    shop: RunningShop, twilio: FakeTwilio
) -> None:
    phones = [f"+1212555{2000 + turn}" for turn in range(5)]

    for turn, phone in enumerate(phones, start=1):
        twilio.script(phone, [Fault("hang_before")])
        cancelled(shop, phone)
        twilio.wait_for_posts(turn)
        shop.kill_worker()
        shop.start_worker()

    wait_until(lambda: completed(shop) == 5, what="another try of each")
    assert sorted(message.to for message in twilio.messages()) == sorted(phones)


def cancelled(shop: RunningShop, phone: str) -> None:
    """A booking that is cancelled: its cancellation message is due at once."""
    booking = shop.book(seconds=86_400, phone=phone)
    assert shop.api.delete(f"/api/bookings/{booking['id']}").status_code == 200


def completed(shop: RunningShop) -> int:
    return int(shop.api.get("/api/queue/stats").json()["completed"])
