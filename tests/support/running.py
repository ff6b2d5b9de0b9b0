"""The whole product as its own processes: web, workers, database and queue, with the fake Twilio.

with RunningShop(tmp_path, twilio, valkey, REMINDER_EVERY="2s") as shop:
    booking = shop.book(seconds=9)
    twilio.wait_for(4)
    shop.kill_worker()
"""

import os
import re
import secrets
import sqlite3
import subprocess
import time
from collections.abc import Mapping
from contextlib import ExitStack, closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Self

import httpx
from sqlalchemy import make_url

from app import kept
from tests.fake_twilio import FakeTwilio
from tests.support.databases import copy_migrated, give_own_queue, migrate_url
from tests.support.ports import free_port
from tests.support.processes import PATIENCE, ROOT, Process, program, wait_until
from tests.support.valkey import Valkey

_QUICK = {
    "FEED_EVERY": "0.3",
    "SEND_TIMEOUT": "1",
    "SEND_LEASE": "2.5",
    "UNCERTAIN_QUIET": "1",
    "RETRY_DELAYS": "0.3,0.6,1,1,1",
    "WEB_WORKERS": "1",  # more would take from the tests the cores that they run on
}
GRACE = 60
"""Seconds that open requests get when the web app ends: a busy machine may need more than five."""
KEPT = {"shop", "service", "barber", "api_token", "sending", "closure", "absence", "alarm"}
"""The tables of which our programs keep for a moment what they have read."""
_OF_WHAT_IS_KEPT = re.compile(rf"(UPDATE|INSERT INTO|DELETE FROM) ({'|'.join(sorted(KEPT))})\b")
_NUMBER = re.compile(r"1212555\d{4}")
"""What `book` books for."""
WORKER = [
    program("huey_consumer"), "app.worker.huey",
    "-k", "thread", "-w", "16", "-m", "1", "-c", "2", "-g", "TERM", "-t", "55",
]  # fmt: skip
"""The design's own command line of a worker."""


class RunningShop:
    """One web process and as many workers as a test starts; `api` is a client with a token."""

    def __init__(
        self,
        folder: Path,
        twilio: FakeTwilio,
        valkey: Valkey,
        database_url: str | None = None,
        programs: Path | None = None,
        with_worker: bool = True,
        **variables: str,
    ) -> None:
        """`programs` is where the commands are of another version than this one. A worker's start
        is a second of the processor, which a test of the web app alone can do without.
        """
        self._with_worker = with_worker
        self.folder = folder
        self._programs, self._cwd = programs, folder if programs else ROOT
        port = free_port()
        token = variables.get("CHAIRTIME_API_TOKEN") or secrets.token_hex(20)
        self.environment: Mapping[str, str] = {
            **_QUICK,
            **twilio.environment,
            "STATE_DIR": str(folder / "var"),
            "DATABASE_URL": database_url or f"sqlite:///{folder / 'chairtime.db'}",
            "REDIS_URL": valkey.url,
            "PORT": str(port),
            "PUBLIC_URL": f"http://127.0.0.1:{port}",
            "CHAIRTIME_API_TOKEN": token,
            "TZ": "UTC",
            **variables,
        }
        url = self.environment["PUBLIC_URL"]
        headers = {"Authorization": f"Bearer {token}"}
        self.api = httpx.Client(base_url=url, headers=headers, timeout=PATIENCE)
        self.workers: list[Process] = []
        self._stack = ExitStack()
        self._customers = 0

    def __enter__(self) -> Self:
        self._migrate()
        self._stack.enter_context(self.api)
        serve = [self._program("chairtime"), "serve", "--grace", str(GRACE)]
        web = Process(serve, self.environment, self.folder, "web", self._cwd)
        self.web = self._stack.enter_context(web)
        self.wait_for_web()
        if self._with_worker:
            self.start_worker()
        return self

    def __exit__(self, failed: object, *_: object) -> None:
        self._stack.close()
        if not failed:
            assert not _NUMBER.search(self.output()), "a customer's number is in the log"

    def output(self) -> str:
        """What all of its processes logged."""
        return "".join(log.read_text(errors="replace") for log in self.folder.glob("*.log"))

    def wait_for_web(self) -> None:
        """Until it answers: some seconds where others are busy too."""
        wait_until(self._answers, what=f"an answer at {self.api.base_url}")

    def wait_for_worker(self) -> None:
        """Until it has ticked: before that, what is due soon may be due long ago."""
        wait_until(lambda: self.health()["worker"] == "ok", what="a worker's tick")

    def health(self) -> dict[str, str]:
        """The checks of /health."""
        return dict(self.api.get("/health").json()["checks"])

    def start_worker(self) -> Process:
        """One more worker, as the design's own command line starts it."""
        line = [self._program("huey_consumer"), *WORKER[1:]]
        worker = Process(
            line, self.environment, self.folder, f"worker-{len(self.workers)}", self._cwd
        )
        self.workers.append(self._stack.enter_context(worker))
        return worker

    def kill_worker(self) -> None:
        """SIGKILL for the newest worker."""
        self.workers.pop().kill()

    def book(self, seconds: float, phone: str | None = None, **fields: Any) -> dict[str, Any]:
        """Book that far ahead, for a new customer if no phone is said."""
        self._customers += 1
        body = {
            "customerName": "Luis Ortega",
            "customerPhone": phone or f"+1212555{self._customers:04d}",
            "serviceId": "haircut",
            "barberId": "barber_1",
            "scheduledTime": self.in_seconds(seconds),
            "allowOverlap": True,
            **fields,
        }
        answer = self.api.post("/api/bookings", json=body)
        assert answer.status_code == 201, answer.text
        return dict(answer.json())

    def reminders(self, booking: dict[str, Any]) -> list[dict[str, Any]]:
        """The booking's reminders as the API shows them."""
        return list(self.api.get(f"/api/bookings/{booking['id']}/reminders").json())

    def states(self, booking: dict[str, Any]) -> list[str]:
        """Only their states."""
        return [row["state"] for row in self.reminders(booking)]

    def sql(self, statement: str) -> list[Any]:
        """Run it in the SQLite database, past everything that would forbid it.

        What our programs keep they know by the time that this returns.
        """
        path = self.folder / "chairtime.db"
        with closing(sqlite3.connect(path, timeout=10)) as database, database:
            rows = database.execute(statement).fetchall()
        if _OF_WHAT_IS_KEPT.match(statement):
            time.sleep(kept.FOR + 0.05)
        return rows

    @staticmethod
    def in_seconds(seconds: float) -> str:
        """That far ahead, as the API takes it."""
        return (datetime.now(UTC) + timedelta(seconds=seconds)).isoformat()

    def _program(self, name: str) -> str:
        return str(self._programs / name) if self._programs else program(name)

    def _migrate(self) -> None:
        if self._programs:
            line = [self._program("chairtime"), "migrate"]
            subprocess.run(line, env={**os.environ, **self.environment}, cwd=self._cwd, check=True)
            return
        url = make_url(self.environment["DATABASE_URL"])
        path = Path(url.database or "")
        if url.drivername == "sqlite" and not path.exists():
            copy_migrated(path)
            give_own_queue(self.environment["DATABASE_URL"])
        else:  # as `chairtime migrate` does, without its second of imports
            migrate_url(self.environment["DATABASE_URL"])

    def _answers(self) -> bool:
        assert self.web.is_running, self.web.output()
        try:
            return self.api.get("/health").status_code == 200
        except httpx.TransportError:
            return False
