"""The live stream: what it tells, to whom, how often it snapshots, and when it ends."""

import asyncio
import json
from collections.abc import Callable, Coroutine
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy.exc import OperationalError

import app.db
from app import kept
from app.bookings import service
from app.conversations import service as conversations
from app.dashboard import live, templating
from app.dashboard.live import EVERYTHING, Snapshot, Stream, Watcher, names_of, news
from app.db import Database
from app.messages import gate
from app.messages.lifecycle import claims
from app.models.message import Worker
from app.models.staff import User
from app.staff import sessions
from app.staff.sessions import SignedIn
from app.web.rendered_once import Parts
from tests import factories
from tests.integration.conftest import Client
from tests.support.frozen import FrozenClock
from tests.support.lifecycle import book, cancel, materialize_due, message, move
from tests.support.staff import add_user, sign_in
from tests.support.statements import counted

pytestmark = pytest.mark.usefixtures("valkey")

Work = Callable[[Watcher], Coroutine[Any, Any, Any]]


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """What takes seconds takes hundredths."""
    monkeypatch.setattr(live, "SNAPSHOT_EVERY", 0.02)


@pytest.fixture
def snapshots(monkeypatch: pytest.MonkeyPatch, quick: None) -> list[Snapshot]:
    """The snapshots of the database so far."""
    taken: list[Snapshot] = []
    take = live.take_snapshot

    def noted(session: Any) -> Snapshot:
        taken.append(take(session))
        return taken[-1]

    monkeypatch.setattr(live, "take_snapshot", noted)
    return taken


def snapshot(db: Database) -> Snapshot:
    with db.read() as session:
        return live.take_snapshot(session)


def told(db: Database, act: Callable[[], object]) -> set[str]:
    """The events of what happens in `act`."""
    before = snapshot(db)
    act()
    return news(before, snapshot(db))


def stream_of(
    user: User | None = None, secret: str | None = None, since: float | None = None
) -> Stream:
    """The stream of a page of `user`, else of a new viewer, with a session of theirs."""
    database = app.db.database()
    user = user or add_user(database, "viewer")
    with database.write() as session:
        secret = secret or sessions.start(session, user)
        who = sessions.find(session, secret)
    assert who is not None
    return Stream(who, secret, since or factories.clock.now().timestamp())


def listen(work: Work) -> Any:
    """Run `work` with a watcher, as the web process would."""

    async def run() -> Any:
        watcher = Watcher(Parts())
        try:
            return await asyncio.wait_for(work(watcher), 20)
        finally:
            watcher.close()

    return asyncio.run(run())


async def take(stream: Stream, count: int = 1) -> dict[str, Any]:
    """The last of the next `count` things that the stream says, or all until it ends."""
    said: dict[str, Any] = {}
    async for each in stream.messages():
        if each.id is not None:
            said = {**json.loads(str(each.data)), "id": each.id}
            count -= 1
        if not count:
            break
    return said


def events(said: dict[str, Any]) -> list[str]:
    return list(said["events"])


def html(said: dict[str, Any]) -> str:
    return "".join(said["parts"].values())


def test_a_new_booking_is_told_to_the_board_and_to_its_own_page(
    shop: Database, clock: FrozenClock
) -> None:
    made: list[str] = []
    names = told(shop, lambda: made.append(book(shop)))
    assert names == {f"booking-{made[0]}", "board", "queue", "failed"}


def test_a_message_that_changes_is_told_to_its_booking_alone(
    shop: Database, clock: FrozenClock
) -> None:
    booking_id, _other = book(shop), book(shop, customer_phone=factories.phone())
    clock.move(hours=2)
    materialize_due()
    job_id = f"{booking_id}-reminder-1"

    def claim() -> None:
        with shop.write() as session:
            assert claims.claim(session, job_id)

    snapshot(shop)
    names = told(shop, claim)
    assert {name for name in names if name.startswith("booking-")} == {f"booking-{booking_id}"}
    assert message(shop, job_id).state == "sending"


