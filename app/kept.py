"""What hardly ever changes and each request needs: read once, then kept in the process.

    _SHOP = Kept(lambda session, _: session.execute(select(*columns)).one(), Shop)
    _SHOP.of(session)

What this process changes it knows at once, by `Database.changed_at`; what others change, at the
latest FOR seconds later, or as many as are asked for. No signal tells it: the rows are read again,
which is one small statement a second however many ask. A session that has itself changed one of the
tables reads its own rows, each time unless it has been told to `hold` them.
"""

from collections.abc import Callable
from datetime import datetime
from time import monotonic
from typing import Generic, NamedTuple, TypeVar

from sqlalchemy.orm import Session

from app import clock, db
from app.db import Base, Database

FOR = 0.9
"""Seconds; with the time that a look takes it stays under one."""

_MOST = 1_000
"""Values of a database: one whose key nobody asks for any more would stay for good."""

_HELD = "chairtime_held"

Key = TypeVar("Key")
Value = TypeVar("Value")


class _Entry(NamedTuple, Generic[Value]):
    """A value, and when the session that read it began: it may have seen nothing later.

    `at` is what time it was then: once the clock has been set, the value is of another time.
    """

    value: Value
    began: float
    at: datetime


class Kept(Generic[Key, Value]):
    """What `load` reads from these tables, by its key; a value that is None is not kept.

    All who ask get the same value, so it must be one that nobody can change. It is kept for
    `seconds`, or else for FOR.
    """

    def __init__(
        self,
        load: Callable[[Session, Key], Value],
        *tables: type[Base],
        seconds: float | None = None,
    ) -> None:
        self._load, self.seconds = load, seconds
        self._tables = (*(table.__tablename__ for table in tables), db.ANY)

    def known(self, database: Database, key: Key) -> Value | None:
        """The value, if it is known without a look."""
        entry: _Entry[Value] | None = database.kept.get((self, key))
        return None if entry is None or self._is_old(database, entry) else entry.value

    def of(self, session: Session, key: Key) -> Value:
        """The value, as `session` may see it."""
        if db.has_changed(session, self._tables):
            held = session.info.get(_HELD, {}).get((self, key))
            return self._load(session, key) if held is None else held
        database, began = db.origin(session)
        entry: _Entry[Value] | None = database.kept.get((self, key))
        if entry is not None and (entry.began == began or not self._is_old(database, entry)):
            return entry.value  # what it has read itself holds to its end, however long that takes
        value = self._load(session, key)
        if value is None:
            database.kept.pop((self, key), None)
            return value
        if len(database.kept) >= _MOST:
            database.kept.clear()
        database.kept[self, key] = _Entry(value, began, clock.now())
        return value

    def hold(self, session: Session, key: Key) -> None:
        """Have `session`, which has changed all that it will, read its own rows only now."""
        session.info.setdefault(_HELD, {})[self, key] = self._load(session, key)

    def _is_old(self, database: Database, entry: _Entry[Value]) -> bool:
        seconds = FOR if self.seconds is None else self.seconds
        if entry.began <= max(monotonic() - seconds, self._changed_at(database)):
            return True
        return abs((clock.now() - entry.at).total_seconds()) > seconds

    def _changed_at(self, database: Database) -> float:
        return max(database.changed_at.get(table, 0.0) for table in self._tables)
