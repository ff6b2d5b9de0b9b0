"""What every page of the dashboard is made with. How to use it:

    from app.dashboard.shell import FormData, PageRequest, page, redirect, toast

    @get("/failed", opt={"access": "viewer"}, sync_to_thread=True)
    def show(request: PageRequest) -> Response[str]:
        with db.database().read() as session:
            groups = failures.groups(session)
        return page(request, "failed/page.html", partial="failed/_failed.html", groups=groups)

    @post("/messages/{job_id:str}/retry", opt={"access": "staff"}, sync_to_thread=True)
    def retry(request: PageRequest, job_id: FromPath[str], form: FormData) -> Response[str]:
        with db.database().write() as session:
            service.retry(session, job_id, request.user.actor)
        return toast(redirect(request, "/failed"), "Retrying now.")

- `page()` renders at once, in the handler's thread. `template` extends `layout.html`; `partial` is
  what an htmx swap gets instead, and what the page includes. Give `status=422` to show a form
  again; htmx swaps a 422 like a 200. Only what a relationship has loaded can be shown.
- `live_page(request, template, partial, find)` is that for a page that follows the live stream.
- `redirect()` is a 303, and for htmx an `HX-Redirect`, or an `HX-Location` if that is the page it
  is on: each then GETs the page that shows the result. `toast(answer, text, undo="/x/undo")`
  says what was done; `undo` is a URL that the toast's button POSTs to.
- `run_action(request, url, act)` is both for what needs no form: a toast says what `act` did, or
  why it could not.
- `form: FormData` is the body of a form: `form.get("name", "")`, `form.getall("id", [])`.
  That it is not of another site is checked already (`app.staff.guards`).
- Errors need no code: NotFound, Conflict and the rest become a page, or a toast for htmx
  (`app.dashboard.error_pages`). Catch Invalid to show the form again with its errors beside the
  fields.
- A router needs `include_in_schema=False`, each handler `opt={"access": …}` (see
  `app.staff.guards`), and its line in `app/asgi.py`.
- Templates get `user` (SignedIn; `user.may("staff")`), `shop`, `frame` (`app.dashboard.frame`),
  `path` and the filters of `app.dashboard.templating`; a name that nobody gave is an error, so give
  `errors={}` and `typed_in(form, "name", …)` too while nothing is wrong.
  `render(template, shop, …)` renders without a request, as the live stream does: `_ahead.html`,
  `_banner.html`, `_failed_badge.html`, `_replies_badge.html` and `_waiting_badge.html` need only
  `frame=frame(session)`.
"""

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any, TypeVar
from urllib.parse import quote, unquote

from litestar import Request, Response
from litestar.datastructures import MultiDict, State
from litestar.di import NamedDependency
from litestar.enums import MediaType, RequestEncodingType
from sqlalchemy.orm import Session

from app import db
from app.dashboard import look
from app.dashboard.frame import frame, recent
from app.dashboard.templating import render
from app.errors import Conflict
from app.staff.sessions import SignedIn
from app.web import cookies, decoding
from app.web.addresses import ours, path_of
from app.web.rendered_once import SNAPSHOT, Parts

__all__ = [
    "FormData",
    "PageRequest",
    "live_page",
    "page",
    "read_form",
    "redirect",
    "run_action",
    "toast",
]

PageRequest = Request[SignedIn, Any, State]
"""A request to a page: `request.user` is who is signed in."""

FormData = NamedDependency[MultiDict[str]]
"""The fields of a form, by the dependency `form` that `app.asgi` provides."""

_TOAST_COOKIE = "chairtime-toast"
_TOAST_FOR = 60  # seconds until the next page must have shown it

Answer = TypeVar("Answer", bound=Response[Any])


def page(
    request: Request[Any, Any, Any],
    template: str,
    partial: str | None = None,
    status: int = 200,
    **context: Any,
) -> Response[str]:
    """The page, or its `partial` if htmx asks for one. Call it where the thread may wait."""
    name = partial if partial and is_partial(request) else template
    around = recent(db.database())
    html = render(
        name,
        around.shop,
        frame=around,
        **{**_shared(request), **context},
    )
    answer = _answer(html, status)
    if name != partial and cookies.named(_TOAST_COOKIE) in request.cookies:
        cookies.give(answer, _TOAST_COOKIE, "", 0)
    return answer


def live_page(
    request: PageRequest, template: str, partial: str, find: Callable[[], dict[str, Any]]
) -> Response[str]:
    """The page with what `find` returns, which must be the same for everybody of a role.

    When the live stream has told many pages of a change, the partial is rendered once for all.
    """
    snapshot = request.headers.get(SNAPSHOT)
    if snapshot is None or not is_partial(request):
        return page(request, template, partial, **find())
    parts: Parts = request.app.state.parts
    key = (request.url.path, request.url.query, request.user.role)
    return _answer(parts.get(snapshot, key, lambda: _for_all(request, partial, find())))


