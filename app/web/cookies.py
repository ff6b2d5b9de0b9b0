"""Our cookies: for this host alone and its path, if there is one, for no script, and over https
alone where there is any.
"""

from typing import Any

from litestar import Response
from litestar.connection import ASGIConnection
from litestar.datastructures import Cookie

from app.settings import settings

_SESSION = "chairtime"


def is_https() -> bool:
    """Whether browsers reach us by https."""
    return settings().public_url.startswith("https:")


def named(name: str) -> str:
    """`name` as the browser knows it: a `__Host-` cookie is of this host and https alone, and never
    of a path of it; a `__Secure-` one is of https.
    """
    if not is_https():
        return name
    return f"__Secure-{name}" if settings().base_path else f"__Host-{name}"


def path() -> str:
    """The path that our cookies are of: others of the same host do not get them."""
    return settings().base_path or "/"


def give(answer: Response[Any], name: str, value: str, max_age: int) -> None:
    """Set a cookie for `max_age` seconds; 0 takes it away."""
    answer.set_cookie(
        Cookie(
            named(name),
            value=value,
            max_age=max_age,
            path=path(),
            secure=is_https(),
            httponly=True,
            samesite="lax",
        )
    )


def session_secret(connection: ASGIConnection[Any, Any, Any, Any]) -> str | None:
    """The secret of the session that the browser came with; whether it is one is not known yet."""
    return connection.cookies.get(named(_SESSION)) or None


def set_session(answer: Response[Any], secret: str, seconds: int) -> None:
    """Give the browser a session for so long."""
    give(answer, _SESSION, secret, seconds)


def end_session(answer: Response[Any]) -> None:
    """Take the session from the browser."""
    give(answer, _SESSION, "", 0)
