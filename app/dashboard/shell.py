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
- Templates get `user` (SignedIn; `user.may("staff")`), `shop`, `frame` (below), `path` and the
  filters of `app.dashboard.templating`; a name that nobody gave is an error, so give `errors={}`
  and `typed_in(form, "name", …)` too while nothing is wrong. `render(template, shop, …)` renders
  without a request, as the live stream does: `_counters.html`, `_banner.html`,
  `_failed_badge.html` and `_replies_badge.html` need only `frame=frame(session)`.
"""

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any, TypeVar
from urllib.parse import quote, unquote

from litestar import Request, Response
from litestar.datastructures import MultiDict, State
from litestar.di import NamedDependency
from litestar.enums import MediaType, RequestEncodingType
from sqlalchemy import select
from sqlalchemy.orm import Session

from app import clock, db
from app.channel import Advice
from app.conversations import service as conversations
from app.customers import budget
from app.customers.budget import Month
from app.dashboard.templating import render
from app.errors import Conflict
from app.messages import failures, gate, statistics
from app.messages.channels import channel
from app.messages.eligibility import UNCOUNTED
from app.messages.statistics import Stats
from app.models.message import Message, Sending
from app.models.shop import Shop
from app.models.staff import User
from app.queue import failing
from app.settings import settings
from app.shop import service as shop_service
from app.staff.sessions import SignedIn
from app.web import cookies, decoding
from app.web.addresses import ours, path_of
from app.web.rendered_once import SNAPSHOT, Parts

__all__ = [
    "FormData",
    "Frame",
    "PageRequest",
    "frame",
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

THEMES = ("light", "dark")
THEME_COOKIE = "chairtime-theme"

MOST_COUNTED = 100
"""A badge says 99+ from here on."""

_TOAST_COOKIE = "chairtime-toast"
_TOAST_FOR = 60  # seconds until the next page must have shown it

Answer = TypeVar("Answer", bound=Response[Any])


@dataclass(frozen=True)
class Held:
    """Why a message does not go out at its time, in a word and in a clause: `as sending is paused`.

    `until` is the end of it, None if nobody knows. `skips`: what is due until then is skipped, but
    for the kinds that no budget counts; else it waits.
    """

    word: str
    clause: str
    until: datetime | None = None
    skips: bool = False


@dataclass(frozen=True)
class Frame:
    """What surrounds each page: `paused_by` is a name, `stopped` why the breaker is open.

    `open_replies` counts what customers wrote and nobody has looked after, `to_retry` the failed
    sends that a retry would help, both as far as MOST_COUNTED.
    `slow_until` is until when a limit of WhatsApp's or the account's holds all sending.
    `wait_until` is the same, and also counts short waits, which staff are not told of.
    `worker_failures` counts how often in a row a worker ended right after its start, if it does.
    `month` is what was sent, if the shop has a budget and it is nearly used up.
    """

    shop: Shop
    now: datetime
    stats: Stats
    open_replies: int
    to_retry: int
    has_worker: bool
    queue_away_since: datetime | None
    worker_failures: int
    paused_at: datetime | None
    paused_by: str | None
    stopped: Advice | None
    stopped_at: datetime | None
    probe_at: datetime | None
    slow_until: datetime | None
    wait_until: datetime | None
    month: Month | None

    @property
    def counted(self) -> tuple[Stats, int, int]:
        """All that the counters and the badges show."""
        return self.stats, self.open_replies, self.to_retry

    @property
    def zone(self) -> str:
        """The shop's time zone by its name, for scripts."""
        return shop_service.time_zone(self.shop).key

    @property
    def today(self) -> date:
        """The shop's date."""
        return self.now.astimezone(shop_service.time_zone(self.shop)).date()

    @property
    def calendar(self) -> str:
        """What every page that says when goes by: the day, the clock, the way of writing."""
        return f"{self.today} {self.zone} {self.language}"

    @property
    def held(self) -> Held | None:
        """What keeps messages from going out now, if anything does."""
        if self.paused_at:
            return Held("Paused", "as sending is paused")
        if self.stopped:
            return Held("Stopped", "as sending has stopped")
        if not self.has_worker:
            return Held("No worker", "for a worker")
        if self.worker_failures:
            return Held("No worker", "for the worker to stay up")
        if self.queue_away_since:
            return Held("Queue away", "for the queue")
        if self.wait_until:
            return Held("Slowed", "as a limit is reached", self.wait_until)
        if self.month and self.month.is_used_up:
            clause = "as this month’s messages are used up"
            return Held("Used up", clause, budget.ends_at(), skips=True)
        return None

    def holds(self, message: Message) -> bool:
        """Whether a message will, for all we know, not go out when it is due."""
        held = self.held
        if held is None or (held.skips and message.kind in UNCOUNTED):
            return False
        return held.until is None or message.due_at < held.until

    @property
    def state(self) -> str:
        """A fingerprint of all that the banner depends on."""
        stopped = self.stopped, self.stopped_at, self.probe_at
        worker = self.has_worker, self.worker_failures, self.queue_away_since
        parts = *worker, self.paused_at, *stopped, self.wait_until, self.month
        return hashlib.sha256(repr(parts).encode()).hexdigest()[:12]

    @property
    def language(self) -> str:
        """The shop's language as the web writes it: en-US."""
        return self.shop.locale.replace("_", "-")


