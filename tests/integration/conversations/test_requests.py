"""What a customer asks for in their own words becomes one press."""

from datetime import timedelta

import pytest
from sqlalchemy import select

from app.bookings import service
from app.conversations import requests
from app.db import Database
from app.errors import Conflict
from app.models.booking import Booking
from app.models.conversation import Reply
from app.models.message import Message
from tests import factories
from tests.support.frozen import FrozenClock

pytestmark = pytest.mark.usefixtures("valkey")

HOUR = timedelta(hours=1)


def written(db: Database, clock: FrozenClock, body: str) -> tuple[str, str]:
    """A booking of tomorrow at noon, and what its customer wrote: both ids."""
    with db.write() as session:
        factories.shop(session)
        booking = factories.booking(session, clock.now() + timedelta(days=1, hours=12))
        return booking.id, factories.reply(session, booking, body=body).sid


def asked(db: Database, booking_id: str, sid: str) -> requests.Request | None:
    with db.read() as session:
        booking, reply = session.get_one(Booking, booking_id), session.get_one(Reply, sid)
        return requests.request_of(session, booking, [reply])


def kinds(db: Database, booking_id: str) -> list[str]:
    with db.read() as session:
        query = select(Message.kind).where(Message.booking_id == booking_id)
        return sorted(set(session.scalars(query)) - {"reminder"})


def test_who_wants_to_cancel_is_cancelled_and_told_and_looked_after(
    db: Database, clock: FrozenClock
) -> None:
    id, sid = written(db, clock, "please cancel, I am ill")
    found = asked(db, id, sid)
    assert found is not None
    assert found.kind == "cancel"
    with db.write() as session:
        requests.grant_cancel(session, id, sid, "user:1")
        assert not session.get_one(Reply, sid).needs_attention
    assert kinds(db, id) == ["cancellation"]
    assert asked(db, id, sid) is None


@pytest.mark.parametrize("is_told_anyway", [True, False])
def test_who_wants_another_time_is_moved_and_told_once(
    sqlite_db: Database, clock: FrozenClock, is_told_anyway: bool
) -> None:
    id, sid = written(sqlite_db, clock, "Could we come at 3.30 instead?")
    with sqlite_db.write() as session:
        factories.shop(session, moved_on=is_told_anyway)
        noon = session.get_one(Booking, id).starts_at
    found = asked(sqlite_db, id, sid)
    assert found is not None
    assert (found.kind, found.to, found.is_free) == ("move", noon + 3.5 * HOUR, True), "in hours"
    with sqlite_db.write() as session:
        requests.grant_move(session, id, sid, noon + 3.5 * HOUR, "user:1")
    with sqlite_db.read() as session:
        assert session.get_one(Booking, id).starts_at == noon + 3.5 * HOUR
        assert not session.get_one(Reply, sid).needs_attention
        moved = select(Message.id).where(Message.kind == "moved")
        assert len(session.scalars(moved).all()) == 1


def test_a_time_that_is_taken_is_said_and_one_that_is_taken_meanwhile_refused(
    sqlite_db: Database, clock: FrozenClock
) -> None:
    id, sid = written(sqlite_db, clock, "Can I come an hour later?")
    with sqlite_db.write() as session:
        noon = session.get_one(Booking, id).starts_at
        factories.booking(session, noon + HOUR)
    found = asked(sqlite_db, id, sid)
    assert found is not None
    assert (found.to, found.is_free) == (noon + HOUR, False)
    with pytest.raises(Conflict), sqlite_db.write() as session:
        requests.grant_move(session, id, sid, noon + HOUR, "user:1")
    with sqlite_db.read() as session:
        assert session.get_one(Reply, sid).needs_attention


@pytest.mark.parametrize("why", ["handled", "passed", "cancelled", "now"])
def test_what_cannot_be_granted_any_more_is_not_offered(
    sqlite_db: Database, clock: FrozenClock, why: str
) -> None:
    id, sid = written(sqlite_db, clock, "12:00 instead?" if why == "now" else "please cancel")
    with sqlite_db.write() as session:
        if why == "handled":
            session.get_one(Reply, sid).needs_attention = False
        elif why == "cancelled":
            service.cancel(session, id, "user:1")
    if why == "passed":
        clock.move(days=2)
    assert asked(sqlite_db, id, sid) is None
