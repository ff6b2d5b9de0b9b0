"""The page of the queue: what waits, what left and how late, who works on it; pause and resume."""

from typing import Any

from litestar import Response, Router, get, post

from app import db
from app.dashboard.queue.chart import draw
from app.dashboard.shell import PageRequest, live_page, redirect, toast
from app.messages import failures, gate, statistics
from app.messages.service import advice_of
from app.messages.statistics import Lateness

NEXT_DUE = 10
FAILED_SHOWN = 5

_LATE = 60  # seconds: a message that leaves later than that is not on time


@get("/queue", opt={"access": "viewer"}, sync_to_thread=True)
def show(request: PageRequest) -> Response[str]:
    """The queue as it is now."""
    return live_page(request, "queue/page.html", "queue/_queue.html", _found)


@post("/queue/pause", opt={"access": "owner"}, sync_to_thread=True)
def pause(request: PageRequest) -> Response[str]:
    """Send nothing until it is resumed."""
    with db.database().write() as session:
        gate.pause(session, request.user.actor)
    return toast(redirect(request, "/queue"), "Sending is paused. Nothing goes out.")


@post("/queue/resume", opt={"access": "owner"}, sync_to_thread=True)
def resume(request: PageRequest) -> Response[str]:
    """Send again."""
    with db.database().write() as session:
        gate.resume(session, request.user.actor)
    return toast(redirect(request, "/queue"), "Sending again.")


def _found() -> dict[str, Any]:
    with db.database().read() as session:
        workers = statistics.workers(session)
        return {
            "workers": workers,
            "hosts": len({worker.host for worker in workers}),
            "chart": draw(statistics.per_minute(session)),
            "lateness": in_words(statistics.lateness(session)),
            "due": statistics.next_due(session, NEXT_DUE),
            "failed": [each.message for each in failures.retryable(session, FAILED_SHOWN)],
            "advice_of": advice_of,
        }


def in_words(lateness: Lateness) -> str:
    """How late the messages of the last hour left."""
    if lateness.median is None or lateness.p99 is None:
        return "nothing was sent in the last hour"
    half, most = _seconds(lateness.median), _seconds(lateness.p99)
    is_in_time = lateness.p99 < _LATE
    return f"{'On time' if is_in_time else 'Behind'}: typically {half} late, 1 in 100 over {most}"


def _seconds(seconds: float) -> str:
    if seconds < 10:
        return f"{max(seconds, 0.1):.1f} s"
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"


router = Router("/", route_handlers=[show, pause, resume], include_in_schema=False)
