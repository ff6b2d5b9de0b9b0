"""What /health says beside the database, the queue and the worker, and what cannot be saved."""

import shutil
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from app import db as databases
from app.api import queue as queue_api
from app.db import Database
from app.messages import gate, health
from app.models.message import DailySent
from tests import factories
from tests.conftest import Configure
from tests.integration.conftest import SECRET, Client, body, fill
from tests.support.frozen import FrozenClock
from tests.support.staff import sign_in
from tests.support.statements import listening
from tests.support.valkey import Valkey
from tests.support.web import web_client


def sending(client: Client) -> tuple[str, str]:
    """The code of sending, and the words for it."""
    answer = client.get("/health")
    assert answer.status_code == 200
    health = answer.json()
    assert health["status"] == "degraded"
    code = health["checks"]["sending"]
    return code, " ".join(health["problems"])


def test_a_pause_a_stop_a_limit_and_a_used_up_budget_are_told_in_words(
    api: Client, shop: Database, clock: FrozenClock
) -> None:
    with shop.write() as session:
        factories.shop(session, budget_per_month=1)
        session.add(DailySent(day=clock.now().date(), messages=1))
    assert sending(api)[0] == "budget"
    with shop.write() as session:
        gate.slow_down(session, clock.now() + timedelta(hours=1))
    assert sending(api)[0] == "limited"
    with shop.write() as session:
        gate.stop(session, "20003")
    code, words = sending(api)
    assert code == "stopped"
    assert "Sending has stopped" in words
    assert "(20003)" in words
    with shop.write() as session:
        gate.pause(session, "user:1")
    assert sending(api)[0] == "paused"


def test_a_stop_and_a_long_limit_are_in_the_log_once_each(
    sqlite_shop: Database, clock: FrozenClock, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(3):
        with sqlite_shop.write() as session:
            gate.stop(session, "20003")
            gate.slow_down(session, clock.now() + timedelta(hours=1))
            gate.slow_down(session, clock.now() + timedelta(seconds=10))
    warned = [each.message for each in caplog.records if each.levelname == "WARNING"]
    assert ["20003" in each for each in warned] == [True, False]
    assert "2026-11-23 01:00 UTC" in warned[1]


def test_a_disk_that_is_nearly_full_is_told(
    sqlite_api: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    free = shutil.disk_usage(tmp_path).free
    for room, code in ((2 * free, "low"), (1_000 * free, "full")):
        monkeypatch.setattr(health, "ROOM", room)
        told = sqlite_api.get("/health").json()
        assert (told["status"], told["checks"]["disk"]) == ("degraded", code)
        assert any("Make room on it." in each for each in told["problems"])


@pytest.fixture(params=["sqlite", "postgres"])
def read_only(
    request: pytest.FixtureRequest, configure: Configure, clock: FrozenClock, valkey: Valkey
) -> Iterator[Client]:
    """A client of a shop whose database can only be read from now on."""
    db: Database = request.getfixturevalue(f"{request.param}_db")
    fill(db)
    with web_client() as client:
        sign_in(client, db, "owner")
        client.headers["Authorization"] = f"Bearer {SECRET}"
        if request.param == "postgres":
            option = quote("-c default_transaction_read_only=on")
            url = db.engine.url.render_as_string(hide_password=False)
            configure(DATABASE_URL=f"{url}{'&' if '?' in url else '?'}options={option}")
            yield client
        else:
            db.close()
            with listening(db, "connect", _query_only):
                yield client
            db.close()


def _query_only(connection: Any, _record: Any) -> None:
    connection.execute("PRAGMA query_only=ON")


def test_a_database_that_can_only_be_read_is_a_503_in_words_and_pages_are_shown(
    read_only: Client,
) -> None:
    answer = read_only.post("/api/bookings", json=body())
    assert (answer.status_code, answer.json()["reason"]) == (503, "read_only")
    assert answer.json()["detail"].startswith("The database can only be read now.")
    assert answer.headers["Retry-After"] == "5"
    page = read_only.post("/queue/pause", headers={"Accept": "text/html"})
    assert page.status_code == 503
    assert "can only be read now" in page.text
    assert "cannot reach its database" not in page.text
    assert read_only.get("/bookings").status_code == 200
    assert read_only.get("/readyz").status_code == 200

    health = read_only.get("/health")
    assert (health.status_code, health.json()["status"]) == (503, "unavailable")
    assert health.json()["checks"]["database"] == "read_only"
    assert "read but not written" in health.json()["problems"][0]


def test_after_a_failover_writes_go_to_the_new_primary(postgres_db: Database) -> None:
    """The pool's connections were made when the database, or who answered for it, was read-only."""
    demoted = True

    def follow(connection: Any, _record: Any) -> None:
        if demoted:
            connection.execute("SET default_transaction_read_only = on")
            connection.commit()

    postgres_db.close()

    def write() -> None:
        with postgres_db.write() as session:
            health.write(session)

    with listening(postgres_db, "connect", follow):
        with pytest.raises(DBAPIError) as refused:
            write()
        assert databases.trouble(refused.value) == "read_only"
        demoted = False
        write()


def test_a_full_disk_is_called_that(sqlite_api: Client, sqlite_db: Database) -> None:
    sqlite_db.close()

    def fill_up(connection: Any, _record: Any) -> None:
        connection.execute("PRAGMA max_page_count=1")

    with listening(sqlite_db, "connect", fill_up):
        for minute in range(60):  # a month ahead, so that each has hundreds of rows
            at = f"2026-12-23T10:{minute:02}:00Z"
            asked = body(scheduledTime=at, allowOverlap=True)
            answer = sqlite_api.post("/api/bookings", json=asked)
            if answer.status_code != 201:
                break
    assert answer.status_code == 503, answer.text
    assert answer.json()["reason"] == "full"
    assert "disk is full" in answer.json()["detail"]


def test_health_writes_no_more_than_every_few_seconds(
    sqlite_api: Client, sqlite_db: Database, clock: FrozenClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    def written_at() -> object:
        with sqlite_db.read() as session:
            return session.execute(text("SELECT written_at FROM install")).scalar_one()

    monkeypatch.setattr(queue_api, "WRITES_EVERY", 3600.0)
    sqlite_api.get("/health")
    first = written_at()
    assert first is not None
    clock.move(seconds=5)
    sqlite_api.get("/health")
    assert written_at() == first
    monkeypatch.setattr(queue_api, "WRITES_EVERY", 0.0)
    sqlite_api.get("/health")
    assert written_at() != first
