"""Hostile requests, as bytes, to every route of the app in this process.

    with Caller(app) as caller:
        for target in targets(app, caller, db):
            assert caller.call(target.method, target.address).status < 500

The scope of a request is what Granian makes of its bytes: `path` is percent-decoded, whatever its
bytes are; `raw_path` is not, and a header is any bytes at all.
"""

import re
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Self
from urllib.parse import quote_from_bytes, unquote

from anyio.from_thread import start_blocking_portal
from litestar import Litestar
from litestar.handlers import HTTPRouteHandler

from app.settings import settings
from tests.fake_twilio.callbacks import signature

ROOT = Path(__file__).parents[2]

NO_TEXT = {
    "NUL": b"a\x00b",
    "not UTF-8": b"\xff",
    "half a character": b"\xed\xa0\x80",
    "a cut character": b"\xf0\x9f\x92",
}
"""What can be in no text: the answer is 4xx wherever it is read."""

STRANGE = {
    "beyond latin-1": "💈İ\u0301".encode(),
    "turned around": "\u202e\u2028\ufeff".encode(),
    "no character": "\ufffe\U0010ffff".encode(),
    "controls": b"a\r\nb\x1b\x7f",
    "a huge number": b"9" * 400,
    "a number too big": b"9223372036854775808",
    "below zero": b"-1",
    "no number": b"NaN",
    "beyond all numbers": b"1e400",
    "digits of others": "٣".encode(),
    "very long": b"x" * 5000,
    "a long name": b"x" * 300,
    "the first moment": b"0001-01-01T00:00:00+14:00",
    "the last moment": b"9999-12-31T23:59:59-14:00",
    "the last day": b"9999-12-31",
    "a format": b"%s {0} ${x} {{ 7 }}",
    "markup": b"'\"><script>",
    "an address": b"http://[",
    "a path": b"../../etc/passwd",
    "nothing": b"",
}
"""What is text, but not what anybody expects."""

HEADERS = (
    *("Accept", "Accept-Encoding", "Accept-Language", "Authorization", "Chairtime-Snapshot"),
    *("Content-Type", "Cookie", "Host", "HX-Current-URL", "HX-Request", "HX-Request-Type"),
    *("HX-Source", "HX-Target", "Idempotency-Key", "If-Match", "If-Modified-Since"),
    *("If-None-Match", "Last-Event-ID", "Origin", "Range", "Referer", "Sec-Fetch-Site"),
    *("User-Agent", "X-Forwarded-For", "X-Twilio-Signature"),
)


@dataclass(frozen=True)
class Target:
    """One method of one route: `path` as it is declared, `values` of its parameters that exist."""

    method: str
    path: str
    handler: HTTPRouteHandler
    values: dict[str, str]

    @property
    def access(self) -> str:
        return str(self.handler.opt["access"])

    def address(self, **changed: bytes) -> bytes:
        """The path, encoded, with these values instead of the right ones."""

        def value(match: re.Match[str]) -> str:
            name = match[1]
            return quote_from_bytes(changed.get(name, self.values[name].encode()), safe="")

        return re.sub(r"\{(\w+):\w+\}", value, self.path).encode()


@dataclass
class Answer:
    status: int
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""


class Caller:
    """A caller of `app`, which runs between `with` and its end."""

    def __init__(self, app: Litestar) -> None:
        self.app = app
        self.headers: dict[str, bytes] = {}
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        self._portal = self._stack.enter_context(start_blocking_portal())
        self._stack.enter_context(self._portal.wrap_async_context_manager(self.app.lifespan()))
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def call(
        self,
        method: str,
        raw_path: bytes,
        query: bytes = b"",
        body: bytes = b"",
        headers: dict[str, bytes] | None = None,
    ) -> Answer:
        """The answer to these bytes. Raises what the app does not handle."""
        given = {"Host": b"testserver", **self.headers, **(headers or {})}
        given["Content-Length"] = str(len(body)).encode()
        scope = {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": "1.1",
            "server": ("127.0.0.1", 3000),
            "client": ("127.0.0.1", 50000),
            "scheme": "http",
            "method": method,
            "root_path": "",
            "path": unquote(raw_path.decode("latin-1"), errors="replace"),
            "raw_path": raw_path,
            "query_string": query,
            "headers": [(name.lower().encode(), value) for name, value in given.items()],
            "state": {},
        }
        return self._portal.call(self._call, scope, body)

    async def _call(self, scope: dict[str, Any], body: bytes) -> Answer:
        answer = Answer(0)
        messages = iter([{"type": "http.request", "body": body, "more_body": False}])

        async def receive() -> dict[str, Any]:
            return next(messages, {"type": "http.disconnect"})

        async def send(message: Any) -> None:
            if message["type"] == "http.response.start":
                answer.status = message["status"]
                answer.headers = {k.decode().lower(): v.decode() for k, v in message["headers"]}
            else:
                answer.body += message.get("body", b"")

        await self.app(scope, receive, send)  # type: ignore[arg-type]
        return answer


