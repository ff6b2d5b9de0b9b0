"""What every request must be before a handler sees it. Whatever is not is answered here.

A path that is no text, or another spelling of an address, is a 404, or for a GET a redirect to the
one address. A query that is no text, or has a field twice, is a 422 that names the field. A
request must call us by a name of ours (`Settings.answers_to`). HEAD is what GET is, without the
body.
"""

import re
from collections import Counter
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any
from urllib.parse import quote, unquote_to_bytes

from litestar import Request, Response
from litestar.connection import ASGIConnection
from litestar.enums import ScopeType
from litestar.exceptions import ClientException, HTTPException, NotFoundException
from litestar.handlers import BaseRouteHandler
from litestar.types import ASGIApp, HTTPReceiveMessage, HTTPScope, Message, Receive, Scope, Send

from app.web import decoding
from app.web.field_names import WrongFields

Handlers = Mapping[Any, Callable[[Request[Any, Any, Any], Any], Response[Any]]]
"""How an error is answered, by its class."""

_LONGEST_PATH = 1024  # bytes
_LONGEST_QUERY = 16_384  # bytes
_LONGEST_PART = 255  # bytes of what is between two slashes: no file's name is longer
_UNQUOTED = "/!$&'()*+,;=:@~"  # in a path (RFC 3986, pchar)
_NO_PATH = re.compile(r"[\x00-\x1f\x7f-\x9f\\]")
_HIDDEN_SLASH = re.compile(b"%(2f|5c)", re.IGNORECASE)
_HOST = re.compile(rb"([\w.-]{1,255}|\[[0-9A-Fa-f:.]{2,45}\])(?::[0-9]{1,5})?")
_NAMES = 64
"""Names of hosts of which it is remembered whether they are ours."""
_PROBES = {"/health", "/livez", "/readyz", "/metrics"}
_PARAMETER = re.compile(r"\{(\w+)\}")


class _Elsewhere(Exception):
    """The address is spelt in another way: `path`, encoded."""

    def __init__(self, path: str) -> None:
        super().__init__(path)
        self.path = path


def guarded(app: ASGIApp, handlers: Handlers, answers_to: Callable[[str], bool]) -> ASGIApp:
    """`app`, which gets only what is a request to it, by a name that it `answers_to`.

    `handlers` answer what is none, by the class of what is wrong with it.
    """

    answers_to = lru_cache(_NAMES)(answers_to)

    async def handle(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != ScopeType.HTTP:
            await app(scope, receive, send)
            return
        if scope["method"] == "HEAD":
            scope["method"] = "GET"
            receive, send = _hung_up(receive), _without_body(send)
        wrong = _wrong(scope, answers_to)
        if wrong is None:
            await app(scope, receive, send)
        else:
            await _refuse(wrong, handlers, scope, receive, send)

    return handle


def _wrong(
    scope: HTTPScope, answers_to: Callable[[str], bool]
) -> _Elsewhere | HTTPException | WrongFields | None:
    try:
        _check_host(scope, answers_to)
        _check(scope)
    except (_Elsewhere, HTTPException, WrongFields) as error:
        return error
    return None


def one_address(connection: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler) -> None:
    """A part of a guard: a number or a UUID in a path has one spelling. Raises NotFoundException.

    What is signed is signed over its address, and a receipt is never turned away for its spelling.
    """
    scope = connection.scope
    values = scope["path_params"]
    spelt = _PARAMETER.sub(lambda match: str(values[match[1]]), scope["path_template"])
    is_signed = handler.opt.get("access") == "signed"
    if not is_signed and spelt.replace("//", "/") != scope["path"]:  # a path begins with a slash
        raise NotFoundException


def _check_host(scope: HTTPScope, answers_to: Callable[[str], bool]) -> None:
    """Raises ClientException. A probe asks by any name, such as the address of a container."""
    given = [_HOST.fullmatch(value) for name, value in scope["headers"] if name == b"host"]
    if len(given) > 1 or None in given:
        raise ClientException("The Host header names no host.")
    names = [match[1].decode().strip("[]").lower() for match in given if match]
    if scope["path"] not in _PROBES and not all(map(answers_to, names)):
        raise ClientException("There is no Chairtime by this name: see ALLOWED_HOSTS.")


def _check(scope: HTTPScope) -> None:
    raw = scope["raw_path"].partition(b"?")[0]
    path = _path(raw)
    encoded = quote(path, safe=_UNQUOTED)
    if encoded.encode() != raw:
        if scope["method"] != "GET":
            raise NotFoundException
        raise _Elsewhere(encoded)
    scope["path"] = path
    _check_query(scope["query_string"])


def _path(raw: bytes) -> str:
    """The one spelling of a path, as text. Raises NotFoundException for what cannot be one."""
    if len(raw) > _LONGEST_PATH or not raw.startswith(b"/") or _HIDDEN_SLASH.search(raw):
        raise NotFoundException
    try:
        path = unquote_to_bytes(raw).decode()
    except UnicodeDecodeError:
        raise NotFoundException from None
    parts = [part for part in path.split("/") if part]
    is_long = any(len(part.encode()) > _LONGEST_PART for part in parts)
    if is_long or _NO_PATH.search(path) or {".", ".."} & set(parts):
        raise NotFoundException
    return "/" + "/".join(parts)


def _check_query(raw: bytes) -> None:
    """Raises HTTPException for one that is too long, else WrongFields."""
    if not raw:
        return
    if len(raw) > _LONGEST_QUERY:
        raise HTTPException(status_code=414, detail="The address is too long.")
    if not raw.isascii():
        decoding.refuse(["query"], "This must be percent-encoded.")
    counted = Counter(name for name, _ in decoding.pairs(raw))
    decoding.refuse(
        (name for name, count in counted.items() if count > 1), "This is there more than once."
    )


async def _refuse(
    error: Exception, handlers: Handlers, scope: HTTPScope, receive: Receive, send: Send
) -> None:
    request: Request[Any, Any, Any] = Request(scope, receive, send)
    if isinstance(error, _Elsewhere):
        query = scope["query_string"].decode("latin-1")
        url = f"{error.path}?{quote(query, safe='%&=+' + _UNQUOTED)}" if query else error.path
        answer: Response[Any] = Response("", status_code=308, headers={"Location": url})
    else:
        scope["path"] = quote(scope["raw_path"].decode("latin-1"), safe=f"%{_UNQUOTED}")
        kind = WrongFields if isinstance(error, WrongFields) else HTTPException
        answer = handlers[kind](request, error)
    await answer.to_asgi_response(app=None, request=request)(scope, receive, send)


def _hung_up(receive: Receive) -> Receive:
    """The caller, who waits for no body: a stream ends at once."""
    is_read = False

    async def receive_once() -> HTTPReceiveMessage:
        nonlocal is_read
        if is_read:
            return {"type": "http.disconnect"}
        message = await receive()
        is_read = not message.get("more_body", False)
        return message  # type: ignore[return-value]

    return receive_once


def _without_body(send: Send) -> Send:
    async def send_head(message: Message) -> None:
        if message["type"] == "http.response.start":
            await send(message)
            await send({"type": "http.response.body", "body": b"", "more_body": False})

    return send_head
