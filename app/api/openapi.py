"""The API's description at /schema, and a page to read and try it, from our own files."""

from typing import Any

from litestar import MediaType, Router
from litestar.handlers import HTTPRouteHandler
from litestar.openapi import OpenAPIConfig
from litestar.openapi.plugins import JsonRenderPlugin, OpenAPIRenderPlugin, YamlRenderPlugin
from litestar.openapi.spec import Components, SecurityScheme, Server, Tag

from app.api import described, event_schema
from app.settings import settings
from app.web.field_names import camel

VERSION = "1"

_PAGE = b"""<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Chairtime API</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="static/vendor/swagger-ui/swagger-ui.css">
<div id="api"></div>
<script src="static/vendor/swagger-ui/swagger-ui-bundle.js"></script>
<script src="static/vendor/swagger-ui/start.js"></script>
</html>
"""

_DESCRIPTION = """\
Bookings and their WhatsApp reminders.

This is version 1; `docs/api.md` says what of it may change. Every call but `/health` needs
`Authorization: Bearer <token>`; `chairtime token create NAME` makes a token. Times are RFC 3339:
any offset in requests, UTC in answers. An error is `application/problem+json`, and `errors` names
each wrong field as you named it.
"""


_TAGS = {
    "Bookings": "A customer, a service, a barber and a time, with its reminders.",
    "Reminders": "A booking's reminders, and all its messages with what came of them.",
    "Messages": "What was and is sent, of all bookings, and what failed once more.",
    "Conversations": "What a booking's customer wrote, and staff's own words to them.",
    "Customers": "People with a phone number, as their bookings tell of them.",
    "Waiting list": "Who wants a day, or a barber, that was full, and whom a free time fits.",
    "Services": "What can be booked.",
    "Barbers": "Who takes bookings.",
    "Hours": "Weekly hours, closed days, absences, and the times that are free.",
    "Settings": "Who the shop is, and when it reminds.",
    "Tokens": "What programs call this API with; for tokens that may `manage`.",
    "Webhooks": "Addresses that are told what happens, and what they were sent.",
    "Queue": "Figures of the queue, and whether this install is well.",
    "Events": "What is posted to a webhook.",
}


class JsonDocument(JsonRenderPlugin):
    """The finished description as JSON."""

    def render(self, request: Any, openapi_schema: dict[str, Any]) -> bytes:
        return super().render(request, described.finished(openapi_schema))


class YamlDocument(YamlRenderPlugin):
    """The same as YAML."""

    def render(self, request: Any, openapi_schema: dict[str, Any]) -> bytes:
        return super().render(request, described.finished(openapi_schema))


class SwaggerPage(OpenAPIRenderPlugin):
    """Swagger UI without inline code, so that our Content-Security-Policy lets it run."""

    def __init__(self) -> None:
        super().__init__(path="/", media_type=MediaType.HTML)

    def render(self, *_args: Any, **_kwargs: Any) -> bytes:
        return _PAGE


def description(access: str) -> OpenAPIConfig:
    """The description of the whole API, for those with `access`."""
    bearer = SecurityScheme(type="http", scheme="bearer", description="An API token.")
    return OpenAPIConfig(
        title="Chairtime",
        version=VERSION,
        description=_DESCRIPTION,
        webhooks=event_schema.webhooks(),
        components=Components(security_schemes={"bearer": bearer}),
        use_handler_docstrings=True,
        render_plugins=[SwaggerPage(), JsonDocument(), YamlDocument()],
        servers=[Server(url=settings().base_path or "/")],
        tags=[Tag(name=name, description=words) for name, words in _TAGS.items()],
        operation_id_creator=_operation_id,
        openapi_router=Router(
            "/schema", route_handlers=[], opt={"access": access}, include_in_schema=False
        ),
    )


def _operation_id(handler: HTTPRouteHandler, method: str, _path: Any) -> str:
    """A verb and what it is done to: `createBooking`."""
    return camel(handler.handler_name) + ("Head" if method == "HEAD" else "")