def targets(app: Litestar, values: dict[str, str]) -> Iterator[Target]:
    """Every method of every route, its parameters taken from `values`, else `x`."""
    for route in app.routes:
        for handler in route.route_handlers:  # type: ignore[union-attr]
            for method in sorted(handler.http_methods - {"HEAD", "OPTIONS"}):
                names = re.findall(r"\{(\w+):(\w+)\}", route.path)
                known = {name: values.get(name, _any(kind)) for name, kind in names}
                yield Target(method, route.path, handler, known)


@cache
def field_names() -> tuple[str, ...]:
    """Every name that a template gives to a field, or a form or a handler asks for."""
    return tuple(sorted(_names_in(ROOT / "templates") | _names_in(ROOT / "app")))


def names_near(target: Target) -> list[str]:
    """Of these, those of the handler's module, its neighbours, what it imports, and its templates.

    What Twilio sends is read by the channel.
    """
    function = target.handler.fn  # or what makes one that is not async into one
    module = getattr(function, "func", function).__module__
    home = (ROOT / module.replace(".", "/")).parent
    paths = {home, ROOT / "templates" / home.name, *_imports(module)}
    if target.access == "signed":
        paths.add(ROOT / "app" / "whatsapp")
    return sorted(set().union(*(_names_in(path) for path in paths)))


@cache
def _names_in(path: Path) -> frozenset[str]:
    """The names in a file, or in all files of a folder."""
    paths = [*path.rglob("*.*")] if path.is_dir() else [path]
    asked_for = (_asked_for(each.read_text()) for each in paths if each.suffix == ".py")
    written = (_written(each.read_text()) for each in paths if each.suffix == ".html")
    return frozenset().union(*asked_for, *written)


def _written(text: str) -> set[str]:
    """The names of fields in a template."""
    names = set(re.findall(r'\bname="([\w-]+)"', text))
    return names | set(re.findall(r'\b(?:field|select)\("([\w-]+)"', text))


def _asked_for(text: str) -> set[str]:
    """The names of fields in the source of a module."""
    names = set(re.findall(r'(?:get|getall)\("(\w+)"', text))
    names |= set(re.findall(r"@field\n    def (\w+)\(", text))
    names |= set(re.findall(r'QueryParameter\(name="(\w+)"', text))
    for listed in re.findall(r"^_(?:ASKED|QUERY|FIELDS) = [({](.*?)[)}]$", text, re.M | re.S):
        names |= set(re.findall(r'"(\w+)"', listed))
    return names


def _imports(module: str) -> set[Path]:
    """The modules of the app that a module of the app imports."""
    path = _path(module)
    text = path.read_text() if path.is_file() else ""  # not of the app: Litestar's own
    statements = re.findall(r"^from (app[\w.]*) import (\([^)]*\)|.*)$", text, re.M)
    modules = {package for package, _ in statements}
    for package, names in statements:
        modules |= {f"{package}.{name}" for name in re.findall(r"\w+", names)}
    return {_path(each) for each in modules if _path(each).is_file()}


def _path(module: str) -> Path:
    return (ROOT / module.replace(".", "/")).with_suffix(".py")


def encoded(fields: dict[str, bytes]) -> bytes:
    """As a query or a form has them."""
    return "&".join(
        f"{name}={quote_from_bytes(value, safe='')}" for name, value in fields.items()
    ).encode()


def signed(target: Target, fields: dict[str, bytes]) -> dict[str, bytes]:
    """The header by which these fields are Twilio's; the names that it must have are added."""
    params = {name: value.decode("utf-8", "replace") for name, value in fields.items()}
    url = settings().public_url + target.address().decode()
    return {"X-Twilio-Signature": signature(settings().whatsapp_auth_token, url, params).encode()}


def _any(kind: str) -> str:
    return {"int": "1", "uuid": "6f6f6f6f-6f6f-4f6f-8f6f-6f6f6f6f6f6f"}.get(kind, "x")
