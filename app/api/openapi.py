"""The API's description at /schema, and a page to read and try it, from our own files."""

from typing import Any

from litestar import MediaType, Router
from litestar.openapi import OpenAPIConfig
from litestar.openapi.plugins import JsonRenderPlugin, OpenAPIRenderPlugin, YamlRenderPlugin
from litestar.openapi.spec import Components, SecurityScheme

from app.api import event_schema

VERSION = "1"

_PAGE = b"""<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Chairtime API</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="/static/vendor/swagger-ui/swagger-ui.css">
<div id="api"></div>
<script src="/static/vendor/swagger-ui/swagger-ui-bundle.js"></script>
<script src="/static/vendor/swagger-ui/start.js"></script>
</html>
"""

_DESCRIPTION = """\
Bookings and their WhatsApp reminders.

Every call but `/health` needs `Authorization: Bearer <token>`; `chairtime token create NAME` makes
a token. Times are RFC 3339: any offset in requests, UTC in answers. An error is
`application/problem+json`, and `errors` names each wrong field as you named it.
"""


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
        render_plugins=[SwaggerPage(), JsonRenderPlugin(), YamlRenderPlugin()],
        openapi_router=Router(
            "/schema", route_handlers=[], opt={"access": access}, include_in_schema=False
        ),
    )
