"""No posts from other sites: the browser itself says where a form comes from (docs/adr/0038).

Calls that carry no cookie of ours need no look: the API's have a bearer token, the webhooks' a
signature.
"""

import re
from typing import Any

from litestar.connection import ASGIConnection
from litestar.exceptions import PermissionDeniedException

from app.environment import LOOPBACK
from app.settings import settings
from app.web import cookies

SAFE_METHODS = {"GET", "HEAD", "OPTIONS"}

_UNSAID = (
    "Your browser does not say where this form comes from, so it could be from another site. "
    "Use a newer browser, or let it send the Origin header."
)
_PORT = re.compile(r":[0-9]+$")


def check_origin(
    connection: ASGIConnection[Any, Any, Any, Any], *, only_browsers: bool = True
) -> None:
    """Raise PermissionDeniedException for what may change something and is not of our own pages.

    `Sec-Fetch-Site` is in each request over https, and to this very machine. Older browsers, and
    all over plain http, send `Origin` with each form; whoever sends neither is refused, unless
    programs may post too.
    """
    if connection.scope.get("method") in SAFE_METHODS:
        return
    site, origin = (connection.headers.get(name) for name in ("Sec-Fetch-Site", "Origin"))
    if only_browsers and site is None and origin is None:
        raise PermissionDeniedException(_UNSAID)
    is_same_site = site in {None, "none", "same-origin"}
    if not is_same_site or not _is_ours(origin, connection.headers.get("Host")):
        raise PermissionDeniedException("This form was sent by another site.")


def _is_ours(origin: str | None, host: str | None) -> bool:
    """Over https alone where there is any, but for what runs on this very machine."""
    if origin is None or origin == settings().public_origin:
        return True
    scheme, _, netloc = origin.partition("://")
    is_safe = scheme == "https" or not cookies.is_https() or _name(netloc) in LOOPBACK
    return is_safe and netloc == host


def _name(netloc: str) -> str:
    return _PORT.sub("", netloc).strip("[]")
