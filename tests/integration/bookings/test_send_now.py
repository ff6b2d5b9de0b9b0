"""A reminder that staff send at once."""

import pytest

from app.bookings import send_now
from app.db import Database
from tests.fake_twilio import FakeTwilio
from tests.support.frozen import FrozenClock
from tests.support.lifecycle import deliver, messages

pytestmark = pytest.mark.usefixtures("valkey")


def test_a_reminder_now_is_one_more_with_the_next_number(
    db: Database, clock: FrozenClock, twilio: FakeTwilio, booking: str
) -> None:
    clock.move(minutes=5)

    with db.write() as session:
        job_id = send_now.remind_now(session, booking, "user:1")
    deliver(job_id)

    assert job_id == f"{booking}-reminder-5"
    assert len(twilio.messages()) == 1
    assert [row.state for row in messages(db, booking)] == ["pending"] * 4 + ["sent"]
