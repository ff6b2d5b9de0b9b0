"""The HTTP under the fake: keep-alive, one write per answer, and answers that go wrong."""

import contextlib
import socket
import struct
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from email.utils import formatdate
from http.client import responses
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

from .faults import Fault

_RESET = struct.pack("ii", 1, 0)  # SO_LINGER for 0 seconds: close() sends RST
_TRICKLE_GAP = 0.3  # seconds between two bytes


@dataclass(frozen=True)
class Request:
    """`body` is whole."""

    method: str
    path: str
    query: str
    authorization: str
    content_type: str
    body: bytes


@dataclass(frozen=True)
class Answer:
    """A whole HTTP answer."""

    status: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)
    content_type: str = "application/json"


@dataclass(frozen=True)
class Reply:
    """An answer, how it goes wrong, and the gate it waits for, `gate_timeout` s at the most."""

    answer: Answer
    fault: Fault | None = None
    gate: threading.Event | None = None
    gate_timeout: float = 0.0


class Server(ThreadingHTTPServer):
    """Listens on 127.0.0.1. `respond` is called in a thread for each connection."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 1024

    def __init__(self, port: int, respond: Callable[[Request], Reply]) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        self.respond = respond
        self.stopping = threading.Event()
        self._open: set[socket.socket] = set()
        self._thread = threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop listening and close every connection, also those which wait."""
        self.stopping.set()
        self.shutdown()
        self.server_close()
        for connection in list(self._open):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def process_request(self, request: Any, client_address: Any) -> None:
        self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        self._open.discard(request)
        if request.getsockopt(socket.SOL_SOCKET, socket.SO_LINGER, len(_RESET)) == _RESET:
            request.close()  # a shutdown() first would say goodbye before the reset
        else:
            super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that goes away, or is killed, is what tests do all the time."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: Server

    def do_GET(self) -> None:
        self._handle()

    def do_POST(self) -> None:
        self._handle()

    def log_message(self, format: str, *args: Any) -> None:
        pass

    def _handle(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length)
        if len(body) < length:  # the client died while it was writing
            self.close_connection = True
            return
        url = urlsplit(self.path)
        authorization = self.headers.get("Authorization") or ""
        content_type = self.headers.get_content_type()
        request = Request(self.command, url.path, url.query, authorization, content_type, body)
        reply = self.server.respond(request)
        if reply.gate is None or reply.gate.wait(reply.gate_timeout):
            self._deliver(reply)
        else:
            self.close_connection = True

    def _deliver(self, reply: Reply) -> None:
        kind = reply.fault.kind if reply.fault else None
        if kind == "reset_before":
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        if kind in {"reset_before", "hang_before", "lost_answer"}:
            self.close_connection = True
        elif kind == "half_body":
            self.wfile.write(raw(reply.answer)[: -(len(reply.answer.body) // 2)])
            self.close_connection = True
        elif kind == "trickle":
            self._trickle(raw(reply.answer), reply.fault.seconds if reply.fault else 0)
        else:
            self.server.stopping.wait(reply.fault.seconds if reply.fault else 0)
            self.wfile.write(raw(reply.answer))

    def _trickle(self, raw: bytes, gap: float) -> None:
        for byte in raw:
            self.wfile.write(bytes([byte]))
            if self.server.stopping.wait(gap or _TRICKLE_GAP):
                break


def raw(answer: Answer) -> bytes:
    """It as it goes over the wire."""
    headers = {
        "Date": formatdate(usegmt=True),
        "Content-Type": answer.content_type,
        "Content-Length": str(len(answer.body)),
        **answer.headers,
    }
    lines = [f"HTTP/1.1 {answer.status} {responses.get(answer.status, '')}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + answer.body
