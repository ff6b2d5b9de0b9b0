"""Owners are told when nothing goes out, or soon will not: once, and once more when it is over.

Every web and worker process looks (`app.messages.watch`). What each finds is a row, and which of
them tells is decided by compare-and-set, so several tell once.
"""

import socket
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from sqlalchemy import ColumnElement, delete, select
from sqlalchemy.orm import Session

from app import clock, outbox
from app.db import Database
from app.kept import Kept
from app.mail import service as mail
from app.messages import gate, health, statistics
from app.models.alarm import Alarm
from app.models.staff import User
from app.rows import add_new, set_if
from app.settings import settings
from app.shop.service import shop, time_zone

FORGOTTEN = timedelta(hours=1)
"""A pause that lasts longer may have been forgotten."""
LATE = timedelta(minutes=10)
CALM = timedelta(minutes=2)
"""For so long it must have been well until it counts as over: what comes and goes is told once."""
PATIENCE = {"no_worker": timedelta(minutes=2)}
"""How long it may last before anybody is told: a worker may be starting again."""
_HOST_KEPT = timedelta(days=1)
"""A host that has not been heard of for so long is gone, and its disk with it."""

ALARMING = {
    "stopped": ("Sending has stopped", "Sending goes on again"),
    "paused": ("Sending is still paused", "Sending was resumed"),
    "budget": ("This month’s messages are used up", "This month’s budget has room again"),
    "no_worker": ("No worker is running", "A worker is running again"),
    "disk": ("A disk is nearly full", "The disk has room again"),
    "backlog": ("Messages are late", "No message is late any more"),
}
"""What owners read of each kind, and what they read when it is over."""
_NOTED_BY_ITSELF = {"stopped", "paused"}
"""Kinds of which `gate` tells other programs."""


class Wrong(NamedTuple):
    """Something that owners are told of; `host` if it is of one host alone."""

    kind: str
    words: str
    host: str = ""

    @property
    def title(self) -> str:
        """What it is, as a heading."""
        return ALARMING[self.kind][0]


def look(database: Database) -> Sequence[Wrong]:
    """One look; returns what is wrong now. While all is well, it writes nothing."""
    with database.read() as session:
        found = list(wrong(session))
        if not found and session.scalar(select(Alarm.kind).limit(1)) is None:
            return found
    with database.write() as session:
        _settle(session, found)
    return found


def wrong(session: Session) -> Iterator[Wrong]:
    """What is wrong, as the database and this host's disks say it."""
    sending, now = gate.state(session), clock.now()
    state, why = health.sending_of(session, sending)
    is_forgotten = sending.paused_at is not None and now - sending.paused_at >= FORGOTTEN
    if state in ("stopped", "budget") or (state == "paused" and is_forgotten):
        yield Wrong(state, why)
    worker = health.worker(session, settings().state_dir)
    if worker != "ok":
        yield Wrong("no_worker", health.WORDS["worker"][worker])
    elif state in ("ok", "limited", "budget"):  # of all else they are told, or it is wanted
        yield from _backlog(session, why)
    disk = health.disk(settings())
    if disk != "ok":
        yield Wrong("disk", health.WORDS["disk"][disk], _host())


def shown(session: Session) -> Sequence[Wrong]:
    """Those that no other banner of the pages says."""
    return _SHOWN.of(session, None)


def _backlog(session: Session, why: str) -> Iterator[Wrong]:
    late = timedelta(seconds=statistics.stats(session).oldest_due_seconds)
    if late > LATE:
        words = "A message has been due for more than ten minutes and has not gone out."
        yield Wrong("backlog", f"{words} {why}".strip())


def _settle(session: Session, found: Sequence[Wrong]) -> None:
    """Note what is wrong and what is well again, and tell of it where it is time."""
    now = clock.now()
    rows = {(row.kind, row.host): row for row in session.scalars(select(Alarm))}
    for each in found:
        _go_on(session, rows.pop((each.kind, each.host), None), each, now)
    for row in rows.values():
        if row.host in ("", _host()):
            _calm_down(session, row, now)
        elif row.seen_at < now - _HOST_KEPT:
            session.execute(delete(Alarm).where(_is(row.kind, row.host)))


def _go_on(session: Session, row: Alarm | None, found: Wrong, now: datetime) -> None:
    """It is wrong, as it may have been before."""
    is_it = _is(found.kind, found.host)
    if row is None:
        values = {**found._asdict(), "shop_id": outbox.SHOP, "began_at": now, "seen_at": now}
        if not add_new(session, Alarm, **values):
            return
    else:
        set_if(session, Alarm, is_it, seen_at=now, fine_since=None)
    began_at = row.began_at if row else now
    is_untold = row is None or row.told_at is None
    if is_untold and now - began_at >= PATIENCE.get(found.kind, timedelta(0)):
        changes = {"told_at": now, "words": found.words}
        if set_if(session, Alarm, is_it, Alarm.told_at.is_(None), **changes):
            _tell(session, found, began_at)


def _calm_down(session: Session, row: Alarm, now: datetime) -> None:
    """It is not wrong now: over, once it has been so for CALM, or at once if nobody was told."""
    is_it = _is(row.kind, row.host)
    if row.told_at is not None and row.fine_since is None:
        set_if(session, Alarm, is_it, Alarm.fine_since.is_(None), fine_since=now)
    elif row.told_at is None or (row.fine_since and now - row.fine_since >= CALM):
        is_as_read = Alarm.fine_since.is_not_distinct_from(row.fine_since)
        ended = delete(Alarm).where(is_it, is_as_read).returning(Alarm.told_at)
        if session.scalar(ended) is not None:
            _tell_over(session, Wrong(row.kind, row.words, row.host), row.began_at)


def _tell(session: Session, what: Wrong, began_at: datetime) -> None:
    host = f"On {what.host}: " if what.host else ""
    _write(session, what.title, f"{host}{what.words}", f"Since {_when(session, began_at)}.")
    if what.kind not in _NOTED_BY_ITSELF:
        outbox.note(session, "sending.stopped", alarm=(what.kind, what.words))


def _tell_over(session: Session, what: Wrong, began_at: datetime) -> None:
    _, title = ALARMING[what.kind]
    _write(session, title, f"It is over: “{what.title}”, since {_when(session, began_at)}.")
    if what.kind not in _NOTED_BY_ITSELF:
        outbox.note(session, "sending.resumed")


def _write(session: Session, title: str, *lines: str) -> None:
    text = "\n\n".join([*lines, f"{settings().public_url}/queue"])
    is_owner = (User.role == "owner") & User.disabled_at.is_(None)
    for email in session.scalars(select(User.email).where(is_owner)):
        mail.send(session, email, f"{shop(session).name}: {title}", f"{title}.\n\n{text}")


def _when(session: Session, at: datetime) -> str:
    return f"{at.astimezone(time_zone(shop(session))):%Y-%m-%d %H:%M}"


def _is(kind: str, host: str) -> ColumnElement[bool]:
    return (Alarm.shop_id == outbox.SHOP) & (Alarm.kind == kind) & (Alarm.host == host)


def _host() -> str:
    return socket.gethostname()[:100]


def _read_shown(session: Session, _: None) -> tuple[Wrong, ...]:
    is_seen = Alarm.told_at.is_not(None) & Alarm.fine_since.is_(None)
    rows = session.scalars(
        select(Alarm).where(is_seen, Alarm.kind.in_(("disk", "backlog"))).order_by(Alarm.kind)
    )
    return tuple(Wrong(row.kind, row.words, row.host) for row in rows)


_SHOWN = Kept(_read_shown, Alarm)
