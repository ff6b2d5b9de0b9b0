"""What Prometheus scrapes (docs/monitoring.md)."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Annotated, Any

from litestar import Response, Router, get
from litestar.params import HeaderParameter
from prometheus_client import CollectorRegistry, Metric
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeHistogramMetricFamily,
    GaugeMetricFamily,
)
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector
from redis import RedisError

from app import db
from app.messages import monitoring
from app.messages.monitoring import Figures
from app.queue import huey
from app.web.measured import OfAllProcesses

SENDING = ("ok", "paused", "stopped", "limited", "budget")
"""Whether messages go out: one of these is 1, the others are 0."""
_LATE = (0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0, 3600.0)
_MINUTES = f"in the last {monitoring.RECENTLY.seconds // 60} minutes"


@get("/metrics", opt={"access": "metrics"}, include_in_schema=False, sync_to_thread=True)
def metrics(
    accept: Annotated[str, HeaderParameter(name="Accept")] = "",
) -> Response[bytes]:
    """All metrics, as text of Prometheus or, if it asks for that, of OpenMetrics."""
    body, media_type = exposition(accept)
    return Response(body, headers={"Content-Type": media_type})


def exposition(accept: str) -> tuple[bytes, str]:
    """All metrics as who asks accepts them, and what they are then."""
    with db.database().read() as session:
        found = monitoring.figures(session)
    registry = CollectorRegistry(auto_describe=False)
    for collector in (_Found(found), OfAllProcesses()):
        registry.register(collector)
    encode, media_type = choose_encoder(accept)
    return encode(registry), media_type


class _Found(Collector):
    """What the database and the queue say: the same in every process of every host."""

    def __init__(self, figures: Figures) -> None:
        self._figures = figures

    def collect(self) -> Iterable[Metric]:
        yield from _messages(self._figures)
        yield _lateness(self._figures)
        yield from _sending(self._figures)
        yield from _workers(self._figures)
        yield from _queue()


def _messages(found: Figures) -> Iterator[Metric]:
    stats = found.stats
    yield _gauge(
        "messages",
        "Messages by state, in the words of GET /api/queue/stats.",
        ("state",),
        {(state,): getattr(stats, state) for state in ("delayed", "waiting", "active", "failed")},
    )
    sent = CounterMetricFamily("chairtime_messages_sent", "Messages that were sent.")
    sent.add_metric([], stats.completed)
    yield sent
    yield _gauge(
        "messages_ended_recently",
        f"Messages that ended without being sent {_MINUTES}; code is Twilio's, of what failed.",
        ("state", "reason", "code"),
        found.ended,
    )
    yield _gauge(
        "messages_doubled_recently",
        f"Messages of which it showed {_MINUTES} that they were sent twice.",
        value=found.doubled,
    )
    yield _gauge(
        "messages_uncertain",
        "Messages of which nobody knows yet whether they were sent.",
        value=found.uncertain,
    )
    yield _gauge(
        "oldest_due_seconds",
        "For how long the oldest of the messages that are due has been so.",
        value=stats.oldest_due_seconds,
    )


def _lateness(found: Figures) -> Metric:
    buckets = [(str(bound), sum(late <= bound for late in found.late_by)) for bound in _LATE]
    family = GaugeHistogramMetricFamily(
        "chairtime_message_lateness_seconds",
        f"How late the messages were that were sent {_MINUTES} at their first attempt.",
    )
    family.add_metric([], [*buckets, ("+Inf", len(found.late_by))], sum(found.late_by))
    return family


def _sending(found: Figures) -> Iterator[Metric]:
    yield _gauge(
        "sending",
        "Whether messages go out, or why not: the state that holds is 1.",
        ("state",),
        {(state,): state == found.sending for state in SENDING},
    )


def _workers(found: Figures) -> Iterator[Metric]:
    labels = ("host", "pid")
    yield _gauge("workers", "Worker processes seen in the last minute.", value=len(found.workers))
    yield _gauge(
        "worker_seen_seconds_ago",
        "How long ago a worker was last seen.",
        labels,
        {(each.host, str(each.pid)): each.seen_ago for each in found.workers},
    )
    yield _gauge(
        "worker_running_seconds",
        "For how long a worker has been running.",
        labels,
        {(each.host, str(each.pid)): each.runs_for for each in found.workers},
    )


def _queue() -> Iterator[Metric]:
    try:
        ready, scheduled = huey.depth()
    except (RedisError, OSError):
        yield _gauge("queue_up", "Whether the queue answers.", value=0)
        return
    yield _gauge("queue_up", "Whether the queue answers.", value=1)
    yield _gauge(
        "queue_tasks",
        "Tasks in the queue: those that wait for a worker, and those that wait for their time.",
        ("kind",),
        {("ready",): ready, ("scheduled",): scheduled},
    )


def _gauge(
    name: str,
    says: str,
    labels: tuple[str, ...] = (),
    values: Mapping[Any, float] | None = None,
    value: float = 0,
) -> Metric:
    """A metric of ours with a value for each tuple of labels, or else the one `value`."""
    family = GaugeMetricFamily(f"chairtime_{name}", says, labels=labels)
    for given, each in ({(): value} if values is None else values).items():
        family.add_metric(list(given), float(each))
    return family


router = Router("/", route_handlers=[metrics])
