"""Chairtime below a path of its host, such as https://example.com/chairtime (docs/adr/0064).

Only this module knows that path. All else has its addresses as without one: it is taken off what a
request says, and put before each address in what is answered. A proxy that takes it off the path
itself does no harm, nor do probes that call without it.
"""

import re
from urllib.parse import urlsplit

from litestar.enums import ScopeType
from litestar.types import ASGIApp, HTTPScope, Message, Receive, Scope, Send

from app.settings import settings

_PAGES = {b"hx-current-url", b"referer"}
"""Headers of a request that name a page of ours, as a whole URL."""
_ADDRESSES = {b"location", b"hx-location", b"hx-redirect", b"hx-push-url", b"hx-replace-url"}
"""Headers of an answer that lead to a page of ours, by its path."""
_IN_HTML = re.compile(
    r'="/(?!/)(?:(?<=href="/)|(?<=src="/)|(?<=action="/)|(?<=data-base="/)|(?<=hx-get="/)|(?<=hx-post="/))'
)
"""An attribute that leads somewhere. Nothing else reads like one: a quote in a text is escaped."""


def below(app: ASGIApp, base: str) -> ASGIApp:
    """`app` below the path `base`, such as `/chairtime`; `app` itself if that is empty."""
    if not base:
        return app

    async def handle(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != ScopeType.HTTP:
            await app(scope, receive, send)
            return

        async def send_on(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [_led(name, value, base) for name, value in message["headers"]]
            await send(message)

        _take_off(scope, base)
        await app(scope, receive, send_on)

    return handle


def in_html(html: str) -> str:
    """A page or a part of one, its addresses below the path of PUBLIC_URL."""
    base = settings().base_path
    return _IN_HTML.sub(f'="{base}/', html) if base else html


def _take_off(scope: HTTPScope, base: str) -> None:
    scope["path"] = _without(scope["path"], base)
    scope["raw_path"] = _without(scope["raw_path"].decode("latin-1"), base).encode("latin-1")
    scope["headers"] = [
        (name, _page(value, base) if name in _PAGES else value) for name, value in scope["headers"]
    ]


def _without(path: str, base: str) -> str:
    rest = path.removeprefix(base)
    return f"/{rest.removeprefix('/')}" if rest[:1] in {"", "/", "?"} else path


def _page(url: bytes, base: str) -> bytes:
    try:
        parts = urlsplit(url.decode("latin-1"))
    except ValueError:
        return url
    return parts._replace(path=_without(parts.path, base)).geturl().encode("latin-1")


def _led(name: bytes, value: bytes, base: str) -> tuple[bytes, bytes]:
    is_ours = name.lower() in _ADDRESSES and value.startswith(b"/")
    return name, base.encode() + value if is_ours else value
