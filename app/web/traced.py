"""Each request is a span, if traces are wanted."""

from typing import TYPE_CHECKING

from litestar.enums import ScopeType
from litestar.types import ASGIApp, Message, Receive, Scope, Send

if TYPE_CHECKING:
    from opentelemetry.trace import Tracer


def traced(app: ASGIApp, tracer: "Tracer | None") -> ASGIApp:
    """`app`, each of whose requests is a span of its caller's trace, named after its route: an
    address may hold a customer's number. Without a tracer, `app` itself.
    """
    if tracer is None:
        return app
    from opentelemetry import propagate
    from opentelemetry.trace import SpanKind, StatusCode

    async def handle(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != ScopeType.HTTP:
            await app(scope, receive, send)
            return
        method = scope["method"]
        caller = propagate.extract(
            {name.decode(): each.decode("latin-1") for name, each in scope["headers"]}
        )
        with tracer.start_as_current_span(method, caller, SpanKind.SERVER) as span:

            async def send_on(message: Message) -> None:
                if message["type"] == "http.response.start":
                    route, status = scope.get("path_template") or "none", message["status"]
                    span.update_name(f"{method} {route}")
                    span.set_attributes(
                        {
                            "http.request.method": method,
                            "http.route": route,
                            "http.response.status_code": status,
                        }
                    )
                    if status >= 500:
                        span.set_status(StatusCode.ERROR)
                await send(message)

            await app(scope, receive, send_on)

    return handle
