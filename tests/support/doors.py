"""Tests of what turns HTTP into calls of services and back: one of the two databases is enough.

The statements are the services', whose own tests run on both. Of these tests one half runs on
SQLite, the other on PostgreSQL; `make test-databases` runs all of them on both.
"""

import re
from pathlib import Path
from zlib import crc32

import pytest

_FOLDERS = {"api", "dashboard", "web"}
_WITH_STATEMENTS = {
    "test_beads", "test_counters", "test_health", "test_idempotency", "test_list",
    "test_live", "test_metrics", "test_recorded_answers", "test_statements", "test_week_and_month",
}  # fmt: skip
"""Those about statements that a door makes itself, or about what a database does."""
_ON_THE_STRICTER = {"test_fuzz"}
"""What SQLite keeps, such as a NUL, PostgreSQL refuses; `make fuzz` runs on both."""


def is_left_out(item: pytest.Item) -> bool:
    """Whether this test runs on the other database alone."""
    database = getattr(item, "callspec", None) and item.callspec.params.get("db")
    path = Path(item.path)
    if database is None or path.parent.name not in _FOLDERS or path.stem in _WITH_STATEMENTS:
        return False
    if path.stem in _ON_THE_STRICTER:
        return bool(database != "postgres")
    name = re.sub(r"\b(sqlite|postgres)\b", "", item.nodeid)
    return bool(database != ("sqlite", "postgres")[crc32(name.encode()) % 2])
