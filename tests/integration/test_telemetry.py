"""Sentry and OpenTelemetry get what they may have, and cost nothing while they are off."""

import asyncio
import gzip
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from app.settings import SettingsError, read_settings
from app.web.traced import traced

PROGRAM = """
import logging, sys
from app import logs, telemetry
telemetry.start("worker")
with logs.about(job_id="booking_1-reminder-2"), telemetry.span("send_message"):
    try:
        raise KeyError("Ana Silva", "+447700900123")
    except KeyError as error:
        secret = "in a variable"
        logging.getLogger("app.messages").exception("for %s", "+447700900123")
        telemetry.report(error)
telemetry.flush()
print({each.partition(".")[0] for each in sys.modules} & {"sentry_sdk", "opentelemetry"})
"""


class Collector:
    """It listens as Sentry does and as a collector of OpenTelemetry; `bodies` are by their path."""

    def __init__(self) -> None:
        self.bodies: dict[str, bytes] = {}
        collector = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if self.headers["Content-Encoding"] == "gzip":
                    body = gzip.decompress(body)
                collector.bodies[self.path] = collector.bodies.get(self.path, b"") + body
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"127.0.0.1:{self.server.server_port}"


@pytest.fixture
def collector() -> Iterator[Collector]:
    listening = Collector()
    threading.Thread(target=listening.server.serve_forever, args=(0.02,), daemon=True).start()
    yield listening
    listening.server.shutdown()
    listening.server.server_close()


def run(folder: Path, **variables: str) -> str:
    env = {"STATE_DIR": str(folder), "PYTHONPATH": str(Path(__file__).parents[2]), **variables}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], env=env, check=True, capture_output=True, text=True
    )
    return done.stdout.strip()


def test_both_get_what_went_wrong_and_no_customer(tmp_path: Path, collector: Collector) -> None:
    run(
        tmp_path,
        SENTRY_DSN=f"http://key@{collector.address}/1",
        OTEL_EXPORTER_OTLP_ENDPOINT=f"http://{collector.address}",
    )
    sentry, traces = collector.bodies["/api/1/envelope/"], collector.bodies["/v1/traces"]
    for told in (b"KeyError", b"booking_1-reminder-2", b'"program":"worker"', b"for %s"):
        assert told in sentry
    assert b"send_message" in traces
    assert b"chairtime-worker" in traces
    for secret in (b"Ana", b"7700900", b"in a variable"):
        assert secret not in sentry + traces


def test_while_they_are_off_neither_is_imported(tmp_path: Path) -> None:
    assert run(tmp_path) == "set()"


def test_a_request_is_a_span_of_its_callers_trace_named_after_its_route() -> None:
    spans = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(spans))

    async def app(scope: Any, _receive: Any, send: Any) -> None:
        scope["path_template"] = "/api/bookings/{booking_id}"
        await send({"type": "http.response.start", "status": 503, "headers": []})

    async def nothing(_message: Any) -> None:
        """Nobody is told."""

    trace = "0af7651916cd43dd8448eb211c80319c"
    parent = (b"traceparent", f"00-{trace}-b7ad6b7169203331-01".encode())
    scope: Any = {"type": "http", "method": "GET", "headers": [parent], "query_string": b"q=%2B44"}
    asyncio.run(traced(app, provider.get_tracer("test"))(scope, nothing, nothing))  # type: ignore[arg-type]
    [span] = spans.get_finished_spans()
    assert span.name == "GET /api/bookings/{booking_id}"
    assert span.context is not None
    assert f"{span.context.trace_id:x}" == trace.lstrip("0")
    assert not span.status.is_ok
    assert "44" not in str(span.attributes)
    assert traced(app, None) is app  # type: ignore[arg-type]


def test_an_extra_that_is_missing_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.settings.find_spec", lambda _: None)
    with pytest.raises(SettingsError) as caught:
        read_settings({"STATE_DIR": str(tmp_path), "SENTRY_DSN": "https://k@sentry.example/1"})
    assert caught.value.problems == ["SENTRY_DSN needs an extra: pip install 'chairtime[sentry]'"]
