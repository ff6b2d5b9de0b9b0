"""The engine, its sessions, and what all tables have. With `app/sql.py` alone it knows dialects.

`write()` is one transaction, begun as a writer; `read()` sees one snapshot and changes nothing.
"""

import sqlite3
import threading
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import closing, contextmanager, nullcontext
from datetime import UTC, datetime
from functools import cache, lru_cache
from pathlib import Path
from time import monotonic
from types import ModuleType
from typing import Any, Literal

import psycopg
from sqlalchemy import (
    Connection,
    DateTime,
    Dialect,
    Engine,
    ExceptionContext,
    MetaData,
    create_engine,
    event,
    make_url,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import InterfaceError, OperationalError, SQLAlchemyError, TimeoutError
from sqlalchemy.orm import DeclarativeBase, Session
from sqlalchemy.types import TypeDecorator

from app import clock
from app.settings import settings

_AFTER_COMMIT = "chairtime_after_commit"
_BEFORE_COMMIT = "chairtime_before_commit"
_CHANGED = "chairtime_changed"
_ORIGIN = "chairtime_origin"
ANY = "*"
"""As the name of a table: a statement in plain SQL may have changed any."""
_BUSY_AFTER = 15
"""Seconds that a writer waits for the one before it."""
_SQLITE_PRAGMAS = (
    "PRAGMA journal_mode=WAL",
    "PRAGMA foreign_keys=ON",
    # A lost commit would be a doubled message, so a commit is on disk before anything is sent.
    "PRAGMA synchronous=FULL",
    f"PRAGMA busy_timeout={_BUSY_AFTER * 1000}",
)


class Base(DeclarativeBase):
    """The parent of all tables; constraint names are the same in every database."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s",
            "pk": "pk_%(table_name)s",
        }
    )


class UtcDateTime(TypeDecorator[datetime]):
    """An aware datetime, stored and returned in UTC; a naive one is refused with ValueError."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"naive datetime {value!r}")
        utc = value.astimezone(UTC)
        return utc.replace(tzinfo=None) if dialect.name == "sqlite" else utc

    def process_result_value(self, value: datetime | None, _dialect: Dialect) -> datetime | None:
        return _in_utc(value)

    def result_processor(self, dialect: Dialect, coltype: object) -> Any:
        """On PostgreSQL what is read needs no other step: a board has a thousand times."""
        return super().result_processor(dialect, coltype) if dialect.name == "sqlite" else _in_utc


def _in_utc(value: datetime | None) -> datetime | None:
    if value is None or value.tzinfo is UTC:
        return value
    return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


Trouble = Literal["away", "busy", "full", "read_only"]

_SQLITE_TROUBLES: dict[int, Trouble] = {
    sqlite3.SQLITE_BUSY: "busy",
    sqlite3.SQLITE_LOCKED: "busy",
    sqlite3.SQLITE_FULL: "full",
    sqlite3.SQLITE_READONLY: "read_only",
}
_POSTGRES_TROUBLES: dict[str, Trouble] = {
    "25006": "read_only",
    "53100": "full",
    "53300": "busy",  # too many connections
    "55P03": "busy",  # a lock was not to be had
}


class _Turn:
    """A turn to write, waited for no longer than SQLite's own lock."""

    def __init__(self) -> None:
        self._lock = threading.Lock()

    def __enter__(self) -> None:
        """Raises sqlalchemy.exc.TimeoutError."""
        if not self._lock.acquire(timeout=_BUSY_AFTER):
            raise TimeoutError("the database is locked")

    def __exit__(self, *_: object) -> None:
        self._lock.release()


class _Writing(Session):
    """A session that knows which tables it has changed."""


@event.listens_for(_Writing, "after_begin")
def _note_on(session: Session, _transaction: Any, connection: Connection) -> None:
    connection.info[_CHANGED] = session.info[_CHANGED]


def _note_change(connection: Connection, statement: Any, *_: Any) -> None:
    """Whoever executes it: the session's objects, a statement of the session, or one past it."""
    if not getattr(statement, "is_select", False) and _CHANGED in connection.info:
        table = getattr(statement, "table", None)  # of an INSERT, UPDATE or DELETE
        connection.info[_CHANGED].add(ANY if table is None else table.name)


def _tables_of(*collections: Iterable[Any]) -> set[str]:
    return {each.__tablename__ for collection in collections for each in collection}


class Database:
    """One database, SQLite or PostgreSQL, and the transactions on it."""

    def __init__(self, url: str) -> None:
        self.engine = _engine(url)
        self.is_sqlite = self.engine.dialect.name == "sqlite"
        # One writer at a time inside a process: waiting here is fair, spinning on SQLite's is not.
        self._writer = _Turn() if self.is_sqlite else nullcontext()
        self._write_engine = self.engine.execution_options(chairtime_write=True)
        self.changed_at: dict[str, float] = {}
        """When this process last changed a table (or ANY), by its steady clock."""
        self.kept: dict[Any, Any] = {}
        """What `app.kept` knows of this database."""

    @contextmanager
    def read(self) -> Iterator[Session]:
        """A session for reading; nothing that it holds is written."""
        self._keep_time()
        with Session(self.engine, autoflush=False, info=self._origin()) as session:
            yield session

    @contextmanager
    def write(self) -> Iterator[Session]:
        """A session whose transaction commits at the end of the block, or rolls back on an error.

        On SQLite it holds the write lock from its start, so a read in it cannot go stale.
        """
        self._keep_time()
        with (
            self._writer,
            _Writing(self._write_engine, expire_on_commit=False, info=self._origin()) as session,
            session.begin(),
        ):
            yield session
            for callback in session.info.pop(_BEFORE_COMMIT, ()):
                callback()
        self.changed_at |= dict.fromkeys(session.info[_CHANGED], monotonic())
        for callback in session.info.pop(_AFTER_COMMIT, ()):
            callback()

    def _origin(self) -> dict[str, Any]:
        return {_ORIGIN: (self, monotonic()), _CHANGED: set()}

    def _keep_time(self) -> None:
        """Go by the server's clock. What goes wrong here, the caller's own statement will say."""
        if self.is_sqlite or not clock.is_to_be_asked():
            return
        try:
            with closing(self.engine.raw_connection()) as connection:  # it is no statement of ours
                cursor = connection.cursor()

                def ask() -> datetime:
                    cursor.execute("SELECT clock_timestamp()")
                    [row] = cursor.fetchall()
                    at: datetime = row[0]
                    return at

                clock.agree(ask)
        except (SQLAlchemyError, psycopg.Error):
            clock.ask_later()

    def close(self) -> None:
        """Close all connections."""
        self.engine.dispose()


def trouble(error: BaseException) -> Trouble | None:
    """What is wrong with the database as a whole, if this error says so; else None.

    By SQLite's result codes (sqlite.org/rescode.html) and PostgreSQL's SQLSTATE (its manual, A).
    """
    if isinstance(error, TimeoutError):
        return "busy"
    cause = getattr(error, "orig", None)
    if isinstance(cause, sqlite3.Error):
        code = getattr(cause, "sqlite_errorcode", 0) & 0xFF
        known = _SQLITE_TROUBLES.get(code)
    else:
        known = _POSTGRES_TROUBLES.get(getattr(cause, "sqlstate", None) or "")
    if known is None and isinstance(error, OperationalError | InterfaceError):
        return "away"
    return known


@cache
def database() -> Database:
    """This process's database."""
    return Database(settings().database_url)


def origin(session: Session) -> tuple[Database, float]:
    """The database of a session of `read` or `write`, and when it began, by the steady clock."""
    found: tuple[Database, float] = session.info[_ORIGIN]
    return found


def has_changed(session: Session, tables: Collection[str]) -> bool:
    """Whether it has itself changed one of these tables, or is about to."""
    changed = session.info[_CHANGED] | _tables_of(session.new, session.dirty)
    return not changed.isdisjoint(tables) if changed else False


def before_commit(session: Session, callback: Callable[[], None]) -> None:
    """Call `callback` at the end of the transaction of `Database.write()`, as a part of it."""
    session.info.setdefault(_BEFORE_COMMIT, []).append(callback)


def after_commit(session: Session, callback: Callable[[], object]) -> None:
    """Call `callback` once the transaction of `Database.write()` is committed, and not else."""
    session.info.setdefault(_AFTER_COMMIT, []).append(callback)


def forget_callbacks(session: Session) -> None:
    """Call nothing after the commit: what was done in a past has nothing left to follow."""
    session.info.pop(_AFTER_COMMIT, None)


def dialect(session: Session) -> ModuleType:
    """SQLAlchemy's module of this database, of which an INSERT that is made once is made."""
    return sqlite if is_sqlite(session) else postgresql


def locks_rows(session: Session) -> bool:
    """Whether who writes must hold rows against others; on SQLite, who writes is alone."""
    return not is_sqlite(session)


def is_sqlite(session: Session) -> bool:
    """Whether this is SQLite; else it is PostgreSQL."""
    return session.get_bind().dialect.name == "sqlite"


@lru_cache(maxsize=4)
def _engine(url: str) -> Engine:
    """The one engine of an address: each compiles all statements anew, and keeps them."""
    if not url.startswith("sqlite"):
        engine = create_engine(
            url,
            pool_size=10,
            max_overflow=30,
            pool_pre_ping=True,
            hide_parameters=True,
            connect_args={
                "connect_timeout": 5,
                # Of its own accord psycopg reads bytes, not text, from a database in SQL_ASCII.
                "client_encoding": "utf8",
                # A prepared statement belongs to a connection of the server, and behind PgBouncer
                # (transaction mode) the next transaction may get another one.
                "prepare_threshold": None,
            },
        )
        event.listen(engine, "handle_error", _leave_read_only)
        event.listen(engine, "after_execute", _note_change)
        return engine
    path = make_url(url).database
    if path:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
    engine = create_engine(
        url,
        pool_size=10,
        max_overflow=50,
        hide_parameters=True,  # errors are logged, and parameters are customers' names
        connect_args={"timeout": _BUSY_AFTER, "isolation_level": None},
    )
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    event.listen(engine, "after_execute", _note_change)
    return engine


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    for pragma in _SQLITE_PRAGMAS:
        connection.execute(pragma)


def _begin_sqlite(connection: Any) -> None:
    # Not deferred: a transaction that reads first and then writes would fail with "locked".
    is_write = connection.get_execution_options().get("chairtime_write", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if is_write else "BEGIN")


def _leave_read_only(context: ExceptionContext) -> None:
    """Connect anew after a failover: connections to the old primary would stay read-only."""
    if getattr(context.original_exception, "sqlstate", None) == "25006":
        context.is_disconnect = True