def frame(session: Session) -> Frame:
    """The frame as it is now."""
    replies = conversations.open_count(MOST_COUNTED)
    sending, open_replies = session.execute(select(Sending, replies).where(Sending.id == 1)).one()
    workers = statistics.workers(session)
    away = [each.queue_away_since for each in workers if each.queue_away_since is not None]
    return Frame(
        shop=shop_service.shop(session),
        now=clock.now(),
        stats=statistics.stats(session),
        open_replies=open_replies,
        to_retry=len(failures.worth_retrying(session, MOST_COUNTED)),
        has_worker=bool(workers),
        queue_away_since=min(away, default=None),
        worker_failures=failing.failures(settings().state_dir),
        paused_at=sending.paused_at,
        paused_by=_name_of(session, sending.paused_by),
        stopped=channel().explain(sending.breaker_code) if sending.breaker_code else None,
        stopped_at=sending.breaker_at,
        probe_at=sending.probe_at,
        slow_until=sending.slow_until if gate.is_limited(sending) else None,
        wait_until=sending.slow_until if gate.is_slowed(sending, clock.now()) else None,
        month=_month(session),
    )


def page(
    request: Request[Any, Any, Any],
    template: str,
    partial: str | None = None,
    status: int = 200,
    **context: Any,
) -> Response[str]:
    """The page, or its `partial` if htmx asks for one. Call it where the thread may wait."""
    name = partial if partial and is_partial(request) else template
    with db.database().read() as session:
        around = frame(session)
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
    shared = {"theme": _theme(request), "user": request.scope.get("user"), "path": request.url.path}
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
        **context,
    )


def _shared(request: Request[Any, Any, Any]) -> dict[str, Any]:
    return {
        "user": request.scope.get("user"),
        "path": request.url.path,
        "theme": _theme(request),
        "toast": _waiting_toast(request),
    }


def _theme(request: Request[Any, Any, Any]) -> str | None:
    """The chosen theme; None follows the system."""
    chosen = request.cookies.get(THEME_COOKIE)
    return chosen if chosen in THEMES else None


def _waiting_toast(request: Request[Any, Any, Any]) -> dict[str, Any] | None:
    """What the page before wanted to say; a cookie may hold anything."""
    try:
        message = json.loads(unquote(request.cookies.get(cookies.named(_TOAST_COOKIE), "")))
        text, undo = str(message["text"]), message.get("undo")
    except (ValueError, TypeError, LookupError, AttributeError):
        return None
    undo = ours(undo) if isinstance(undo, str) else ""
    return {"text": text, "undo": undo or None, "bad": bool(message.get("bad"))}


def _month(session: Session) -> Month | None:
    if shop_service.shop(session).budget_per_month is None:
        return None
    month = budget.this_month(session)
    return month if month.is_near else None


def _name_of(session: Session, actor: str | None) -> str | None:
    kind, _, user_id = (actor or "").partition(":")
    user = session.get(User, user_id) if kind == "user" else None
    return user.name if user else actor
