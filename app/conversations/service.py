"""The exchange with a customer, as a chat, and what staff do with a reply: answer, or tick it off.

A reply belongs to a booking, or, if it seems to be about none, to all of its sender's number.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Integer,
    ScalarSelect,
    Select,
    bindparam,
    exists,
    false,
    func,
    literal,
    literal_column,
    select,
)
from sqlalchemy.orm import Session, aliased, contains_eager

from app import clock
from app.bookings import availability
from app.bookings import service as bookings
from app.bookings.availability import LONGEST, LONGEST_BUFFER
from app.customers import service as customers
from app.db import UtcDateTime
from app.errors import Conflict, FieldError, Invalid, NotFound
from app.forms import line_ends
from app.messages.eligibility import OPTED_OUT, WINDOW_CLOSED
from app.messages.enqueue import enqueue_after_commit
from app.messages.lifecycle import plans
from app.messages.service import REASONS
from app.models.booking import Booking
from app.models.conversation import Reply
from app.models.message import Attempt, Message
from app.models.shop import Barber
from app.rows import set_if
from app.sql import is_one_of
from app.staff import audit

MOST_LINES = 30
MAX_ANSWER = 1600
"""Characters of free text (Twilio error 21617)."""


@dataclass(frozen=True)
class ChatLine:
    """One thing said: by them (`reply`), or by us (`message`; none if it was the TwiML answer)."""

    at: datetime
    text: str
    message: Message | None = None
    reply: Reply | None = None


@dataclass(frozen=True)
class Chat:
    """What was said, oldest first, the last MOST_LINES; and whether staff can answer.

    `closes_at` is until when free text may be sent; None if the customer never wrote.
    """

    lines: Sequence[ChatLine]
    replies: Sequence[Reply]
    closes_at: datetime | None
    is_open: bool
    has_opted_out: bool


@dataclass(frozen=True)
class OpenReply:
    """What nobody has looked after yet; `booking` with its barber, if it seems to be about one.

    `is_place_free`: the booking was cancelled, is to come, nobody else has its time by now, and its
    barber takes bookings then.
    """

    reply: Reply
    booking: Booking | None
    is_place_free: bool


@dataclass(frozen=True)
class ReplyEntry:
    """A reply as an entry of a booking's timeline."""

    reply: Reply

    @property
    def at(self) -> datetime:
        return self.reply.received_at


def chat(session: Session, booking: Booking) -> Chat:
    """The exchange about a booking."""
    replies = _replies(session, booking)
    lines = sorted([*_ours(session, booking), *_theirs(replies)], key=lambda line: line.at)
    known = customers.find(session, booking.customer_phone)
    closes_at = customers.window_closes(known)
    has_opted_out = known is not None and known.opted_out_at is not None
    is_open = closes_at is not None and closes_at > clock.now() and not has_opted_out
    return Chat(lines[-MOST_LINES:], replies, closes_at, is_open, has_opted_out)


def open_replies(session: Session, limit: int) -> list[OpenReply]:
    """What customers wrote and nobody has looked after, newest first, with the bookings."""
    now = clock.now()
    given = {"limit": limit, "now": now, "earliest": now - LONGEST - LONGEST_BUFFER}
    rows = session.execute(_open_ones(), given).all()
    places = [(each.barber, each.starts_at, each.ends_at) for _, each, is_free in rows if is_free]
    outside = dict(zip(places, availability.outside_of_each(session, places), strict=True))
    return [
        OpenReply(reply, each, is_free and not outside[each.barber, each.starts_at, each.ends_at])
        for reply, each, is_free in rows
    ]


@cache
def _open_ones() -> Select[*tuple[Any, ...]]:
    return (
        select(Reply, Booking, _is_place_free())
        .outerjoin(Booking, Booking.id == Reply.booking_id)
        .outerjoin(Booking.barber)
        .where(_is_open())
        .order_by(Reply.received_at.desc())
        .limit(bindparam("limit", type_=Integer))
        .options(contains_eager(Booking.barber))
    )


def open_count(most: int) -> ScalarSelect[int]:
    """How many of them there are, for a statement that asks for more; `most` are counted."""
    some = select(literal(1)).select_from(Reply).where(_is_open()).limit(most)
    return select(func.count()).select_from(some.subquery()).scalar_subquery()


def written_by(session: Session, person: str, limit: int) -> Sequence[Reply]:
    """What this person wrote last, the newest first."""
    theirs = select(Reply).where(Reply.person == person)
    return session.scalars(theirs.order_by(Reply.received_at.desc()).limit(limit)).all()


def all_by(session: Session, person: str) -> Sequence[Reply]:
    """All that this person wrote, the oldest first."""
    theirs = select(Reply).where(Reply.person == person)
    return session.scalars(theirs.order_by(Reply.received_at, Reply.sid)).all()


