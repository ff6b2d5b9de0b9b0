"""SIGKILL for the worker while it brings events: none is lost, and none has a second id."""

import time
from pathlib import Path

from tests.fake_twilio import FakeTwilio
from tests.support.processes import wait_until
from tests.support.receiver import Receiver
from tests.support.running import RunningShop
from tests.support.valkey import Valkey

LEASE = 60
"""Seconds that a killed worker's deliveries are left alone: `deliveries.LEASE`."""


def test_a_killed_worker_loses_no_event_and_makes_none_anew(tmp_path: Path, valkey: Valkey) -> None:
    with (
        FakeTwilio() as twilio,
        RunningShop(tmp_path, twilio, valkey) as shop,
        Receiver() as receiver,
    ):
        types = ["booking.created", "booking.changed"]
        made = shop.api.post("/api/webhooks", json={"url": receiver.url, "events": types})
        receiver.secrets = [made.json()["secret"]]
        time.sleep(1)  # from then on it is told
        bookings = []
        for _ in range(3):
            receiver.hangs = True
            for _ in range(4):
                bookings.append(shop.book(seconds=86_400 + 3_600 * len(bookings)))
                address = f"/api/bookings/{bookings[-1]['id']}"
                assert shop.api.patch(address, json={"notes": "Fade"}).status_code == 200
            wait_until(lambda: in_hand(shop) >= 4, what="events on their way")
            shop.kill_worker()
            receiver.hangs = False  # what it had is taken, and nobody notes it
            lease_ends(shop)
            shop.start_worker()
        wait_until(lambda: to_bring(shop) == 0, what="the rest", timeout=30)

        assert receiver.forged == 0
        for booking in bookings:
            told = [each for each in receiver.heard if each.about == booking["id"]]
            first_times = list(dict.fromkeys(each.id for each in told))
            assert len(first_times) == 2  # however often each came
            types_told = [next(e.body["type"] for e in told if e.id == id) for id in first_times]
            assert types_told == types


def in_hand(shop: RunningShop) -> int:
    [(number,)] = shop.sql(
        "SELECT count(*) FROM webhook_delivery WHERE state = 'pending' AND lease_until IS NOT NULL"
    )
    return int(number)


def to_bring(shop: RunningShop) -> int:
    [(number,)] = shop.sql(
        "SELECT (SELECT count(*) FROM webhook_delivery WHERE state = 'pending')"
        " + (SELECT count(*) FROM webhook_event WHERE body IS NULL)"
    )
    return int(number)


def lease_ends(shop: RunningShop) -> None:
    """As if LEASE had gone by."""
    shop.sql(
        "UPDATE webhook_delivery SET lease_until = datetime(lease_until, '-61 seconds')"
        " WHERE lease_until IS NOT NULL"
    )
