"""Looking up at Twilio whether an attempt's message was accepted, when nobody knows.

Twilio has no idempotency key, and its list does not show our attempt id. But only one message to a
person is in flight at a time, so what the list has from that time and nobody else's is the one. If
the list told us too late of an earlier one, both may be meant: then the nearest in time is.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app import clock
from app.channel import Channel, SentMessage
from app.db import database
from app.messages.compose import content_sid
from app.messages.lifecycle import outcomes
from app.messages.lifecycle.compare_and_set import kind_of
from app.models import identity
from app.models.message import Attempt

_SKEW = timedelta(seconds=120)
"""How far Twilio's clock and ours may be apart, with its dates in whole seconds."""


@dataclass(frozen=True)
class MatchedMessage:
    """A message of Twilio's, and the attempt that made it."""

    attempt_id: str
    sid: str
    status: str | None
    error_code: str | None


def find_sent(sender: Channel, job_id: str) -> MatchedMessage | None:
    """What the last attempt of a message without a SID became at Twilio, None if nothing.

    What turns out to be another message's is noted as that one's. Raises LookupFailed: then
    nothing is known.
    """
    with database().read() as session:
        attempt = _open_attempt(session, job_id)
    if attempt is None:
        return None
    listed = _listed(sender, attempt)
    with database().read() as session:
        candidates = _unclaimed(session, listed)
        open_attempts = [attempt, *_other_open_attempts(session, attempt)] if candidates else []
    ours = None
    for message in candidates:
        owner = _owner(message, open_attempts)
        if owner is attempt:
            ours = ours or MatchedMessage(
                attempt.id, message.sid, message.status, message.error_code
            )
        elif owner is not None:
            _note(owner, message)
    return ours


def _listed(sender: Channel, attempt: Attempt) -> list[SentMessage]:
    """Those to the attempt's person: the list may have them under the spelling of WhatsApp's."""
    since = attempt.started_at - _SKEW
    each = [sender.list_sent(to, since) for to in identity.spellings(attempt.sent_to)]
    return list({message.sid: message for page in each for message in page}.values())


def _open_attempt(session: Session, job_id: str) -> Attempt | None:
    return session.scalars(
        select(Attempt)
        .where(Attempt.message_id == job_id, Attempt.sid.is_(None))
        .order_by(Attempt.number.desc())
        .limit(1)
    ).one_or_none()


def _other_open_attempts(session: Session, attempt: Attempt) -> Sequence[Attempt]:
    """Other messages' attempts to the person about then of which Twilio has told nothing yet.

    Two look-ups in vain may have called them not sent: the list lags, by no promised time.
    """
    return session.scalars(
        select(Attempt).where(
            Attempt.sent_to.in_(identity.spellings(attempt.sent_to)),
            Attempt.sid.is_(None),
            Attempt.started_at.between(
                attempt.started_at - 2 * _SKEW, (attempt.ended_at or clock.now()) + 2 * _SKEW
            ),
            Attempt.message_id != attempt.message_id,
            func.coalesce(Attempt.outcome, "") != "refused",
        )
    ).all()


def _owner(message: SentMessage, open_attempts: Sequence[Attempt]) -> Attempt | None:
    """Whose message that is: of those that it may be, the nearest in time."""
    able = [attempt for attempt in open_attempts if _may_be(message, attempt)]
    return min(able, key=lambda one: abs(one.started_at - message.created_at), default=None)


def _may_be(message: SentMessage, attempt: Attempt) -> bool:
    ended = attempt.ended_at or clock.now()
    if not attempt.started_at - _SKEW <= message.created_at <= ended + _SKEW:
        return False
    # Twilio renders a template itself, so its text may differ from ours in small things.
    is_template = content_sid(kind_of(attempt.message_id)) is not None
    return is_template or _same_text(message.body, attempt.body)


def _note(owner: Attempt, message: SentMessage) -> None:
    """If Twilio did not deliver it, the tick enqueues the next try."""
    with database().write() as session:
        outcomes.accept(session, owner.id, message.sid, message.status, message.error_code)


def _unclaimed(session: Session, listed: list[SentMessage]) -> list[SentMessage]:
    """Those whose SID no attempt has, oldest first."""
    sids = [message.sid for message in listed]
    known = set(session.scalars(select(Attempt.sid).where(Attempt.sid.in_(sids))))
    fresh = [message for message in listed if message.sid not in known]
    return sorted(fresh, key=lambda message: message.created_at)


def _same_text(one: str, other: str) -> bool:
    """Equal but for white space, which may be tidied on the way."""
    return one.split() == other.split()
