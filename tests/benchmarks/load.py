"""Requests over a few connections, one after the other on each, by a client that costs little.

One thread, as it shares the machine with what it measures; about 20 µs of it a request.
"""

import json
import selectors
import socket
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from statistics import quantiles
from typing import Any

_END = b"\r\n\r\n"
_LENGTH = b"content-length:"


@dataclass(frozen=True)
class Figures:
    """`seconds` of each request, and of all together; the `bodies` in the order of the requests."""

    seconds: list[float]
    total: float
    bodies: list[bytes] = field(repr=False)

    @property
    def rate(self) -> float:
        """Requests a second."""
        return len(self.seconds) / self.total

    @property
    def p99(self) -> float:
        """In ms."""
        return quantiles(self.seconds, n=100)[98] * 1000

    def answers(self) -> list[Any]:
        """What the bodies say."""
        return [json.loads(body) for body in self.bodies]


class Requests:
    """Requests to one server, each with the same token."""

    def __init__(self, port: int, token: str) -> None:
        self._address = ("127.0.0.1", port)
        self._head = (
            f"Host: 127.0.0.1:{port}\r\nAuthorization: Bearer {token}\r\n"
            "Content-Type: application/json\r\n"
        )

    def request(self, method: str, path: str, body: object = None) -> bytes:
        """One request as it goes over the wire."""
        content = b"" if body is None else json.dumps(body).encode()
        length = f"Content-Length: {len(content)}\r\n" if content else ""
        return f"{method} {path} HTTP/1.1\r\n{self._head}{length}\r\n".encode() + content

    def send(self, requests: Sequence[bytes], status: int, connections: int = 8) -> Figures:
        """All of them; AssertionError if an answer has another status."""
        left = iter(enumerate(requests))
        seconds, bodies = [0.0] * len(requests), [b""] * len(requests)
        with selectors.DefaultSelector() as selector:
            begun = time.perf_counter()
            for _ in range(connections):
                _Connection(selector, self._address, left)
            while selector.get_map():
                for key, _ in selector.select():
                    connection: _Connection = key.data
                    done = connection.receive()
                    if done is not None:
                        turn, taken, answer = done
                        assert answer.startswith(b"HTTP/1.1 %d " % status), answer[:500]
                        seconds[turn], bodies[turn] = taken, answer.partition(_END)[2]
            return Figures(seconds, time.perf_counter() - begun, bodies)


class _Connection:
    def __init__(
        self,
        selector: selectors.BaseSelector,
        address: tuple[str, int],
        left: Iterator[tuple[int, bytes]],
    ) -> None:
        self._left, self._selector = left, selector
        self._socket = socket.create_connection(address)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        selector.register(self._socket, selectors.EVENT_READ, self)
        self._next()

    def receive(self) -> tuple[int, float, bytes] | None:
        """The number, seconds and answer of a request, if that has come whole."""
        data = self._socket.recv(1 << 20)
        assert data, f"the server hung up after {self._received[:500]!r}"
        self._received += data
        head, end, body = self._received.partition(_END)
        if not end:
            return None
        lines = head.lower().split(b"\r\n")
        length = next(line for line in lines if line.startswith(_LENGTH))
        if len(body) < int(length.removeprefix(_LENGTH)):
            return None
        done = self._turn, time.perf_counter() - self._begun, self._received
        self._next()
        return done

    def _next(self) -> None:
        following = next(self._left, None)
        if following is None:
            self._selector.unregister(self._socket)
            self._socket.close()
            return
        self._turn, request = following
        self._received = b""
        self._begun = time.perf_counter()
        self._socket.sendall(request)
