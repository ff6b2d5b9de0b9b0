"""The cookie of a session: for us alone, for no script, and over https alone where there is any."""

from typing import Any

from litestar import Response
from litestar.connection import ASGIConnection
from litestar.datastructures import Cookie

from app.settings import settings
from app.staff.sessions import LONGEST
from app.web.csrf import cookie_name as csrf_cookie_name


def session_secret(connection: ASGIConnection[Any, Any, Any, Any]) -> str | None:
    """The secret of the session that the browser came with; whether it is one is not known yet."""
    return connection.cookies.get(_name()) or None


def set_session(answer: Response[Any], secret: str) -> None:
    """Give the browser a session, and with it a new CSRF token."""
    answer.set_cookie(
        Cookie(
            _name(),
            value=secret,
            max_age=int(LONGEST.total_seconds()),
            secure=_is_https(),
            httponly=True,
            samesite="lax",
        )
    )
    _forget(answer, csrf_cookie_name(settings()))


def end_session(answer: Response[Any]) -> None:
    """Take the session from the browser, and its CSRF token."""
    _forget(answer, _name())
    _forget(answer, csrf_cookie_name(settings()))


def _forget(answer: Response[Any], name: str) -> None:
    gone = Cookie(name, value="", max_age=0, secure=_is_https(), httponly=True, samesite="lax")
    answer.set_cookie(gone)


def _name() -> str:
    return "__Host-chairtime" if _is_https() else "chairtime"


def _is_https() -> bool:
    return settings().public_url.startswith("https:")
