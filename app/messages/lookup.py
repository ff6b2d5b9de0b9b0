"""Looking up at Twilio whether an attempt's message was accepted, when nobody knows.

Twilio has no idempotency key, and its list does not show our attempt id. But only one message to a
phone is in flight at a time, so what the list has from that time and nobody else's is the one.
"""

from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from app import clock
from app.db import database
from app.messages.compose import content_sid
from app.messages.models import Attempt, Message
from app.whatsapp.client import Found, WhatsAppClient

_SKEW = timedelta(seconds=120)
"""How far Twilio's clock and ours may be apart, with its dates in whole seconds."""


@dataclass(frozen=True)
class Sent:
    """A message of Twilio's, and the attempt that made it."""

    attempt_id: str
    sid: str
    status: str | None
    error_code: str | None


def find_sent(client: WhatsAppClient, job_id: str) -> Sent | None:
    """What the last attempt of a message without a SID became at Twilio, None if nothing.

    Raises LookupFailed: then it is not known.
    """
    with database().read() as session:
        attempt = _open_attempt(session, job_id)
        is_template = content_sid(session.get_one(Message, job_id).kind) is not None
    if attempt is None:
        return None
    listed = client.list_sent(attempt.sent_to, attempt.started_at - _SKEW)
    with database().read() as session:
        candidates = _unclaimed(session, listed)
    ended = attempt.ended_at or clock.now()
    for found in candidates:
        is_in_time = found.created_at <= ended + _SKEW
        # Twilio renders a template itself, so its text may differ from ours in small things.
        if is_in_time and (is_template or _same_text(found.body, attempt.body)):
            return Sent(attempt.id, found.sid, found.status, found.error_code)
    return None


def _open_attempt(session: Session, job_id: str) -> Attempt | None:
    return session.scalars(
        select(Attempt)
        .where(Attempt.message_id == job_id, Attempt.sid.is_(None))
        .order_by(Attempt.number.desc())
        .limit(1)
    ).one_or_none()


def _unclaimed(session: Session, listed: list[Found]) -> list[Found]:
    """Those whose SID no attempt has, oldest first."""
    sids = [found.sid for found in listed]
    known = set(session.scalars(select(Attempt.sid).where(Attempt.sid.in_(sids))))
    fresh = [found for found in listed if found.sid not in known]
    return sorted(fresh, key=lambda found: found.created_at)


def _same_text(one: str, other: str) -> bool:
    """Equal but for white space, which may be tidied on the way."""
    return one.split() == other.split()
