"""Who may call what. Every route says it, as `opt={"access": …}`; one that does not is closed.

`public`: anybody · `signed`: whoever signs as Twilio, which the handler checks over the body ·
`simulator`: its own router's guard decides · `read`, `write`: a bearer token with that scope (one
that may write may read).
"""

import asyncio
import logging
from typing import Any

from litestar import Request
from litestar.concurrency import sync_to_thread
from litestar.connection import ASGIConnection
from litestar.exceptions import NotAuthorizedException, PermissionDeniedException
from litestar.handlers import BaseRouteHandler
from sqlalchemy.exc import SQLAlchemyError

from app import db
from app.staff import tokens
from app.staff.models import ApiToken

ApiRequest = Request[Any, ApiToken, Any]
"""A request to a `read` or `write` route: `request.auth` is the token."""

_NO_TOKEN = {"public", "signed", "simulator"}

_log = logging.getLogger(__name__)
_noting: dict[str, asyncio.Task[None]] = {}


async def guard(connection: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler) -> None:
    """Let through who may pass. Raises NotAuthorizedException or PermissionDeniedException."""
    access = handler.opt.get("access")
    if access in _NO_TOKEN:
        return
    if access not in {"read", "write"}:
        raise PermissionDeniedException("This is closed.")
    token = await _token(connection)
    if access == "write" and token.scope != "write":
        raise PermissionDeniedException("This token may only read.")
    connection.scope["auth"] = token


async def _token(connection: ASGIConnection[Any, Any, Any, Any]) -> ApiToken:
    scheme, _, secret = connection.headers.get("authorization", "").partition(" ")
    token = None
    if scheme.lower() == "bearer" and secret.strip():
        token = await sync_to_thread(_authenticate, secret.strip())
    if token is None:
        raise NotAuthorizedException(
            "A valid token is needed: Authorization: Bearer …",
            headers={"WWW-Authenticate": "Bearer"},
        )
    _note_use(token)
    return token


def _authenticate(secret: str) -> ApiToken | None:
    written = secret.encode("latin-1").decode("utf-8", "surrogateescape")  # ASGI has bytes
    with db.database().read() as session:
        return tokens.authenticate(session, written)


def _note_use(token: ApiToken) -> None:
    """Note it behind the request's back: a read does not wait until the database is writable."""
    if token.id in _noting or tokens.is_noted(token):
        return
    task = asyncio.create_task(sync_to_thread(_write_use, token.id))
    _noting[token.id] = task
    task.add_done_callback(lambda _: _noting.pop(token.id, None))


def _write_use(token_id: str) -> None:
    try:
        with db.database().write() as session:
            tokens.note_use(session, token_id)
    except SQLAlchemyError as error:
        _log.warning("the use of %s could not be noted: %s", token_id, type(error).__name__)
