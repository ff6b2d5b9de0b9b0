"""Who may call what. Every route says it, as `opt={"access": …}`; one that does not is closed.

`public`: anybody · `signed`: whoever signs as Twilio, which the handler checks over the body ·
`simulator`: its own router's guard decides · `metrics`, `read`, `write`, `manage`: a bearer token
with that scope or a later one of these · `viewer`, `staff`, `owner`: somebody signed in with that
role or a higher one.
"""

import asyncio
import logging
from collections.abc import Callable
from typing import Any, cast

from litestar import Request
from litestar.concurrency import sync_to_thread
from litestar.connection import ASGIConnection
from litestar.exceptions import NotAuthorizedException, PermissionDeniedException
from litestar.handlers import BaseRouteHandler
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from app import db
from app.models import staff as models
from app.models.staff import ApiToken
from app.staff import sessions, tokens
from app.staff.sessions import SignedIn
from app.web import cookies, csrf, rate_limits, threads

ApiRequest = Request[Any, ApiToken, Any]
"""A request to a route for tokens: `request.auth` is the token."""

ROLES = {"viewer", "staff", "owner"}
SCOPES = set(models.SCOPES)
OPEN = {"public", "signed", "simulator"}
FOR_BROWSERS = ROLES | {"public"}
"""What a browser calls with its cookies, so another site could make it do so."""

_Connection = ASGIConnection[Any, Any, Any, Any]

_log = logging.getLogger(__name__)
noting: dict[str, asyncio.Task[None]] = {}
"""Tokens and sessions whose use is being written down, behind the back of the request."""


class NotSignedIn(NotAuthorizedException):
    """A page was asked for without a session: the way leads to /login (dashboard/error_pages)."""


def actor_of(request: ApiRequest) -> str:
    """Whose act a call is, as the audit log names a token."""
    return f"token:{request.auth.id}"


async def guard(connection: _Connection, handler: BaseRouteHandler) -> None:
    """Let through who may pass. Raises NotAuthorizedException or PermissionDeniedException."""
    access = handler.opt.get("access")
    if access in FOR_BROWSERS:
        csrf.check_origin(connection)
    if access in ROLES:
        connection.scope["user"] = await _signed_in(connection, access)
    elif access in SCOPES:
        connection.scope["auth"] = await _token(connection, access)
    elif access not in OPEN:
        raise PermissionDeniedException("This is closed.")


async def _signed_in(connection: _Connection, role: str) -> SignedIn:
    secret = cookies.session_secret(connection)
    user = None
    if secret:
        user = sessions.known(db.database(), secret)
        user = user or await sync_to_thread(_find_session, secret)
    if user is None:
        raise NotSignedIn("Log in first.")
    if not user.may(role):
        raise PermissionDeniedException(f"This needs the role “{role}”; yours is “{user.role}”.")
    if not user.is_noted:
        _note_use(user.session_id, sessions.note_use)
    return user


def _find_session(secret: str) -> SignedIn | None:
    with db.database().read() as session:
        return sessions.find(session, secret)


async def _token(connection: _Connection, scope: str) -> ApiToken:
    scheme, _, secret = connection.headers.get("authorization", "").partition(" ")
    token = None
    if scheme.lower() == "bearer" and secret.strip():
        written = secret.strip().encode("latin-1").decode("utf-8", "surrogateescape")  # ASGI: bytes
        token = tokens.known(db.database(), written)
        token = token or await sync_to_thread(_authenticate, written)
    if token is None:
        raise NotAuthorizedException(
            "A valid token is needed: Authorization: Bearer …",
            headers={"WWW-Authenticate": "Bearer"},
        )
    if not tokens.is_noted(token):
        _note_use(token.id, tokens.note_use)
    if scope != "metrics":
        await rate_limits.check(connection, token.id)
    if models.SCOPES.index(token.scope) < models.SCOPES.index(scope):
        words = tokens.SCOPES[cast(tokens.Scope, token.scope)]
        raise PermissionDeniedException(f"This token may only {words}.")
    return token


def _authenticate(secret: str) -> ApiToken | None:
    with db.database().read() as session:
        return tokens.authenticate(session, secret)


def _note_use(used_id: str, note: Callable[[Session, str], None]) -> None:
    """Note it behind the request's back: a read does not wait until the database is writable."""
    if used_id in noting:
        return
    with threads.writing():
        task = asyncio.create_task(sync_to_thread(_write_use, used_id, note))
    noting[used_id] = task
    task.add_done_callback(lambda _: noting.pop(used_id, None))


def _write_use(used_id: str, note: Callable[[Session, str], None]) -> None:
    try:
        with db.database().write() as session:
            note(session, used_id)
    except SQLAlchemyError as error:
        _log.warning("the use of %s could not be noted: %s", used_id[:20], type(error).__name__)
