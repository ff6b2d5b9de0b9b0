"""Which statements a piece of code sends to the database.

with counted(db) as statements:
    client.get("/failed")
assert len(statements) < 20
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import event

from app import kept
from app.dashboard import frame
from app.db import Database
from app.integrations import endpoints
from app.messages import statistics
from app.shop import service as shop_service
from app.staff import guards
from tests.support.processes import wait_until


@contextmanager
def listening(db: Database, event_name: str, listener: Callable[..., Any]) -> Iterator[None]:
    """A listener to the engine's events for as long as the block; tests share engines."""
    event.listen(db.engine, event_name, listener)
    try:
        yield
    finally:
        event.remove(db.engine, event_name, listener)


@contextmanager
def counted(db: Database) -> Iterator[list[str]]:
    """The statements of the block, as they come; what is kept is known, however slow the machine,
    and what an earlier request left to be written is written.

    So only what the code asks for each time is there.
    """
    executed: list[str] = []
    wait_until(lambda: not guards.noting)
    with db.read() as session:
        shop_service.shop(session)
        shop_service.services(session)
        statistics.stats(session)
        endpoints.given_up(session)
    frame.recent(db)

    def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        executed.append(statement)

    kept_for, counted_for = kept.FOR, statistics.STATS.seconds
    kept.FOR = statistics.STATS.seconds = 3600.0
    try:
        with listening(db, "before_cursor_execute", note):
            yield executed
    finally:
        kept.FOR, statistics.STATS.seconds = kept_for, counted_for
