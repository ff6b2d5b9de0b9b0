"""A cancellation that is taken back."""

import pytest

from app.bookings import service, undo
from app.db import Database
from app.errors import Conflict, NotFound
from app.messages.delivery import deliver
from tests import factories
from tests.fake_twilio import FakeTwilio
from tests.support.frozen import FrozenClock
from tests.support.lifecycle import messages

pytestmark = pytest.mark.usefixtures("valkey")


def test_an_undone_cancellation_brings_the_reminders_back_at_their_times_under_new_numbers(
    db: Database, clock: FrozenClock, twilio: FakeTwilio, booking: str
) -> None:
    clock.move(hours=3)
    before = messages(db, booking)
    with db.write() as session:
        service.cancel(session, booking, "user:1", tell_after=undo.UNDO_FOR)
    clock.move(seconds=9)

    with db.write() as session:
        assert undo.undo_cancel(session, booking, "user:1").status == "confirmed"

    rows = messages(db, booking)
    assert [row.number for row in rows] == [1, 2, 3, 4, 5, 6, 7]
    assert [row.state for row in rows[1:4]] == ["cancelled"] * 3
    assert [row.planned_for for row in rows[4:]] == [row.planned_for for row in before[1:]]
    [told] = messages(db, booking, "cancellation")
    assert (told.state, told.reason) == ("cancelled", "undone")
    clock.move(minutes=1)
    assert deliver(told.id) is None
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
