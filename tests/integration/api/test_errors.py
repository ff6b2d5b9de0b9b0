"""When something of ours is away or broken: what the caller sees, and what the log keeps."""

import asyncio
import threading
import time

import pytest
from litestar.concurrency import sync_to_thread
from litestar.exceptions import InternalServerException
from litestar.testing import TestClient
from sqlalchemy import text

from app import logs
from app.api import queue as queue_api
from app.asgi import create_app
from app.bookings import service
from app.db import Database
from app.models.message import Worker
from app.queue import huey
from tests.conftest import Configure
from tests.integration.conftest import Client, body
from tests.support.frozen import FrozenClock
from tests.support.valkey import Valkey

NOWHERE = "postgresql://postgres:geheim@127.0.0.1:1/none"


def add_worker(db: Database, clock: FrozenClock) -> None:
    with db.write() as session:
        now = clock.now()
        worker = Worker(id="w", host="h", pid=1, threads=1, started_at=now, seen_at=now)
        session.add(worker)


def test_all_is_well_when_database_queue_and_worker_are_there(
    api: Client, shop: Database, clock: FrozenClock
) -> None:
    add_worker(shop, clock)
    del api.headers["Authorization"]
    answer = api.get("/health")
    assert answer.status_code == 200
    assert answer.json() == {
        "status": "ok",
        "checks": dict.fromkeys(("database", "queue", "worker", "sending", "disk"), "ok"),
        "problems": [],
    }
    head = api.head("/health")
    assert (head.status_code, head.content) == (200, b"")


def test_without_a_worker_the_health_is_degraded_and_still_a_200(
    api: Client, shop: Database, clock: FrozenClock
) -> None:
    add_worker(shop, clock)
    clock.move(seconds=61)
    answer = api.get("/health")
    assert (answer.status_code, answer.json()["status"]) == (200, "degraded")
    assert answer.json()["checks"]["worker"] == "missing"


def test_without_the_queue_bookings_are_made_and_the_health_is_degraded(
    sqlite_api: Client, valkey: Valkey
) -> None:
    valkey.stop()
    answer = sqlite_api.get("/health")
    assert (answer.status_code, answer.json()["status"]) == (200, "degraded")
    assert answer.json()["checks"]["queue"] == "away"
    assert answer.json()["problems"][0].startswith("The queue does not answer.")
    assert sqlite_api.get("/readyz").status_code == 200
    valkey.start()
    assert sqlite_api.get("/health").json()["checks"]["queue"] == "ok"


def test_without_the_database_the_health_is_a_503_that_tells_no_address(
    sqlite_api: Client, configure: Configure
) -> None:
    configure(DATABASE_URL=NOWHERE)
    answer = sqlite_api.get("/health")
    assert answer.status_code == 503
    assert answer.json()["checks"] == {
        "database": "away",
        "queue": "ok",
        "worker": "unknown",
        "sending": "unknown",
        "disk": "ok",
    }
    assert sqlite_api.get("/readyz").status_code == 503
    assert sqlite_api.get("/livez").json() == {"status": "ok"}
    assert "geheim" not in answer.text
    assert "127.0.0.1" not in answer.text


def test_a_queue_that_does_not_answer_does_not_hold_up_the_health(
    sqlite_api: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queue_api, "PATIENCE", 0.1)
    answers = threading.Event()
    monkeypatch.setattr(huey, "ping", lambda: answers.wait(60))
    assert sqlite_api.get("/health").json()["checks"]["queue"] == "away"
    answers.set()


def test_a_booking_is_made_although_the_queue_is_away(sqlite_api: Client, valkey: Valkey) -> None:
    valkey.stop()
    soon = body(scheduledTime="2026-11-23T02:01:00Z")
    assert sqlite_api.post("/api/bookings", json=soon).status_code == 201
    valkey.start()


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/api/bookings"), ("POST", "/api/bookings"), ("GET", "/api/queue/stats")],
)
def test_a_database_that_is_away_is_a_503_that_says_when_to_come_again(
    sqlite_api: Client,
    configure: Configure,
    caplog: pytest.LogCaptureFixture,
    method: str,
    path: str,
) -> None:
    configure(DATABASE_URL=NOWHERE)
    answer = sqlite_api.request(method, path, json=body())
    assert answer.status_code == 503
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.headers["Retry-After"] == "5"
    assert answer.json()["requestId"] in caplog.text
    assert "geheim" not in caplog.text + answer.text


def test_what_nobody_expected_is_a_500_whose_id_is_in_the_log_without_the_customers_data(
    sqlite_api: Client, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(_session: object, new: dict[str, str], _actor: str) -> None:
        raise KeyError(new["customer_name"], new["customer_phone"])

    monkeypatch.setattr(service, "create", fail)
    answer = sqlite_api.post("/api/bookings", json=body())
    assert answer.status_code == 500
    assert answer.headers["Content-Type"] == "application/problem+json"
    problem = answer.json()
    assert problem["detail"] == "Something went wrong on our side."
    assert problem["requestId"] in caplog.text
    assert "POST /api/bookings: KeyError" in caplog.text
    assert "in fail" in caplog.text
    for secret in ("Ana", "7946"):
        assert secret not in answer.text + caplog.text


def test_a_request_has_one_id_in_answer_and_log_which_its_proxy_may_give(
    sqlite_api: Client, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: object) -> None:
        raise KeyError

    caplog.handler.addFilter(logs.About())
    monkeypatch.setattr(service, "create", fail)
    for given, is_taken in (("proxy-1234", True), ("two\twords", False), ("x" * 65, False)):
        answer = sqlite_api.post("/api/bookings", json=body(), headers={"X-Request-ID": given})
        id = answer.json()["requestId"]
        assert answer.headers["X-Request-ID"] == id
        assert caplog.records[-1].__dict__["request_id"] == id
        assert (id == given) == is_taken
    assert sqlite_api.get("/livez").headers["X-Request-ID"] != id


def test_an_error_of_the_framework_is_a_500_like_any_other(
    sqlite_api: Client, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: object) -> None:
        raise InternalServerException("secret words")

    monkeypatch.setattr(service, "create", fail)
    answer = sqlite_api.post("/api/bookings", json=body())
    assert answer.status_code == 500
    assert answer.json()["requestId"] in caplog.text
    assert "secret words" not in answer.text


def test_an_error_of_the_database_is_a_500_without_its_statement(
    sqlite_api: Client, sqlite_db: Database, caplog: pytest.LogCaptureFixture
) -> None:
    with sqlite_db.write() as session:
        session.execute(
            text(
                "CREATE TRIGGER no BEFORE INSERT ON booking BEGIN "
                "SELECT RAISE(ABORT, 'not Ana'); END"
            )
        )
    answer = sqlite_api.post("/api/bookings", json=body())
    assert answer.status_code == 500
    assert "INSERT" not in answer.text + caplog.text
    assert "Ana" not in answer.text + caplog.text


def test_handlers_have_few_threads(sqlite_api: Client) -> None:
    def work() -> int:
        time.sleep(0.01)
        return threading.get_ident()

    async def threads() -> set[int]:
        return set(await asyncio.gather(*(sync_to_thread(work) for _ in range(20))))

    with sqlite_api.portal() as portal:
        assert len(portal.call(threads)) == 4


def test_the_app_is_made_anew_for_each_who_asks(sqlite_db: Database) -> None:
    with TestClient(create_app()) as first, TestClient(create_app()) as second:
        assert first.get("/nothing").status_code == second.get("/nothing").status_code == 404
