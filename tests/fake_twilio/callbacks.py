"""Status callbacks as Twilio sends them: form-encoded and signed, by hand or by themselves."""

import contextlib
import heapq
import itertools
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urldefrag

import httpx

from app.simulator.core import webhooks
from app.simulator.core.account import Account
from app.simulator.core.webhooks import signature

from .ledger import Accepted

__all__ = ["Callback", "Later", "send", "signature"]

# No keep-alive: an app that was killed and restarted gets a connection of its own.
_http = httpx.Client(timeout=5, trust_env=False, limits=httpx.Limits(max_keepalive_connections=0))


@dataclass(frozen=True)
class Callback:
    """A callback that was sent; `http_status` is None if nobody answered."""

    sid: str
    status: str
    http_status: int | None


def send(account: Account, message: Accepted) -> httpx.Response:
    """POST the message's present status to its StatusCallback. Raises httpx.HTTPError."""
    assert message.status_callback, "the message has no StatusCallback"
    url = urldefrag(message.status_callback).url
    fields = webhooks.receipt(account, message)
    headers = {"X-Twilio-Signature": signature(account.auth_token, url, fields)}
    return _http.post(url, data=fields, headers=headers)


class Later:
    """One daemon thread that does things in the order in which they are due."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._due: list[tuple[float, int, Callable[[], object]]] = []
        self._counter = itertools.count()
        self._is_open = True
        threading.Thread(target=self._run, name="fake-twilio-later", daemon=True).start()

    def call(self, delay: float, do: Callable[[], object]) -> None:
        """Call `do` in `delay` seconds. What it raises is lost."""
        with self._changed:
            heapq.heappush(self._due, (time.monotonic() + delay, next(self._counter), do))
            self._changed.notify()

    def close(self) -> None:
        with self._changed:
            self._is_open = False
            self._changed.notify()

    def _run(self) -> None:
        while (do := self._next()) is not None:
            with contextlib.suppress(Exception):  # an app that is away is what tests want
                do()

    def _next(self) -> Callable[[], object] | None:
        with self._changed:
            while self._is_open:
                left = self._due[0][0] - time.monotonic() if self._due else None
                if left is not None and left <= 0:
                    return heapq.heappop(self._due)[2]
                self._changed.wait(left)
        return None
