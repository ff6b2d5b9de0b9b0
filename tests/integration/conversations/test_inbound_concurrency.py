"""A CANCEL that comes ten times at once, amid a send and a reschedule, on both databases."""

from collections.abc import Iterator
from datetime import datetime

import httpx
import pytest
from sqlalchemy import select

from app.db import Database
from app.messages import planned
from app.models.booking import Booking
from app.models.conversation import Reply
from app.models.customer import Customer
from app.models.message import Attempt, Message
from app.models.staff import AuditEvent
from tests.fake_twilio import FakeTwilio, inbound
from tests.support.lifecycle import at_once
from tests.support.processes import wait_until
from tests.support.running import RunningShop
from tests.support.valkey import Valkey

DELIVERIES = 10


@pytest.fixture(scope="module")
def twilio() -> Iterator[FakeTwilio]:
    with FakeTwilio() as fake:
        yield fake


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def running(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, twilio: FakeTwilio
) -> Iterator[RunningShop]:
    folder = tmp_path_factory.mktemp("inbound")
    url = None
    if request.param == "postgres":
        cluster = request.getfixturevalue("postgres_cluster")
        url = cluster.url(cluster.create_migrated())
    valkey = Valkey(folder / "valkey")
    valkey.start()
    with RunningShop(folder, twilio, valkey, database_url=url, REMINDER_EVERY="1s") as shop:
        yield shop
    valkey.stop()


@pytest.fixture
def database(running: RunningShop) -> Iterator[Database]:
    opened = Database(running.environment["DATABASE_URL"].replace("sql://", "sql+psycopg://"))
    yield opened
    opened.close()


def say(running: RunningShop, twilio: FakeTwilio, params: dict[str, str]) -> httpx.Response:
    url = f"{running.environment['PUBLIC_URL']}/webhooks/twilio/inbound"
    return inbound.deliver(twilio, url, params, retries=0)


def events(database: Database, subject: str, action: str) -> list[AuditEvent]:
    with database.read() as session:
        where = (AuditEvent.subject == subject) & (AuditEvent.action == action)
        return list(session.scalars(select(AuditEvent).where(where)))


def test_ten_cancels_at_once_amid_a_send_and_a_reschedule_are_one_and_nothing_starts_after_it(
    running: RunningShop, twilio: FakeTwilio, database: Database
) -> None:
    booking = running.book(seconds=60)
    twilio.hold_after_accept()
    twilio.wait_held(1)
    params = inbound.message(twilio, booking["customerPhone"], "CANCEL")
    later = {"scheduledTime": running.in_seconds(90), "allowOverlap": True}

    *answers, moved = at_once(
        *[lambda: say(running, twilio, params)] * DELIVERIES,
        lambda: running.api.patch(f"/api/bookings/{booking['id']}", json=later),
    )
    begun = begins(database, booking["customerPhone"])
    twilio.release()

    assert moved.status_code in {200, 409}
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.content for answer in answers}) == 1
    assert "is cancelled" in inbound.spoken(answers[0])[0]
    [cancelled] = events(database, booking["id"], "booking.cancelled")
    assert cancelled.actor == "customer:reply"
    wait_until(lambda: is_settled(database, booking["id"]), what="a booking at rest")
    with database.read() as session:
        assert session.get_one(Booking, booking["id"]).status == "cancelled"
        kinds = select(Message.kind).where(Message.booking_id == booking["id"]).distinct()
        assert session.scalars(kinds).all() == ["reminder"]
    assert begins(database, booking["customerPhone"]) == begun
    assert max(begun) <= cancelled.at


def begins(database: Database, phone: str) -> list[datetime]:
    """When each POST to this number began."""
    with database.read() as session:
        query = select(Attempt.started_at).where(Attempt.sent_to == phone)
        return list(session.scalars(query.order_by(Attempt.started_at)))


def is_settled(database: Database, booking_id: str) -> bool:
    with database.read() as session:
        states = {each.state for each in planned.messages_of(session, booking_id)}
    return not states & {"pending", "sending", "uncertain"}


def test_ten_deliveries_of_a_word_for_staff_are_one_reply(
    running: RunningShop, twilio: FakeTwilio, database: Database
) -> None:
    params = inbound.message(twilio, "+447700900321", "Can I bring my son?")
    answers = at_once(*[lambda: say(running, twilio, params)] * DELIVERIES)
    assert {answer.status_code for answer in answers} == {200}
    assert inbound.spoken(answers[0]) == []
    assert len({answer.content for answer in answers}) == 1
    with database.read() as session:
        replies = session.scalars(select(Reply).where(Reply.sender == "+447700900321")).all()
    assert [reply.sid for reply in replies] == [params["MessageSid"]]


def test_ten_messages_of_one_customer_at_once_are_all_kept_and_cancel_once(
    running: RunningShop, twilio: FakeTwilio, database: Database
) -> None:
    booking = running.book(seconds=4_000)
    phone = booking["customerPhone"]
    bodies = ["CANCEL", "STOP", "Hello", "cancel", "stop", "Cancel!", "START", "x", "y", "CANCEL"]
    messages = [inbound.message(twilio, phone, body) for body in bodies]
    answers = at_once(*[lambda params=params: say(running, twilio, params) for params in messages])
    assert {answer.status_code for answer in answers} == {200}
    assert len(events(database, booking["id"], "booking.cancelled")) == 1
    with database.read() as session:
        replies = session.scalars(select(Reply).where(Reply.sender == phone)).all()
        assert session.get_one(Customer, phone).written_at is not None
    effects = sorted(reply.effect for reply in replies)
    assert effects.count("cancelled") == 1
    assert effects.count("already_cancelled") == 3
    assert len(effects) == len(bodies)


def test_a_stop_amid_sends_lets_nothing_start_after_it(
    running: RunningShop, twilio: FakeTwilio, database: Database
) -> None:
    phone = "+12125559990"
    bookings = [
        running.book(seconds=30, phone=phone, serviceId=service)
        for service in ("haircut", "beard-trim")
    ]
    wait_until(lambda: len(begins(database, phone)) >= 2, what="messages to them")
    params = inbound.message(twilio, phone, "STOP")

    answers = at_once(*[lambda: say(running, twilio, params)] * DELIVERIES)

    begun = begins(database, phone)
    assert len({answer.content for answer in answers}) == 1
    [stopped] = events(database, params["MessageSid"], "customer.opted_out")
    for booking in bookings:
        wait_until(lambda b=booking: "skipped" in running.states(b), what="skipped reminders")
    assert begins(database, phone) == begun
    assert max(begun) <= stopped.at
