"""The metrics on a port of their own, for whoever reaches it: METRICS_PORT.

Each process of a web app listens there, and each answers for all of them.
"""

import threading
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from socketserver import ThreadingMixIn
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from litestar import Litestar

from app.api.metrics import exposition
from app.settings import settings


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True
    allow_reuse_port = True


class _Quiet(WSGIRequestHandler):
    timeout = 10.0  # seconds for which one may say nothing

    def log_message(self, *_: Any) -> None:
        """A line for each scrape helps nobody."""


@asynccontextmanager
async def lifespan(_: Litestar) -> AsyncIterator[None]:
    """While the web app runs. Raises OSError if another program has the port."""
    env = settings()
    if env.metrics_port is None:
        yield
        return
    server = make_server(env.host, env.metrics_port, _answer, _Server, _Quiet)
    threading.Thread(target=server.serve_forever, name="metrics", daemon=True).start()
    yield
    server.shutdown()
    server.server_close()


def _answer(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    if environ["PATH_INFO"] != "/metrics" or environ["REQUEST_METHOD"] != "GET":
        start_response("404 Not Found", [("Content-Type", "text/plain")])
        return [b"Only GET /metrics is here.\n"]
    body, media_type = exposition(environ.get("HTTP_ACCEPT", ""))
    start_response("200 OK", [("Content-Type", media_type)])
    return [body]
