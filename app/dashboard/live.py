"""The live stream: every browser is told what changed, by server-sent events.

While anybody listens, one snapshot of the database a second finds what changed since the one
before, whoever changed it and however many listen; while nobody listens, none is taken. How a page
listens is written in `templates/_live.html`.
"""

import asyncio
import json
import logging
import signal
import threading
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property, partial
from types import FrameType
from typing import Annotated, Any, NamedTuple, TypeVar

from litestar import Litestar, Response, Router, get
from litestar.params import FromQuery, HeaderParameter
from litestar.response import ServerSentEvent
from litestar.response.sse import ServerSentEventMessage
from sqlalchemy import ColumnElement, func, literal, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import InstrumentedAttribute, Session

from app import db
from app.dashboard.frame import Frame, frame
from app.dashboard.shell import PageRequest, page
from app.dashboard.templating import page_version, render
from app.messages import planned, statistics
from app.messages.eligibility import is_pending
from app.models.booking import Booking
from app.models.conversation import Reply
from app.models.message import Message
from app.staff import sessions
from app.staff.sessions import SignedIn
from app.web import cookies
from app.web.rendered_once import Parts

SNAPSHOT_EVERY = 1.0  # seconds, as all of these
KEEP_ALIVE = 15.0
WINDOW = timedelta(seconds=15)
"""How far back a snapshot reaches: so late may a row be committed, or another host's clock be."""
SLACK = 2.0
"""How much older than its own time a page may be (`static/js/live.js` says the same)."""
AHEAD = 60.0
"""How much newer a page may be than our clock says, when another host made it."""

RETRY_AFTER = 1_000
"""Milliseconds until a browser whose stream broke connects again."""

MOST_ROWS = 2_000
MOST_BOOKINGS = 200
"""So many are named at once; of more, a page is told that it missed something."""
EVERYTHING = ("missed", "board", "failed", "queue")

_OF_REPLY = (func.coalesce(Reply.booking_id, ""), Reply.sid, literal("reply"))

T = TypeVar("T")

_log = logging.getLogger(__name__)


class ChangedRow(NamedTuple):
    """A booking's row, or one of its messages or replies, as a snapshot found it."""

    booking_id: str
    message_id: str | None
    state: str
    at: datetime


@dataclass(frozen=True)
class Snapshot:
    """The database at one moment: what surrounds each page, and what changed lately."""

    frame: Frame
    workers: tuple[str, ...]
    changes: frozenset[ChangedRow]

    @property
    def at(self) -> float:
        """When it was, as a Unix time."""
        return self.frame.now.timestamp()

    @property
    def name(self) -> str:
        """The name by which a page knows it."""
        return f"{self.at:.3f}"

    @cached_property
    def counted(self) -> dict[str, str]:
        """The day ahead and the badges by their ids, to take the place of those on the page."""
        names = ("ahead", "failed-badge", "replies-badge", "waiting-badge")
        return {name: self._render(f"_{name.replace('-', '_')}.html") for name in names}

    @cached_property
    def today(self) -> dict[str, str]:
        """The clock and the date."""
        return {"today-is": self._render("_today_is.html")}

    def banner(self, user: SignedIn) -> dict[str, str]:
        """The banner, as `user` sees it."""
        return {"banner": self._render("_banner.html", user=user)}

    def _render(self, template: str, **context: Any) -> str:
        return render(template, self.frame.shop, frame=self.frame, **context)


def take_snapshot(session: Session) -> Snapshot:
    """The database as it is now; what became due counts as changed, also if no worker sees it."""
    around = frame(session)
    since = around.now - WINDOW
    due = is_pending() & (Message.due_at <= around.now)
    row = (Message.booking_id, Message.id, Message.state)
    changes = [
        *_newest(session, row, Message.updated_at, since),
        *_newest(session, row, Message.due_at, since, due),
        *_overdue(session, around, since),
        *_newest(session, (Booking.id, literal(None), Booking.status), Booking.updated_at, since),
        *_newest(session, _OF_REPLY, Reply.updated_at, since),
    ]
    workers = tuple(worker.id for worker in statistics.workers(session))
    return Snapshot(around, workers, frozenset(changes))


def names_of(changes: Iterable[ChangedRow]) -> set[str]:
    """The events that announce these changes."""
    changes = list(changes)
    if not changes:
        return set()
    names = {f"booking-{change.booking_id}" for change in changes}
    if len(names) > MOST_BOOKINGS:
        names = {"missed"}
    if any(change.state == "failed" or change.message_id is None for change in changes):
        names.add("failed")
    return names | {"board", "queue"}


def news(before: Snapshot, after: Snapshot) -> set[str]:
    """The events that announce what is new since the snapshot before."""
    names = names_of(after.changes - before.changes)
    was, is_now = before.frame.stats, after.frame.stats
    if was.failed != is_now.failed:
        names.add("failed")
    is_later = before.at // KEEP_ALIVE != after.at // KEEP_ALIVE  # "seen 3 seconds ago"
    if before.frame.state != after.frame.state:  # the board says what is sent next
        names |= {"board", "queue"}
    is_other = before.workers != after.workers
    return names | {"queue"} if was != is_now or is_other or is_later else names