@pytest.mark.parametrize("change", [move, cancel])
def test_a_booking_that_is_moved_or_cancelled_is_told(
    shop: Database, clock: FrozenClock, change: Callable[..., None]
) -> None:
    booking_id = book(shop)
    clock.move(minutes=5)
    more = (12,) if change is move else ()
    names = told(shop, lambda: change(shop, booking_id, *more))
    assert {f"booking-{booking_id}", "board"} <= names


def test_a_message_that_becomes_due_is_told_though_nobody_touched_it(
    shop: Database, clock: FrozenClock
) -> None:
    booking_id = book(shop)
    clock.move(hours=1, minutes=59, seconds=58)
    names = told(shop, lambda: clock.move(seconds=3))
    assert {f"booking-{booking_id}", "board", "queue"} <= names


def test_nothing_is_told_twice_and_nothing_when_nothing_happened(
    shop: Database, clock: FrozenClock
) -> None:
    book(shop)
    before = snapshot(shop)
    clock.move(seconds=1)
    assert news(before, snapshot(shop)) == set()


def test_what_another_host_committed_late_or_with_a_slow_clock_is_told_all_the_same(
    shop: Database, clock: FrozenClock
) -> None:
    booking_id = book(shop)
    clock.move(minutes=1)
    before = snapshot(shop)
    clock.move(seconds=-9)
    with shop.write() as session:
        service.change(session, booking_id, {"customer_name": "Ben"}, "system")
    clock.move(seconds=10)
    assert f"booking-{booking_id}" in news(before, snapshot(shop))


def test_a_failure_and_its_retry_are_told_to_the_failed_page(
    shop: Database, clock: FrozenClock
) -> None:
    with shop.write() as session:
        job_id = factories.message(session, factories.booking(session)).id
    clock.move(minutes=1)

    def set_state(state: str, reason: str | None) -> None:
        with shop.write() as session:
            row = session.get_one(factories.Message, job_id)
            row.state, row.reason, row.updated_at = state, reason, clock.now()

    assert "failed" in told(shop, lambda: set_state("failed", "refused"))
    clock.move(minutes=1)
    assert "failed" in told(shop, lambda: set_state("pending", None))


def test_pausing_and_a_worker_that_comes_or_dies_are_told_to_the_queue_page(
    shop: Database, clock: FrozenClock
) -> None:
    def pause() -> None:
        with shop.write() as session:
            gate.pause(session, "system")

    def start_worker() -> None:
        now = clock.now()
        with shop.write() as session:
            session.add(Worker(id="w", host="a", pid=1, threads=1, started_at=now, seen_at=now))

    assert told(shop, pause) == {"queue", "board"}
    assert told(shop, start_worker) == {"queue", "board"}
    assert "queue" in told(shop, lambda: clock.move(seconds=61))


def test_of_too_many_changes_a_page_is_told_only_that_it_missed_them(
    shop: Database, clock: FrozenClock
) -> None:
    changes = [
        live.ChangedRow(f"booking_{number}", None, "confirmed", clock.now())
        for number in range(live.MOST_BOOKINGS + 1)
    ]
    assert names_of(changes) == set(EVERYTHING)
    assert len(names_of(changes[:-1])) == live.MOST_BOOKINGS + 3


def test_a_snapshot_takes_the_same_number_of_statements_however_much_changed(
    shop: Database, clock: FrozenClock
) -> None:
    book(shop)
    snapshot(shop)  # it reads what is kept
    with counted(shop) as few:
        snapshot(shop)
    for _ in range(12):
        book(shop, customer_phone=factories.phone())
    with counted(shop) as many:
        snapshot(shop)
    assert len(few) == len(many) <= 15


