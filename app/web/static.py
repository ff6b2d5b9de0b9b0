"""Our style sheets, scripts and fonts. What a browser has already is a 304, without its bytes.

Litestar sends `ETag` and `Last-Modified` with a file, but does not look at what a browser says that
it has; so a middleware of this router does, by RFC 9110 §13.
"""

from datetime import datetime
from email.utils import parsedate_to_datetime

from litestar import Router
from litestar.datastructures import CacheControlHeader, Headers
from litestar.static_files import create_static_files_router
from litestar.types import ASGIApp, Message, Receive, Scope, Send

from app.errors import Invalid
from app.files import ROOT
from app.web import etags

MAX_AGE = 600
"""Seconds: how long a browser may show the style of before an upgrade."""

_OF_THE_BODY = {b"content-length", b"content-type", b"content-encoding", b"content-disposition"}


def router() -> Router:
    """The files of `static/`, for anybody."""
    return create_static_files_router(
        "/static",
        [ROOT / "static"],
        opt={"access": "public"},
        cache_control=CacheControlHeader(public=True, max_age=MAX_AGE),
        middleware=[_not_modified],
    )


def _not_modified(app: ASGIApp) -> ASGIApp:
    async def handle(scope: Scope, receive: Receive, send: Send) -> None:
        is_known = False

        async def answer(message: Message) -> None:
            nonlocal is_known
            if message["type"] == "http.response.start" and message["status"] == 200:
                is_known = _has_it(Headers.from_scope(scope), Headers(message["headers"]))
                if is_known:
                    kept = [
                        each for each in message["headers"] if each[0].lower() not in _OF_THE_BODY
                    ]
                    message = {**message, "status": 304, "headers": kept}
            elif is_known and message["type"] == "http.response.body":
                message = {**message, "body": b""}
            await send(message)

        await app(scope, receive, answer)

    return handle


def _has_it(asked: Headers, file: Headers) -> bool:
    """Whether the browser has this very file; its ETag counts before its date."""
    if tags := asked.get("if-none-match"):
        try:
            return etags.is_known(file["etag"], tags)
        except Invalid:
            return False
    since, changed = _time(asked.get("if-modified-since")), _time(file.get("last-modified"))
    return since is not None and changed is not None and changed <= since


def _time(text: str | None) -> datetime | None:
    try:
        at = parsedate_to_datetime(text or "")
    except (ValueError, TypeError, OverflowError):
        return None
    return at if at.tzinfo else None
