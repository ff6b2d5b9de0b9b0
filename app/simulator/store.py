"""What the simulator remembers: a small SQLite file of its own, shared by all web processes.

Apart from the shop's database on purpose: Twilio's memory does not end with ours, so a restart or
a rollback of the app must not take back what "Twilio" accepted.
"""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any, TypedDict, Unpack

from app import clock
from app.settings import settings

KEPT = 2000
"""Entries that are kept; older ones are dropped."""
CHAT_LENGTH = 100
"""Entries of one chat that are shown."""
PHONES_LISTED = 50
EVERYONE = "*"
"""The target of a fault that holds for all numbers."""

SCHEMA = """
PRAGMA journal_mode = WAL;
CREATE TABLE IF NOT EXISTS entry (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    kind TEXT NOT NULL CHECK (kind IN ('message', 'reply', 'note')),
    number TEXT NOT NULL,
    sid TEXT UNIQUE,
    body TEXT NOT NULL,
    status TEXT NOT NULL,
    error_code INTEGER,
    fault TEXT,
    callback TEXT,
    payload TEXT,
    quoted TEXT,
    thing TEXT,
    created_at REAL NOT NULL,
    updated_at REAL NOT NULL,
    next_status TEXT,
    next_at REAL
);
CREATE INDEX IF NOT EXISTS entry_of_number ON entry (number, id);
CREATE INDEX IF NOT EXISTS entry_due ON entry (next_at) WHERE next_at IS NOT NULL;
CREATE TABLE IF NOT EXISTS phone (number TEXT PRIMARY KEY, added_at REAL NOT NULL);
CREATE TABLE IF NOT EXISTS fault (
    target TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    times_left INTEGER CHECK (times_left > 0)
);
"""
_OLDEST_KEPT = "SELECT max(id) - ? FROM entry"
_PHONES = """
SELECT number, max(id) AS last_id, count(*) FILTER (
    WHERE kind = 'message' AND status = 'delivered' AND next_status IS NULL
) AS unread FROM entry GROUP BY number
UNION ALL
SELECT number, NULL, 0 FROM phone WHERE number NOT IN (SELECT number FROM entry)
ORDER BY last_id DESC NULLS FIRST LIMIT ?
"""


@dataclass(frozen=True)
class Entry:
    """A line of a chat: a `message` of the shop's, a customer's `reply`, or a `note` that a POST
    came to nothing. `number` is the customer's, E.164; times are aware, UTC. `next_status` is
    what it becomes at `next_at`, for whoever claims it first. `payload` is what the button under
    a message sends, and what a reply was that pressed it; `quoted` is the SID of the message that
    a reply answers, and `thing` what it is if it is no text (app.simulator.attachments).
    """

    id: int
    kind: str
    number: str
    sid: str | None
    body: str
    status: str
    error_code: int | None
    fault: str | None
    callback: str | None
    payload: str | None
    quoted: str | None
    thing: str | None
    created_at: datetime
    updated_at: datetime
    next_status: str | None


@dataclass(frozen=True)
class Phone:
    """A number, its last entry if it has one, and how many messages nobody has looked at."""

    number: str
    last: Entry | None
    unread: int


@dataclass(frozen=True)
class ActiveFault:
    """A fault that waits for messages to `target`; `times_left` is None until switched off."""

    target: str
    name: str
    times_left: int | None


class Details(TypedDict, total=False):
    """What not every entry has."""

    sid: str
    fault: str | None
    callback: str | None
    payload: str | None
    quoted: str | None
    thing: str | None
    next_status: str


def add(
    kind: str,
    number: str,
    body: str,
    status: str,
    *,
    next_at: datetime | None = None,
    **details: Unpack[Details],
) -> Entry:
    """Keep a new entry, and drop the oldest if there are too many."""
    now = clock.now().timestamp()
    values: dict[str, Any] = {"kind": kind, "number": number, "body": body, "status": status}
    values |= {"created_at": now, "updated_at": now, **details}
    values["next_at"] = next_at.timestamp() if next_at else None
    names, marks = ", ".join(values), ", ".join(f":{name}" for name in values)
    with _write() as connection:
        added = connection.execute(
            f"INSERT INTO entry ({names}) VALUES ({marks}) RETURNING *",  # noqa: S608
            values,
        ).fetchone()
        connection.execute(f"DELETE FROM entry WHERE id <= ({_OLDEST_KEPT})", (KEPT,))  # noqa: S608
    return _entry(added)


def find(sid: str) -> Entry | None:
    """The message or reply with this SID."""
    rows = _select("SELECT * FROM entry WHERE sid = ?", (sid,))
    return _entry(rows[0]) if rows else None


def listed(number: str | None, kinds: Sequence[str], after: str | None, most: int) -> list[Entry]:
    """Entries of these kinds, newest first, of one number or of all, older than that with the SID
    `after`.
    """
    marks = ",".join("?" * len(kinds))
    rows = _select(
        f"SELECT * FROM entry WHERE kind IN ({marks}) AND (? IS NULL OR number = ?)"  # noqa: S608
        " AND (? IS NULL OR id < (SELECT id FROM entry WHERE sid = ?)) ORDER BY id DESC LIMIT ?",
        (*kinds, number, number, after, after, most),
    )
    return [_entry(row) for row in rows]


def chat(number: str) -> list[Entry]:
    """The last entries of a number, oldest first."""
    return listed(number, ("message", "reply", "note"), None, CHAT_LENGTH)[::-1]


