"""The live stream: every open page is told what changed, by server-sent events.

While a page listens, one look at the database a second finds what changed since the look before,
whoever changed it and however many listen; while nobody listens, nobody looks. How a page listens
is written in `templates/_live.html`.
"""

import asyncio
import logging
import signal
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from types import FrameType
from typing import Annotated, Any, NamedTuple, TypeVar

from litestar import Litestar, Router, get
from litestar.params import FromQuery, HeaderParameter
from litestar.response import ServerSentEvent
from litestar.response.sse import ServerSentEventMessage
from litestar.template.base import csrf_token
from sqlalchemy import ColumnElement, func, literal, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import InstrumentedAttribute, Session

from app import db
from app.bookings.models import Booking
from app.conversations.models import Reply
from app.messages.models import Message
from app.messages.useful import is_pending
from app.queue import stats
from app.staff import sessions
from app.staff.sessions import SignedIn
from app.web import cookies
from app.web.pages import Frame, PageRequest, frame
from app.web.shared import Parts
from app.web.templating import render

LOOK_EVERY = 1.0  # seconds, as all of these
KEEP_ALIVE = 15.0
CHECK_SESSIONS_EVERY = 20.0
WINDOW = timedelta(seconds=15)
"""How far back each look reaches: so late may a row be committed, or another host's clock be."""
SLACK = 2.0
"""How much older than its own time a page may be."""

MOST_ROWS = 2_000
MOST_BOOKINGS = 200
"""So many are named at once; of more, a page is told that it missed something."""
EVERYTHING = ("missed", "board", "failed", "queue")

_OF_REPLY = (func.coalesce(Reply.booking_id, ""), Reply.sid, literal("reply"))

T = TypeVar("T")

_log = logging.getLogger(__name__)


class Change(NamedTuple):
    """A booking's row, or one of its messages or replies, as a look found it."""

    booking_id: str
    message_id: str | None
    state: str
    at: datetime


@dataclass(frozen=True)
class Look:
    """What one look found: what surrounds each page, and what changed lately."""

    frame: Frame
    workers: tuple[str, ...]
    changes: frozenset[Change]

    @property
    def at(self) -> float:
        """When it was, as a Unix time."""
        return self.frame.now.timestamp()

    @property
    def name(self) -> str:
        """What a page calls it that was told of it."""
        return f"{self.at:.3f}"

    @cached_property
    def counters(self) -> str:
        """The counters and the badges, to take the place of those on the page."""
        parts = ("counters", "failed-badge", "replies-badge")
        return "".join(_part(self.frame, name, f"_{name.replace('-', '_')}.html") for name in parts)

    def banner(self, user: SignedIn, csrf: str) -> str:
        """The banner, as `user` sees it."""
        return _part(self.frame, "banner", "_banner.html", csrf, user=user)


def look(session: Session) -> Look:
    """Look at the database; what became due counts as changed."""
    found = frame(session)
    since = found.now - WINDOW
    due = is_pending() & (Message.due_at <= found.now)
    row = (Message.booking_id, Message.id, Message.state)
    changes = [
        *_newest(session, row, Message.updated_at, since),
        *_newest(session, row, Message.due_at, since, due),
        *_newest(session, (Booking.id, literal(None), Booking.status), Booking.updated_at, since),
        *_newest(session, _OF_REPLY, Reply.updated_at, since),
    ]
    workers = tuple(worker.id for worker in stats.workers(session))
    return Look(found, workers, frozenset(changes))


def names_of(changes: Iterable[Change]) -> set[str]:
    """The events that tell of these changes."""
    changes = list(changes)
    if not changes:
        return set()
    names = {f"booking-{change.booking_id}" for change in changes}
    if len(names) > MOST_BOOKINGS:
        names = {"missed"}
    if any(change.state == "failed" or change.message_id is None for change in changes):
        names.add("failed")
    return names | {"board", "queue"}


