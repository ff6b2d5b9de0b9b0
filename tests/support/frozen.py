"""A clock that stands still until a test moves it."""

import threading
from datetime import UTC, datetime, timedelta


class FrozenClock:
    """What `app.clock.shared()` returns while the `clock` fixture is used."""

    def __init__(self) -> None:
        self._now = datetime(2026, 11, 23, tzinfo=UTC)
        self._lock = threading.Lock()

    def now(self) -> datetime:
        return self._now

    def set(self, at: datetime) -> None:
        """Make it this time, which must be aware."""
        assert at.tzinfo is not None, "a naive time"
        with self._lock:
            self._now = at.astimezone(UTC)

    def move(self, **duration: float) -> None:
        """Move on by a `timedelta(**duration)`: `clock.move(hours=2)`."""
        with self._lock:
            self._now += timedelta(**duration)
