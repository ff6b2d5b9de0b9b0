"""What failed, grouped by reason, and repairing it: one, several, or after a corrected number."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, cast

from sqlalchemy import ScalarSelect, Select, func, select
from sqlalchemy.orm import Bundle, Session

from app import clock
from app.bookings.models import Booking
from app.errors import Conflict, NotFound
from app.messages import service
from app.messages.models import Message
from app.messages.useful import is_one_of, why_not, worth_retrying
from app.shop.models import Service
from app.whatsapp.errors import Advice

AT_MOST = 500
"""Failed messages that are shown, those first that a retry would help, the newest first."""

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
    useful = Message.id.in_(worth_retrying(clock.now()))
    rows = session.execute(_query(limit).where(useful)).all()
    known = {row.id for row in rows}
    others = (row for row in session.execute(_query(limit)) if row.id not in known)
    return [Failure(cast(Message, row), row.why_not) for row in [*rows, *others][:limit]]


def open_count(most: int) -> ScalarSelect[int]:
    """How many a retry would help, for a statement that asks for more; `most` are counted."""
    counted = worth_retrying(clock.now()).limit(most).subquery()
    return select(func.count()).select_from(counted).scalar_subquery()


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


def _query(limit: int) -> Select[*tuple[Any, ...]]:
    why = func.coalesce(Message.cancel_reason, why_not(clock.now())).label("why_not")
    return (
        select(*_COLUMNS, why)
        .join(Message.booking)
        .join(Booking.service)
        .where(is_one_of(Message.state, "failed"))
        .order_by(Message.updated_at.desc())
        .limit(limit)
    )
