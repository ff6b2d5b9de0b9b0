"""The figures of the queue, and who works on it: all from the database."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, ScalarSelect, func, select
from sqlalchemy.orm import Session, joinedload

from app import clock
from app.db import is_one_of
from app.messages import planned, quiet
from app.messages.eligibility import is_pending
from app.models.message import DailySent, Message, Worker
from app.models.plan import Plan

ALIVE_FOR = timedelta(seconds=60)
"""A worker that was not seen for longer counts as dead."""


@dataclass(frozen=True)
class Stats:
    """How many messages are in which state, in the API's words (design.md §4).

    `failed` counts also what no retry would help any more, until staff have dismissed it: what
    the dashboard calls failed is `failures.worth_retrying`.
    `delayed` counts what waits in the database, also what quiet hours that were set since will
    leave out: to tell those apart would read them all, once a second.
    """

    waiting: int
    active: int
    completed: int
    failed: int
    delayed: int


def stats(session: Session) -> Stats:
    """The counters now, in one statement while a worker works; none grows with history."""
    now = clock.now()
    is_open = Plan.next_at.is_not(None)
    to_come = select(func.coalesce(func.sum(Plan.to_come), 0)).where(is_open).scalar_subquery()
    is_checked = Message.check_at.is_not(None) & (Message.state == "uncertain")
    sent = select(func.coalesce(func.sum(DailySent.messages), 0)).scalar_subquery()
    figures = (
        _count(is_pending(), Message.due_at <= now),
        _count(is_pending()),
        _count(is_one_of(Message.state, "sending")),
        _count(is_checked),
        _count(is_one_of(Message.state, "failed"), Message.dismissed_at.is_(None)),
        sent,
        to_come,
        select(func.min(Plan.next_at)).where(is_open).scalar_subquery(),
    )
    row = session.execute(select(*figures)).one()
    waiting, pending, sending, checked, failed, completed, planned_ones, next_at = row
    overdue = _overdue(session, now) if next_at is not None and next_at <= now else 0
    return Stats(
        waiting=waiting + overdue,
        active=sending + checked,
        completed=completed,
        failed=failed,
        delayed=pending - waiting + planned_ones - overdue,
    )


@dataclass(frozen=True)
class Minute:
    """What left the queue in one minute."""

    starts_at: datetime
    sent: int
    failed: int


@dataclass(frozen=True)
class Lateness:
    """How many seconds after its time a message was sent, over the last hour; None if none was."""

    median: float | None
    p99: float | None


def per_minute(session: Session) -> list[Minute]:
    """The last 60 minutes, the oldest first."""
    first = clock.now().replace(second=0, microsecond=0) - timedelta(minutes=59)
    sent = select(Message.sent_at).where(is_one_of(Message.state, "sent"), Message.sent_at >= first)
    failed = select(Message.updated_at).where(
        is_one_of(Message.state, "failed"), Message.updated_at >= first
    )
    sent_in = Counter(_minute(first, at) for at in session.scalars(sent) if at)
    failed_in = Counter(_minute(first, at) for at in session.scalars(failed))
    return [
        Minute(first + timedelta(minutes=turn), sent_in[turn], failed_in[turn])
        for turn in range(60)
    ]


def lateness(session: Session) -> Lateness:
    """Of the messages sent in the last hour at their first attempt, the newest 2,000."""
    rows = session.execute(
        select(Message.sent_at, Message.due_at)
        .where(
            is_one_of(Message.state, "sent"),
            Message.sent_at > clock.now() - timedelta(hours=1),
            Message.attempts == 1,
        )
        .order_by(Message.sent_at.desc())
        .limit(2_000)
    )
    late = sorted(max(0.0, (row.sent_at - row.due_at).total_seconds()) for row in rows)
    if not late:
        return Lateness(None, None)
    return Lateness(late[len(late) // 2], late[min(len(late) - 1, int(len(late) * 0.99))])


def next_due(session: Session, limit: int) -> Sequence[Message]:
    """What goes out next, each with its booking."""
    nights = quiet.rule(session)
    stored = session.scalars(
        select(Message)
        .where(is_pending(), ~quiet.is_left_out(nights))
        .order_by(Message.due_at)
        .limit(limit)
        .options(joinedload(Message.booking))
    )
    due = [*stored, *planned.next_due(session, limit, nights)]
    return sorted(due, key=lambda message: message.due_at)[:limit]


def workers(session: Session) -> Sequence[Worker]:
    """Worker processes seen in the last minute, the oldest first."""
    now = clock.now()
    alive = Worker.seen_at > now - ALIVE_FOR, Worker.seen_at < now + clock.SKEW
    return session.scalars(select(Worker).where(*alive).order_by(Worker.started_at)).all()


def _overdue(session: Session, now: datetime) -> int:
    """How many reminders are due that no worker has made messages of."""
    return sum(len(reminders) for reminders in planned.overdue(session, now))


def _count(*conditions: ColumnElement[bool]) -> ScalarSelect[int]:
    return select(func.count()).select_from(Message).where(*conditions).scalar_subquery()


def _minute(first: datetime, at: datetime) -> int:
    return int((at - first).total_seconds() // 60)
