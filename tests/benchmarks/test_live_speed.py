"""What 50 open pages cost the web process, and how soon each sees a change: `make bench`.

Everything shares one machine: the web process, a worker, the database, and the pages, which are
streams here; in the second measurement each also fetches its part of the page when it is told to,
as a browser does.
"""

import os
import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import httpx
import pytest

from tests.fake_twilio import FakeTwilio
from tests.support.dashboard import OWNER
from tests.support.processes import wait_until
from tests.support.running import RunningShop
from tests.support.valkey import Valkey

PAGES = 50
SECONDS = 12
PER_SECOND = 4  # messages
THROTTLE = 2.0  # seconds between two fetches of a page, as its `throttle:2s` says

MOST_CPU = 0.30  # of one core
SOON = 2.0  # seconds until a change is seen


@pytest.fixture
def shop(tmp_path: Path, twilio: FakeTwilio, valkey: Valkey) -> Iterator[RunningShop]:
    twilio.auto_callbacks = ("delivered",)
    with RunningShop(tmp_path, twilio, valkey, **OWNER, REMINDER_EVERY="2s") as running:
        yield running


class OpenPage:
    """A page that listens, and fetches `address` when the event `event` comes."""

    def __init__(self, client: httpx.Client, event: str, address: str | None) -> None:
        self.told_at: dict[str, float] = {}
        self.fetched = 0
        self._client, self._event, self._address = client, event, address
        self._is_open = True
        self._fetch_at: float | None = None
        threading.Thread(target=self._listen, daemon=True).start()

    def close(self) -> None:
        self._is_open = False

    def _listen(self) -> None:
        try:
            self._read()
        except httpx.TransportError:
            if self._is_open:
                raise

    def _read(self) -> None:
        url = f"/live?since={time.time()}"
        with self._client.stream("GET", url, timeout=30) as answer:
            assert answer.status_code == 200
            for line in answer.iter_lines():
                if not self._is_open:
                    return
                if line.startswith("event: "):
                    self.told_at[line[7:]] = time.monotonic()
                    if line[7:] == self._event and self._address:
                        self._fetch()

    def _fetch(self) -> None:
        if self._fetch_at is not None and time.monotonic() < self._fetch_at:
            return
        self._fetch_at = time.monotonic() + THROTTLE
        headers = {"HX-Request": "true", "HX-Request-Type": "partial"}
        assert self._client.get(self._address or "", headers=headers).status_code == 200
        self.fetched += 1


def logged_in(shop: RunningShop) -> httpx.Client:
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=None)
    client = httpx.Client(base_url=shop.environment["PUBLIC_URL"], limits=limits)
    [token] = re.findall(r'name="_csrf_token" value="(\w+)"', client.get("/login").text)
    form = {
        "email": OWNER["CHAIRTIME_OWNER_EMAIL"],
        "password": OWNER["CHAIRTIME_OWNER_PASSWORD"],
        "_csrf_token": token,
    }
    assert client.post("/login", data=form).status_code == 303
    return client


def cpu_seconds(shop: RunningShop) -> float:
    """What the web processes have used so far."""
    children = Path(f"/proc/{shop.web.pid}/task/{shop.web.pid}/children").read_text().split()
    ticks = 0
    for pid in children:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def share_of_core(shop: RunningShop, work: Callable[[], None]) -> float:
    """The share of one core that the web processes take during `work`."""
    before, began = cpu_seconds(shop), time.monotonic()
    work()
    return (cpu_seconds(shop) - before) / (time.monotonic() - began)


def keep_sending(shop: RunningShop) -> None:
    """Book so that messages go out all the time, PER_SECOND of them."""
    for turn in range(PER_SECOND * 2):
        shop.book(SECONDS + 6 + turn / 10)


@pytest.mark.parametrize("address", [None, "/queue", "/failed", "/today"])
def test_fifty_open_pages_take_little_and_see_a_change_soon(
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
        wait_until(lambda: all("beat" in page.told_at for page in pages), what="50 streams")
        sent = len(twilio.messages())
        took = share_of_core(shop, lambda: time.sleep(SECONDS - 4))
        sent = len(twilio.messages()) - sent
        booked_at = time.monotonic()
        name = f"booking-{shop.book(600)['id']}"
        wait_until(lambda: all(name in page.told_at for page in pages), what="the change")
        latest = max(page.told_at[name] for page in pages) - booked_at
        fetched = sum(page.fetched for page in pages)
    print(
        f"\n  {PAGES} pages {address or 'that only listen'}: {took:.0%} of a core with {sent} sent "
        f"and {fetched} fetches in {SECONDS - 4} s ({alone:.0%} without pages); "
        f"a change was seen by all after {latest:.2f} s"
    )
    assert latest < SOON
    if address is None:
        assert took < MOST_CPU
