"""Which statements a piece of code sends to the database.

with counted(db) as statements:
    client.get("/failed")
assert len(statements) < 20
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import event

from app.db import Database


@contextmanager
def counted(db: Database) -> Iterator[list[str]]:
    """The statements of the block, as they come."""
    executed: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        executed.append(statement)

    event.listen(db.engine, "before_cursor_execute", note)
    try:
        yield executed
    finally:
        event.remove(db.engine, "before_cursor_execute", note)
