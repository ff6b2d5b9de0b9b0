"""Requests at the same moment, over real HTTP to a real server, on both databases."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

import httpx
import pytest
from sqlalchemy import func, select

from app.db import Database
from app.models.message import Receipt
from tests.fake_twilio import FakeTwilio
from tests.fake_twilio.callbacks import signature
from tests.integration.conftest import body
from tests.support.processes import PATIENCE
from tests.support.running import RunningShop
from tests.support.valkey import Valkey


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def running(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RunningShop]:
    """One running shop for all tests here, as starting it takes seconds; each books its own day."""
    folder = tmp_path_factory.mktemp("concurrency")
    url = None
    if request.param == "postgres":
        cluster = request.getfixturevalue("postgres_cluster")
        url = cluster.url(cluster.create_migrated())
    valkey = Valkey(folder / "valkey")
    valkey.start()
    with FakeTwilio() as twilio, RunningShop(folder, twilio, valkey, database_url=url) as shop:
        yield shop
    valkey.stop()


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
    time = on_day(1)
    phones = [f"+4477009001{n:02d}" for n in range(20)]
    answers = at_once(
        20,
        lambda client, turn: client.post(
            "/api/bookings", json=body(scheduledTime=time, customerPhone=phones[turn])
        ),
        running,
    )
    statuses = sorted(answer.status_code for answer in answers)
    assert statuses == [201] + [409] * 19
    assert {answer.json()["reason"] for answer in answers if answer.status_code == 409} == {
        "barber_taken"
    }
    assert booked(running, time) == 1


def test_twenty_posts_of_the_same_booking_make_it_once(running: RunningShop) -> None:
    time = on_day(2)
    same = body(scheduledTime=time)
    answers = at_once(20, lambda client, _: client.post("/api/bookings", json=same), running)
    assert sorted(answer.status_code for answer in answers) == [200] * 19 + [201]
    assert len({answer.json()["id"] for answer in answers}) == booked(running, time) == 1


def test_ten_posts_with_one_idempotency_key_get_ten_identical_answers(
    running: RunningShop,
) -> None:
    time = on_day(3)
    same = body(scheduledTime=time)
    answers = at_once(
        10,
        lambda client, _: client.post(
            "/api/bookings", json=same, headers={"Idempotency-Key": "once"}
        ),
        running,
    )
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.content for answer in answers}) == 1
    assert booked(running, time) == 1


def test_ten_cancels_cancel_once_and_all_say_so(running: RunningShop) -> None:
    booking = running.book(seconds=4 * 86_400)
    path = f"/api/bookings/{booking['id']}"
    answers = at_once(10, lambda client, _: client.delete(path), running)
    assert {answer.status_code for answer in answers} == {200}
    assert {answer.json()["status"] for answer in answers} == {"cancelled"}


def test_a_hundred_equal_callbacks_are_one_receipt(running: RunningShop) -> None:
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

    assert {answer.status_code for answer in at_once(10, send, running)} == {204}
    database = Database(running.environment["DATABASE_URL"].replace("sql://", "sql+psycopg://"))
    with database.read() as session:
        assert session.scalar(select(func.count()).select_from(Receipt)) == 1
    database.close()
