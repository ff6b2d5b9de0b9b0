"""Requests at the same moment over real HTTP to a real server, on both databases: of callers, and
of Twilio with what a customer wrote.
"""

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import httpx
import pytest
from sqlalchemy import func, select, update

from app import kept
from app.db import Database
from app.messages import planned
from app.models.booking import Booking
from app.models.conversation import Reply
from app.models.customer import Customer
from app.models.message import Attempt, Message, Receipt
from app.models.shop import Shop
from app.models.staff import AuditEvent
from tests.fake_twilio import FakeTwilio, inbound
from tests.fake_twilio.callbacks import signature
from tests.integration.conftest import body
from tests.support import lifecycle
from tests.support.processes import PATIENCE, wait_until
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
    """One running shop for all tests here, as starting it takes seconds; each books its own day."""
    folder = tmp_path_factory.mktemp("concurrency")
    url = None
    if request.param == "postgres":
        cluster = request.getfixturevalue("postgres_cluster")
        url = cluster.url(cluster.create_migrated())
    valkey = Valkey(folder / "valkey")
    valkey.start()
    with RunningShop(folder, twilio, valkey, database_url=url) as shop:
        yield shop
    valkey.stop()


@pytest.fixture
def database(running: RunningShop) -> Iterator[Database]:
    opened = Database(running.environment["DATABASE_URL"].replace("sql://", "sql+psycopg://"))
    yield opened
    opened.close()


@pytest.fixture
def each_second(database: Database) -> Iterator[None]:
    """A reminder a second for what this test books."""
    with database.read() as session:
        before = session.scalar(select(Shop.reminder_every))
    remind_every(database, 1)
    yield
    remind_every(database, before)


def remind_every(database: Database, seconds: int | None) -> None:
    with database.write() as session:
        session.execute(update(Shop).values(reminder_every=seconds))
    time.sleep(kept.FOR + 0.05)  # then the running shop knows


# --- callers ---


def at_once(
    number: int, send: Callable[[httpx.Client, int], httpx.Response], shop: RunningShop
) -> list[httpx.Response]:
    """The answers to `number` requests, each over its own connection, sent at the same moment."""
    barrier = threading.Barrier(number)

    def one(turn: int) -> httpx.Response:
        with httpx.Client(
            base_url=shop.api.base_url, headers=shop.api.headers, timeout=PATIENCE
        ) as client:
            client.get("/health")
            barrier.wait()
            return send(client, turn)

    with ThreadPoolExecutor(number) as threads:
        return list(threads.map(one, range(number)))


def on_day(number: int) -> str:
    """A time that many days ahead, for the one test that books then."""
    return RunningShop.in_seconds(number * 86_400)


def booked(shop: RunningShop, at: str) -> int:
    end = datetime.fromisoformat(at) + timedelta(hours=1)
    answer = shop.api.get("/api/bookings", params={"from": at, "to": end.isoformat()})
    return len(answer.json()["items"])


def test_twenty_posts_for_one_slot_make_one_booking(running: RunningShop) -> None:
    at = on_day(1)
    phones = [f"+4477009001{n:02d}" for n in range(20)]
    answers = at_once(
        20,
        lambda client, turn: client.post(
            "/api/bookings", json=body(scheduledTime=at, customerPhone=phones[turn])
        ),
        running,
    )
    statuses = sorted(answer.status_code for answer in answers)
    assert statuses == [201] + [409] * 19
    assert {answer.json()["reason"] for answer in answers if answer.status_code == 409} == {
        "barber_taken"
    }
    assert booked(running, at) == 1


def test_twenty_posts_of_the_same_booking_make_it_once(running: RunningShop) -> None:
    at = on_day(2)
    same = body(scheduledTime=at)
    answers = at_once(20, lambda client, _: client.post("/api/bookings", json=same), running)
    assert sorted(answer.status_code for answer in answers) == [200] * 19 + [201]
    assert len({answer.json()["id"] for answer in answers}) == booked(running, at) == 1


def test_ten_posts_with_one_idempotency_key_get_ten_identical_answers(
    running: RunningShop,
) -> None:
    at = on_day(3)
    same = body(scheduledTime=at)
    answers = at_once(
        10,
        lambda client, _: client.post(
            "/api/bookings", json=same, headers={"Idempotency-Key": "once"}
        ),
        running,
    )
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.content for answer in answers}) == 1
    assert booked(running, at) == 1


