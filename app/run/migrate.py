"""Bringing the database to the newest revision, from code: one at a time, whoever starts it."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util.exc import CommandError
from sqlalchemy import Connection, text

from app.db import Database
from app.files import ROOT
from app.run.trouble import Trouble

_FOLDER = ROOT / "migrations"
_ADVISORY_LOCK = 0x63686169727469  # "chairti"; any number that no other program takes


@dataclass(frozen=True)
class Revisions:
    """Where a database stands (None: it is empty) and the newest there is."""

    current: str | None
    newest: str
    is_known: bool  # False: a later Chairtime than this one made it

    @property
    def is_pending(self) -> bool:
        return self.is_known and self.current != self.newest

    def __str__(self) -> str:
        return f"at revision {self.current}" if self.current else "empty"


def revisions(database: Database) -> Revisions:
    """Where `database` stands. Raises Trouble, and what SQLAlchemy raises."""
    with database.engine.connect() as connection:
        return _revisions(connection)


def upgrade(database: Database) -> Revisions:
    """Bring `database` to the newest revision; returns where it stood before.

    Two at once are safe: the second waits, and finds nothing left to do. All or nothing is done.
    Raises Trouble, and what SQLAlchemy raises.
    """
    with alone(database) as connection:
        before = _revisions(connection)
        if not before.is_known:
            raise Trouble(
                f"the database is at revision {before.current}, which is later than this Chairtime "
                f"knows ({before.newest}): update Chairtime"
            )
        if before.is_pending:
            command.upgrade(alembic_config(connection), "head")
    return before


def _revisions(connection: Connection) -> Revisions:
    scripts = ScriptDirectory.from_config(alembic_config(connection))
    current = MigrationContext.configure(connection).get_current_revision()
    newest = scripts.get_current_head()
    if newest is None:
        raise Trouble(f"there are no migrations in {_FOLDER}")
    return Revisions(current, newest, current is None or _is_known(scripts, current))


def _is_known(scripts: ScriptDirectory, revision: str) -> bool:
    try:
        return scripts.get_revision(revision) is not None
    except CommandError:
        return False


def alembic_config(connection: Connection) -> Config:
    config = Config()
    config.set_main_option("script_location", str(_FOLDER).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config


@contextmanager
def alone(database: Database) -> Iterator[Connection]:
    """A connection in a transaction, while nobody else migrates this database."""
    if database.is_sqlite:
        with _file_lock(database.engine.url.database), _sqlite_writer(database) as connection:
            yield connection
    else:
        with database.engine.begin() as connection:
            connection.execute(text("SELECT pg_advisory_xact_lock(:id)"), {"id": _ADVISORY_LOCK})
            yield connection


@contextmanager
def _file_lock(path: str | None) -> Iterator[None]:
    """A lock beside the database's file; without a file there is nobody to lock out."""
    if not path or path == ":memory:":
        yield
        return
    with Path(f"{path}.migrate-lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


@contextmanager
def _sqlite_writer(database: Database) -> Iterator[Connection]:
    """Foreign keys are off meanwhile, or replacing a table would empty those that refer to it."""
    engine = database.engine.execution_options(chairtime_write=True)
    with engine.connect() as connection:
        raw: Any = connection.connection.driver_connection
        raw.execute("PRAGMA foreign_keys=OFF")
        try:
            with connection.begin():
                yield connection
                if connection.exec_driver_sql("PRAGMA foreign_key_check").first():
                    raise Trouble("a migration left rows that refer to nothing: undone")
        finally:
            raw.execute("PRAGMA foreign_keys=ON")
