"""Errors for people: a page, or a toast where htmx asked; the API's callers get problem+json.

It puts pages around what `app.web.problems` answers, so both always say the same.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import msgspec
from litestar import Request, Response
from litestar.types import ExceptionHandlersMap

from app.dashboard.shell import bare_page, is_htmx, redirect, toast
from app.staff.guards import ROLES, NotSignedIn
from app.web import problems
from app.web.addresses import path_of
from app.web.field_names import named
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
    503: "This cannot be saved now",
}
_LOGGED_OUT = "What you sent was not taken, and nothing was changed. Log in, then send it again."
_LOGGED_OUT_HERE = "You are logged out. This page stays as it is: log in, then try again here."
_HOME = ("/", "Go to Today")
_NOT_PAGES = (
    "/api/",
    "/webhooks/",
    "/simulator",
    "/schema",
    "/health",
    "/livez",
    "/readyz",
    "/static/",
)


@dataclass(frozen=True)
class _Said:
    """What an error page says; `onwards` is the address and the words of its link."""

    heading: str
    detail: str
    onwards: tuple[str, str] = _HOME


def _for_people(answer: Callable[[Any, Any], Response[bytes]]) -> Callable[[Any, Any], Any]:
    def handle(request: AnyRequest, error: Exception) -> Response[Any]:
        problem = answer(request, error)
        return _page(request, problem) if _is_for_people(request) else problem

    return handle


def _page(request: AnyRequest, given: Response[bytes]) -> Response[str]:
    problem = msgspec.json.decode(given.content, type=Problem)
    said = _said(request, problem)
    if is_htmx(request):
        answer = toast(_nothing(problem.status), said.detail, bad=True)
    else:
        answer = _shown(request, problem.status, said, problem.request_id or "")
    answer.headers.update(given.headers)
    return answer


def _shown(request: AnyRequest, status: int, said: _Said, request_id: str = "") -> Response[str]:
    return bare_page(request, "errors/error.html", status=status, said=said, request_id=request_id)


def _said(request: AnyRequest, problem: Problem) -> _Said:
    if problem.errors and request.method == "GET":
        detail = " ".join(named(each.field, each.message) for each in problem.errors)
        return _Said("This link does not work", detail, _without(request, problem) or _HOME)
    wrong = [named(each.field, each.message) for each in problem.errors]
    heading = _HEADINGS.get(problem.status, "Something went wrong")
    if problem.reason == "away":
        heading = "Chairtime cannot reach its database"
    return _Said(heading, " ".join([problem.detail, *wrong]))


def _without(request: AnyRequest, problem: Problem) -> tuple[str, str] | None:
    """The page without what is wrong in its address, and what the link to it says."""
    wrong = {each.field for each in problem.errors}
    asked = list(request.query_params.multi_items())
    kept = [(name, value) for name, value in asked if name not in wrong]
    if len(kept) == len(asked):
        return None
    label = "Start from the first page" if "cursor" in wrong else "Open the page without it"
    return (f"{request.url.path}?{urlencode(kept)}" if kept else request.url.path), label


def _on_not_signed_in(request: AnyRequest, error: NotSignedIn) -> Response[Any]:
    """A page leads to /login, and from there back to it; a live stream just ends."""
    if request.headers.get("Accept", "").startswith("text/event-stream"):
        return problems.problem(401, error.detail)
    if request.method == "GET" and not is_htmx(request):
        return redirect(request, _login_url(path_of(str(request.url)) or "/"))
    return _logged_out(request)


def _logged_out(request: AnyRequest) -> Response[str]:
    """Say so, and htmx leaves its page with what was typed as it is."""
    url = _login_url(_page_before(request))
    if is_htmx(request):
        answer = _nothing(401)
        said = {"text": _LOGGED_OUT_HERE, "bad": True, "login": url}
        answer.headers["HX-Trigger"] = json.dumps({"toast": said})
        return answer
    return _shown(request, 401, _Said("You are logged out", _LOGGED_OUT, (url, "Log in")))


def _nothing(status: int) -> Response[str]:
    return Response("", status_code=status, media_type="text/html")


def _page_before(request: AnyRequest) -> str:
    """The page of ours that the request was made on, as a path; without one the first page."""
    named = request.headers.get("HX-Current-URL", "") or request.headers.get("Referer", "")
    return path_of(named) or "/"


def _login_url(wanted: str) -> str:
    return "/login" if wanted == "/" else f"/login?{urlencode({'next': wanted})}"


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
    NotSignedIn: _on_not_signed_in,
    **{kind: _for_people(answer) for kind, answer in problems.HANDLERS.items()},
}
"""Error type → answer, for Litestar."""
