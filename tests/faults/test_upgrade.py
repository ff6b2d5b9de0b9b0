"""A new version takes the place of an older one while people book: no request fails, no message is
lost or sent twice.
"""

import os
import signal
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx
import pytest

from app.db import Database
from tests.fake_twilio import FakeTwilio
from tests.support.ledger import check, is_calm
from tests.support.postgres import Postgres
from tests.support.processes import ROOT, wait_until
from tests.support.running import RunningShop
from tests.support.valkey import Valkey
from tests.support.wheel import built, installed

pytestmark = pytest.mark.storm

ENOUGH = 10  # bookings of each part, however long they take
SAME = {"SECRET_KEY": "s" * 40, "REMINDER_EVERY": "3s", "CHAIRTIME_API_TOKEN": "t" * 40}


class People:
    """They book, one booking after the other; `bookings` and what their requests came to."""

    def __init__(self, shop: RunningShop) -> None:
        self._shop, self._stopping = shop, threading.Event()
        self.bookings: list[str] = []
        self.answers: Counter[object] = Counter()
        self._thread = threading.Thread(target=self._book)

    def _book(self) -> None:
        while not self._stopping.is_set():
            try:
                self.bookings.append(self._shop.book(seconds=8)["id"])
                self.answers["made"] += 1
                httpx.get(
                    f"{self._shop.environment['PUBLIC_URL']}/setup", timeout=30
                ).raise_for_status()
                self.answers["seen"] += 1
            except (httpx.HTTPError, AssertionError) as error:
                self.answers[repr(error)] += 1
            time.sleep(0.1)

    @contextmanager
    def busy(self) -> Iterator[None]:
        self._thread.start()
        try:
            yield
        finally:
            self._stopping.set()
            self._thread.join()

    def go_on(self, bookings: int = ENOUGH) -> None:
        """Return once they have made so many more, or if a request failed."""
        wanted = self.answers["made"] + bookings
        wait_until(lambda: self._is_wrong() or self.answers["made"] >= wanted, 120, "bookings")

    def assert_all_was_well(self) -> None:
        assert not self._is_wrong(), self.answers

    def _is_wrong(self) -> bool:
        return bool(set(self.answers) - {"made", "seen"})


@pytest.fixture
def twilio() -> Iterator[FakeTwilio]:
    """In real time."""
    with FakeTwilio() as fake:
        yield fake


def test_a_reload_under_traffic_fails_no_request(
    tmp_path: Path, valkey: Valkey, twilio: FakeTwilio, postgres_cluster: Postgres
) -> None:
    url = postgres_cluster.url(postgres_cluster.create())
    with RunningShop(tmp_path, twilio, valkey, url, WEB_WORKERS="2") as shop:
        people = People(shop)
        with people.busy():
            people.go_on()
            os.kill(shop.web.pid, signal.SIGHUP)
            wait_until(lambda: shop.web.output().count("Stopped old worker") == 2, 120, "a reload")
            people.go_on()
    people.assert_all_was_well()


def test_an_older_version_goes_on_beside_this_one_until_it_is_ended(
    tmp_path: Path, valkey: Valkey, twilio: FakeTwilio, postgres_cluster: Postgres
) -> None:
    url = postgres_cluster.url(postgres_cluster.create())
    folders = [tmp_path / "old", tmp_path / "new"]
    for folder in folders:
        folder.mkdir()
    programs = Path(installed(older(folders[0]), folders[0] / "venv")).parent
    old = RunningShop(folders[0], twilio, valkey, url, programs, **SAME)
    new = RunningShop(folders[1], twilio, valkey, url, **SAME)
    first, then = People(old), People(new)
    with new_after(old, new, first, then):
        pass
    for people in (first, then):
        people.assert_all_was_well()
    database = Database(url.replace("postgresql:", "postgresql+psycopg:"))
    check(database, twilio)
    database.close()


@contextmanager
def new_after(old: RunningShop, new: RunningShop, first: People, then: People) -> Iterator[None]:
    """The old one under traffic, the new one beside it, which migrates; then the new one alone."""
    with ExitStack() as of_new:
        with old, first.busy():
            first.go_on()
            of_new.enter_context(new)
            with_new = of_new.enter_context(ExitStack())
            with_new.enter_context(then.busy())
            then.go_on()
            first.go_on()
        then.go_on()  # the old one has ended, its workers with what they held
        with_new.close()
        database = Database(new.environment["DATABASE_URL"])
        wait_until(lambda: is_calm(database), what="the end of all reminders")
        database.close()
        yield


def older(folder: Path) -> Path:
    """The wheel of OLD, or of before the newest migration."""
    project = folder / "project"
    project.mkdir()
    files = subprocess.run(["git", "archive", _older()], cwd=ROOT, check=True, capture_output=True)
    subprocess.run(["tar", "-x"], cwd=project, input=files.stdout, check=True)
    return built(folder, project)


def _older() -> str:
    if given := os.environ.get("OLD"):
        return given
    newest = _git("log", "-1", "--format=%H", "--", "migrations/versions")
    first_wheel = _git("log", "--diff-filter=A", "--format=%H", "--", "hatch_build.py")
    is_older = ["git", "merge-base", "--is-ancestor", first_wheel, f"{newest}^"]
    return f"{newest}^" if subprocess.run(is_older, cwd=ROOT).returncode == 0 else first_wheel


def _git(*arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=ROOT, check=True, capture_output=True, text=True)
    return done.stdout.strip()