def mark_handled(session: Session, sid: str, actor: str) -> None:
    """Somebody has looked after a reply; harmless when it was done. Raises NotFound."""
    _get(session, sid)
    done = {"needs_attention": False, "handled_at": clock.now(), "handled_by": actor}
    if _set(session, (Reply.sid == sid) & Reply.needs_attention, **done):
        audit.record(session, actor, "reply.handled", sid)


def reopen(session: Session, sid: str, actor: str) -> None:
    """Take `mark_handled` back. Raises NotFound."""
    _get(session, sid)
    opened = {"needs_attention": True, "handled_at": None, "handled_by": None}
    if _set(session, (Reply.sid == sid) & Reply.handled_at.is_not(None), **opened):
        audit.record(session, actor, "reply.reopened", sid)


def answer(session: Session, booking_id: str, text: str, actor: str) -> str:
    """Send staff's own words to a booking's customer; returns the job id.

    What they wrote counts as looked after. Raises NotFound, Invalid (`text`), and Conflict
    `window_closed` or `opted_out`: WhatsApp takes free text for 24 hours after the customer wrote
    (Twilio error 63016).
    """
    booking = bookings.locked(session, booking_id)
    conversation = chat(session, booking)
    if not conversation.is_open:
        reason = OPTED_OUT if conversation.has_opted_out else WINDOW_CLOSED
        raise Conflict(reason, f"{REASONS[reason]}. Call them instead.")
    text = _checked(text)
    [job_id] = plans.add(session, booking_id, "answer", clock.now(), text=text)
    enqueue_after_commit(session, [job_id])
    done = {"needs_attention": False, "handled_at": clock.now(), "handled_by": actor}
    _set(session, _about(booking) & Reply.needs_attention, **done)
    audit.record(session, actor, "booking.answered", booking_id, job_id=job_id)
    return job_id


def _checked(text: str) -> str:
    """Raises Invalid."""
    text = line_ends(text).strip()
    if not text:
        raise Invalid([FieldError("text", "Write something first.")])
    if len(text) > MAX_ANSWER:
        problem = f"WhatsApp takes {MAX_ANSWER} characters; this has {len(text)}."
        raise Invalid([FieldError("text", problem)])
    if any(ord(letter) < 32 and letter not in "\n\t" for letter in text):
        raise Invalid([FieldError("text", "It has a character that cannot be sent.")])
    return text


def _ours(session: Session, booking: Booking) -> list[ChatLine]:
    """What was sent, and answers also while they wait or when they failed."""
    rows = session.execute(
        select(Message, Attempt.body)
        .outerjoin(Attempt, Attempt.id == Message.attempt_id)
        .where(
            Message.booking_id == booking.id,
            is_one_of(Message.state, "sent") | (Message.kind == "answer"),
        )
        .order_by(Message.updated_at.desc())
        .limit(MOST_LINES)
    )
    return [
        ChatLine(
            message.sent_at or message.planned_for, message.text or body or "", message=message
        )
        for message, body in rows
    ]


def _theirs(replies: Sequence[Reply]) -> Iterator[ChatLine]:
    for reply in replies:
        yield ChatLine(reply.received_at, reply.body, reply=reply)
        if reply.answer:
            yield ChatLine(reply.received_at, reply.answer)


def _replies(session: Session, booking: Booking) -> Sequence[Reply]:
    """The newest, oldest first."""
    newest = session.scalars(
        select(Reply).where(_about(booking)).order_by(Reply.received_at.desc()).limit(MOST_LINES)
    ).all()
    return newest[::-1]


def _about(booking: Booking) -> ColumnElement[bool]:
    if booking.person is None:
        return Reply.booking_id == booking.id
    is_theirs = (Reply.person == booking.person) & Reply.booking_id.is_(None)
    return (Reply.booking_id == booking.id) | is_theirs


def _is_open() -> ColumnElement[bool]:
    """As in the index of open replies: SQLite does not see that `= 1`, or `IS 1`, is the same."""
    return literal_column("reply.needs_attention")


def _is_place_free() -> ColumnElement[bool]:
    other = aliased(Booking)
    is_taken = exists().where(
        other.barber_id == Booking.barber_id,
        other.starts_at > bindparam("earliest", type_=UtcDateTime()),
        other.busy_from < Booking.busy_until,
        other.busy_until > Booking.busy_from,
        other.status.in_(("confirmed", "completed")),
    )
    is_to_come = (Booking.status == "cancelled") & (
        Booking.starts_at > bindparam("now", type_=UtcDateTime())
    )
    return func.coalesce(is_to_come & Barber.active & ~is_taken, false())


def _get(session: Session, sid: str) -> Reply:
    reply = session.get(Reply, sid)
    if reply is None:
        raise NotFound("There is no such reply.")
    return reply


def _set(session: Session, condition: ColumnElement[bool], **values: Any) -> bool:
    """Whether any reply was changed."""
    return set_if(session, Reply, condition, updated_at=clock.now(), **values)