def test_a_page_is_told_at_once_what_happened_since_it_was_made(
    shop: Database, clock: FrozenClock, quick: None
) -> None:
    made_at = clock.now().timestamp()
    clock.move(seconds=5)
    booking_id = book(shop)

    async def work(watcher: Watcher) -> None:
        stream = stream_of(since=made_at)
        with watcher.listening(stream):
            said = await take(stream)
        assert f"booking-{booking_id}" in events(said)
        assert "today, next" in html(said)
        assert set(said["parts"]) == {
            "ahead",
            "failed-badge",
            "replies-badge",
            "waiting-badge",
            "banner",
            "today-is",
        }
        assert said["id"] == said["snapshot"] == f"{clock.now().timestamp():.3f}"

    listen(work)


def test_a_reply_and_its_being_looked_after_are_told_to_the_board_and_to_the_badge(
    shop: Database, clock: FrozenClock, quick: None
) -> None:
    async def work(watcher: Watcher) -> None:
        stream = stream_of()
        with watcher.listening(stream):
            await take(stream)
            with shop.write() as session:
                sid = factories.reply(session).sid
            said = await take(stream)
            assert "board" in events(said)
            assert '1<span class="visually-hidden"> reply</span>' in html(said)
            with shop.write() as session:
                conversations.mark_handled(session, sid, "user:1")
            assert '<span id="replies-badge" >' in html(await take(stream))

    listen(work)


def test_a_page_is_told_the_state_of_its_frame_so_that_it_sees_a_worker_that_went_before(
    shop: Database, clock: FrozenClock, quick: None
) -> None:
    shown = snapshot(shop).frame.state
    now = clock.now()
    with shop.write() as session:
        session.add(Worker(id="w", host="a", pid=1, threads=1, started_at=now, seen_at=now))

    async def work(watcher: Watcher) -> None:
        stream = stream_of()
        with watcher.listening(stream):
            assert (await take(stream))["shown"] == snapshot(shop).frame.state != shown

    listen(work)


def test_a_page_that_slept_is_told_to_fetch_everything_again(
    shop: Database, clock: FrozenClock, quick: None
) -> None:
    async def work(watcher: Watcher) -> None:
        stream = stream_of(since=clock.now().timestamp() - 3600)
        with watcher.listening(stream):
            assert set(events(await take(stream))) == set(EVERYTHING)

    listen(work)


def test_only_what_changed_is_sent(shop: Database, clock: FrozenClock, quick: None) -> None:
    async def work(watcher: Watcher) -> None:
        stream = stream_of()
        with watcher.listening(stream):
            await take(stream)
            with shop.write() as session:
                gate.pause(session, "system")
            said = await take(stream)
        assert "Sending is paused" in html(said)
        assert set(said["parts"]) == {"banner"}
        assert events(said) == ["board", "queue"]

    listen(work)


def test_the_database_is_looked_at_once_for_all_who_listen_and_not_at_all_for_nobody(
    shop: Database, clock: FrozenClock, snapshots: list[Snapshot]
) -> None:
    async def work(watcher: Watcher) -> None:
        streams = [stream_of() for _ in range(20)]
        with ExitStack() as stack:
            for stream in streams:
                stack.enter_context(watcher.listening(stream))
            await asyncio.gather(*(take(stream) for stream in streams))
            assert len(snapshots) <= 3
        await asyncio.sleep(0.2)
        seen = len(snapshots)
        await asyncio.sleep(0.2)
        assert len(snapshots) == seen
        late = stream_of()
        with watcher.listening(late):
            await take(late)
        assert len(snapshots) > seen

    listen(work)


def test_what_a_page_that_does_not_read_is_kept_for_does_not_grow(
    shop: Database, clock: FrozenClock
) -> None:
    async def work(_: Watcher) -> None:
        stream, latest = stream_of(), snapshot(shop)
        who = SignedIn("user_1", "Ann Lee", "viewer", "session", clock.now())
        for number in range(5000):
            stream.tell(latest, {f"booking-{number}", "board"}, who)
        told = events(await take(stream))
        assert "missed" in told
        assert len(told) <= 2 * live.MOST_BOOKINGS

    listen(work)


