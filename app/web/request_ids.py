"""Each request has an id: in its answer, in what is logged meanwhile, and in what went wrong."""

import re
import uuid

from litestar.enums import ScopeType
from litestar.types import ASGIApp, Message, Receive, Scope, Send

from app import logs

HEADER = "X-Request-ID"

_NAME = HEADER.lower().encode()
_RIGHT = re.compile(r"[A-Za-z0-9._-]{8,64}")


def identified(app: ASGIApp) -> ASGIApp:
    """`app`, each of whose requests has the id that its proxy gave it, or a new one."""

    async def handle(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != ScopeType.HTTP:
            await app(scope, receive, send)
            return
        id = _given(scope) or uuid.uuid4().hex

        async def send_on(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], (_NAME, id.encode())]
            await send(message)

        with logs.about(request_id=id):
            await app(scope, receive, send_on)

    return handle


def request_id() -> str:
    """The id of the request that is answered now."""
    return logs.what().get("request_id") or uuid.uuid4().hex


def _given(scope: Scope) -> str | None:
    for name, value in scope["headers"]:
        if name == _NAME:
            text = value.decode("latin-1")
            return text if _RIGHT.fullmatch(text) else None
    return None
