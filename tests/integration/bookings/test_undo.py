"""A cancellation that is taken back."""

import pytest

from app.bookings import service, undo
from app.db import Database
from app.errors import Conflict, NotFound
from app.messages.tick import Process, tick
from tests import factories
from tests.fake_twilio import FakeTwilio
from tests.support.frozen import FrozenClock
from tests.support.lifecycle import deliver, messages

pytestmark = pytest.mark.usefixtures("valkey")


def test_an_undone_cancellation_brings_back_the_reminders_as_they_were(
    db: Database, clock: FrozenClock, twilio: FakeTwilio, booking: str
) -> None:
    clock.move(hours=3)
    tick(Process())
    before = messages(db, booking)
    with db.write() as session:
        service.cancel(session, booking, "user:1", tell_after=undo.UNDO_FOR)
    clock.move(seconds=9)

    with db.write() as session:
        assert undo.undo_cancel(session, booking, "user:1").status == "confirmed"

    after = messages(db, booking)
    assert [each.id for each in after] == [each.id for each in before]
    assert [each.planned_for for each in after] == [each.planned_for for each in before]
    assert [each.state for each in after] == ["cancelled", *["pending"] * 3]
    [told] = messages(db, booking, "cancellation")
    assert (told.state, told.reason) == ("cancelled", "undone")
    clock.move(minutes=1)
    assert deliver(told.id) is None
    assert twilio.posts() == []


def test_a_reminder_that_was_a_message_comes_back_under_a_new_number(
    db: Database, clock: FrozenClock, twilio: FakeTwilio, booking: str
) -> None:
    """Its job id may be revoked in the queue, and stays so."""
    clock.move(hours=1, minutes=58)
    tick(Process())
    first = messages(db, booking)[0].planned_for
    for _ in range(2):
        with db.write() as session:
            service.cancel(session, booking, "user:1", tell_after=undo.UNDO_FOR)
        clock.move(seconds=5)
        with db.write() as session:
            undo.undo_cancel(session, booking, "user:1")

    after = messages(db, booking)
    assert [each.number for each in after] == [1, 2, 3, 4, 5, 6]
    states = [each.state for each in after]
    assert states == ["cancelled", "pending", "pending", "pending", "cancelled", "pending"]
    assert {after[0].planned_for, after[4].planned_for, after[5].planned_for} == {first}
    clock.set(first)
    for each in after:
        deliver(each.id)
    assert len(twilio.messages()) == 1


def test_a_reminder_whose_time_came_while_its_booking_was_cancelled_stays_cancelled(
    db: Database, clock: FrozenClock, twilio: FakeTwilio, booking: str
) -> None:
    clock.move(hours=3, minutes=59, seconds=55)  # and no worker has ticked
    with db.write() as session:
        service.cancel(session, booking, "user:1", tell_after=undo.UNDO_FOR)
    clock.move(seconds=9)
    with db.write() as session:
        undo.undo_cancel(session, booking, "user:1")

    states = [each.state for each in messages(db, booking)]
    assert states == ["cancelled", "cancelled", "pending", "pending"]
    deliver(f"{booking}-reminder-2")
    assert twilio.posts() == []


def test_a_cancellation_that_was_told_cannot_be_undone(
    db: Database, clock: FrozenClock, twilio: FakeTwilio, booking: str
) -> None:
    with db.write() as session:
        service.cancel(session, booking, "user:1", tell_after=undo.UNDO_FOR)
    clock.move(seconds=10)
    deliver(f"{booking}-cancellation-1")

    with pytest.raises(Conflict, match="told already"), db.write() as session:
        undo.undo_cancel(session, booking, "user:1")

    assert len(twilio.messages()) == 1


def test_what_is_not_cancelled_or_not_there_cannot_be_undone(db: Database, booking: str) -> None:
    with pytest.raises(Conflict), db.write() as session:
        undo.undo_cancel(session, booking, "user:1")
    with pytest.raises(NotFound), db.write() as session:
        undo.undo_cancel(session, "booking_none", "user:1")


@pytest.mark.parametrize("phone", ["+12125550001", "+12125550009"], ids=["same", "another"])
def test_a_cancellation_is_not_undone_when_the_place_was_booked_meanwhile(
    db: Database, clock: FrozenClock, booking: str, phone: str
) -> None:
    with db.write() as session:
        at = service.cancel(session, booking, "user:1", tell_after=undo.UNDO_FOR).starts_at
    new = {
        "customer_name": "Ana",
        "customer_phone": phone,
        "service_id": "haircut",
        "barber_id": "barber_1",
        "scheduled_time": at,
    }
    with db.write() as session:
        service.create(session, new, "user:1")

    with pytest.raises(Conflict), db.write() as session:
        undo.undo_cancel(session, booking, "user:1")

    assert messages(db, booking, "cancellation")[0].state == "pending"


def test_a_cancellation_is_undone_although_its_barber_and_service_were_switched_off(
    db: Database, booking: str
) -> None:
    with db.write() as session:
        service.cancel(session, booking, "user:1", tell_after=undo.UNDO_FOR)
        factories.service(session, "haircut").active = False
        factories.barber(session, "barber_1").active = False

    with db.write() as session:
        assert undo.undo_cancel(session, booking, "user:1").status == "confirmed"