class Stream:
    """One browser that listens. What it has not taken yet is a set of names, so it cannot grow."""

    def __init__(self, user: SignedIn, secret: str, since: float) -> None:
        self.secret = secret
        self._user, self._seen, self._since = user, user, since
        self._names: set[str] = set()
        self._latest: Snapshot | None = None
        self._told: Snapshot | None = None
        self._told_role = ""
        self._wake = asyncio.Event()
        self._is_over = False

    def tell(self, latest: Snapshot, names: set[str], user: SignedIn) -> None:
        """Pass on what is new; the first time, what is newer than the page.

        Of the user it is what the look before has seen: pages that are asked for at once would
        come from what was known of them until then (`kept.FOR`), and stay so.
        """
        if self._latest is None:
            names = _newer(latest, self._since)
        self._latest, self._user, self._seen = latest, self._seen, user
        self._names |= names
        if len(self._names) > 2 * MOST_BOOKINGS:  # it does not keep up
            self._names = set(EVERYTHING)
        if self._names or self._parts():
            self._wake.set()

    def end(self) -> None:
        """Let its browser connect again, if it still may."""
        self._is_over = True
        self._wake.set()

    async def messages(self) -> AsyncIterator[ServerSentEventMessage]:
        """What to send, until the stream ends."""
        yield ServerSentEventMessage(data=None, comment="welcome", retry=RETRY_AFTER)
        while not self._is_over:
            try:
                await asyncio.wait_for(self._wake.wait(), KEEP_ALIVE)
            except TimeoutError:
                yield ServerSentEventMessage(data="{}")
                continue
            self._wake.clear()
            if self._latest is not None and not self._is_over:
                yield self._take(self._latest)

    def _take(self, latest: Snapshot) -> ServerSentEventMessage:
        message = {
            "snapshot": latest.name,
            "events": sorted(self._names),
            "parts": self._parts(),
            "shown": latest.frame.state,
            "calendar": latest.frame.calendar,
            "role": self._user.role,
            "version": page_version(),
        }
        self._told, self._told_role, self._names = latest, self._user.role, set()
        return ServerSentEventMessage(data=json.dumps(message), id=latest.name)

    def _parts(self) -> dict[str, str]:
        """The HTML of what differs from what was told, by the id of the element it replaces."""
        was, latest = self._told, self._latest
        if latest is None:
            return {}
        parts: dict[str, str] = {}
        if was is None or was.frame.counted != latest.frame.counted:
            parts |= latest.counted
        if was is None or was.frame.calendar != latest.frame.calendar:
            parts |= latest.today
        is_other_role = self._told_role != self._user.role
        if was is None or was.frame.state != latest.frame.state or is_other_role:
            parts |= latest.banner(self._user)
        return parts


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
            await self._watch_until_nobody_listens()
        except SQLAlchemyError as error:
            _log.warning("the live view cannot read the database: %s", type(error).__name__)
        finally:
            for stream in self._streams:  # their pages say "reconnecting", which is true
                stream.end()

    async def _watch_until_nobody_listens(self) -> None:
        before: Snapshot | None = None
        while self._streams and not self._is_closed:
            streams = set(self._streams)
            secrets = {stream.secret for stream in streams}
            latest, users = await self._in_thread(partial(_snapshot_for, secrets))
            names = news(before, latest) if before else set()
            self._parts.begin(latest.name)
            for stream in streams:
                if user := users.get(stream.secret):
                    stream.tell(latest, names, user)
                else:  # logged out, or disabled
                    stream.end()
            before = latest
            await asyncio.sleep(SNAPSHOT_EVERY)

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
    last: Annotated[float | None, HeaderParameter(name="Last-Event-ID")] = None,
) -> ServerSentEvent:
    """The stream of a page that was made at the Unix time `since`, or has seen all up to `last`."""
    stream = Stream(
        user=request.user,
        secret=cookies.session_secret(request) or "",
        since=since if last is None else last,
    )
    watcher: Watcher = request.app.state.live

    async def messages() -> AsyncIterator[ServerSentEventMessage]:
        with watcher.listening(stream):
            async for message in stream.messages():
                yield message

    return ServerSentEvent(messages(), headers={"Cache-Control": "no-store"})


@get("/navigation", opt={"access": "viewer"}, include_in_schema=False, sync_to_thread=True)
def navigation(request: PageRequest, path: FromQuery[str] = "/today") -> Response[str]:
    """The navigation and the menu around the page `path`, for a user whose role has changed."""
    return page(request, "_navigation.html", "_navigation.html", path=path)


def _snapshot_for(secrets: set[str], session: Session) -> tuple[Snapshot, dict[str, SignedIn]]:
    """What is new, and whose sessions are still open, by their secrets."""
    return take_snapshot(session), sessions.find_all(session, secrets)


def _newest(
    session: Session,
    row: tuple[Any, ...],
    at: InstrumentedAttribute[datetime],
    since: datetime,
    *conditions: ColumnElement[bool],
) -> list[ChangedRow]:
    statement = select(*row, at).where(at > since, *conditions).order_by(at.desc())
    return [ChangedRow._make(row) for row in session.execute(statement.limit(MOST_ROWS))]


def _overdue(session: Session, around: Frame, since: datetime) -> list[ChangedRow]:
    """What became due of plans while no worker makes messages of it."""
    if not around.stats.waiting:
        return []
    return [
        ChangedRow(each.booking_id, each.id, each.state, each.due_at)
        for reminders in planned.overdue(session, around.now)
        for each in reminders
        if each.due_at > since
    ]


def _newer(latest: Snapshot, since: float) -> set[str]:
    """The events that announce what is newer than `since`, a Unix time."""
    if not latest.at - WINDOW.total_seconds() <= since <= latest.at + AHEAD:  # nan is neither
        return set(EVERYTHING)
    return names_of(each for each in latest.changes if each.at.timestamp() > since - SLACK)


def _on_signal_too(number: int, call: Callable[[], object]) -> None:
    """Call `call` on this signal, and then whoever was called on it before."""
    before = signal.getsignal(number)

    def handle(number: int, frame: FrameType | None) -> None:
        call()
        if callable(before):
            before(number, frame)

    signal.signal(number, handle)


router = Router("/", route_handlers=[live, navigation], include_in_schema=False)
