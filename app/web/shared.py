"""Parts of live pages, each rendered once for all who look at the same one (docs/adr/0014).

The live stream tells every open page of a change at once, and each asks for its part again. It
says of which look at the database it was told (`LOOK`); if this process took that look, a part
that was rendered since the newest one has whatever the page was told of.
"""

import threading
import time
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field

LOOK = "Chairtime-Look"
"""The header in which a page says it (`static/js/live.js`)."""

FRESH = 2.0
"""Seconds that a part may be old; a page that has just changed something waits longer."""

_KNOWN = 20  # looks


@dataclass
class _Part:
    lock: threading.Lock = field(default_factory=threading.Lock)
    html: str | None = None


@dataclass(frozen=True)
class _Newest:
    """The newest look: the names of the last ones, when it began, and what was rendered since."""

    known: tuple[str, ...] = ()
    began: float = 0.0
    parts: dict[Hashable, _Part] = field(default_factory=dict)


class Parts:
    """Those of this process."""

    def __init__(self) -> None:
        self._newest = _Newest()

    def begin(self, look: str) -> None:
        """What was rendered so far is old. Call it before any page is told of the look."""
        known = (*self._newest.known[1 - _KNOWN :], look)
        self._newest = _Newest(known, time.monotonic())

    def get(self, look: str, key: Hashable, make: Callable[[], str]) -> str:
        """The part `key` for a page that was told by `look`; who comes first makes it for all."""
        newest = self._newest
        if look not in newest.known or time.monotonic() - newest.began > FRESH:
            return make()
        part = newest.parts.setdefault(key, _Part())
        with part.lock:
            if part.html is None:
                part.html = make()
            return part.html
