"""Our cookies: for this host alone, and over https alone where there is any.

For no script either, but for the CSRF token (`app.web.csrf`).
"""

from typing import Any

from litestar import Response
from litestar.connection import ASGIConnection
from litestar.datastructures import Cookie

from app.settings import settings

CSRF = "chairtime-csrf"

_SESSION = "chairtime"


def is_https() -> bool:
    """Whether browsers reach us by https."""
    return settings().public_url.startswith("https:")


def named(name: str) -> str:
    """`name` as the browser knows it: a `__Host-` cookie is of this host and https alone."""
    return f"__Host-{name}" if is_https() else name


def give(answer: Response[Any], name: str, value: str, max_age: int) -> None:
    """Set a cookie for `max_age` seconds; 0 takes it away."""
    answer.set_cookie(
        Cookie(
            named(name),
            value=value,
            max_age=max_age,
            secure=is_https(),
            httponly=True,
            samesite="lax",
        )
    )


def session_secret(connection: ASGIConnection[Any, Any, Any, Any]) -> str | None:
    """The secret of the session that the browser came with; whether it is one is not known yet."""
    return connection.cookies.get(named(_SESSION)) or None


def set_session(answer: Response[Any], secret: str, seconds: int) -> None:
    """Give the browser a session for so long, and by its next page a new CSRF token."""
    give(answer, _SESSION, secret, seconds)
    give(answer, CSRF, "", 0)


def end_session(answer: Response[Any]) -> None:
    """Take the session from the browser, and its CSRF token."""
    give(answer, _SESSION, "", 0)
    give(answer, CSRF, "", 0)
