"""What staff have to do something about: failed sends that a retry would still help."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session, contains_eager

from app.channel import Advice
from app.messages import failures
from app.messages.service import advice_of
from app.models.booking import Booking
from app.models.message import Message

AT_MOST = 500
"""Failed messages that are looked at."""


@dataclass(frozen=True)
class Need:
    """A booking to come whose newest message failed, and why."""

    message: Message
    advice: Advice


@dataclass(frozen=True)
class Needs:
    """What is to be retried, the soonest booking first; `is_all` unless so many failed that not
    all were looked at.
    """

    items: Sequence[Need]
    is_all: bool


def needs_attention(session: Session) -> Needs:
    """The failed messages that a retry would still help, one of each booking."""
    job_ids = failures.worth_retrying(session, AT_MOST)
    if not job_ids:
        return Needs([], is_all=True)
    rows = session.scalars(
        select(Message)
        .join(Message.booking)
        .where(Message.id.in_(job_ids))
        .order_by(Booking.starts_at, Message.number.desc())
        .limit(AT_MOST)
        .options(contains_eager(Message.booking))
    ).all()
    newest: dict[str, Message] = {}
    for message in rows:
        newest.setdefault(message.booking_id, message)
    needs = [Need(message, advice_of(message)) for message in newest.values()]
    return Needs(needs, is_all=len(rows) < AT_MOST)
