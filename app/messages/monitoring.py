"""What those who watch an install are to know of its messages.

All of it is read by indexes, of what is open or of the last minutes, so history makes it no dearer.
"""

from collections import Counter
from dataclasses import dataclass
from datetime import timedelta
from typing import NamedTuple

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app import clock
from app.kept import Kept
from app.messages import health, statistics
from app.messages.statistics import Stats
from app.models.message import DailySent, Message, Sending, Worker
from app.models.plan import Plan
from app.models.shop import Shop
from app.sql import is_one_of

RECENTLY = timedelta(minutes=5)
"""Longer than the time between two looks of whoever watches, so that nothing is missed."""
_ENDED = ("failed", "cancelled", "skipped")


class Ended(NamedTuple):
    """How a message ended without being sent: Twilio's `code`, or none, is of what has failed."""

    state: str
    reason: str
    code: str


@dataclass(frozen=True)
class WorkerSeen:
    """A worker process that was seen in the last minute; times are in seconds."""

    host: str
    pid: int
    runs_for: float
    seen_ago: float


@dataclass(frozen=True)
class Figures:
    """`ended`, `doubled` and `late_by` (seconds) are of what happened RECENTLY."""

    stats: Stats
    uncertain: int
    ended: Counter[Ended]
    doubled: int
    late_by: tuple[float, ...]
    sending: str
    workers: tuple[WorkerSeen, ...]


def figures(session: Session) -> Figures:
    """The figures of this second, however many ask."""
    return _FIGURES.of(session, None)


def _look(session: Session, _: None) -> Figures:
    ended, doubled = _recent(session)
    return Figures(
        stats=statistics.stats(session),
        uncertain=_uncertain(session),
        ended=ended,
        doubled=doubled,
        late_by=tuple(statistics.late_by(session, RECENTLY)),
        sending=health.sending(session)[0],
        workers=tuple(_seen(worker) for worker in statistics.workers(session)),
    )


def _uncertain(session: Session) -> int:
    is_checked = Message.check_at.is_not(None) & is_one_of(Message.state, "uncertain")
    return session.scalar(select(func.count()).select_from(Message).where(is_checked)) or 0


def _recent(session: Session) -> tuple[Counter[Ended], int]:
    """What ended badly, and how many were seen at Twilio more than once."""
    kinds = (Message.state, Message.reason, Message.error_code, Message.doubled)
    rows = session.execute(
        select(*kinds, func.count().label("messages"))
        .where(Message.updated_at > clock.now() - RECENTLY)
        .group_by(*kinds)
    ).all()
    ended: Counter[Ended] = Counter()
    for row in rows:
        if row.state in _ENDED:
            code = row.error_code if row.state == "failed" else None
            ended[Ended(row.state, row.reason, code or "")] += row.messages
    return ended, sum(row.messages for row in rows if row.doubled)


def _seen(worker: Worker) -> WorkerSeen:
    now = clock.now()
    return WorkerSeen(
        host=worker.host,
        pid=worker.pid,
        runs_for=max(0.0, (now - worker.started_at).total_seconds()),
        seen_ago=max(0.0, (now - worker.seen_at).total_seconds()),
    )


_FIGURES = Kept(_look, Message, Plan, DailySent, Sending, Worker, Shop)
