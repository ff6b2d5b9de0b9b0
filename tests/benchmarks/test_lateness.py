"""How late reminders leave on a machine with nothing else to do: `make bench`."""

from datetime import datetime, timedelta
from pathlib import Path
from statistics import median

from tests.fake_twilio import FakeTwilio
from tests.support.running import RunningShop
from tests.support.valkey import Valkey

BOOKINGS = 5
EVERY = 4  # seconds
LATEST = 0.3  # seconds


def test_reminders_leave_within_a_third_of_a_second_of_their_time(
    tmp_path: Path, valkey: Valkey, twilio: FakeTwilio
) -> None:
    with RunningShop(tmp_path, twilio, valkey, REMINDER_EVERY=f"{EVERY}s") as shop:
        shop.wait_for_worker()
        bookings = [shop.book(seconds=4 * EVERY + 1) for _ in range(BOOKINGS)]
        twilio.wait_for(4 * BOOKINGS, timeout=30)

    late = sorted(
        (message.at - due(booking, turn)).total_seconds()
        for booking in bookings
        for turn, message in enumerate(twilio.messages(booking["customerPhone"]), start=1)
    )
    print(f"late by {median(late):.2f} s, the latest of {len(late)} by {late[-1]:.2f} s")
    assert late[0] >= 0
    assert late[-1] < LATEST


def due(booking: dict[str, str], turn: int) -> datetime:
    return datetime.fromisoformat(booking["createdAt"]) + timedelta(seconds=turn * EVERY)
