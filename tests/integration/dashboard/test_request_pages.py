"""A customer's request is one button, in the conversation and on Today."""

from datetime import timedelta

from app.db import Database
from app.models.booking import Booking
from tests import factories
from tests.integration.conftest import Client
from tests.support.frozen import FrozenClock
from tests.support.web import said


def written(db: Database, clock: FrozenClock, body: str) -> tuple[str, str]:
    """A booking of tomorrow at noon, and where its customer's request is granted."""
    with db.write() as session:
        booking = factories.booking(session, clock.now() + timedelta(days=1, hours=12))
        reply = factories.reply(session, booking, body=body)
        return booking.id, f"/bookings/{booking.id}/requests/{reply.sid}"


def test_a_wish_to_cancel_is_granted_on_today_and_can_be_undone(
    desk: Client, sqlite_shop: Database, clock: FrozenClock
) -> None:
    id, here = written(sqlite_shop, clock, "Please cancel, I am ill")
    for path in ("/today", f"/bookings/{id}"):
        page = desk.get(path).text
        assert f'action="{here}"' in page
        assert "Cancel their booking" in page
    answer = desk.post(here, data={"next": "/today"})
    assert answer.headers["Location"] == "/today"
    page = desk.get("/today").text
    assert "is told in 10 seconds" in page
    assert f'action="/bookings/{id}/undo"' in page
    assert here not in page


def test_a_wish_for_another_time_is_granted_in_the_conversation(
    desk: Client, sqlite_shop: Database, clock: FrozenClock
) -> None:
    id, here = written(sqlite_shop, clock, "Could we come at 15:30 instead?")
    page = desk.get(f"/bookings/{id}").text
    assert 'name="to"' in page
    assert 'value="2026-11-24T15:30:00Z"' in page
    for wrong in ("later", "2020-01-01T10:00:00Z"):
        assert "Moved" not in said(desk, desk.post(here, data={"to": wrong}))
    answer = desk.post(here, data={"to": "2026-11-24T15:30:00Z"})
    assert said(desk, answer).startswith("Moved. ")
    with sqlite_shop.read() as session:
        assert f"{session.get_one(Booking, id).starts_at:%H:%M}" == "15:30"
    assert here not in desk.get(f"/bookings/{id}").text
