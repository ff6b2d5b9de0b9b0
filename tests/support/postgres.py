"""A PostgreSQL cluster of one test process: in a temporary folder, ended with it."""

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Any

import psycopg

from tests.support.databases import give_own_queue, migrate_url
from tests.support.ports import free_port

HOW_TO_INSTALL = "PostgreSQL is not installed: run `apt-get install postgresql` (or `make test`)"


class Postgres:
    """A running cluster; everybody on this machine may connect, as `postgres`.

    Without fsync, unless `is_durable`.
    """

    def __init__(self, is_durable: bool = False) -> None:
        self._is_durable = is_durable
        self.folder = Path(tempfile.mkdtemp(prefix="chairtime-postgres-"))
        self.port = free_port()
        self._as_owner = as_unprivileged_user(self.folder)
        self._init()
        self._server = subprocess.Popen(self._command(), **self._as_owner)
        self._databases = 0
        self._wait()

    def url(self, name: str) -> str:
        """The DATABASE_URL of one database."""
        return f"postgresql://postgres@127.0.0.1:{self.port}/{name}"

    def create(self, template: str = "template1") -> str:
        """Make a database with a new name, empty or like another, and return its name."""
        self._databases += 1
        name = f"test_{self._databases}"
        self._execute(f"CREATE DATABASE {name} TEMPLATE {template}")
        return name

    def create_migrated(self) -> str:
        """The same, at the newest revision."""
        name = self.create(self._migrated)
        give_own_queue(self.url(name))
        return name

    @cached_property
    def _migrated(self) -> str:
        name = self.create()
        migrate_url(self.url(name))
        return name

    def drop(self, name: str) -> None:
        """Drop a database, cutting off whoever is connected."""
        self._execute(f"DROP DATABASE {name} WITH (FORCE)")

    def stop(self) -> None:
        """End the server and remove its folder."""
        self._server.send_signal(signal.SIGINT)
        self._server.wait(timeout=30)
        shutil.rmtree(self.folder)

    def _init(self) -> None:
        options = ["--no-sync", "--auth=trust", "--username=postgres", "--encoding=UTF8"]
        subprocess.run(
            [_program("initdb"), *options, "--locale=C.UTF-8", "-D", self.folder / "data"],
            check=True,
            stdout=subprocess.DEVNULL,
            **self._as_owner,
        )

    def _command(self) -> list[str | Path]:
        # Whatever ends this process, SIGKILL too, ends the server with it.
        dies_with_us = ["setpriv", "--pdeathsig", "INT"] if shutil.which("setpriv") else []
        options = ["fsync=off", "synchronous_commit=off", "full_page_writes=off"]
        unsafe = [] if self._is_durable else [part for each in options for part in ("-c", each)]
        listen = ["-p", str(self.port), "-k", str(self.folder), "-h", "127.0.0.1"]
        return [*dies_with_us, _program("postgres"), "-D", self.folder / "data", *listen, *unsafe]

    def _wait(self) -> None:
        deadline = time.monotonic() + 30
        while True:
            try:
                self._execute("SELECT 1")
                return
            except psycopg.OperationalError:
                if self._server.poll() is not None or time.monotonic() > deadline:
                    raise
                time.sleep(0.05)

    def _execute(self, statement: str) -> None:
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(statement)


class Refillable:
    """A database whose tables can be given the rows again that they have at first.

    That takes 2 ms, and a new database 50. Only rows come back: whoever changes tables needs a
    database of their own.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        # As a replica, so that rows may go and come in any order.
        options = "-c session_replication_role=replica"
        self._connection = psycopg.connect(url, autocommit=True, options=options)
        self._script = "".join(self._statements())

    def refill(self) -> None:
        """Put back the rows, and cut off whoever is connected."""
        self._connection.execute(self._script)

    def close(self) -> None:
        """Close its own connection."""
        self._connection.close()

    def _statements(self) -> Iterator[str]:
        yield """SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                 WHERE datname = current_database() AND pid <> pg_backend_pid();"""
        for (table,) in self._rows("SELECT quote_ident(relname) FROM pg_stat_user_tables"):
            yield f"DELETE FROM {table};"
            for (row,) in self._rows(f"SELECT quote_literal(t::text) FROM {table} AS t"):
                yield f"INSERT INTO {table} SELECT ({row}::{table}).*;"
        for (sequence,) in self._rows("SELECT quote_ident(relname) FROM pg_statio_user_sequences"):
            yield f"ALTER SEQUENCE {sequence} RESTART;"

    def _rows(self, statement: str) -> list[Any]:
        return self._connection.execute(statement).fetchall()


def as_unprivileged_user(folder: Path) -> dict[str, Any]:
    """How to start PostgreSQL's programs, which refuse to run as root; gives `folder` to them."""
    quiet = {"cwd": folder, "stderr": (folder / "log").open("wb")}
    if os.geteuid() != 0:
        return quiet
    shutil.chown(folder, "postgres", "postgres")
    return {**quiet, "user": "postgres", "group": "postgres", "extra_groups": []}


def _program(name: str) -> str:
    """A server program; Debian keeps them off the PATH. Raises FileNotFoundError."""
    versions = Path("/usr/lib/postgresql").glob("*/bin")
    newest_first = sorted(versions, key=lambda path: float(path.parent.name), reverse=True)
    path = os.pathsep.join([*map(str, newest_first), os.environ.get("PATH", "")])
    program = shutil.which(name, path=path)
    if program is None:
        raise FileNotFoundError(HOW_TO_INSTALL)
    return program
