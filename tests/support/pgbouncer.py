"""A PgBouncer in transaction mode before a PostgreSQL cluster of the tests."""

import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Self

import psycopg

from tests.support.ports import free_port
from tests.support.postgres import Postgres, as_unprivileged_user
from tests.support.processes import wait_until

HOW_TO_INSTALL = "PgBouncer is not installed: run `apt-get install pgbouncer` (or `make test`)"
_CONFIG = """
[databases]
* = host=127.0.0.1 port={cluster} user=postgres

[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = {connections}
max_client_conn = 500
"""


class PgBouncer:
    """Hands the few connections that it has to whoever begins a transaction next."""

    def __init__(self, cluster: Postgres, connections: int = 3) -> None:
        program = shutil.which("pgbouncer", path="/usr/sbin:/usr/bin:/usr/local/bin")
        if program is None:
            raise FileNotFoundError(HOW_TO_INSTALL)
        self.port = free_port()
        self.folder = Path(tempfile.mkdtemp(prefix="chairtime-pgbouncer-"))
        config = self.folder / "pgbouncer.ini"
        text = _CONFIG.format(cluster=cluster.port, port=self.port, connections=connections)
        config.write_text(text)
        config.chmod(0o644)
        # Whatever ends this process, SIGKILL too, ends it with it.
        dies_with_us = ["setpriv", "--pdeathsig", "KILL"] if shutil.which("setpriv") else []
        self._server = subprocess.Popen(
            [*dies_with_us, program, config], **as_unprivileged_user(self.folder)
        )

    def __enter__(self) -> Self:
        wait_until(self._answers, 30, f"PgBouncer; see {self.folder}")
        return self

    def __exit__(self, *_: object) -> None:
        self._server.kill()
        self._server.wait()
        shutil.rmtree(self.folder)

    def url(self, name: str) -> str:
        """The DATABASE_URL of one of the cluster's databases, through here."""
        return f"postgresql://postgres@127.0.0.1:{self.port}/{name}"

    def _answers(self) -> bool:
        assert self._server.poll() is None, (self.folder / "log").read_text()
        try:
            psycopg.connect(self.url("postgres")).close()
        except psycopg.OperationalError:
            return False
        return True
