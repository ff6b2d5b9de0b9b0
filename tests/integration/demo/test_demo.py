"""What customers wrote in the shop of `chairtime demo`: as if the app itself had received it."""

from datetime import timedelta

import pytest
from sqlalchemy import select

from app import clock
from app.conversations import service as conversations
from app.conversations.inbound import ACTOR
from app.db import Database
from app.demo import fill_shop
from app.models.booking import Booking
from app.models.conversation import Reply
from app.models.customer import Customer
from app.models.message import Attempt, Message
from app.models.staff import AuditEvent, User
from app.settings import settings
from app.staff import login
from tests.support.frozen import FrozenClock

EFFECTS = {"cancelled": 1, "opted_out": 1, "for_staff": 3}


@pytest.fixture
def filled(sqlite_db: Database, clock: FrozenClock) -> Database:
    """The demo's shop, in the middle of a day."""
    clock.move(hours=13)
    fill(sqlite_db)
    return sqlite_db


def fill(db: Database, *, add: bool = False) -> None:
    with db.write() as session:
        fill_shop.fill(session, settings(), add=add)


def one(db: Database, effect: str, **values: object) -> Reply:
    """The only reply that did this."""
    with db.read() as session:
        return session.scalars(select(Reply).filter_by(effect=effect, **values)).one()


def booking_of(db: Database, reply: Reply) -> Booking:
    with db.read() as session:
        return session.get_one(Booking, reply.booking_id)


def messages(db: Database, *conditions: object) -> list[Message]:
    with db.read() as session:
        return list(session.scalars(select(Message).where(*conditions)))  # type: ignore[arg-type]


@pytest.mark.parametrize("hour", [1, 9, 15, 22])
def test_two_wait_for_an_answer_one_has_it_one_cancelled_and_one_wants_no_messages(
    sqlite_db: Database, clock: FrozenClock, hour: int
) -> None:
    clock.move(hours=hour)
    fill(sqlite_db)
    fill(sqlite_db, add=True)

    with sqlite_db.read() as session:
        replies = session.scalars(select(Reply)).all()
        assert len(conversations.open_replies(session, 10)) == 2
        known = {each.person: each for each in session.scalars(select(Customer))}
    effects = [reply.effect for reply in replies]
    assert {effect: effects.count(effect) for effect in effects} == EFFECTS
    assert len({reply.sender for reply in replies}) == len(replies)
    assert all(reply.received_at < clock.now() for reply in replies)
    assert {known[reply.sender].written_at for reply in replies} == {
        reply.received_at for reply in replies
    }


def test_what_is_open_is_about_the_next_booking_of_its_number(filled: Database) -> None:
    for reply in (
        one(filled, "for_staff", media=1),
        one(filled, "for_staff", media=0, handled_at=None),
    ):
        about = booking_of(filled, reply)
        with filled.read() as session:
            theirs = session.scalars(
                select(Booking)
                .where(Booking.customer_phone == reply.sender, Booking.status == "confirmed")
                .where(Booking.starts_at > reply.received_at)
                .order_by(Booking.starts_at)
            ).all()
            assert conversations.chat(session, about).is_open
        assert about.id == theirs[0].id
        assert reply.needs_attention


def test_an_answer_was_sent_in_time_by_whom_the_reply_was_looked_after(filled: Database) -> None:
    [sent] = messages(filled, Message.kind == "answer")
    with filled.read() as session:
        asked = session.scalars(select(Reply).where(Reply.handled_at.is_not(None))).one()
        event = session.scalars(select(AuditEvent).filter_by(action="booking.answered")).one()
        attempt = session.get_one(Attempt, sent.attempt_id)
    assert sent.booking_id == asked.booking_id == event.subject
    assert (asked.needs_attention, asked.handled_by) == (False, event.actor)
    assert event.details == {"job_id": sent.id}
    assert attempt.body == sent.text
    assert asked.received_at < sent.planned_for < asked.received_at + timedelta(hours=24)


def test_who_cancelled_quoted_a_reminder_and_was_told_by_the_answer_alone(
    filled: Database,
) -> None:
    reply = one(filled, "cancelled")
    booking = booking_of(filled, reply)
    [quoted] = messages(filled, Message.sid == reply.replied_to)
    told = messages(filled, Message.booking_id == booking.id, Message.kind == "cancellation")
    with filled.read() as session:
        query = select(AuditEvent).filter_by(action="booking.cancelled", subject=booking.id)
        event = session.scalars(query).one()
    assert (booking.status, told) == ("cancelled", [])
    assert reply.received_at < booking.updated_at < reply.received_at + timedelta(seconds=1)
    assert quoted.booking_id == booking.id
    assert (event.actor, event.at) == (ACTOR, booking.updated_at)
    assert "is cancelled" in (reply.answer or "")


def test_nothing_was_sent_to_who_wants_no_messages_after_they_said_so(filled: Database) -> None:
    reply = one(filled, "opted_out")
    with filled.read() as session:
        customer = session.get_one(Customer, reply.sender)
        event = session.scalars(select(AuditEvent).filter_by(action="customer.opted_out")).one()
        sent = session.scalars(select(Attempt.started_at).filter_by(sent_to=reply.sender)).all()
    assert (customer.opted_out_at, customer.opted_out_how) == (reply.received_at, "reply")
    assert (event.subject, event.actor) == (reply.sid, ACTOR)
    assert sent
    assert max(sent) < reply.received_at


def test_some_have_agreed_and_the_audit_log_is_in_the_order_of_time(filled: Database) -> None:
    with filled.read() as session:
        agreed = session.scalars(select(Customer).filter_by(consent_how="form")).all()
        events = session.scalars(select(AuditEvent).order_by(AuditEvent.id)).all()
        users = {user.id for user in session.scalars(select(User))}
    assert len(agreed) == [event.action for event in events].count("customer.agreed") > 0
    assert [event.at for event in events] == sorted(event.at for event in events)
    actors = {event.actor for event in events} - {ACTOR, "system"}
    assert {actor.removeprefix("user:") for actor in actors} < users


def test_the_staff_of_the_demo_cannot_log_in_and_leave_the_first_run_to_the_owner(
    filled: Database,
) -> None:
    with filled.read() as session:
        users = session.scalars(select(User)).all()
    assert {user.role for user in users} == {"staff", "viewer"}
    for user in users:
        assert login.log_in(filled, user.email, "correct horse battery", "192.0.2.1", None) is None
    assert clock.now() > users[0].created_at
