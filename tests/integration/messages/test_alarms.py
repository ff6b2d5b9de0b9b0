"""Owners are told when nothing goes out: once, whoever sees it, and once more when it is over."""

import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import NamedTuple

import pytest
from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from app import clock as app_clock
from app.db import Database
from app.messages import alarms, gate, tick, watch
from app.models.alarm import Alarm
from app.models.mail import Mail
from app.models.message import DailySent, Message, Sending, Worker
from app.settings import settings
from tests import factories
from tests.conftest import Configure
from tests.integration.conftest import Client
from tests.support.frozen import FrozenClock
from tests.support.mailbox import Mailbox
from tests.support.pinged import Pinged

pytestmark = pytest.mark.usefixtures("clock", "valkey")

OWNERS = ["ann@example.com", "ola@example.com"]
WORKER = tick.Process("w")
ROOM = 10**12

Change = Callable[[Session], object]


class Disk(NamedTuple):
    free: int


@pytest.fixture
def told(shop: Database, configure: Configure) -> Database:
    """A shop whose worker lives, with two owners who can be told by mail, and others."""
    return with_owners(shop, configure)


@pytest.fixture
def sqlite_told(sqlite_shop: Database, configure: Configure) -> Database:
    """The same on SQLite alone."""
    return with_owners(sqlite_shop, configure)


def with_owners(db: Database, configure: Configure) -> Database:
    configure(SMTP_URL="smtp://127.0.0.1:9", MAIL_FROM="chairtime@example.com")
    with db.write() as session:
        for email in OWNERS:
            factories.user(session, email=email)
        factories.user(session, email="staff@example.com", role="staff")
        factories.user(session, email="gone@example.com", disabled_at=app_clock.now())
    tick.beat(WORKER)
    return db


def subjects(db: Database, recipient: str = OWNERS[0]) -> list[str]:
    """What an owner was told, without the shop's name."""
    mine = select(Mail.subject).where(Mail.recipient == recipient).order_by(Mail.id)
    with db.read() as session:
        return [subject.partition(": ")[2] for subject in session.scalars(mine)]


def look(db: Database, *, with_worker: bool = True) -> list[str]:
    """Look as a process does whose worker lives; returns the kinds of what is wrong."""
    if with_worker:
        tick.beat(WORKER)
    return [each.kind for each in alarms.look(db)]


def use_budget_up(session: Session) -> None:
    factories.shop(session, budget_per_month=5)
    session.add(DailySent(day=app_clock.now().date(), messages=5))


CHANGES: dict[str, tuple[Change, Change]] = {
    "stopped": (lambda session: gate.stop(session, "20003"), gate.go),
    "paused": (
        lambda session: gate.pause(session, "user:1"),
        lambda session: gate.resume(session, "user:1"),
    ),
    "budget": (use_budget_up, lambda session: factories.shop(session, budget_per_month=50)),
    "no_worker": (lambda session: session.execute(delete(Worker)), lambda _: None),
    "backlog": (
        lambda session: factories.message(session, factories.booking(session), "pending"),
        lambda session: session.execute(update(Message).values(due_at=app_clock.now())),
    ),
}
"""What makes each kind wrong, and right again."""


@pytest.mark.parametrize("kind", CHANGES)
def test_each_kind_is_told_once_and_once_more_when_it_is_over(
    kind: str, sqlite_told: Database, clock: FrozenClock
) -> None:
    title, over = alarms.ALARMING[kind]
    break_it, repair = CHANGES[kind]
    is_alive = kind != "no_worker"
    with sqlite_told.write() as session:
        break_it(session)
    look(sqlite_told, with_worker=is_alive)
    clock.move(minutes=61)  # a pause is long, a message late, a worker certainly gone
    for _ in range(3):
        assert look(sqlite_told, with_worker=is_alive) == [kind]
    assert subjects(sqlite_told) == [title]
    assert [subjects(sqlite_told, each) for each in OWNERS] == [[title], [title]]

    with sqlite_told.write() as session:
        repair(session)
    for seconds in (0, 60, 59):
        clock.move(seconds=seconds)
        if kind == "backlog":
            with sqlite_told.write() as session:
                repair(session)
        assert look(sqlite_told) == []
    assert subjects(sqlite_told) == [title]
    clock.move(seconds=1)
    look(sqlite_told)
    look(sqlite_told)
    assert subjects(sqlite_told) == [title, over]
    with sqlite_told.read() as session:
        assert session.scalars(select(Alarm)).all() == []
        assert session.scalars(select(Mail.recipient).distinct()).all() == OWNERS


