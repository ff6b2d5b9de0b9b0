"""No posts from other sites: a token in each form, and the browser's own word on where it is from.

The token is Litestar's (a signed cookie that the form repeats). Calls that carry no cookie of ours
need none: the API's have a bearer token, the webhooks' a signature. Scripts of ours read the cookie
when they send (`static/js/app.js`), for a login in another window renews it; it says no more than
each page does.
"""

from typing import Any
from urllib.parse import urlsplit

from litestar.config.csrf import CSRFConfig
from litestar.connection import ASGIConnection
from litestar.exceptions import PermissionDeniedException

from app.settings import settings
from app.web import cookies

SAFE_METHODS = {"GET", "HEAD", "OPTIONS"}
EXEMPT = ("^/api/", "^/webhooks/", "^/simulator", "^/schema", "^/health$", "^/static/")


def csrf_config() -> CSRFConfig:
    """What Litestar's middleware needs."""
    return CSRFConfig(
        secret=settings().secret_key,
        cookie_name=cookies.named(cookies.CSRF),
        cookie_secure=cookies.is_https(),
        cookie_httponly=False,
        exclude=list(EXEMPT),
    )


def check_origin(connection: ASGIConnection[Any, Any, Any, Any]) -> None:
    """Raise PermissionDeniedException for a request that another site's page made."""
    if not is_from_here(connection):
        raise PermissionDeniedException("This form was sent by another site.")


def is_from_here(connection: ASGIConnection[Any, Any, Any, Any]) -> bool:
    """Whether no other site's page made the request."""
    site = connection.headers.get("Sec-Fetch-Site", "none")
    origin = connection.headers.get("Origin")
    is_same_site = site in {"none", "same-origin"}
    return is_same_site and _is_ours(origin, connection.headers.get("Host"))


def _is_ours(origin: str | None, host: str | None) -> bool:
    return origin is None or origin == settings().public_url or urlsplit(origin).netloc == host