def look_at(number: str) -> bool:
    """The customer opens the chat: what is delivered will be read. False if nothing is new."""
    with _write() as connection:
        looked = connection.execute(
            "UPDATE entry SET next_status = 'read', next_at = ? WHERE number = ?"
            " AND kind = 'message' AND status = 'delivered' AND next_status IS NULL",
            (clock.now().timestamp(), number),
        )
        return looked.rowcount > 0


def phones() -> list[Phone]:
    """The numbers: those just added first, then by their newest entry."""
    rows = _select(_PHONES, (PHONES_LISTED,))
    ids = [row["last_id"] for row in rows if row["last_id"] is not None]
    marks = ",".join("?" * len(ids))
    last = {row["id"]: _entry(row) for row in _select(
        f"SELECT * FROM entry WHERE id IN ({marks})", ids  # noqa: S608
    )}  # fmt: skip
    return [Phone(row["number"], last.get(row["last_id"]), row["unread"]) for row in rows]


def add_phone(number: str) -> None:
    """Show a number that has no messages yet."""
    with _write() as connection:
        connection.execute(
            "INSERT INTO phone VALUES (?, ?) ON CONFLICT DO NOTHING",
            (number, clock.now().timestamp()),
        )


# --- faults ---


def set_fault(target: str, name: str, times: int | None) -> None:
    """From now on messages to `target` (a number or EVERYONE) get this fault, `times` of them."""
    with _write() as connection:
        connection.execute(
            "INSERT INTO fault VALUES (?, ?, ?) ON CONFLICT (target)"
            " DO UPDATE SET name = excluded.name, times_left = excluded.times_left",
            (target, name, times),
        )


def clear_fault(target: str) -> None:
    """Messages to `target` arrive again."""
    with _write() as connection:
        connection.execute("DELETE FROM fault WHERE target = ?", (target,))


def active_faults() -> list[ActiveFault]:
    """Every fault that is switched on, the one for everyone first."""
    rows = _select("SELECT * FROM fault ORDER BY target")
    return [ActiveFault(row["target"], row["name"], row["times_left"]) for row in rows]


def take_fault(number: str) -> str | None:
    """The fault for a message to `number`, used up by one: its own, else everyone's."""
    with _write() as connection:
        row = connection.execute(
            "SELECT * FROM fault WHERE target IN (?, ?) ORDER BY target = ? LIMIT 1",
            (number, EVERYONE, EVERYONE),
        ).fetchone()
        if row is None:
            return None
        if row["times_left"] == 1:
            connection.execute("DELETE FROM fault WHERE target = ?", (row["target"],))
        else:
            connection.execute(
                "UPDATE fault SET times_left = times_left - 1 WHERE target = ?", (row["target"],)
            )
    return str(row["name"])


# --- what happens later ---


def next_due() -> datetime | None:
    """When the next entry changes."""
    [row] = _select("SELECT min(next_at) AS at FROM entry WHERE next_at IS NOT NULL")
    return None if row["at"] is None else datetime.fromtimestamp(row["at"], UTC)


def claim_due() -> Entry | None:
    """The entry that is due longest, with its new status; None if none is due.

    One UPDATE, so that of several processes one gets it.
    """
    now = clock.now().timestamp()
    with _write() as connection:
        row = connection.execute(
            "UPDATE entry SET status = next_status, next_status = NULL, next_at = NULL,"
            " updated_at = ? WHERE id = (SELECT id FROM entry WHERE next_at <= ?"
            " ORDER BY next_at, id LIMIT 1) RETURNING *",
            (now, now),
        ).fetchone()
    return _entry(row) if row else None


def plan(entry_id: int, next_status: str, next_at: datetime) -> None:
    """An entry becomes `next_status` at `next_at`."""
    with _write() as connection:
        connection.execute(
            "UPDATE entry SET next_status = ?, next_at = ? WHERE id = ?",
            (next_status, next_at.timestamp(), entry_id),
        )


def settle(entry_id: int, status: str, error_code: int | None = None) -> None:
    """An entry has this status now."""
    with _write() as connection:
        connection.execute(
            "UPDATE entry SET status = ?, error_code = ?, updated_at = ? WHERE id = ?",
            (status, error_code, clock.now().timestamp(), entry_id),
        )


# --- the file ---


def _select(statement: str, values: Sequence[Any] = ()) -> list[sqlite3.Row]:
    with closing(_connect()) as connection:
        return connection.execute(statement, values).fetchall()


@contextmanager
def _write() -> Iterator[sqlite3.Connection]:
    with closing(_connect()) as connection:
        connection.execute("BEGIN IMMEDIATE")
        with connection:
            yield connection


def _connect() -> sqlite3.Connection:
    return _open(_file(settings().state_dir))


@cache
def _file(state_dir: Path) -> Path:
    """The file, with its tables."""
    state_dir.mkdir(parents=True, exist_ok=True)
    path = state_dir / "simulator.db"
    with closing(_open(path)) as connection:
        connection.executescript(SCHEMA)
        known = {row["name"] for row in connection.execute("PRAGMA table_info(entry)")}
        for column in {
            "payload",
            "quoted",
            "thing",
        } - known:  # of an older file
            connection.execute(f"ALTER TABLE entry ADD COLUMN {column} TEXT")
    return path


def _open(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=10, isolation_level=None)
    connection.row_factory = sqlite3.Row
    connection.execute("PRAGMA synchronous = NORMAL")
    return connection


def _entry(row: sqlite3.Row) -> Entry:
    names = Entry.__dataclass_fields__
    values = {name: row[name] for name in names}
    for name in ("created_at", "updated_at"):
        values[name] = datetime.fromtimestamp(values[name], UTC)
    return Entry(**values)
