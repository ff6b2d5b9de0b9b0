"""The tick: what every worker process does every FEED_EVERY seconds, in one thread.

It is idempotent, so any number of workers may tick, and whichever does repairs what another left.
"""

import logging
import os
import socket
import threading
import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from functools import cache

from redis import RedisError
from sqlalchemy import Select, bindparam, case, delete, exists, func, or_, select

from app import clock
from app.db import UtcDateTime, database
from app.messages import enqueue
from app.messages.eligibility import is_pending
from app.messages.lifecycle import claims, materialize, plans
from app.messages.lifecycle.compare_and_set import ENQUEUE_WINDOW
from app.messages.reconciliation import missing_receipts, uncertain
from app.models.message import Message, Worker
from app.models.plan import Plan
from app.queue.huey import ping
from app.queue.one_thread import OneThread
from app.rows import insert
from app.settings import settings
from app.sql import is_one_of
from app.staff import idempotency

_log = logging.getLogger(__name__)

SKIP_AT_ONCE = 1_000
_TRANSACTIONS = 100  # of a tick, in which it makes messages
_WORKERS_KEPT = timedelta(hours=24)
_CLEAN_EVERY = 600.0  # seconds


@dataclass
class Process:
    """This worker process, as its row in the table of workers says it."""

    id: str = field(default_factory=lambda: str(uuid.uuid4()))
    host: str = field(default_factory=lambda: socket.gethostname()[:100])
    pid: int = field(default_factory=os.getpid)
    threads: int = 0
    started_at: datetime = field(default_factory=clock.now)


class Ticker(OneThread):
    """The thread that ticks."""

    name = "tick"

    def __init__(self, further: Sequence[Callable[[], object]]) -> None:
        """`further` are steps of each tick beside those of the messages."""
        super().__init__()
        self._further = further
        self._worker = Process()

    def run(self, stopping: threading.Event) -> None:
        cleaned = -_CLEAN_EVERY
        while not stopping.is_set():
            self._worker.threads = self.users
            tick(self._worker, self._further)
            if time.monotonic() - cleaned > _CLEAN_EVERY:
                cleaned = time.monotonic()
                _do(clean)
            stopping.wait(settings().tick_every)


def tick(worker: Process, further: Sequence[Callable[[], object]] = ()) -> None:
    """One round: heartbeat, and if one look finds anything to do, dead workers' leases, plans, what
    is too late or due, the look-ups; then what is `further` to be done.
    """
    _do(lambda: beat(worker))
    ours = (
        expire_leases,
        materialize_due,
        skip_ineligible,
        enqueue.enqueue_due,
        uncertain.settle_due,
        enqueue.sweep_revoked,
        missing_receipts.ask_due,
    )
    has_work = _do(is_anything_to_do) is not False  # nor do we know of none if the look failed
    for step in (*(ours if has_work else ()), *further):
        _do(step)


def beat(worker: Process) -> None:
    """Say that this process is alive, and since when the queue is away from it."""
    since = None if _queue_answers() else clock.now()
    with database().write() as session:
        seen = insert(session, Worker).values(
            **asdict(worker), seen_at=clock.now(), queue_away_since=since
        )
        away = seen.excluded.queue_away_since
        first = func.coalesce(Worker.queue_away_since, away)
        changes = {
            "seen_at": seen.excluded.seen_at,
            "threads": seen.excluded.threads,
            "queue_away_since": case((away.is_(None), None), else_=first),
        }
        session.execute(seen.on_conflict_do_update(index_elements=["id"], set_=changes))


def _queue_answers() -> bool:
    try:
        ping()
    except (RedisError, OSError):
        return False
    return True


def is_anything_to_do() -> bool:
    """Whether there may be something for the steps: each looks for itself at what it is."""
    now = clock.now()
    times = {
        "now": now,
        "soon": now + ENQUEUE_WINDOW,
        "long_ago": now - enqueue.REVOKED_FOR,
    }
    with database().read() as session:
        return bool(session.scalar(_anything(), times))


@cache
def _anything() -> Select[bool]:
    """For each step, a condition that is true at least as often as it has something to do."""
    now, soon, long_ago = (
        bindparam(name, type_=UtcDateTime) for name in ("now", "soon", "long_ago")
    )
    is_revoked = is_one_of(Message.state, "cancelled") & Message.enqueued_at.is_not(None)
    return select(
        or_(
            exists().where(is_one_of(Message.state, "sending")),
            exists().where(Plan.next_at <= soon),
            exists().where(is_pending(), Message.due_at <= soon),
            exists().where(Message.check_at.is_not(None), Message.check_at <= now),
            exists().where(is_revoked, Message.due_at < long_ago),
            exists().where(Message.ask_at.is_not(None), Message.ask_at <= now),
        )
    )


def expire_leases() -> int:
    """Take back what dead workers held; returns how many."""
    with database().write() as session:
        return claims.expire_leases(session)


def materialize_due() -> int:
    """Make messages of what the plans have due soon; returns of how many plans."""
    taken_up = 0
    for _ in range(_TRANSACTIONS):
        with database().write() as session:
            number = materialize.materialize_due(session)
        taken_up += number
        if number == 0:
            break
    return taken_up


def skip_ineligible() -> int:
    """Skip what is due but no longer worth sending; returns how many."""
    with database().read() as session:
        ineligible = plans.ineligible(session, SKIP_AT_ONCE)
    by_reason: dict[str, list[str]] = {}
    for job_id, reason in ineligible:
        by_reason.setdefault(reason, []).append(job_id)
    for reason, job_ids in by_reason.items():
        with database().write() as session:
            plans.skip(session, job_ids, reason)
    return len(ineligible)


def clean() -> None:
    """Forget idempotency keys of more than a day ago, and workers not seen for a day."""
    now = clock.now()
    with database().write() as session:
        idempotency.forget_old(session)
        session.execute(delete(Worker).where(Worker.seen_at < now - _WORKERS_KEPT))


def _do(step: Callable[[], object]) -> object:
    """What it returns. If it fails, None: that must not keep the others from their work, nor end
    the thread.
    """
    try:
        return step()
    except Exception:
        _log.exception("a step of the tick failed; the next tick tries again")
        return None
