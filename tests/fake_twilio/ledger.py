"""What the fake received and accepted: the truth that tests check the app against."""

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TypeVar

from app.simulator.core import account

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Accepted(account.Accepted):
    """A message as it was: ask `twilio.message(sid)` again for a newer `status`. `monotonic` is in
    seconds.
    """

    monotonic: float
    content_sid: str | None = None
    content_variables: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Post:
    """One POST that arrived whole. `sid` if it was accepted, `code` if it was refused, `fault`
    if one was played; `to` is E.164, or whatever was sent instead.
    """

    to: str
    form: Mapping[str, str]
    at: datetime
    monotonic: float
    sid: str | None = None
    code: int | None = None
    fault: str | None = None


class Ledger:
    """Thread safe; `changed` is the lock, and is notified of every change."""

    def __init__(self) -> None:
        self.changed = threading.Condition(threading.RLock())
        self._messages: dict[str, Accepted] = {}
        self._posts: list[Post] = []

    def add(self, post: Post, message: Accepted | None = None) -> None:
        with self.changed:
            self._posts.append(post)
            if message is not None:
                self._messages[message.sid] = message
            self.changed.notify_all()

    def add_inbound(self, message: Accepted) -> None:
        with self.changed:
            self._messages[message.sid] = message

    def posts(self, to: str | None = None) -> list[Post]:
        with self.changed:
            return [post for post in self._posts if to in (None, post.to)]

    def messages(self, to: str | None = None) -> list[Accepted]:
        """Ours, in the order of their acceptance."""
        ours = [row for row in self._all() if row.direction != "inbound"]
        return [row for row in ours if to in (None, row.to)]

    def last_inbound(self, sender: str) -> datetime | None:
        """When this number wrote last."""
        theirs = [row for row in self._all() if row.direction == "inbound"]
        return max((row.at for row in theirs if row.sender == sender), default=None)

    def find(self, sid: str) -> Accepted | None:
        with self.changed:
            return self._messages.get(sid)

    def update(self, sid: str, status: str, error_code: int | None, at: datetime) -> Accepted:
        """Raises KeyError if there is no such message."""
        with self.changed:
            changed = replace(
                self._messages[sid], status=status, error_code=error_code, updated_at=at
            )
            self._messages[sid] = changed
            self.changed.notify_all()
            return changed

    def listed(
        self, to: str | None, sender: str | None, after: str | None, most: int, min_age: float
    ) -> list[Accepted]:
        """Both directions, newest first, older than the message `after`; without those younger
        than `min_age` seconds.
        """
        before = time.monotonic() - min_age
        rows = [row for row in reversed(self._all()) if row.monotonic <= before]
        rows = [row for row in rows if to in (None, row.to) and sender in (None, row.sender)]
        first = next((at + 1 for at, row in enumerate(rows) if row.sid == after), 0)
        return rows[first : first + most]

    def wait(self, get: Callable[[], list[T]], count: int, timeout: float, what: str) -> list[T]:
        """What `get` returns once it has `count` items; raises TimeoutError after `timeout` s."""
        with self.changed:
            if self.changed.wait_for(lambda: len(get()) >= count, timeout):
                return get()
            story = "".join(f"\n  {post.to} {post.fault} {post.code}" for post in self._posts[-20:])
            raise TimeoutError(
                f"{len(get())} of {count} {what} in {timeout} s; last POSTs (fault, code):{story}"
            )

    def _all(self) -> list[Accepted]:
        with self.changed:
            return list(self._messages.values())