def bare_page(
    request: Request[Any, Any, Any], template: str, status: int = 200, **context: Any
) -> Response[str]:
    """A page outside the dashboard: to sign in, or an error. It reads nothing from the database."""
    shared = {"look": look.of(request), "user": request.scope.get("user"), "path": request.url.path}
    html = render(template, None, **shared, **context)
    return Response(html, status_code=status, media_type=MediaType.HTML)


def is_htmx(request: Request[Any, Any, Any]) -> bool:
    """Whether htmx sent it."""
    return request.headers.get("HX-Request") == "true"


def is_partial(request: Request[Any, Any, Any]) -> bool:
    """Whether htmx wants a part of the page; a swap of the whole body is no part."""
    is_whole = request.headers.get("HX-Request-Type") == "full"
    return is_htmx(request) and not is_whole and "HX-History-Restore-Request" not in request.headers


def redirect(request: Request[Any, Any, Any], url: str) -> Response[str]:
    """Go on to a page of ours: 303, or what htmx goes by.

    That is HX-Redirect, a whole load; HX-Location swaps the body alone, and the page that htmx is
    on has its style sheets and scripts already.
    """
    if not is_htmx(request):
        return Response("", status_code=303, headers={"Location": url}, media_type=MediaType.HTML)
    here = path_of(request.headers.get("HX-Current-URL", "")).partition("?")[0]
    name = "HX-Location" if here == url.partition("#")[0].partition("?")[0] else "HX-Redirect"
    return Response("", status_code=200, headers={name: url}, media_type=MediaType.HTML)


def toast(answer: Answer, text: str, undo: str | None = None, *, bad: bool = False) -> Answer:
    """Say `text` on the page that is seen next; `bad` if it did not work."""
    message = {"text": text, "undo": undo, "bad": bad}
    if answer.headers.keys() & {"Location", "HX-Location", "HX-Redirect"}:
        cookies.give(answer, _TOAST_COOKIE, quote(json.dumps(message)), _TOAST_FOR)
    else:
        answer.headers["HX-Trigger"] = json.dumps({"toast": message})
    return answer


def run_action(
    request: PageRequest, url: str, act: Callable[[Session], str], undo: str | None = None
) -> Response[str]:
    """Do it in a transaction, and go on to `url` with the sentence that `act` returns.

    A Conflict says there why nothing was done. `undo` is as in `toast`.
    """
    onwards = redirect(request, url)
    try:
        with db.database().write() as session:
            said = act(session)
    except Conflict as conflict:
        return toast(onwards, conflict.detail, bad=True)
    return toast(onwards, said, undo)


async def read_form(request: Request[Any, Any, Any]) -> FormData:
    """The body's fields that are text. Raises WrongFields for what no text can be."""
    if request.content_type[0] == RequestEncodingType.URL_ENCODED:
        return MultiDict(decoding.pairs(await request.body()))
    sent = await request.form()
    typed = [(name, value) for name, value in sent.multi_items() if isinstance(value, str)]
    decoding.refuse(name for name, value in typed if not decoding.is_text([name, value]))
    return MultiDict(typed)


def _answer(html: str, status: int = 200) -> Response[str]:
    headers = {"Vary": "HX-Request"}
    return Response(html, status_code=status, media_type=MediaType.HTML, headers=headers)


def _for_all(request: PageRequest, partial: str, context: dict[str, Any]) -> str:
    """The partial with nothing of a session in it but the role."""
    with db.database().read() as session:
        around = frame(session)
    anybody = replace(request.user, id="", name="", session_id="")
    return render(
        partial,
        around.shop,
        frame=around,
        user=anybody,
        path=request.url.path,
        look={},
        **context,
    )


def _shared(request: Request[Any, Any, Any]) -> dict[str, Any]:
    return {
        "user": request.scope.get("user"),
        "path": request.url.path,
        "look": look.of(request),
        "toast": _waiting_toast(request),
    }


def _waiting_toast(request: Request[Any, Any, Any]) -> dict[str, Any] | None:
    """What the page before wanted to say; a cookie may hold anything."""
    try:
        message = json.loads(unquote(request.cookies.get(cookies.named(_TOAST_COOKIE), "")))
        text, undo = str(message["text"]), message.get("undo")
    except (ValueError, TypeError, LookupError, AttributeError):
        return None
    undo = ours(undo) if isinstance(undo, str) else ""
    return {"text": text, "undo": undo or None, "bad": bool(message.get("bad"))}
