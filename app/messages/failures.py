"""What failed, grouped by reason, and repairing it: one, several, or after a corrected number."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any, cast

from sqlalchemy import ColumnElement, Integer, Select, bindparam, func, select, union
from sqlalchemy.orm import Bundle, Session

from app import clock
from app.channel import Advice
from app.errors import Conflict, NotFound
from app.messages import quiet, service
from app.messages.eligibility import as_of, skip_reason
from app.messages.lifecycle import plans
from app.messages.lifecycle.compare_and_set import booking_of
from app.models.booking import Booking
from app.models.message import Message
from app.models.shop import Service
from app.rows import read_rows
from app.sql import is_among, is_one_of
from app.staff import audit

AT_MOST = 500
"""Failed messages that are shown, and that are dismissed at a time: the newest."""
SHOWN_FOR = timedelta(days=7)
"""How long what no retry would help stays in sight."""

_EVER = datetime(2000, 1, 1, tzinfo=UTC)
_LIMIT = bindparam("limit", type_=Integer)
_HAS_FAILED = is_one_of(Message.state, "failed") & Message.dismissed_at.is_(None)
_BOOKINGS = union(
    select(Booking.id).where(
        Booking.starts_at > bindparam("now"),
        select(func.count()).where(_HAS_FAILED, Message.booking_id == Booking.id).scalar_subquery()
        > 0,
    ),
    select(Message.booking_id).where(
        _HAS_FAILED,
        is_one_of(Message.kind, "answer"),
        Message.updated_at > bindparam("window_began"),
    ),
).limit(_LIMIT)
"""With a failure that may be of use: those to come, and those with an answer of the last day."""
_BOOKING: Bundle[Booking] = Bundle(
    "booking",
    Booking.id,
    Booking.customer_name,
    Booking.customer_phone,
    Booking.starts_at,
    Booking.status,
    Bundle("service", Service.name),
)
_COLUMNS = (
    Message.id,
    Message.kind,
    Message.number,
    Message.reason,
    Message.error_code,
    Message.attempts,
    Message.updated_at,
    _BOOKING,
)


@dataclass(frozen=True)
class Failure:
    """A failed message, with its booking and its service.

    `skip_reason` is why a retry would be useless, a key of `service.REASONS`; None if it would not.
    """

    message: Message
    skip_reason: str | None


@dataclass(frozen=True)
class Group:
    """What failed for one reason, and a retry would help."""

    advice: Advice
    failures: list[Failure]


@dataclass(frozen=True)
class Retried:
    """How many were retried, and why the others were not: a sentence each, with how often."""

    done: int
    refused: dict[str, int]


def groups(session: Session) -> list[Group]:
    """What failed and a retry would help, by reason; the largest group first."""
    by_code: dict[str, Group] = {}
    for failure in retryable(session, AT_MOST):
        advice = service.advice_of(failure.message)
        by_code.setdefault(advice.code, Group(advice, [])).failures.append(failure)
    return sorted(by_code.values(), key=lambda each: -len(each.failures))


def retryable(session: Session, limit: int) -> list[Failure]:
    """What a retry would help, the newest first.

    Plain rows of what a list shows: of hundreds, objects take longer than the database does.
    """
    statement = _of_ids(quiet.rule(session))
    return _failures(session, statement, limit, job_ids=worth_retrying(session))


def past(session: Session) -> list[Failure]:
    """What failed in the last days (SHOWN_FOR) and no retry would help, the newest first."""
    return _over(session, clock.now() - SHOWN_FOR)


def dismiss_past(session: Session, actor: str) -> int:
    """Dismiss the newest AT_MOST that no retry would help; returns how many."""
    job_ids = [each.message.id for each in _over(session, _EVER)]
    return dismiss(session, job_ids, actor)


def dismiss(session: Session, job_ids: Iterable[str], actor: str) -> int:
    """Nobody needs to see these as failed any more; returns of how many that was news."""
    dismissed = plans.dismiss(session, job_ids)
    for job_id in dismissed:
        audit.record(session, actor, "message.dismissed", booking_of(job_id), job_id=job_id)
    return len(dismissed)


def restore(session: Session, job_id: str, actor: str) -> bool:
    """Take `dismiss` back; returns whether there was anything to take back."""
    if not plans.dismiss(session, [job_id], is_dismissed=False):
        return False
    audit.record(session, actor, "message.restored", booking_of(job_id), job_id=job_id)
    return True


def worth_retrying(session: Session, most: int = AT_MOST) -> Sequence[str]:
    """What the dashboard calls failed, wherever it counts: the job ids of the failed messages that
    a retry would help and nobody has dismissed, `most` of them.

    What failed for appointments that have begun costs nothing, however much it is.
    """
    bookings = _with_failures(session, most)
    if not bookings:
        return []
    values = {"bookings": bookings, "limit": most, **as_of(clock.now())}
    return read_rows(session, _worth_retrying(quiet.rule(session)), values).scalars().all()


def retry_many(session: Session, job_ids: Iterable[str], actor: str) -> Retried:
    """Retry each that can be; what cannot is counted with its reason."""
    done, refused = 0, dict[str, int]()
    for job_id in sorted(set(job_ids)):
        try:
            service.retry(session, job_id, actor)
        except (Conflict, NotFound) as error:
            refused[error.detail] = refused.get(error.detail, 0) + 1
        else:
            done += 1
    return Retried(done, refused)


def job_ids_of(session: Session, code: str) -> list[str]:
    """The messages of the group with this code that a retry would help."""
    return [
        failure.message.id
        for group in groups(session)
        if group.advice.code == code
        for failure in group.failures
    ]


def _with_failures(session: Session, most: int) -> Sequence[str]:
    """The bookings of which something failed that may be of use: those to come, and answers' ones.

    Counted one by one: a join would make PostgreSQL read all that ever failed.
    """
    given = {"limit": most, **as_of(clock.now())}
    return read_rows(session, _BOOKINGS, given).scalars().all()


@lru_cache(maxsize=16)
def _worth_retrying(nights: quiet.Rule | None) -> Select[str]:
    reason = select(skip_reason(nights)).where(Booking.id == Message.booking_id)
    return (
        select(Message.id)
        .where(
            _HAS_FAILED,
            is_among(Message.booking_id, "bookings"),
            Message.cancel_reason.is_(None),
            reason.correlate(Message).scalar_subquery().is_(None),
        )
        .limit(_LIMIT)
    )


def _over(session: Session, since: datetime) -> list[Failure]:
    return _failures(session, _past(quiet.rule(session)), AT_MOST, since=since)


def _failures(
    session: Session, statement: Select[*tuple[Any, ...]], limit: int, **values: Any
) -> list[Failure]:
    rows = session.execute(statement, {"limit": limit, **values, **as_of(clock.now())})
    return [Failure(cast(Message, row), row.skip_reason) for row in rows]


@lru_cache(maxsize=16)
def _of_ids(nights: quiet.Rule | None) -> Select[*tuple[Any, ...]]:
    return _query(nights).where(Message.id.in_(bindparam("job_ids", expanding=True)))


@lru_cache(maxsize=16)
def _past(nights: quiet.Rule | None) -> Select[*tuple[Any, ...]]:
    is_recent = Message.updated_at > bindparam("since")
    return _query(nights).where(is_recent, _why_not(nights).is_not(None))


def _why_not(nights: quiet.Rule | None) -> ColumnElement[Any]:
    return func.coalesce(Message.cancel_reason, skip_reason(nights))


def _query(nights: quiet.Rule | None) -> Select[*tuple[Any, ...]]:
    return (
        select(*_COLUMNS, _why_not(nights).label("skip_reason"))
        .join(Message.booking)
        .join(Booking.service)
        .where(_HAS_FAILED)
        .order_by(Message.updated_at.desc())
        .limit(_LIMIT)
    )
