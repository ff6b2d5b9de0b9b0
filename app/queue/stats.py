"""The five counters of the queue, and who works on it: all from the database."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app import clock
from app.messages.models import DailySent, Message, Worker
from app.messages.useful import is_one_of, is_pending

ALIVE_FOR = timedelta(seconds=60)
"""A worker that was not seen for longer counts as dead."""


@dataclass(frozen=True)
class Stats:
    """How many messages are in which state, in the API's words (design.md §4)."""

    waiting: int
    active: int
    completed: int
    failed: int
    delayed: int


def stats(session: Session) -> Stats:
    """The counters now; none of them costs more as history grows."""
    now = clock.now()
    count = select(func.count()).select_from(Message)
    pending = session.scalar(count.where(is_pending())) or 0
    waiting = session.scalar(count.where(is_pending(), Message.due_at <= now)) or 0
    active = sum(
        session.scalar(count.where(is_one_of(Message.state, state))) or 0
        for state in ("sending", "uncertain")
    )
    return Stats(
        waiting=waiting,
        active=active,
        completed=session.scalar(select(func.coalesce(func.sum(DailySent.messages), 0))) or 0,
        failed=session.scalar(count.where(is_one_of(Message.state, "failed"))) or 0,
        delayed=pending - waiting,
    )


def workers(session: Session) -> Sequence[Worker]:
    """Worker processes seen in the last minute, the oldest first."""
    alive = Worker.seen_at > clock.now() - ALIVE_FOR
    return session.scalars(select(Worker).where(alive).order_by(Worker.started_at)).all()
