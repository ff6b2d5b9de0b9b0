"""The figures of the queue, and who works on it: all from the database."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Integer,
    ScalarSelect,
    Select,
    bindparam,
    func,
    literal_column,
    select,
)
from sqlalchemy.orm import Session, joinedload

from app import clock
from app.db import Database, UtcDateTime
from app.kept import Kept
from app.messages import planned, quiet
from app.messages.eligibility import is_pending
from app.models.message import DailySent, Message, Worker
from app.models.plan import Plan
from app.sql import is_one_of

ALIVE_FOR = timedelta(seconds=60)
"""A worker that was not seen for longer counts as dead."""
_COUNTED_FOR = 0.1
"""Seconds for which the counters of one look are those of all who ask."""


@dataclass(frozen=True)
class Stats:
    """How many messages are in which state, in the API's words (design.md §4).

    `failed` counts also what no retry would help any more, until staff have dismissed it: what
    the dashboard calls failed is `failures.worth_retrying`.
    `delayed` counts what waits in the database, also what quiet hours that were set since will
    leave out: to tell those apart would read them all. `oldest_due_at` is of `waiting`.
    """

    waiting: int
    active: int
    completed: int
    failed: int
    delayed: int
    oldest_due_at: datetime | None = None

    @property
    def oldest_due_seconds(self) -> int:
        """How long the oldest of those that are due has been so; 0 if none is."""
        if self.oldest_due_at is None:
            return 0
        return max(0, int((clock.now() - self.oldest_due_at).total_seconds()))


def stats(session: Session) -> Stats:
    """The counters, as this process knows them or in one statement while a worker works.

    They equal the rows but for what other processes did in the last tenth of a second.
    """
    return STATS.of(session, None)


def known_stats(database: Database) -> Stats | None:
    """The same without a look into the database; None if it is time for one."""
    return STATS.known(database, None)


def _look(session: Session, _: None) -> Stats:
    now = clock.now()
    row = session.execute(_FIGURES, {"now": now}).one()
    is_behind = row.next_at is not None and row.next_at <= now
    overdue = _overdue(session, now) if is_behind else 0
    due = [at for at in (row.due_at, row.next_at) if at is not None and at <= now]
    return Stats(
        waiting=row.waiting + overdue,
        active=row.sending + row.checked,
        completed=row.completed,
        failed=row.failed,
        delayed=row.pending - row.waiting + row.to_come - overdue,
        oldest_due_at=min(due, default=None),
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
    late = late_by(session, timedelta(hours=1))
    if not late:
        return Lateness(None, None)
    return Lateness(late[len(late) // 2], late[min(len(late) - 1, int(len(late) * 0.99))])


def late_by(session: Session, within: timedelta) -> list[float]:
    """How many seconds late each was that was sent since then at its first attempt, the least
    first: of the newest 2,000.
    """
    rows = session.execute(
        select(Message.sent_at, Message.due_at)
        .where(
            is_one_of(Message.state, "sent"),
            Message.sent_at > clock.now() - within,
            Message.attempts == 1,
        )
        .order_by(Message.sent_at.desc())
        .limit(2_000)
    )
    return sorted(max(0.0, (row.sent_at - row.due_at).total_seconds()) for row in rows)


def next_due(session: Session, limit: int) -> Sequence[Message]:
    """What goes out next, each with its booking."""
    nights = quiet.rule(session)
    stored = session.scalars(_soonest(nights), {"limit": limit})
    due = [*stored, *planned.next_due(session, limit, nights)]
    return sorted(due, key=lambda message: message.due_at)[:limit]


def workers(session: Session) -> Sequence[Worker]:
    """Worker processes seen in the last minute, the oldest first."""
    now = clock.now()
    alive = Worker.seen_at > now - ALIVE_FOR, Worker.seen_at < now + clock.SKEW
    return session.scalars(select(Worker).where(*alive).order_by(Worker.started_at)).all()


@lru_cache(maxsize=16)
def _soonest(nights: quiet.Rule | None) -> Select[Message]:
    return (
        select(Message)
        .where(is_pending(), ~quiet.is_left_out(nights))
        .order_by(Message.due_at)
        .limit(bindparam("limit", type_=Integer))
        .options(joinedload(Message.booking))
    )


def _overdue(session: Session, now: datetime) -> int:
    """How many reminders are due that no worker has made messages of."""
    return sum(len(reminders) for reminders in planned.overdue(session, now))


def _count(*conditions: ColumnElement[bool]) -> ScalarSelect[int]:
    return select(func.count()).select_from(Message).where(*conditions).scalar_subquery()


def _minute(first: datetime, at: datetime) -> int:
    return int((at - first).total_seconds() // 60)


def _figures() -> Select[*tuple[Any, ...]]:
    """One row of sums, none of which grows with what was sent."""
    is_open = Plan.next_at.is_not(None)
    is_due = Message.due_at <= bindparam("now", type_=UtcDateTime)
    is_checked = Message.check_at.is_not(None) & is_one_of(Message.state, "uncertain")
    figures: dict[str, ScalarSelect[Any]] = {
        "waiting": _count(is_pending(), is_due),
        "pending": _count(is_pending()),
        "due_at": select(func.min(Message.due_at)).where(is_pending()).scalar_subquery(),
        "sending": _count(is_one_of(Message.state, "sending")),
        "checked": _count(is_checked),
        # By the index of those alone, which SQLite takes for its first column only.
        "failed": _count(
            is_one_of(Message.state, "failed"),
            Message.dismissed_at.is_(None),
            Message.booking_id > literal_column("''"),
        ),
        "completed": select(func.coalesce(func.sum(DailySent.messages), 0)).scalar_subquery(),
        "to_come": select(func.coalesce(func.sum(Plan.to_come), 0))
        .where(is_open)
        .scalar_subquery(),
        "next_at": select(func.min(Plan.next_at)).where(is_open).scalar_subquery(),
    }
    return select(*(figure.label(name) for name, figure in figures.items()))


_FIGURES = _figures()
STATS: Kept[None, Stats] = Kept(_look, Message, Plan, DailySent, seconds=_COUNTED_FOR)


def reminders_sent(booking_id: Any) -> ScalarSelect[int]:
    """How many reminders of a booking (an id, or a column of ids) have reached Twilio."""
    number = select(func.count()).where(
        Message.booking_id == booking_id,
        is_one_of(Message.kind, "reminder"),
        is_one_of(Message.state, "sent"),
    )
    return number.scalar_subquery()
