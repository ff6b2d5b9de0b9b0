"""Sending one message, on both databases, against the fake Twilio."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from app.bookings import service
from app.bookings.service import NewBooking
from app.db import Database
from app.messages.delivery import deliver
from app.messages.models import Attempt, Message
from tests import factories
from tests.fake_twilio import FakeTwilio, Fault
from tests.support.frozen import FrozenClock

pytestmark = pytest.mark.usefixtures("valkey")


@pytest.fixture
def booking(db: Database, clock: FrozenClock, twilio: FakeTwilio) -> str:
    """Booked at 00:00 for 10:00: reminders at 02:00, 04:00, 06:00 and 08:00."""
    new = NewBooking(
        customer_name="Zoë Ångström",
        customer_phone="+447700900123",
        service_id="haircut",
        barber_id="barber_1",
        scheduled_time=clock.now() + timedelta(hours=10),
    )
    with db.write() as session:
        return service.create(session, new, "system")[0].id


def message(db: Database, job_id: str) -> Message:
    with db.read() as session:
        return session.get_one(Message, job_id)


def test_a_due_reminder_is_sent_once_however_often_its_task_runs(
    db: Database, clock: FrozenClock, twilio: FakeTwilio, booking: str
) -> None:
    clock.move(hours=2)

    for _ in range(3):
        assert deliver(f"{booking}-reminder-1") is None

    [sent] = twilio.messages()
    row = message(db, f"{booking}-reminder-1")
    assert (row.state, row.sid, row.attempts, row.sent_at) == ("sent", sent.sid, 1, clock.now())
    assert "Your appointment is in 8 hours" in sent.body
    assert sent.status_callback and f"/status/{row.attempt_id}#" in sent.status_callback


def test_a_reminder_is_not_sent_before_its_time(
    db: Database, clock: FrozenClock, twilio: FakeTwilio, booking: str
) -> None:
    clock.move(hours=1, minutes=59)

    assert deliver(f"{booking}-reminder-1") is None

    assert twilio.posts() == []
    assert message(db, f"{booking}-reminder-1").state == "pending"


def test_a_transient_error_is_tried_again_at_the_set_delays_and_then_given_up(
    db: Database, clock: FrozenClock, twilio: FakeTwilio, booking: str
) -> None:
    clock.move(hours=2)
    twilio.script("+447700900123", [Fault.error(400, 63012)] * 6)
    delays = []

    while (due := deliver(f"{booking}-reminder-1")) is not None:
        delays.append((due - clock.now()).total_seconds())
        clock.set(due)

    row = message(db, f"{booking}-reminder-1")
    assert delays == [5, 25, 125, 625, 3125]
    assert (row.state, row.reason, row.error_code, row.attempts) == ("failed", "gave_up", "63012", 6)
    assert len(twilio.posts()) == 6
