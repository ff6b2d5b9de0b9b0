"""Looking up at Twilio whether an attempt's message was accepted, when nobody knows.

Twilio has no idempotency key, and its list does not show our attempt id. But only one message to a
person is in flight at a time, so what the list has from that time and nobody else's is the one. Two
may be meant if the list told us too late of an earlier one, or if two bookings of a person were
told of in the same moment: then it is the one whose text is the most alike, or the nearest in time.
"""

from collections.abc import Sequence
from datetime import timedelta
from difflib import SequenceMatcher

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app import clock
from app.channel import Channel, SentMessage
from app.db import database
from app.messages.compose import content_sids
from app.messages.lifecycle import outcomes
from app.messages.lifecycle.compare_and_set import kind_of
from app.models import identity
from app.models.message import Attempt

_SKEW = timedelta(seconds=120)
"""How far Twilio's clock and ours may be apart, with its dates in whole seconds."""
_IS_UNREFUSED = func.coalesce(Attempt.outcome, "") != "refused"
_LONGEST_LAG = timedelta(days=1)
"""So much older than the last attempt may be what is looked for."""


def find_sent(sender: Channel, job_id: str) -> tuple[str, SentMessage] | None:
    """What an attempt of a message without a SID became at Twilio, and its id; None if nothing.

    Also of an older attempt, which the list may show only now. What turns out to be another
    message's, or a second one of this message, is noted as that one's. Raises LookupFailed: then
    nothing is known.
    """
    with database().read() as session:
        own = _open_attempts(session, job_id)
    if not own:
        return None
    listed = _listed(sender, own)
    with database().read() as session:
        candidates = _unclaimed(session, listed)
        open_attempts = [*own, *_others(session, own)] if candidates else []
    ours: tuple[str, SentMessage] | None = None
    for message in candidates:
        owner = _owner(message, open_attempts)
        if owner is None:
            continue
        open_attempts.remove(owner)  # what else is listed was not made by it
        if ours is None and owner in own:
            ours = owner.id, message
        else:
            _note(owner, message)
    return ours


def _listed(sender: Channel, own: Sequence[Attempt]) -> list[SentMessage]:
    """Those to the attempts' person: the list may have them under the spelling of WhatsApp's."""
    since = own[0].started_at - _SKEW
    each = [sender.list_sent(to, since) for to in identity.spellings(own[0].sent_to)]
    return list({message.sid: message for page in each for message in page}.values())


def _open_attempts(session: Session, job_id: str) -> Sequence[Attempt]:
    """The message's attempts without a SID, by number, that its last one's person may have got."""
    is_open = (Attempt.message_id == job_id) & Attempt.sid.is_(None) & _IS_UNREFUSED
    each = session.scalars(select(Attempt).where(is_open).order_by(Attempt.number)).all()
    if not each:
        return each
    spellings, since = identity.spellings(each[-1].sent_to), each[-1].started_at - _LONGEST_LAG
    return [one for one in each if one.sent_to in spellings and one.started_at >= since]


def _others(session: Session, own: Sequence[Attempt]) -> Sequence[Attempt]:
    """Other messages' attempts to the person about then of which Twilio has told nothing yet.

    Two look-ups in vain may have called them not sent: the list lags, by no promised time.
    """
    return session.scalars(
        select(Attempt).where(
            Attempt.sent_to.in_(identity.spellings(own[0].sent_to)),
            Attempt.sid.is_(None),
            Attempt.started_at.between(
                own[0].started_at - 2 * _SKEW, (own[-1].ended_at or clock.now()) + 2 * _SKEW
            ),
            Attempt.message_id != own[0].message_id,
            _IS_UNREFUSED,
        )
    ).all()


def _owner(message: SentMessage, open_attempts: Sequence[Attempt]) -> Attempt | None:
    """Whose message that is: of those that it may be, the most alike, and the nearest in time."""

    def distance(attempt: Attempt) -> tuple[float, timedelta]:
        alike = SequenceMatcher(None, message.body.split(), attempt.body.split()).ratio()
        return -alike, abs(attempt.started_at - message.created_at)

    return min((one for one in open_attempts if _may_be(message, one)), key=distance, default=None)


def _may_be(message: SentMessage, attempt: Attempt) -> bool:
    ended = attempt.ended_at or clock.now()
    if not attempt.started_at - _SKEW <= message.created_at <= ended + _SKEW:
        return False
    # Twilio renders a template itself, so its text may differ from ours in small things.
    is_template = bool(content_sids(kind_of(attempt.message_id)))
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
