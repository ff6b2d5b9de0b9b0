"""HTTP connections that keep to a hard limit for the whole exchange, whatever the server does.

    pools = pool_manager(Bounded, BoundedTls, timeout, is_tls=True)
    current.set(Exchange(timeout))
    answer = pools.urlopen("POST", url, body=body, headers=headers, redirect=False)

They know whether a request can have reached the server before it failed, and connect to no address
that their `addresses` does not give (docs/adr/0009).
"""

import http.client
import io
import logging
import socket
import ssl
import time
from contextvars import ContextVar
from typing import Any

import certifi
import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import ConnectTimeoutError, NewConnectionError
from urllib3.util.connection import create_connection

# Below this level urllib3 logs URLs, and a URL's query may hold customers' numbers.
logging.getLogger("urllib3.connectionpool").setLevel(logging.ERROR)
logging.getLogger("urllib3.connection").setLevel(logging.ERROR)

LONGEST_IDLE = 15.0  # seconds; see Bounded.is_connected


class Exchange:
    """One request under way: how long it may still take, and how far it came."""

    def __init__(self, timeout: float) -> None:
        self.timeout = timeout
        self.is_written = False
        self.http_status: int | None = None
        self._deadline = time.monotonic() + 2 * timeout

    @property
    def left(self) -> float:
        """Seconds."""
        return self._deadline - time.monotonic()


current: ContextVar[Exchange] = ContextVar("exchange")
"""The exchange of this thread: whoever begins one sets it."""


class _Reader(io.RawIOBase):
    """Reads from a socket until the exchange's deadline: a timeout of the socket's own begins
    anew with every byte, so that a server which trickles its answer could hold us for hours.
    """

    def __init__(self, raw: io.RawIOBase, sock: socket.socket, exchange: Exchange) -> None:
        self._raw, self._sock, self._exchange = raw, sock, exchange

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        left = self._exchange.left
        if left <= 0:
            raise TimeoutError("the answer took too long")
        self._sock.settimeout(min(left, self._exchange.timeout))
        return self._raw.readinto(buffer)

    def close(self) -> None:
        self._raw.close()
        super().close()


class _Response(http.client.HTTPResponse):
    def __init__(self, sock: socket.socket, *args: Any, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        raw = self.fp.detach()
        self.fp = io.BufferedReader(_Reader(raw, sock, current.get()))


class Bounded(HTTPConnection):
    """One that keeps to the exchange's deadline and notes when it begins to write."""

    response_class = _Response
    _used_at = 0.0

    @property
    def is_connected(self) -> bool:
        """False makes the pool connect anew, which is safe; writing to a connection that the
        server is just closing is not: whether that POST was read is uncertain. So a connection
        that has been idle for a while is not used again.
        """
        is_fresh = time.monotonic() - self._used_at < LONGEST_IDLE
        return is_fresh and super().is_connected

    def send(self, data: Any) -> None:
        if self.sock is None:
            self.connect()
        exchange = current.get()
        if exchange.left <= 0:
            raise ConnectTimeoutError(self, "connecting took too long")
        exchange.is_written = True
        self._used_at = time.monotonic()
        super().send(data)

    def _new_conn(self) -> socket.socket:
        """A socket to the first address that answers, all addresses within one timeout."""
        timeout = current.get().timeout
        give_up = time.monotonic() + timeout
        problem: OSError | None = None
        addresses = self.addresses()
        for position, address in enumerate(addresses):
            share = (give_up - time.monotonic()) / (len(addresses) - position)
            try:
                sock = create_connection(
                    (address, self.port), max(share, 0.01), socket_options=self.socket_options
                )
            except OSError as error:
                problem = error
            else:
                sock.settimeout(timeout)
                return sock
        raise NewConnectionError(self, f"cannot connect: {problem}") from problem

    def addresses(self) -> list[str]:
        """Where it may connect to, the best first. Raises NewConnectionError."""
        try:
            answers = socket.getaddrinfo(self._dns_host, self.port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            raise NewConnectionError(self, f"cannot find the host: {error}") from error
        return [str(address[0]) for *_, address in answers]


class BoundedTls(Bounded, HTTPSConnection):
    """The same by TLS."""


def pool_manager(
    plain: type[Bounded], tls: type[BoundedTls], timeout: float, *, is_tls: bool, size: int = 32
) -> urllib3.PoolManager:
    """Pools of such connections: no retries, no redirects, no proxies; `timeout` in seconds."""

    class Plain(HTTPConnectionPool):
        ConnectionCls = plain

    class Tls(HTTPSConnectionPool):
        ConnectionCls = tls

    pools = urllib3.PoolManager(
        num_pools=32,
        maxsize=size,
        block=False,
        timeout=urllib3.Timeout(connect=timeout, read=timeout),
        retries=False,
        ssl_context=tls_context() if is_tls else None,
    )
    pools.pool_classes_by_scheme = {"http": Plain, "https": Tls}
    return pools


def tls_context() -> ssl.SSLContext:
    """What checks a server's certificate: the system's authorities and certifi's, as some
    Pythons come without the former."""
    context = ssl.create_default_context()
    context.load_verify_locations(certifi.where())
    return context