def test_a_stream_ends_when_its_session_does_or_its_user_is_disabled(
    shop: Database, clock: FrozenClock, quick: None
) -> None:
    users = [add_user(shop, "staff") for _ in range(3)]
    with shop.write() as session:
        secrets = [sessions.start(session, user) for user in users]

    async def work(watcher: Watcher) -> None:
        streams = [stream_of(secret=secret) for secret in secrets]
        ends = [asyncio.create_task(take(stream, -1)) for stream in streams]
        with ExitStack() as stack:
            for stream in streams:
                stack.enter_context(watcher.listening(stream))
            await asyncio.sleep(0.3)
            assert not any(task.done() for task in ends)
            with shop.write() as session:
                sessions.end(session, secrets[0])
                session.get_one(User, users[1].id).disabled_at = clock.now()
            await asyncio.wait_for(asyncio.gather(*ends[:2]), 5)
            assert not ends[2].done()
            ends[2].cancel()

    listen(work)


def test_a_role_that_changed_is_told_with_the_banner_that_it_sees(
    shop: Database, clock: FrozenClock, quick: None
) -> None:
    user = add_user(shop, "staff")
    with shop.write() as session:
        gate.pause(session, "system")

    async def work(watcher: Watcher) -> None:
        stream = stream_of(user)
        with watcher.listening(stream):
            assert (await take(stream))["role"] == "staff"
            with shop.write() as session:
                session.get_one(User, user.id).role = "owner"
            said = await take(stream)
        assert said["role"] == "owner"
        assert "Resume sending" in html(said)

    listen(work)


def test_a_role_is_told_once_every_process_knows_it(shop: Database, clock: FrozenClock) -> None:
    """A page that asks when it is told must not be answered by what was known before."""
    assert live.SNAPSHOT_EVERY > kept.FOR

    async def work(_: Watcher) -> None:
        user = add_user(shop, "staff")
        stream, latest = stream_of(user), snapshot(shop)
        seen = [SignedIn(user.id, user.name, role, "session", clock.now()) for role in ROLES_SEEN]
        said = []
        for each in seen:
            stream.tell(latest, {"board"}, each)
            said.append((await take(stream))["role"])
        assert said == ["staff", "staff", "owner"]

    listen(work)


ROLES_SEEN = ("staff", "owner", "owner")
"""In the database, by one look after the other."""


def test_over_midnight_and_on_another_clock_every_page_is_told(
    shop: Database, clock: FrozenClock, quick: None
) -> None:
    def set_zone(name: str) -> None:
        with shop.write() as session:
            factories.shop(session, time_zone=name)

    set_zone("Europe/Berlin")
    clock.set(datetime(2026, 11, 23, 22, 59, 59, tzinfo=UTC))
    stream = stream_of()

    async def work(watcher: Watcher) -> None:
        with watcher.listening(stream):
            assert (await take(stream))["calendar"] == "2026-11-23 Europe/Berlin en-US"
            clock.move(seconds=2)
            said = await take(stream)
            assert said["calendar"] == "2026-11-24 Europe/Berlin en-US"
            assert "Tue, Nov 24" in said["parts"]["today-is"]
            set_zone("Africa/Lagos")  # the same hour in winter
            said = await take(stream)
            assert said["calendar"] == "2026-11-24 Africa/Lagos en-US"
            assert "Africa/Lagos" in said["parts"]["today-is"]

    listen(work)


def test_streams_end_when_the_process_is_to_end_and_so_do_those_that_come_later(
    shop: Database, clock: FrozenClock, quick: None
) -> None:
    async def work(watcher: Watcher) -> None:
        stream, late = stream_of(), stream_of()
        with watcher.listening(stream):
            task = asyncio.create_task(take(stream, -1))
            await asyncio.sleep(0.1)
            watcher.close()
            await asyncio.wait_for(task, 1)
        with watcher.listening(late):
            await asyncio.wait_for(take(late, -1), 1)

    listen(work)


