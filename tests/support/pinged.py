"""A program elsewhere that is pinged while all is well here, as healthchecks takes it."""

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Self


class Pinged:
    """It listens on 127.0.0.1 and counts its `times`; each is answered with `status`."""

    def __init__(self) -> None:
        self.times, self.status = 0, 200
        pinged = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                pinged.times += 1
                self.send_response(pinged.status)
                self.end_headers()
                self.wfile.write(b"OK")

            def log_message(self, *_: object) -> None:
                """Nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}/ping/your-check"
