"""What 50 open pages cost the web process, and how soon each shows a change: `make bench`.

Everything shares one machine: the web process, a worker, the database, and the pages. A page is a
stream, and a client that fetches its part of the page when it is told to, as a browser does.
"""

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.fake_twilio import FakeTwilio
from tests.support.dashboard import OWNER
from tests.support.processes import cpu_seconds, wait_until
from tests.support.running import RunningShop
from tests.support.valkey import Valkey

PAGES = 50
SECONDS = 12
PER_SECOND = 4  # messages
THROTTLE = 1.0  # seconds between two fetches of a page, as its `throttle:1s` says

MOST_CPU = 0.30  # of one core
SOON = 2.0  # seconds until a change is shown
AS_BROWSER = {"HX-Request": "true", "HX-Request-Type": "partial", "Sec-Fetch-Site": "same-origin"}


@pytest.fixture
def shop(tmp_path: Path, twilio: FakeTwilio, valkey: Valkey) -> Iterator[RunningShop]:
    twilio.auto_callbacks = ("delivered",)
    with RunningShop(tmp_path, twilio, valkey, **OWNER, REMINDER_EVERY="2s") as running:
        yield running


class OpenPage:
    """A page that listens, and fetches `address` when the event `event` comes.

    `shown_at` is when it showed what an event told of: at the end of the fetch that came after it.
    """

    def __init__(self, client: httpx.Client, event: str, address: str | None) -> None:
        self.shown_at: dict[str, float] = {}
        self.fetched = 0
        self.html = ""
        self._client, self._event, self._address = client, event, address
        self._told: set[str] = set()
        self._snapshot = ""
        self._wake = threading.Event()
        self._is_open = True
        for work in (self._listen, self._follow):
            threading.Thread(target=work, daemon=True).start()

    def close(self) -> None:
        self._is_open = False
        self._wake.set()

    def _listen(self) -> None:
        url = f"/live?since={time.time()}"
        try:
            with self._client.stream("GET", url, timeout=30) as answer:
                for line in answer.iter_lines():
                    name, _, value = line.partition(": ")
                    if name == "data":
                        self._hear(json.loads(value))
                    if not self._is_open:
                        return
        except httpx.TransportError:
            if self._is_open:
                raise

    def _hear(self, message: dict[str, Any]) -> None:
        self._snapshot = message.get("snapshot", self._snapshot)
        self._told.update(message.get("events", ()), ["beat"])
        self._wake.set()

    def _follow(self) -> None:
        """Fetch at once, and again a while later if there was more: htmx's throttle."""
        while self._wake.wait() and self._is_open:
            self._wake.clear()
            told, self._told = self._told, set()
            began = time.monotonic()
            if is_wanted := self._address is not None and self._event in told:
                self._fetch()
            for event in told:
                self.shown_at.setdefault(event, time.monotonic())
            if is_wanted:
                time.sleep(max(0.0, began + THROTTLE - time.monotonic()))

    def _fetch(self) -> None:
        headers = {**AS_BROWSER, "Chairtime-Snapshot": self._snapshot}
        answer = self._client.get(self._address or "", headers=headers)
        assert answer.status_code == 200
        self.html = answer.text
        self.fetched += 1


def logged_in(shop: RunningShop) -> httpx.Client:
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=None)
    url = shop.environment["PUBLIC_URL"]
    client = httpx.Client(base_url=url, limits=limits, headers={"Origin": url})
    form = {
        "email": OWNER["CHAIRTIME_OWNER_EMAIL"],
        "password": OWNER["CHAIRTIME_OWNER_PASSWORD"],
    }
    assert client.post("/login", data=form).status_code == 303
    return client


def web_seconds(shop: RunningShop) -> float:
    """What the web processes have used of the processor so far."""
    children = Path(f"/proc/{shop.web.pid}/task/{shop.web.pid}/children").read_text().split()
    return sum(cpu_seconds(int(pid)) for pid in children)


def share_of_core(shop: RunningShop, work: Callable[[], None]) -> float:
    """The share of one core that the web processes take during `work`."""
    before, began = web_seconds(shop), time.monotonic()
    work()
    return (web_seconds(shop) - before) / (time.monotonic() - began)


def keep_sending(shop: RunningShop) -> None:
    """Book so that messages go out all the time, PER_SECOND of them."""
    for turn in range(PER_SECOND * 2):
        shop.book(SECONDS + 6 + turn / 10)


@pytest.mark.parametrize("address", [None, "/queue", "/failed", "/today"])
def test_fifty_open_pages_take_little_and_show_a_change_soon(
    shop: RunningShop, twilio: FakeTwilio, address: str | None
) -> None:
    keep_sending(shop)
    alone = share_of_core(shop, lambda: time.sleep(4))
    event = {"/failed": "failed", "/today": "board"}.get(address or "", "queue")
    with ExitStack() as stack:
        client = stack.enter_context(closing(logged_in(shop)))
        pages = [OpenPage(client, event, address) for _ in range(PAGES)]
        for page in pages:
            stack.callback(page.close)
        wait_until(lambda: all("beat" in page.shown_at for page in pages), what="50 streams")
        sent, fetched = len(twilio.messages()), sum(page.fetched for page in pages)
        took = share_of_core(shop, lambda: time.sleep(SECONDS - 4))
        sent = len(twilio.messages()) - sent
        fetched = sum(page.fetched for page in pages) - fetched
        booked_at = time.monotonic()
        booking = shop.book(600)["id"]
        name = f"booking-{booking}"
        wait_until(lambda: all(name in page.shown_at for page in pages), what="the change")
        latest = max(page.shown_at[name] for page in pages) - booked_at
        if address == "/today":
            assert all(booking in page.html for page in pages)
    print(
        f"\n  {PAGES} pages {address or 'that only listen'}: {took:.0%} of a core with {sent} sent "
        f"and {fetched} fetches in {SECONDS - 4} s ({alone:.0%} without pages); "
        f"a change was shown by all after {latest:.2f} s"
    )
    assert latest < SOON
    assert took < MOST_CPU
