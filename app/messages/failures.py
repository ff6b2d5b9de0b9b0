"""What failed, grouped by reason, and repairing it: one, several, or after a corrected number."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import cast

from sqlalchemy import select
from sqlalchemy.orm import Bundle, Session

from app.bookings.models import Booking
from app.errors import Conflict, NotFound
from app.messages import service
from app.messages.models import Message
from app.messages.useful import is_one_of
from app.shop.models import Service
from app.whatsapp.errors import Advice

AT_MOST = 500
"""Failed messages that are shown, the newest first."""

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
class Group:
    """Failed messages with one reason; each has its booking and its service."""

    advice: Advice
    messages: list[Message]


@dataclass(frozen=True)
class Retried:
    """How many were retried, and why the others were not: a sentence each, with how often."""

    done: int
    refused: dict[str, int]


def groups(session: Session) -> list[Group]:
    """The failed messages by reason, the largest group first."""
    by_code: dict[str, Group] = {}
    for message in newest(session, AT_MOST):
        advice = service.advice_of(message)
        by_code.setdefault(advice.code, Group(advice, [])).messages.append(message)
    return sorted(by_code.values(), key=lambda group: -len(group.messages))


def newest(session: Session, limit: int) -> Sequence[Message]:
    """The messages that failed last, each with its booking and service.

    Plain rows of what a list shows: of hundreds, objects take longer than the database does.
    """
    rows = session.execute(
        select(*_COLUMNS)
        .join(Message.booking)
        .join(Booking.service)
        .where(is_one_of(Message.state, "failed"))
        .order_by(Message.updated_at.desc())
        .limit(limit)
    )
    return [cast(Message, row) for row in rows]


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
    """The failed messages of the group with this code."""
    return [
        message.id
        for group in groups(session)
        if group.advice.code == code
        for message in group.messages
    ]