def news(before: Look, after: Look) -> set[str]:
    """The events that tell of what is new since the look before."""
    names = names_of(after.changes - before.changes)
    was, is_now = before.frame.stats, after.frame.stats
    if was.failed != is_now.failed:
        names.add("failed")
    is_later = before.at // KEEP_ALIVE != after.at // KEEP_ALIVE  # "seen 3 seconds ago"
    is_other = (before.workers, before.frame.state) != (after.workers, after.frame.state)
    return names | {"queue"} if was != is_now or is_other or is_later else names


class Stream:
    """One open page. What it has not taken yet is a set of names, so it cannot grow."""

    def __init__(
        self, user: SignedIn, secret: str, csrf: str, since: float, shown: str = ""
    ) -> None:
        self.secret = secret
        self._user, self._csrf, self._since, self._shown = user, csrf, since, shown
        self._names: set[str] = set()
        self._latest: Look | None = None
        self._told: Look | None = None
        self._wake = asyncio.Event()
        self._is_over = False

    def tell(self, latest: Look, names: set[str]) -> None:
        """Pass on what is new; the first time, what is newer than the page."""
        if self._latest is None:
            names = _newer(latest, self._since)
            if self._shown not in {"", latest.frame.state}:
                names.add("queue")
        self._latest = latest
        self._names |= names
        if len(self._names) > 2 * MOST_BOOKINGS:  # it does not keep up
            self._names = set(EVERYTHING)
        if self._names or self._counters_differ() or self._banner_differs():
            self._wake.set()

    def end(self) -> None:
        """Let its page connect again, if it still may."""
        self._is_over = True
        self._wake.set()

    async def messages(self) -> AsyncIterator[ServerSentEventMessage]:
        """What to send, until the stream ends."""
        yield ServerSentEventMessage(data=None, comment="welcome")
        while not self._is_over:
            try:
                await asyncio.wait_for(self._wake.wait(), KEEP_ALIVE)
            except TimeoutError:
                yield ServerSentEventMessage(data=None, event="beat", comment="still here")
                continue
            self._wake.clear()
            for message in self._take():
                yield message

    def _take(self) -> list[ServerSentEventMessage]:
        latest = self._latest
        if latest is None:
            return []
        html = latest.counters if self._counters_differ() else ""
        html += latest.banner(self._user, self._csrf) if self._banner_differs() else ""
        messages = [ServerSentEventMessage(data=html)] if html else []
        messages += [
            ServerSentEventMessage(event=name, data=latest.name) for name in sorted(self._names)
        ]
        messages.append(ServerSentEventMessage(data=None, event="beat", id=latest.name))
        self._told, self._names = latest, set()
        return messages

    def _counters_differ(self) -> bool:
        told, latest = self._told, self._latest
        return told is None or (latest is not None and told.frame.counted != latest.frame.counted)

    def _banner_differs(self) -> bool:
        told, latest = self._told, self._latest
        return told is None or (latest is not None and told.frame.state != latest.frame.state)


