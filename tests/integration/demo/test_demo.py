"""What customers wrote in the shop of `chairtime demo`: as if the app itself had received it."""

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app import clock
from app.bookings import waiting_list
from app.conversations import service as conversations
from app.conversations.inbound import ACTOR
from app.db import Database
from app.demo import fill_shop
from app.models.booking import Booking
from app.models.conversation import Reply
from app.models.customer import Customer, MonthlySent
from app.models.message import STATES, Attempt, DailySent, Message, Receipt
from app.models.staff import AuditEvent, User
from app.settings import settings
from app.staff import login
from tests.support.databases import copy_migrated
from tests.support.frozen import FrozenClock

EFFECTS = {"cancelled": 1, "opted_out": 1, "for_staff": 3}
MIDNIGHT = datetime(2026, 11, 23, tzinfo=UTC)  # where the `clock` fixture begins
HOUR = 13


@pytest.fixture(autouse=True)
def _in_the_middle_of_a_day(clock: FrozenClock) -> None:
    clock.move(hours=HOUR)


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    """The demo's shop, in the middle of a day, for all tests: they only read."""
    path = tmp_path_factory.mktemp("demo") / "chairtime.db"
    copy_migrated(path)
    database = Database(f"sqlite:///{path}")
    fill(database, HOUR)
    yield database
    database.close()


def fill(db: Database, hour: int, *, add: bool = False) -> int:
    with clock.at(MIDNIGHT + timedelta(hours=hour)), db.write() as session:
        return fill_shop.fill(session, settings(), add=add)


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


@pytest.mark.parametrize("hour", [0, 18])
def test_at_the_ends_of_a_day_each_state_is_there_nothing_is_overdue_and_five_have_written(
    sqlite_db: Database, clock: FrozenClock, hour: int
) -> None:
    clock.set(MIDNIGHT + timedelta(hours=hour))

    assert fill(sqlite_db, hour) > 40

    assert_each_state_is_there(sqlite_db)


def test_in_the_middle_of_a_day_it_is_so_too(filled: Database) -> None:
    assert_each_state_is_there(filled)


def assert_each_state_is_there(db: Database) -> None:
    assert {message.state for message in messages(db)} == {*STATES} - {"sending"}
    assert messages(db, Message.state == "pending", Message.due_at <= clock.now()) == []
    tried_again = messages(db, Message.state == "pending", Message.tries > 0)
    assert all(message.due_at > clock.now() + timedelta(minutes=5) for message in tried_again)
    assert_five_have_written(db)
    with db.read() as session:
        assert len(waiting_list.entries(session)) == 2


def test_what_is_added_is_of_no_further_replies_and_beside_nobody(
    filled: Database, tmp_path: Path
) -> None:
    with filled.engine.connect() as connection:
        connection.connection.execute("VACUUM INTO ?", [str(tmp_path / "copy.db")])
    copy = Database(f"sqlite:///{tmp_path / 'copy.db'}")
    fill(copy, HOUR, add=True)

    assert_five_have_written(copy)
    with copy.read() as session:
        for barber in session.scalars(select(Booking.barber_id).distinct()):
            theirs = select(Booking).where(Booking.barber_id == barber).order_by(Booking.starts_at)
            bookings = session.scalars(theirs).all()
            assert all(one.ends_at <= other.starts_at for one, other in pairwise(bookings))


def assert_five_have_written(db: Database) -> None:
    """Each another, in the past; two wait for an answer."""
    with db.read() as session:
        replies = session.scalars(select(Reply)).all()
        assert len(conversations.open_replies(session, 10)) == 2
        known = {each.person: each for each in session.scalars(select(Customer))}
    assert Counter(reply.effect for reply in replies) == EFFECTS
    assert len({reply.sender for reply in replies}) == len(replies)
    assert all(reply.received_at < clock.now() for reply in replies)
    assert {known[reply.sender].written_at for reply in replies} == {
        reply.received_at for reply in replies
    }


def test_what_is_written_many_at_a_time_is_what_the_services_write(filled: Database) -> None:
    """A reminder that came to be read, and a cancellation, which the services have sent."""
    with filled.read() as session:
        read = (
            select(Message).join(Message.booking).where(Message.delivery_status == "read").limit(1)
        )
        theirs = session.scalars(read.where(Message.kind == "cancellation")).one()
        ours = session.scalars(
            read.where(Message.kind == "reminder", Booking.status == "completed")
        ).one()
        assert shape(session, ours) == shape(session, theirs)


def shape(session: Session, message: Message) -> list[dict[str, object]]:
    """Of a message, its attempt and its receipts, what is the same whenever one was sent."""
    attempt = session.get_one(Attempt, message.attempt_id)
    assert (attempt.message_id, attempt.sid) == (message.id, message.sid)
    assert (attempt.started_at, attempt.ended_at) == (message.due_at, message.sent_at)
    receipts = select(Receipt).filter_by(attempt_id=attempt.id).order_by(Receipt.id)
    return [same_of(row) for row in (message, attempt, *session.scalars(receipts))]


def same_of(row: Message | Attempt | Receipt) -> dict[str, object]:
    """Numbers and short words as they are, of ids, texts and times whether there is any."""
    differ = {"id", "message_id", "booking_id", "kind", "number", "sent_to"}
    names = {column.key for column in type(row).__table__.columns} - differ
    values = {name: getattr(row, name) for name in names}
    is_plain = {
        name: isinstance(value, int) or (isinstance(value, str) and len(value) < 10)
        for name, value in values.items()
    }
    return {name: value if is_plain[name] else value is None for name, value in values.items()}


def test_all_that_was_sent_is_counted(filled: Database) -> None:
    with filled.read() as session:
        sent = session.scalar(select(func.count()).where(Message.state == "sent"))
        daily = session.scalar(select(func.sum(DailySent.messages)))
        monthly = session.scalar(select(func.sum(MonthlySent.messages)))
    assert sent == daily == monthly


def test_each_trouble_is_there_and_looks_as_the_services_leave_it(filled: Database) -> None:
    troubles = messages(filled, Message.reason.in_(("refused", "undelivered", "gave_up")))
    assert {message.reason for message in troubles} == {"refused", "undelivered", "gave_up"}
    for message in troubles:
        tries = 6 if message.reason == "gave_up" else 1
        assert message.attempts == tries
    [looked_up] = messages(filled, Message.state == "uncertain")
    assert looked_up.check_at is not None
    assert looked_up.check_at > clock.now() + timedelta(minutes=5)


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
        asked = session.scalars(
            select(Reply).where(Reply.handled_at.is_not(None), Reply.effect == "for_staff")
        ).one()
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
