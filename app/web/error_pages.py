"""Errors for people: a page, or a toast where htmx asked; the API's callers get problem+json.

It puts pages around what `app.web.problems` answers, so both always say the same.
"""

from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode, urlsplit

import msgspec
from litestar import Request, Response
from litestar.types import ExceptionHandlersMap

from app.web import problems
from app.web.access import ROLES, NotSignedIn
from app.web.pages import bare_page, is_htmx, redirect, toast
from app.web.problems import Problem

AnyRequest = Request[Any, Any, Any]

_HEADINGS = {
    401: "Log in first",
    403: "You may not do this",
    404: "Not found",
    405: "This cannot be done here",
    409: "That is not possible now",
    413: "That is too much",
    422: "Something is not right yet",
    503: "Chairtime cannot reach its database",
}
_OLD_PAGE = "This page is from before you logged in, or it was open for very long. Load it again."
_NOT_PAGES = ("/api/", "/webhooks/", "/simulator", "/schema", "/health", "/static/")


def _for_people(answer: Callable[[Any, Any], Response[bytes]]) -> Callable[[Any, Any], Any]:
    def handle(request: AnyRequest, error: Exception) -> Response[Any]:
        found = answer(request, error)
        return _page(request, found) if _is_for_people(request) else found

    return handle


def _page(request: AnyRequest, found: Response[bytes]) -> Response[str]:
    problem = msgspec.json.decode(found.content, type=Problem)
    detail = _detail(problem)
    status = problem.status
    if is_htmx(request):
        answer = toast(Response("", status_code=status, media_type="text/html"), detail, bad=True)
    else:
        answer = bare_page(
            request,
            "errors/error.html",
            status=status,
            heading=_HEADINGS.get(status, "Something went wrong"),
            detail=detail,
            request_id=problem.request_id or "",
        )
    answer.headers.update(found.headers)
    return answer


def _detail(problem: Problem) -> str:
    if problem.detail.startswith("CSRF"):
        return _OLD_PAGE
    wrong = [f"{each.field} {each.message}." for each in problem.errors]
    return " ".join([problem.detail, *wrong])


def _to_login(request: AnyRequest, error: NotSignedIn) -> Response[Any]:
    """On to /login, and from there back to the page that was wanted; a live stream just ends."""
    if request.headers.get("Accept", "").startswith("text/event-stream"):  # else htmx adds it
        return problems.problem(401, error.detail)
    if is_htmx(request):
        wanted = urlsplit(request.headers.get("HX-Current-URL", ""))
        answer = Response("", media_type="text/html")
        answer.headers["HX-Redirect"] = _login_url(wanted.path, wanted.query)
        return answer
    if request.method != "GET":
        return redirect(request, "/login")
    return redirect(request, _login_url(request.url.path, request.url.query))


def _login_url(path: str, query: str) -> str:
    wanted = f"{path}?{query}" if query else path
    return "/login" if wanted in {"", "/"} else f"/login?{urlencode({'next': wanted})}"


def _is_for_people(request: AnyRequest) -> bool:
    """A page's route; or no route at all, and a browser that asks."""
    path = request.scope["path"]
    if path.startswith(_NOT_PAGES):
        return False
    handler = request.scope.get("route_handler")
    if handler is not None and handler.opt.get("access") in ROLES:
        return True
    return is_htmx(request) or "text/html" in request.headers.get("Accept", "")


HANDLERS: ExceptionHandlersMap = {
    NotSignedIn: _to_login,
    **{kind: _for_people(answer) for kind, answer in problems.HANDLERS.items()},
}
"""Error type → answer, for Litestar."""
