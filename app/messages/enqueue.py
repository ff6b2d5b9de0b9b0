"""Putting messages that are due soon from the database into Huey, and revoking cancelled ones.

The queue is a hint: whatever goes wrong here, the tick puts right within half a minute.
"""

import logging
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from threading import Lock
from typing import Any

from redis import RedisError
from sqlalchemy import Row, bindparam, select, update
from sqlalchemy.orm import Session

from app import clock
from app.db import after_commit, database
from app.messages import gate
from app.messages.eligibility import is_pending
from app.messages.lifecycle.compare_and_set import ENQUEUE_WINDOW
from app.messages.tasks import send_message
from app.models.message import Message, Sending
from app.queue import hand_over
from app.queue.huey import huey, ping
from app.queue.storage import while_it_answers
from app.rows import read_rows, table_of
from app.settings import settings
from app.sql import in_parts, is_one_of

_log = logging.getLogger(__name__)

ROOM = 1_000
"""Tasks that may wait in Huey's list before the tick holds back: more would only be doubled."""
REVOKED_FOR = timedelta(minutes=10)

Due = Sequence[Row[str, datetime]]


def enqueue_after_commit(session: Session, job_ids: list[str]) -> None:
    """Put these, due within ENQUEUE_WINDOW, into Huey soon after `session` has committed."""
    if job_ids:
        after_commit(session, lambda: _committed.hand_over(job_ids))


def enqueue_next_try(session: Session, job_id: str, due: datetime | None) -> None:
    """Enqueue a message whose next try is at `due`, if that is soon; None: there is none."""
    if due is not None and due <= clock.now() + ENQUEUE_WINDOW:
        enqueue_after_commit(session, [job_id])


def revoke_after_commit(session: Session, job_ids: list[str]) -> None:
    """Spare the workers these cancelled messages, once `session` has committed."""
    if job_ids:
        after_commit(session, lambda: hand_over.soon(lambda: _revoke(job_ids)))


def enqueue_due() -> int:
    """Enqueue what is due soon and is not yet, or is overdue and unclaimed; returns how many."""
    try:
        ping()
        room = ROOM - huey.pending_count()
    except (RedisError, OSError) as error:
        _log.warning("the queue is away: %s", type(error).__name__, exc_info=error)
        return 0
    with database().write() as session:
        limit = _allowed(gate.state(session), room)
        due = _take_due(session, limit) if limit > 0 else []
    _schedule(due)
    return len(due)


def sweep_revoked() -> int:
    """Remove the revocations that no task has used up; returns how many messages were swept."""
    with database().read() as session:
        stale = session.scalars(
            select(Message.id)
            .where(
                is_one_of(Message.state, "cancelled"),
                Message.enqueued_at.is_not(None),
                Message.due_at < clock.now() - REVOKED_FOR,
            )
            .limit(ROOM)
        ).all()
    for job_id in stale:
        huey.restore_by_id(job_id)
    if stale:
        _forget_enqueued(stale)
    return len(stale)


class _Committed:
    """Messages that are to be put into Huey: what comes while others are goes with the next."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._job_ids: list[str] = []

    def hand_over(self, job_ids: Sequence[str]) -> None:
        with self._lock:
            is_first = not self._job_ids
            self._job_ids += job_ids
        if is_first and not hand_over.soon(self._enqueue):
            self._take()

    def _enqueue(self) -> None:
        job_ids, due = self._take(), list[Any]()
        with database().read() as session:
            for part in in_parts(job_ids):
                due += read_rows(session, _PENDING, {"ids": part})
        _schedule(due)

    def _take(self) -> list[str]:
        with self._lock:
            job_ids, self._job_ids = self._job_ids, []
        return job_ids


_committed = _Committed()
_message = table_of(Message).c
_PENDING = select(_message.id, _message.due_at).where(
    _message.id.in_(bindparam("ids", expanding=True)), is_pending()
)


def _revoke(job_ids: list[str]) -> None:
    try:
        with while_it_answers():
            for job_id in job_ids:
                huey.revoke_by_id(job_id, revoke_once=True)
    except (RedisError, OSError) as error:
        _log.warning("not revoked, only cancelled", exc_info=error)


def _allowed(sending: Sending, room: int) -> int:
    """How many may be enqueued now: none while sending is stopped, one as a probe."""
    now = clock.now()
    if gate.is_stopped(sending, now):
        return 0
    return min(room, 1) if sending.probe_at is not None else room


def _take_due(session: Session, limit: int) -> Due:
    now = clock.now()
    stale = now - timedelta(seconds=3 * settings().tick_every)
    is_not_enqueued = Message.enqueued_at.is_(None)
    is_old = (Message.enqueued_at < stale) | (Message.enqueued_at > now + clock.SKEW)
    is_unclaimed = (Message.due_at < stale) & is_old
    due = session.execute(
        select(Message.id, Message.due_at)
        .where(is_pending(), Message.due_at <= now + ENQUEUE_WINDOW, is_not_enqueued | is_unclaimed)
        .order_by(Message.due_at)
        .limit(limit)
        .with_for_update(skip_locked=True)
    ).all()
    if due:
        _set_enqueued(session, [row.id for row in due], now)
    return due


def _schedule(due: Due) -> None:
    """Put messages into Huey; those that do not get there are left for the tick."""
    try:
        with while_it_answers():
            huey.schedule_all(send_message.s(row[0], id=row[0], eta=row[1]) for row in due)
    except (RedisError, OSError) as error:
        _log.warning("not enqueued, the queue is away", exc_info=error)
        _forget_enqueued([row[0] for row in due])


def _forget_enqueued(job_ids: Iterable[str]) -> None:
    with database().write() as session:
        _set_enqueued(session, job_ids, None)


def _set_enqueued(session: Session, job_ids: Iterable[str], at: datetime | None) -> None:
    session.execute(
        update(Message)
        .where(Message.id.in_(list(job_ids)))
        .values(enqueued_at=at)
        .execution_options(synchronize_session=False)
    )
