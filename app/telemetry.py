"""Errors to Sentry (SENTRY_DSN), traces to OpenTelemetry (its usual variables), for who wants them.

Both are extras of the package, and nothing of them is imported while they are off. Neither gets
more than the log has: no names, no texts, no phone numbers, no values of variables.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from app import logs
from app.settings import Settings, settings

if TYPE_CHECKING:
    from opentelemetry.trace import Tracer

_tracer: "Tracer | None" = None


def start(program: str) -> None:
    """Begin to report, if the settings say where to; `program` is what this process is."""
    env = settings()
    if env.sentry_dsn:
        _start_sentry(env, program)
    if env.traces:
        _start_traces(program)


def report(error: BaseException) -> None:
    """Tell Sentry of an error that the log has without its own words."""
    if settings().sentry_dsn:
        import sentry_sdk

        sentry_sdk.capture_exception(error)


def tracer() -> "Tracer | None":
    """What makes spans, None while nobody wants them."""
    return _tracer


def _version() -> str:
    from importlib.metadata import version  # slow to import

    return version("chairtime")


@contextmanager
def span(name: str, **attributes: str) -> Iterator[None]:
    """What is done within the block is a span."""
    if _tracer is None:
        yield
    else:
        with _tracer.start_as_current_span(name, attributes=attributes):
            yield


def flush() -> None:
    """Bring what is still to be sent on its way; the ends of processes do it, too."""
    if settings().sentry_dsn:
        import sentry_sdk

        sentry_sdk.flush()
    if _tracer is not None:
        from opentelemetry import trace

        trace.get_tracer_provider().force_flush()  # type: ignore[attr-defined]


def _start_sentry(env: Settings, program: str) -> None:
    import sentry_sdk
    from sentry_sdk.integrations.logging import ignore_logger

    sentry_sdk.init(
        dsn=env.sentry_dsn,
        release=f"chairtime@{_version()}",
        environment="production" if env.production else "development",
        send_default_pii=False,
        include_local_variables=False,
        max_request_body_size="never",
        auto_enabling_integrations=False,  # of each framework that it finds: they send queries
        before_send=_without_words,
    )
    sentry_sdk.set_tag("program", program)
    ignore_logger("app.web.problems")  # which calls `report`


def _without_words(event: Any, _hint: Any) -> Any:
    """An event as it may leave the house."""
    for each in event.get("exception", {}).get("values", ()):
        each["value"] = ""  # as in the log: it may hold a name
    event.setdefault("tags", {}).update(logs.what())
    return _masked(event)


def _masked(value: Any) -> Any:
    if isinstance(value, str):
        return logs.masked(value)
    if isinstance(value, Mapping):
        return {key: _masked(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_masked(each) for each in value]
    return value


def _start_traces(program: str) -> None:
    from opentelemetry import trace
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import OTELResourceDetector, Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    global _tracer
    ours = Resource({"service.name": f"chairtime-{program}"})
    provider = TracerProvider(
        resource=Resource.create().merge(ours).merge(OTELResourceDetector().detect())
    )
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    trace.set_tracer_provider(provider)
    _tracer = provider.get_tracer("chairtime", _version())