def test_streams_end_when_the_database_goes_away_and_work_again_when_it_is_back(
    shop: Database, clock: FrozenClock, quick: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def work(watcher: Watcher) -> None:
        stream = stream_of()
        with monkeypatch.context() as broken, watcher.listening(stream):
            await take(stream)
            broken.setattr(live, "take_snapshot", _away)
            await asyncio.wait_for(take(stream, -1), 5)
        again = stream_of()
        with watcher.listening(again):
            assert "Nothing booked ahead" in html(await take(again))

    listen(work)


def _away(_: object) -> Snapshot:
    raise OperationalError("SELECT 1", {}, Exception("gone"))


def test_a_silent_stream_says_that_it_is_still_there(
    shop: Database, clock: FrozenClock, quick: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def work(watcher: Watcher) -> None:
        stream = stream_of()
        with watcher.listening(stream):
            await take(stream)
            monkeypatch.setattr(live, "KEEP_ALIVE", 0.05)
            said = stream.messages()
            await anext(said)
            beat = await anext(said)
        assert (beat.data, beat.event, beat.id) == ("{}", None, None)

    listen(work)


def test_the_banner_has_its_button_for_owners_only_and_names_are_escaped(
    shop: Database, clock: FrozenClock, quick: None
) -> None:
    owner = add_user(shop, name="<script>alert(1)</script>")
    with shop.write() as session:
        gate.pause(session, f"user:{owner.id}")

    async def work(watcher: Watcher) -> tuple[str, str]:
        streams = [stream_of(owner), stream_of()]
        said = []
        for stream in streams:
            with watcher.listening(stream):
                said.append(html(await take(stream)))
        return said[0], said[1]

    to_owner, to_viewer = listen(work)
    assert "Resume sending" in to_owner
    assert "Resume sending" not in to_viewer
    assert "<script>" not in to_owner + to_viewer
    assert "&lt;script&gt;" in to_viewer


def test_without_a_session_the_stream_is_a_401_that_a_script_understands(
    sqlite_api: Client, sqlite_db: Database
) -> None:
    answer = sqlite_api.get("/live", headers={"Accept": "text/event-stream"})
    assert answer.status_code == 401


@pytest.mark.parametrize("role", ["viewer", "staff", "owner"])
def test_everybody_who_is_signed_in_may_listen(
    sqlite_api: Client, sqlite_db: Database, role: str
) -> None:
    sign_in(sqlite_api, sqlite_db, role)
    sqlite_api.app.state.live.close()
    answer = sqlite_api.get("/live?since=0")
    assert answer.status_code == 200
    assert answer.headers["Content-Type"].startswith("text/event-stream")
    assert answer.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("since", ["nan", "inf", "-inf", "1e400", "x", ""])
def test_a_time_that_is_none_is_no_error_of_ours(
    sqlite_api: Client, sqlite_db: Database, since: str
) -> None:
    sign_in(sqlite_api, sqlite_db)
    sqlite_api.app.state.live.close()
    assert sqlite_api.get(f"/live?since={since}").status_code < 500


def test_each_page_opens_the_stream_with_the_time_it_was_made(
    sqlite_api: Client, sqlite_db: Database, clock: FrozenClock
) -> None:
    sign_in(sqlite_api, sqlite_db)
    text = sqlite_api.get("/queue").text
    assert f'data-since="{clock.now().timestamp()}"' in text
    assert f'data-shown="{snapshot(sqlite_db).frame.state}"' in text
    assert f"SLACK = {live.SLACK:.0f};" in (templating.ROOT / "static/js/live.js").read_text()
    assert timedelta(seconds=live.SLACK) < live.WINDOW
