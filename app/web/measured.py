"""What this web app measures of itself: requests by route, and connections of the database in use.

Several processes of one `chairtime serve` write into one folder, FOLDER, and each of them reads
what all have written: the multiprocess mode of prometheus_client. Without that folder a process
knows of its own requests alone.
"""

import os
from collections.abc import Iterable
from pathlib import Path
from time import perf_counter
from typing import Any

from litestar.enums import HttpMethod, ScopeType
from litestar.types import ASGIApp, Message, Receive, Scope, Send
from prometheus_client import (
    CollectorRegistry,
    Gauge,
    Histogram,
    Metric,
    disable_created_metrics,
)
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead
from prometheus_client.registry import Collector
from sqlalchemy import Engine, event

FOLDER = "PROMETHEUS_MULTIPROC_DIR"
"""The variable that prometheus_client reads when it is imported."""

_METHODS = {method.value for method in HttpMethod}
disable_created_metrics()  # type: ignore[no-untyped-call]  # several processes have none either
_ours = CollectorRegistry()
_requests = Histogram(
    "chairtime_http_request_seconds",
    "How long requests took until their answer began, by method, route and status.",
    ["method", "route", "status"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
    registry=_ours,
)
_connections = Gauge(
    "chairtime_database_connections_in_use",
    "Connections of the database that are in use, in the web process that uses the most.",
    multiprocess_mode="livemax",
    registry=_ours,
)


def measured(app: ASGIApp) -> ASGIApp:
    """`app`, each of whose answers is counted and timed, also those of no route."""

    async def handle(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != ScopeType.HTTP:
            await app(scope, receive, send)
            return
        method = scope["method"] if scope["method"] in _METHODS else "other"
        begun = perf_counter()

        async def send_on(message: Message) -> None:
            if message["type"] == "http.response.start":
                route = scope.get("path_template") or "none"
                labels = _requests.labels(method, route, message["status"])
                labels.observe(perf_counter() - begun)
            await send(message)

        await app(scope, receive, send_on)

    return handle


def watch_connections(engine: Engine) -> None:
    """Count the connections of its pool that are in use, from now on."""
    for name, listener in (("checkout", _on_checkout), ("checkin", _on_checkin)):
        if not event.contains(engine, name, listener):
            event.listen(engine, name, listener)


class OfAllProcesses(Collector):
    """The measurements of all processes of this `chairtime serve`."""

    def collect(self) -> Iterable[Metric]:
        folder = os.environ.get(FOLDER)
        if folder is None:
            return _ours.collect()
        _forget_dead(Path(folder))
        of_all: Iterable[Metric] = MultiProcessCollector(None, folder).collect()  # type: ignore[no-untyped-call]
        return of_all


def _forget_dead(folder: Path) -> None:
    """What a process has counted stays when it is gone; what it held does not."""
    for pid in {int(file.stem.rpartition("_")[2]) for file in folder.glob("gauge_live*_*.db")}:
        if not _lives(pid):
            mark_process_dead(pid, str(folder))  # type: ignore[no-untyped-call]


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True


def _on_checkout(*_: Any) -> None:
    _connections.inc()


def _on_checkin(*_: Any) -> None:
    _connections.dec()
