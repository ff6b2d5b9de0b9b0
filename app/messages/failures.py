"""What failed, grouped by reason, and repairing it: one, several, or after a corrected number."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, cast

from sqlalchemy import Select, func, select, union
from sqlalchemy.orm import Bundle, Session

from app import clock
from app.bookings.models import Booking
from app.customers.service import WINDOW
from app.errors import Conflict, NotFound
from app.messages import service
from app.messages.models import Message
from app.messages.useful import is_one_of, why_not
from app.shop.models import Service
from app.shop.service import shop
from app.whatsapp.errors import Advice

AT_MOST = 500
"""Failed messages that are shown, those first that a retry would help, the newest first."""

_HAS_FAILED = is_one_of(Message.state, "failed")
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
    """A failed message, with its booking and its service; `why_not`: why a retry would be useless.

    That is a key of `service.REASONS`, or None.
    """

    message: Message
    why_not: str | None


@dataclass(frozen=True)
class Group:
    """What failed for one reason."""

    advice: Advice
    failures: list[Failure]

    @property
    def to_retry(self) -> list[Message]:
        """Those that a retry would help."""
        return [each.message for each in self.failures if each.why_not is None]


@dataclass(frozen=True)
class Retried:
    """How many were retried, and why the others were not: a sentence each, with how often."""

    done: int
    refused: dict[str, int]


def groups(session: Session) -> list[Group]:
    """What failed by reason; the group first of which a retry would help most."""
    by_code: dict[str, Group] = {}
    for failure in found(session, AT_MOST):
        advice = service.advice_of(failure.message)
        by_code.setdefault(advice.code, Group(advice, [])).failures.append(failure)
    return sorted(by_code.values(), key=lambda each: (-len(each.to_retry), -len(each.failures)))


def found(session: Session, limit: int) -> list[Failure]:
    """What a retry would help, and then what failed last besides.

    Plain rows of what a list shows: of hundreds, objects take longer than the database does.
    """
    _shop = shop(session)  # while it is held, its quiet hours are found without a query
    useful = Message.id.in_(worth_retrying(session))
    rows = session.execute(_query(session, limit).where(useful)).all()
    known = {row.id for row in rows}
    others = (row for row in session.execute(_query(session, limit)) if row.id not in known)
    return [Failure(cast(Message, row), row.why_not) for row in [*rows, *others][:limit]]


def worth_retrying(session: Session, most: int = AT_MOST) -> Sequence[str]:
    """The job ids of the failed messages that a retry would help, `most` of them.

    What failed for appointments that have begun costs nothing, however much it is.
    """
    bookings = _with_failures(session, most)
    if not bookings:
        return []
    useful = select(why_not(session, clock.now())).where(Booking.id == Message.booking_id)
    statement = select(Message.id).where(
        _HAS_FAILED,
        Message.booking_id.in_(bookings),
        Message.cancel_reason.is_(None),
        useful.correlate(Message).scalar_subquery().is_(None),
    )
    return session.scalars(statement.limit(most)).all()


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
        message.id
        for group in groups(session)
        if group.advice.code == code
        for message in group.to_retry
    ]


def _with_failures(session: Session, most: int) -> Sequence[str]:
    """The bookings of which something failed that may be of use: those to come, and answers' ones.

    Counted one by one: a join would make PostgreSQL read all that ever failed.
    """
    now = clock.now()
    failed = select(func.count()).where(_HAS_FAILED, Message.booking_id == Booking.id)
    is_answer = is_one_of(Message.kind, "answer") & (Message.updated_at > now - WINDOW)
    wanted = union(
        select(Booking.id).where(Booking.starts_at > now, failed.scalar_subquery() > 0),
        select(Message.booking_id).where(_HAS_FAILED, is_answer),
    )
    return session.scalars(wanted.limit(most)).all()


def _query(session: Session, limit: int) -> Select[*tuple[Any, ...]]:
    why = func.coalesce(Message.cancel_reason, why_not(session, clock.now())).label("why_not")
    return (
        select(*_COLUMNS, why)
        .join(Message.booking)
        .join(Booking.service)
        .where(_HAS_FAILED)
        .order_by(Message.updated_at.desc())
        .limit(limit)
    )