def test_a_disk_is_of_its_host_and_is_shown_on_every_page(
    sqlite_told: Database, owner: Client, clock: FrozenClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    free, host = [1024], ["one"]
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Disk(free[0]))
    monkeypatch.setattr("socket.gethostname", lambda: host[0])
    assert look(sqlite_told) == ["disk"]
    free[0], host[0] = ROOM, "two"  # it has room, which says nothing of the other
    for _ in range(3):
        clock.move(minutes=3)
        assert look(sqlite_told) == []
    assert subjects(sqlite_told) == ["A disk is nearly full"]
    page = owner.get("/today").text
    assert "A disk is nearly full" in page
    assert "(one)" in page
    host[0] = "one"
    look(sqlite_told)
    clock.move(minutes=2)
    look(sqlite_told)
    assert subjects(sqlite_told) == ["A disk is nearly full", "The disk has room again"]
    assert "A disk is nearly full" not in owner.get("/today").text


def test_a_disk_of_a_host_that_is_gone_is_forgotten(
    sqlite_told: Database, clock: FrozenClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Disk(1024))
    look(sqlite_told)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Disk(ROOM))
    monkeypatch.setattr("socket.gethostname", lambda: "another")
    clock.move(hours=25)
    look(sqlite_told)
    with sqlite_told.read() as session:
        assert session.scalars(select(Alarm)).all() == []


def test_several_processes_that_look_at_once_tell_once(told: Database, clock: FrozenClock) -> None:
    with told.write() as session:
        gate.stop(session, "20003")
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: alarms.look(told), range(8)))
        with told.write() as session:
            gate.go(session)
        alarms.look(told)
        clock.move(minutes=2)
        tick.beat(WORKER)
        list(pool.map(lambda _: alarms.look(told), range(8)))
    assert subjects(told) == list(alarms.ALARMING["stopped"])


def test_what_comes_and_goes_is_told_once(sqlite_told: Database, clock: FrozenClock) -> None:
    for _ in range(5):
        with sqlite_told.write() as session:
            gate.stop(session, "20003")
        look(sqlite_told)
        with sqlite_told.write() as session:
            gate.go(session)
        clock.move(seconds=90)
        look(sqlite_told)
    assert subjects(sqlite_told) == ["Sending has stopped"]


def test_a_worker_that_starts_again_and_a_pause_of_half_an_hour_are_nobody_s_business(
    sqlite_told: Database, clock: FrozenClock
) -> None:
    with sqlite_told.write() as session:
        session.execute(delete(Worker))
        gate.pause(session, "user:1")
        factories.message(session, factories.booking(session), "pending")
    look(sqlite_told, with_worker=False)
    clock.move(seconds=100)
    look(sqlite_told)
    clock.move(minutes=30)
    assert look(sqlite_told) == []  # what is due waits for the pause, and nobody is surprised
    assert subjects(sqlite_told) == []


def test_while_no_worker_runs_the_web_app_tells_and_sends_the_mail(
    sqlite_told: Database, clock: FrozenClock, configure: Configure
) -> None:
    with Mailbox() as mailbox:
        configure(SMTP_URL=mailbox.url)
        for minutes in (2, 2):
            clock.move(minutes=minutes)
            watch.look_around()
    [mail, _] = mailbox.mails
    assert mail["Subject"] == "The barbershop: No worker is running"
    assert "No worker was seen in the last minute, so nothing is sent." in mail.get_content()
    assert "Since 2026-11-23 00:02." in mail.get_content()
    assert "/queue" in mail.get_content()


def test_a_ping_goes_out_once_a_minute_while_all_is_well_and_not_else(
    sqlite_told: Database, clock: FrozenClock, configure: Configure
) -> None:
    with Pinged() as pinged:
        with_queue = settings().redis_url
        configure(HEARTBEAT_URL=pinged.url)

        def pings(minutes: int) -> int:
            """In so many minutes, with two web apps that look three times in each."""
            before = pinged.times
            for _ in range(minutes * 3):
                clock.move(seconds=20)
                tick.beat(WORKER)
                watch.look_around()
                watch.look_around()
            return pinged.times - before

        assert pings(minutes=3) == 3
        with sqlite_told.write() as session:
            gate.stop(session, "20003")
        assert pings(minutes=2) == 0
        with sqlite_told.write() as session:
            gate.go(session)
        assert pings(minutes=2) == 2
        configure(REDIS_URL="unix:///tmp/nobody-listens-here.sock")
        assert pings(minutes=1) == 0
        configure(REDIS_URL=with_queue)
        pinged.status = 500  # whoever answers so is told again a minute later, and nothing fails
        assert pings(minutes=2) == 2


def test_sending_that_waits_for_a_limit_is_told_with_its_reason(
    sqlite_told: Database, clock: FrozenClock
) -> None:
    with sqlite_told.write() as session:
        until = app_clock.now() + timedelta(hours=6)
        session.execute(update(Sending).values(slow_until=until))
        factories.message(session, factories.booking(session), "pending")
    clock.move(minutes=11)
    tick.beat(WORKER)
    [wrong] = alarms.look(sqlite_told)
    assert wrong.kind == "backlog"
    assert "A limit of WhatsApp or Twilio holds all messages until 2026-11-23 06:00" in wrong.words
