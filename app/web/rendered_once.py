"""Parts of live pages, each rendered once for all who look at the same one (docs/adr/0014).

The live stream tells every open page of a change at once, and each page asks for its part again.
With that it says which snapshot of the database it heard of (`SNAPSHOT`). If this process took that
one, then a part that was rendered after its newest snapshot has all that the page was told of.
"""

import threading
import time
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field

SNAPSHOT = "Chairtime-Snapshot"
"""The header in which a page says it (`static/js/live.js`)."""

FRESH = 2.0
"""Seconds that a part may be old; a page that has just changed something waits longer."""

_KNOWN = 20  # snapshots


@dataclass
class _Part:
    lock: threading.Lock = field(default_factory=threading.Lock)
    html: str | None = None


@dataclass(frozen=True)
class _Newest:
    """The newest snapshot: the names of the last ones, when it began, what was rendered since."""

    known: tuple[str, ...] = ()
    began: float = 0.0
    parts: dict[Hashable, _Part] = field(default_factory=dict)


class Parts:
    """The parts that this process has rendered."""

    def __init__(self) -> None:
        self._newest = _Newest()

    def begin(self, snapshot: str) -> None:
        """Forget what was rendered so far. Call it before any page is told of the snapshot."""
        known = (*self._newest.known[1 - _KNOWN :], snapshot)
        self._newest = _Newest(known, time.monotonic())

    def get(self, snapshot: str, key: Hashable, make: Callable[[], str]) -> str:
        """The part `key` for a page that heard of it. The first that asks makes it for all."""
        newest = self._newest
        if snapshot not in newest.known or time.monotonic() - newest.began > FRESH:
            return make()
        part = newest.parts.setdefault(key, _Part())
        with part.lock:
            if part.html is None:
                part.html = make()
            return part.html