def test_ten_cancels_cancel_once_and_all_say_so(running: RunningShop) -> None:
    booking = running.book(seconds=4 * 86_400)
    path = f"/api/bookings/{booking['id']}"
    answers = at_once(10, lambda client, _: client.delete(path), running)
    assert {answer.status_code for answer in answers} == {200}
    assert {answer.json()["status"] for answer in answers} == {"cancelled"}


def test_a_hundred_equal_callbacks_are_one_receipt(
    running: RunningShop, database: Database
) -> None:
    url = f"{running.environment['PUBLIC_URL']}/webhooks/twilio/status/" + "6f" * 16
    params = {
        "AccountSid": running.environment["WHATSAPP_ACCOUNT_SID"],
        "MessageSid": "SM" + "0" * 32,
        "MessageStatus": "sent",
    }
    signed = signature(running.environment["WHATSAPP_AUTH_TOKEN"], url, params)

    def send(client: httpx.Client, _turn: int) -> httpx.Response:
        headers = {"X-Twilio-Signature": signed}
        for _ in range(9):
            assert client.post(url, data=params, headers=headers).status_code == 204
        return client.post(url, data=params, headers=headers)

    before = receipts(database)
    assert {answer.status_code for answer in at_once(10, send, running)} == {204}
    assert receipts(database) == before + 1


def receipts(database: Database) -> int:
    with database.read() as session:
        return session.scalar(select(func.count()).select_from(Receipt)) or 0


# --- what a customer wrote ---


def say(running: RunningShop, twilio: FakeTwilio, params: dict[str, str]) -> httpx.Response:
    url = f"{running.environment['PUBLIC_URL']}/webhooks/twilio/inbound"
    return inbound.deliver(twilio, url, params, retries=0)


def events(database: Database, subject: str, action: str) -> list[AuditEvent]:
    with database.read() as session:
        where = (AuditEvent.subject == subject) & (AuditEvent.action == action)
        return list(session.scalars(select(AuditEvent).where(where)))


@pytest.mark.usefixtures("each_second")
def test_ten_cancels_at_once_amid_a_send_and_a_reschedule_are_one_and_nothing_starts_after_it(
    running: RunningShop, twilio: FakeTwilio, database: Database
) -> None:
    booking = running.book(seconds=60)
    phone = booking["customerPhone"]
    twilio.hold_after_accept()
    wait_until(lambda: phone in [post.to for post in twilio.wait_held(1)], what="its reminder")
    params = inbound.message(twilio, phone, "CANCEL")
    later = {"scheduledTime": running.in_seconds(90), "allowOverlap": True}

    *answers, moved = lifecycle.at_once(
        *[lambda: say(running, twilio, params)] * DELIVERIES,
        lambda: running.api.patch(f"/api/bookings/{booking['id']}", json=later),
    )
    begun = begins(database, phone)
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
    assert begins(database, phone) == begun
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
    answers = lifecycle.at_once(*[lambda: say(running, twilio, params)] * DELIVERIES)
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
    answers = lifecycle.at_once(*[partial(say, running, twilio, params) for params in messages])
    assert {answer.status_code for answer in answers} == {200}
    assert len(events(database, booking["id"], "booking.cancelled")) == 1
    with database.read() as session:
        replies = session.scalars(select(Reply).where(Reply.sender == phone)).all()
        assert session.get_one(Customer, phone).written_at is not None
    effects = sorted(reply.effect for reply in replies)
    assert effects.count("cancelled") == 1
    assert effects.count("already_cancelled") == 3
    assert len(effects) == len(bodies)


@pytest.mark.usefixtures("each_second")
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

    answers = lifecycle.at_once(*[lambda: say(running, twilio, params)] * DELIVERIES)

    begun = begins(database, phone)
    assert len({answer.content for answer in answers}) == 1
    [stopped] = events(database, params["MessageSid"], "customer.opted_out")
    for booking in bookings:
        wait_until(partial(is_skipped, running, booking), what="skipped reminders")
    assert begins(database, phone) == begun
    assert max(begun) <= stopped.at


def is_skipped(running: RunningShop, booking: dict[str, Any]) -> bool:
    return "skipped" in running.states(booking)
