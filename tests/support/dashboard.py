"""A running shop with an owner, and a browser that is logged in as them.

with FakeTwilio() as twilio, Dashboard(folder, twilio, valkey) as shop:
    context = browser.new_context(base_url=shop.url, storage_state=shop.log_in())

All tests of a process share one, as a start takes four seconds of the processor
(`tests/e2e/conftest.py`); each begins without bookings, in the shop as it was at first.
"""

import json
import sqlite3
import time
from collections.abc import Callable
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any, Self

import httpx
from playwright.sync_api import (
    ConsoleMessage,
    Page,
    StorageState,
    StorageStateCookie,
    ViewportSize,
    expect,
)

from app import kept
from tests.fake_twilio import FakeTwilio, Fault
from tests.support.processes import PATIENCE, Process, program, wait_until
from tests.support.running import KEPT, RunningShop
from tests.support.valkey import Valkey

OWNER = {
    "CHAIRTIME_OWNER_EMAIL": "owner@example.com",
    "CHAIRTIME_OWNER_PASSWORD": "correct horse battery",
}
PHONE: ViewportSize = {"width": 390, "height": 844}
LONG_NAME = "Maximiliane-Wilhelmine Freifrau von Donaudampfschifffahrtsgesellschaft"

NO_WHATSAPP = Fault.error(400, 63003)
_RESUME = "UPDATE sending SET paused_at = NULL, paused_by = NULL WHERE paused_at IS NOT NULL"
_LEFT_ALONE = {"alembic_version", "api_token", "install", "sending", "staff_session", "worker"}


class Dashboard(RunningShop):
    """The running shop. What it sends reaches `twilio`, which calls back that it was delivered."""

    def __init__(self, folder: Path, twilio: FakeTwilio, valkey: Valkey, **variables: str) -> None:
        super().__init__(folder, twilio, valkey, **OWNER, **variables)
        self.twilio = twilio
        self.url = self.environment["PUBLIC_URL"]
        self._file, self._at_first = folder / "chairtime.db", folder / "at-first.db"

    def __enter__(self) -> Self:
        super().__enter__()
        self._desk = self._stack.enter_context(closing(self._signed_in()))
        self.sql(f"VACUUM INTO '{self._at_first}'")
        return self

    def log_in(self) -> StorageState:
        """The cookies of a new session of the owner, for a context of a browser."""
        with closing(self._signed_in()) as client:
            cookies = client.cookies.items()
        cookie: StorageStateCookie = {
            "domain": "127.0.0.1",
            "path": "/",
            "expires": -1,
            "httpOnly": False,  # the session's is, but tests of scripts need no more than these
            "secure": False,
            "sameSite": "Lax",
        }
        return {"cookies": [{**cookie, "name": name, "value": value} for name, value in cookies]}

    def clear(self) -> None:
        """The shop as it was at first, nothing paused, and Twilio as it is on a good day."""
        self.twilio.release()
        self.twilio.auto_callbacks = ("sent", "delivered")
        with closing(sqlite3.connect(self._file, timeout=10)) as database, database:
            database.execute("ATTACH ? AS first", [str(self._at_first)])
            changed = [table for table in _tables(database) if _differs(database, table)]
            for table in changed:
                database.execute(f"DELETE FROM {table}")
                database.execute(f"INSERT INTO {table} SELECT * FROM first.{table}")
            resumed = database.execute(_RESUME).rowcount
        if KEPT & set(changed) or resumed:
            time.sleep(kept.FOR + 0.05)

    def open(self, opens: str, closes: str) -> None:
        """The shop's hours of each day from now on: `09:00`, `19:00`."""
        week = json.dumps([[[opens, closes]]] * 7)
        self.sql(f"UPDATE shop SET weekly_hours = '{week}'")

    def restart_web(self) -> None:
        """The web app once more at the same address, after it has ended."""
        web = Process([program("chairtime"), "serve"], self.environment, self.folder, "web-again")
        self.web = self._stack.enter_context(web)
        self.wait_for_web()

    def fail(self, phone: str | None = None, **fields: Any) -> dict[str, Any]:
        """A booking with a reminder that failed, as there is no WhatsApp on its number."""
        booking = self.book(20_000, phone, **fields)
        self.twilio.script(booking["customerPhone"], [NO_WHATSAPP])
        self.remind(booking)
        wait_until(lambda: "failed" in self.states(booking), what="a failed reminder")
        return booking

    def remind(self, booking: dict[str, Any]) -> None:
        """Send a reminder now, as the booking's page does."""
        assert self._desk.post(f"/bookings/{booking['id']}/remind").status_code == 303

    def _signed_in(self) -> httpx.Client:
        """A client with a session of the owner, ready to post."""
        client = httpx.Client(base_url=self.url, headers={"Origin": self.url}, timeout=PATIENCE)
        typed = {
            "email": OWNER["CHAIRTIME_OWNER_EMAIL"],
            "password": OWNER["CHAIRTIME_OWNER_PASSWORD"],
        }
        assert client.post("/login", data=typed).status_code == 303
        return client


def _tables(database: sqlite3.Connection) -> list[str]:
    """Those whose rows are the same at the beginning of each test."""
    names = database.execute("SELECT name FROM first.sqlite_master WHERE type = 'table'")
    return [name for (name,) in names if name not in _LEFT_ALONE]


def _differs(database: sqlite3.Connection, table: str) -> bool:
    now, first = (f"SELECT * FROM {schema}.{table}" for schema in ("main", "first"))
    either = f"SELECT * FROM ({now} EXCEPT {first}) UNION ALL SELECT * FROM ({first} EXCEPT {now})"
    return database.execute(f"{either} LIMIT 1").fetchone() is not None


class SharedDashboard:
    """One running shop at a time: a new one is started where another environment is asked for."""

    def __init__(self, new_folder: Callable[[], Path]) -> None:
        self._new_folder, self._stack = new_folder, ExitStack()
        self._variables: dict[str, str] | None = None

    def of(self, variables: dict[str, str]) -> Dashboard:
        """The shop with that in its environment."""
        if variables != self._variables:
            self.close()
            self._start(variables)
        return self._shop

    def close(self) -> None:
        """End it."""
        self._stack.close()
        self._variables = None

    def _start(self, variables: dict[str, str]) -> None:
        folder = self._new_folder()
        valkey = Valkey(folder / "queue")  # other tests empty that of this process
        valkey.start()
        self._stack.callback(valkey.stop)
        twilio = self._stack.enter_context(FakeTwilio())
        shop = Dashboard(folder, twilio, valkey, **variables)
        self._shop, self._variables = self._stack.enter_context(shop), variables


def problems_of(page: Page) -> list[str]:
    """What the browser complains about from now on: errors, and what its policy forbids."""
    violations: list[str] = []

    def note(message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:  # of a refused request the text has no address
            violations.append(f"{message.text} ({message.location['url']})")

    page.on("console", note)
    page.on("pageerror", lambda error: violations.append(str(error)))
    return violations


def live(page: Page) -> None:
    """Wait until the page's stream is open: what happens from now on is seen."""
    expect(page.locator("#live")).to_have_text("live")


def show_board(page: Page) -> None:
    """Choose the board for a day, which is a list at first on a phone."""
    page.get_by_label("View of the board").click()
    page.get_by_role("button", name="Board", exact=True).click()
    expect(page.locator("#board")).to_be_visible()


def assert_fits(page: Page) -> None:
    """Nothing is cut off or scrolls sideways."""
    size = page.viewport_size
    assert size
    assert page.evaluate("document.documentElement.scrollWidth") <= size["width"]