class Watcher:
    """Who listens in this process, and the task that looks for them."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._streams: set[Stream] = set()
        self._task: asyncio.Task[None] | None = None
        self._thread = ThreadPoolExecutor(1, "live")  # not the handlers': they may all be busy
        self._is_closed = False

    @contextmanager
    def listening(self, stream: Stream) -> Iterator[None]:
        """Within the block, `stream` is told what changes."""
        self._streams.add(stream)
        if self._is_closed:
            stream.end()
        elif self._task is None or self._task.done():
            self._task = asyncio.create_task(self._watch())
        try:
            yield
        finally:
            self._streams.discard(stream)

    def close(self) -> None:
        """End all streams, and those to come: the server waits for each of them."""
        self._is_closed = True
        for stream in self._streams:
            stream.end()

    async def _watch(self) -> None:
        try:
            await self._look_until_nobody_listens()
        except SQLAlchemyError as error:
            _log.warning("the live view cannot read the database: %s", type(error).__name__)
        finally:
            for stream in self._streams:  # their pages say "reconnecting", which is true
                stream.end()

    async def _look_until_nobody_listens(self) -> None:
        before: Look | None = None
        checked_at = time.monotonic()
        while self._streams and not self._is_closed:
            latest = await self._in_thread(look)
            names = news(before, latest) if before else set()
            self._parts.begin(latest.name)
            for stream in self._streams:
                stream.tell(latest, names)
            before = latest
            if time.monotonic() - checked_at > CHECK_SESSIONS_EVERY:
                checked_at = time.monotonic()
                await self._end_those_logged_out()
            await asyncio.sleep(LOOK_EVERY)

    async def _end_those_logged_out(self) -> None:
        secrets = {stream.secret for stream in self._streams}
        ended = await self._in_thread(lambda session: _ended(session, secrets))
        for stream in self._streams:
            if stream.secret in ended:
                stream.end()

    async def _in_thread(self, call: Callable[[Session], T]) -> T:
        def work() -> T:
            with db.database().read() as session:
                return call(session)

        return await asyncio.get_running_loop().run_in_executor(self._thread, work)


@asynccontextmanager
async def lifespan(app: Litestar) -> AsyncIterator[None]:
    """The watcher of this process. A signal that ends the process ends its streams too."""
    app.state.parts = parts = Parts()
    app.state.live = watcher = Watcher(parts)
    loop = asyncio.get_running_loop()
    if threading.current_thread() is threading.main_thread():
        for number in (signal.SIGINT, signal.SIGTERM):
            _on_signal_too(number, lambda: loop.call_soon_threadsafe(watcher.close))
    yield
    watcher.close()


@get("/live", opt={"access": "viewer"}, include_in_schema=False)
async def live(
    request: PageRequest,
    since: FromQuery[float] = 0.0,
    shown: FromQuery[str] = "",
    last: Annotated[float | None, HeaderParameter(name="Last-Event-ID")] = None,
) -> ServerSentEvent:
    """The stream of a page that was made at the Unix time `since`, or has seen all up to `last`.

    `shown` is the state of its frame: it tells of what has no time, such as a worker that is gone.
    """
    stream = Stream(
        user=request.user,
        secret=cookies.session_secret(request) or "",
        csrf=csrf_token({"request": request}),
        since=since if last is None else last,
        shown=shown,
    )
    watcher: Watcher = request.app.state.live

    async def messages() -> AsyncIterator[ServerSentEventMessage]:
        with watcher.listening(stream):
            async for message in stream.messages():
                yield message

    return ServerSentEvent(messages(), headers={"Cache-Control": "no-store"})


def _newest(
    session: Session,
    row: tuple[Any, ...],
    at: InstrumentedAttribute[datetime],
    since: datetime,
    *conditions: ColumnElement[bool],
) -> list[Change]:
    statement = select(*row, at).where(at > since, *conditions).order_by(at.desc())
    return [Change._make(row) for row in session.execute(statement.limit(MOST_ROWS))]


def _newer(latest: Look, since: float) -> set[str]:
    """The events that tell of what is newer than `since`, a Unix time."""
    if since < latest.at - WINDOW.total_seconds():
        return set(EVERYTHING)
    return names_of(each for each in latest.changes if each.at.timestamp() > since - SLACK)


def _ended(session: Session, secrets: set[str]) -> set[str]:
    return {secret for secret in secrets if sessions.find(session, secret) is None}


def _part(frame: Frame, name: str, template: str, csrf: str = "", **context: Any) -> str:
    html = render(template, frame.shop, csrf, frame=frame, **context)
    return f'<hx-partial hx-target="#{name}" hx-swap="outerMorph">{html}</hx-partial>'


def _on_signal_too(number: int, call: Callable[[], object]) -> None:
    """Call `call` on this signal, and then whoever was called on it before."""
    before = signal.getsignal(number)

    def handle(number: int, frame: FrameType | None) -> None:
        call()
        if callable(before):
            before(number, frame)

    signal.signal(number, handle)


router = Router("/", route_handlers=[live], include_in_schema=False)
