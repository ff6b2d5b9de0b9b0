"""How a person wants pages to look, kept by their browser: a cookie for each choice."""

from typing import Any

from litestar import Request, Response
from litestar.datastructures import Cookie

from app.web import cookies

CHOICES = {
    "theme": ("light", "dark"),
    "zoom": ("small", "large"),
    "cancelled": ("hidden",),
    "day": ("board",),
}
"""What can be chosen; anything else is as it is by itself."""

_A_YEAR = 365 * 86_400


def of(request: Request[Any, Any, Any]) -> dict[str, str]:
    """What was chosen, without what was not."""
    given = {name: request.cookies.get(_cookie(name), "") for name in CHOICES}
    return {name: value for name, value in given.items() if value in CHOICES[name]}


def keep(answer: Response[Any], chosen: str, value: str) -> None:
    """Keep a choice, so that the next page is made by it and never flashes."""
    is_one = value in CHOICES[chosen]
    answer.set_cookie(
        Cookie(
            _cookie(chosen),
            value=value if is_one else "",
            max_age=_A_YEAR if is_one else 0,
            path=cookies.path(),
            secure=cookies.is_https(),
        )
    )


def _cookie(name: str) -> str:
    return f"chairtime-{name}"
