"""A program of somebody else's that is told what happens: it verifies each signature by the
reference library of Standard Webhooks.

with Receiver() as receiver:
    receiver.secrets = [secret]
    ...
    assert receiver.types == ["booking.created"]
"""

import json
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

from standardwebhooks import Webhook, WebhookVerificationError


@dataclass(frozen=True)
class Heard:
    """One POST whose signature was right."""

    id: str
    body: dict[str, Any]
    headers: Mapping[str, str]

    @property
    def about(self) -> str:
        """The booking's id; empty if it is about none."""
        return str(self.body["data"].get("booking", {}).get("id", ""))


class Receiver:
    """It listens on 127.0.0.1, and answers with `status` and `headers`.

    `heard` is what it took, with a right signature; `tries` counts all POSTs, `forged` those whose
    signature was wrong. While it `hangs`, it answers nothing.
    """

    def __init__(self, secrets: list[str] | None = None) -> None:
        self.secrets = secrets or []
        self.status, self.headers = 200, dict[str, str]()
        self.heard: list[Heard] = []
        self.tries = self.forged = 0
        self.hangs = self.is_closed = False
        self.before_answer: Callable[[], None] = lambda: None
        self._lock = threading.Lock()
        self._port = 0

    def __enter__(self) -> Self:
        self.open()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def open(self) -> None:
        """Listen, at the port that it had before, if any."""
        receiver = self
        self.is_closed = False

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if receiver.is_closed:  # it had connected before
                    self.close_connection = True
                    return
                while receiver.hangs:
                    time.sleep(0.05)
                receiver.before_answer()
                answer = receiver.take(dict(self.headers.items()), body)
                self.send_response(answer)
                for name, value in receiver.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", "2")
                self.end_headers()
                self.wfile.write(b"ok")

            def log_message(self, *_: object) -> None:
                """Nothing."""

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 128

        self._server = Server(("127.0.0.1", self._port), Handler)
        self._port = self._server.server_port
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def close(self) -> None:
        """Stop listening: whoever connects is refused."""
        self.is_closed = True
        self._server.shutdown()
        self._server.server_close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}/hook"

    @property
    def types(self) -> list[str]:
        return [str(each.body["type"]) for each in self.heard]

    def take(self, headers: dict[str, str], body: bytes) -> int:
        """What is answered to this POST."""
        with self._lock:
            self.tries += 1
            if self.status != 200:
                return self.status
            if not self._is_signed(headers, body):
                self.forged += 1
                return 400
            lower = {name.lower(): value for name, value in headers.items()}
            self.heard.append(Heard(lower["webhook-id"], json.loads(body), lower))
            return 200

    def _is_signed(self, headers: dict[str, str], body: bytes) -> bool:
        for secret in self.secrets:
            try:
                Webhook(secret).verify(body, headers)
            except WebhookVerificationError:
                continue
            return True
        return False
