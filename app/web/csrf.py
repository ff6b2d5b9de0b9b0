"""No posts from other sites: a token in each form, and the browser's own word on where it is from.

The token is Litestar's (a signed cookie that the form repeats). Calls that carry no cookie of ours
need none: the API's have a bearer token, the webhooks' a signature. Scripts of ours read the cookie
when they send (`static/js/app.js`), for a login in another window renews it; it says no more than
each page does.
"""

import re
from typing import Any

from litestar.config.csrf import CSRFConfig
from litestar.connection import ASGIConnection
from litestar.enums import ScopeType
from litestar.exceptions import PermissionDeniedException
from litestar.middleware import DefineMiddleware
from litestar.middleware.csrf import CSRFMiddleware
from litestar.types import Receive, Scope, Send

from app.settings import LOOPBACK, settings
from app.web import cookies

SAFE_METHODS = {"GET", "HEAD", "OPTIONS"}
EXEMPT = ("^/api/", "^/webhooks/", "^/simulator", "^/schema", "^/health$", "^/static/")

_PORT = re.compile(r":[0-9]+$")


class _Csrf(CSRFMiddleware):
    """Litestar's, which compares digests; those take no text beyond ASCII.

    A cookie that is no token of ours would make each form fail for ever: it is given up for a new
    one by the next page.
    """

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == ScopeType.HTTP and scope["method"] in SAFE_METHODS:
            given = ASGIConnection[Any, Any, Any, Any](scope).cookies  # kept for this request
            token = given.get(self.config.cookie_name)
            if token is not None and not self._is_ours(token):
                del given[self.config.cookie_name]
        await super().__call__(scope, receive, send)

    def _is_ours(self, token: str) -> bool:
        return token.isascii() and self._decode_csrf_token(token) is not None

    def _csrf_tokens_match(self, request_csrf_token: str, cookie_csrf_token: str) -> bool:
        is_ascii = request_csrf_token.isascii() and cookie_csrf_token.isascii()
        return is_ascii and super()._csrf_tokens_match(request_csrf_token, cookie_csrf_token)


def middleware() -> DefineMiddleware:
    """What each route's posts must pass."""
    config = CSRFConfig(
        secret=settings().secret_key,
        cookie_name=cookies.named(cookies.CSRF),
        cookie_secure=cookies.is_https(),
        cookie_httponly=False,
        exclude=list(EXEMPT),
    )
    return DefineMiddleware(_Csrf, config=config)


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
    """Over https alone where there is any, but for what runs on this very machine."""
    if origin is None or origin == settings().public_url:
        return True
    scheme, _, netloc = origin.partition("://")
    is_safe = scheme == "https" or not cookies.is_https() or _name(netloc) in LOOPBACK
    return is_safe and netloc == host


def _name(netloc: str) -> str:
    return _PORT.sub("", netloc).strip("[]")
