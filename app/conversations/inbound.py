"""What follows from a customer's message: once for its SID, however often it is delivered.

Which booking a cancellation is about is found by the strongest evidence there is: the button that
was pressed, the message that is quoted, a code, and only then the number's only booking. What is
no clear intent goes to staff, and is not answered.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

from sqlalchemy import select, update
from sqlalchemy.orm import Session, joinedload

from app import clock, outbox
from app.bookings import service as bookings
from app.channel import Incoming, IncomingKind
from app.conversations import answers, senders
from app.conversations.intent import Intent, intent_of
from app.conversations.senders import Sender
from app.customers import service as customers
from app.messages import booking_codes, texts
from app.messages.lifecycle.compare_and_set import lock_booking
from app.models.booking import Booking
from app.models.conversation import Reply
from app.models.identity import person_of
from app.rows import add_new
from app.shop.service import shop
from app.staff import audit

ACTOR = "customer:reply"
"""Who cancelled, in the audit log."""
LONGEST_BODY = 4096
"""Characters of a WhatsApp message that are kept."""

_ASKS = ("text", "media", "edited")
"""What may ask for something, such as CANCEL: what they wrote, and no name of a place."""
_NO_WORK = ("reaction", "help", "deleted")
"""What nobody has to look after: HELP, as Twilio has answered it already."""
_NO_WORDS = ("reaction", "deleted")
"""What does not count as writing to us: it opens no time for answers, as far as is known."""
_TOO_OLD = timedelta(hours=24)
_SID = re.compile(r"[A-Za-z0-9]{1,34}")
# Controls but for tab and line feed, and what turns the direction of the text around it.
_UNREADABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


@dataclass(frozen=True)
class _Outcome:
    effect: str
    booking: Booking | None = None
    answer: str | None = None
    needs_attention: bool = False


def receive(session: Session, incoming: Incoming, late: bool = False) -> str | None:
    """Keep a message, do what it asks, and return the answer: the same for each delivery.

    The whole effect is in the caller's transaction. `late` is for what was fetched after an
    outage: nobody reads an answer then, so a cancellation is told by a message of its own, and
    what is older than a day is left to staff, but for a STOP. None: nothing is answered.
    """
    incoming = _readable(incoming)
    if not _keep(session, incoming):
        return session.scalar(select(Reply.answer).where(Reply.sid == incoming.sid))
    sender = senders.who(session, incoming, _pressed(incoming))
    outcome = _act(session, incoming, sender, late)
    if late and outcome.answer:
        is_open = outcome.needs_attention or outcome.effect == "which_booking"
        outcome = replace(outcome, answer=None, needs_attention=is_open)
    _note_written(session, incoming, sender, outcome)
    session.execute(
        update(Reply)
        .where(Reply.sid == incoming.sid)
        .values(
            effect=outcome.effect,
            booking_id=outcome.booking.id if outcome.booking else None,
            answer=outcome.answer,
            needs_attention=outcome.needs_attention,
        )
    )
    booking_id = outcome.booking.id if outcome.booking else None
    person = person_of(incoming.sender)
    outbox.note(
        session, "reply.received", booking_id=booking_id, reply_sid=incoming.sid, person=person
    )
    return outcome.answer


def _readable(incoming: Incoming) -> Incoming:
    """What can be stored and shown of it."""
    replied_to = incoming.replied_to or ""
    body = _UNREADABLE.sub("", incoming.body)[:LONGEST_BODY].strip()
    return replace(
        incoming,
        body=body,
        kind=_plain_kind(body, incoming.media) if incoming.kind == "text" else incoming.kind,
        profile_name=texts.clean_value(incoming.profile_name or "", "")[:100] or None,
        button_payload=_UNREADABLE.sub("", incoming.button_payload or "")[:256] or None,
        replied_to=replied_to if _SID.fullmatch(replied_to) else None,
    )


def _plain_kind(body: str, files: int) -> IncomingKind:
    """What a message is of which no more is known."""
    return "media" if files else "text" if body else "unsupported"


def _keep(session: Session, incoming: Incoming) -> bool:
    """Add the row, as if it were for staff; False if this message was received already.

    A delivery at the same time waits here until the first is committed.
    """
    return add_new(
        session,
        Reply,
        sid=incoming.sid,
        sender=incoming.sender,
        person=person_of(incoming.sender),
        profile_name=incoming.profile_name,
        body=incoming.body,
        button_payload=incoming.button_payload,
        replied_to=incoming.replied_to,
        kind=incoming.kind,
        media=incoming.media,
        media_types=",".join(incoming.media_types) or None,
        received_at=incoming.received_at,
        effect="for_staff",
        needs_attention=True,
        updated_at=clock.now(),
    )


def _note_written(session: Session, incoming: Incoming, sender: Sender, outcome: _Outcome) -> None:
    """They wrote, which is consent if nothing else was said, and opens the time for answers."""
    if incoming.kind in _NO_WORDS:
        return
    for person in sender.in_order:
        customers.note_written(session, person, incoming.profile_name, incoming.received_at)
        known = customers.find(session, person)
        if known and known.consent is None and outcome.effect != "opted_out":
            customers.note_consent(session, person, True, "reply")
    if sender.phone is not None:
        customers.note_spelling(session, sender.phone)


# --- what they want ---


def _act(session: Session, incoming: Incoming, sender: Sender, late: bool) -> _Outcome:
    intent = _intent(session, incoming)
    handled = incoming.handled
    if handled == "stop" or (intent and intent.kind == "stop"):
        _opt_out(session, incoming, sender, by_twilio=handled == "stop")
        if intent is None or intent.kind != "cancel":
            return _told(session, sender, "opted_out", is_told=bool(handled))
    if late and incoming.received_at < clock.now() - _TOO_OLD:
        return _for_staff(session, sender)
    if handled == "start" or (intent and intent.kind == "start"):
        if _opt_in(session, incoming, sender):
            return _told(session, sender, "opted_in", is_told=bool(handled))
    elif intent and intent.kind == "cancel":
        return _cancel(session, sender, intent.code, late)
    outcome = _for_staff(session, sender)
    is_no_work = incoming.kind in _NO_WORK
    return replace(outcome, effect="noted", needs_attention=False) if is_no_work else outcome


def _pressed(incoming: Incoming) -> str | None:
    """The id of the booking whose button "Cancel appointment" was pressed."""
    return booking_codes.booking_of_payload(incoming.button_payload or "")


def _intent(session: Session, incoming: Incoming) -> Intent | None:
    if _pressed(incoming):
        return Intent("cancel")
    if incoming.kind not in _ASKS:
        return None
    return intent_of(incoming.body, shop(session).cancel_words)


def _told(session: Session, sender: Sender, effect: str, is_told: bool) -> _Outcome:
    """`is_told`: Twilio has answered them already."""
    if is_told:
        return _Outcome(effect)
    return _Outcome(effect, answer=answers.answer(session, effect, _language(session, sender)))


def _language(session: Session, sender: Sender) -> str | None:
    """The code of the language that they are written to in, if it is not the shop's."""
    known = (customers.find(session, person) for person in sender.in_order)
    return next((each.language for each in known if each and each.language), None)


def _opt_out(session: Session, incoming: Incoming, sender: Sender, by_twilio: bool) -> None:
    """Nothing starts sending once this is committed: their bookings are held, as by a cancel."""
    for booking in sorted(_coming(session, sender), key=lambda booking: booking.id):
        lock_booking(session, booking.id, to_change=True)
    for person in sender.in_order:
        customers.opt_out(session, person, "twilio" if by_twilio else "reply")
    audit.record(session, ACTOR, "customer.opted_out", incoming.sid)


def _opt_in(session: Session, incoming: Incoming, sender: Sender) -> bool:
    """Whether there was anything to take back: an opt-out, or a refusal of consent."""
    known = [customers.find(session, person) for person in sender.in_order]
    if not any(each and (each.opted_out_at or each.consent is False) for each in known):
        return False
    for person in sender.in_order:
        customers.opt_in(session, person)
        customers.note_consent(session, person, True, "reply")
    audit.record(session, ACTOR, "customer.opted_in", incoming.sid)
    return True


def _for_staff(session: Session, sender: Sender) -> _Outcome:
    """With the booking that it seems to be about: the named one, the next, or the last."""
    coming = [booking for booking in _coming(session, sender) if _is_open(booking)]
    named = sender.named if sender.named and sender.named.person in sender.people else None
    about = named or next(iter(coming), None) or _latest(session, sender)
    return _Outcome("for_staff", about, needs_attention=True)


# --- which booking is to be cancelled ---


def _cancel(session: Session, sender: Sender, code: str | None, late: bool) -> _Outcome:
    named, coming = sender.named, _coming(session, sender)
    if named is None and code:
        named = next((each for each in coming if booking_codes.code(each.id) == code), None)
    elif named is None:
        named = _only(coming)
    if named is not None:
        return _cancel_one(session, sender, named, coming, late)
    return _ask(session, sender, [booking for booking in coming if _is_open(booking)])


def _only(coming: Sequence[Booking]) -> Booking | None:
    """The one that CANCEL alone can mean: the only open one; if there is none, the one that has
    begun, or else the one that was cancelled last.
    """
    if is_open := [booking for booking in coming if _is_open(booking)]:
        return is_open[0] if len(is_open) == 1 else None
    begun = [booking for booking in coming if booking.status != "cancelled"]
    return next(iter(begun), None) or max(coming, key=lambda each: each.updated_at, default=None)


def _cancel_one(
    session: Session, sender: Sender, named: Booking, coming: Sequence[Booking], late: bool
) -> _Outcome:
    booking = lock_booking(session, named.id, to_change=True)
    if booking is None or booking.person not in sender.people:  # its number was changed just now
        return _for_staff(session, sender)
    if booking.status == "cancelled":
        already = _answer(session, sender, "already_cancelled", booking, coming)
        return _Outcome("already_cancelled", booking, already)
    if not _is_open(booking):
        too_late = _answer(session, sender, "too_late", booking, coming)
        return _Outcome("too_late", booking, too_late, needs_attention=True)
    bookings.cancel(session, booking.id, ACTOR, told=not late)
    told = _answer(session, sender, "cancelled", booking, coming)
    return _Outcome("cancelled", booking, told, needs_attention=True)  # their place is free


def _answer(
    session: Session, sender: Sender, effect: str, booking: Booking, coming: Sequence[Booking]
) -> str:
    session.refresh(booking, ["service", "barber"])  # a lock reads the row anew, without them
    return answers.answer(session, effect, _language(session, sender), booking, coming)


def _ask(session: Session, sender: Sender, choices: Sequence[Booking]) -> _Outcome:
    """Nothing is cancelled: there are several that they may mean, or none."""
    if not sender.is_known:
        return _for_staff(session, sender)
    language = _language(session, sender)
    if not choices:
        answer = answers.answer(session, "no_booking", language)
        return _Outcome("no_booking", answer=answer, needs_attention=True)
    return _Outcome("which_booking", answer=answers.which_booking(session, language, choices))


def _is_open(booking: Booking) -> bool:
    return booking.status == "confirmed" and booking.starts_at > clock.now()


def _coming(session: Session, sender: Sender) -> Sequence[Booking]:
    """Their bookings that have not ended, cancelled ones included, the next one first."""
    return session.scalars(
        select(Booking)
        .where(Booking.person.in_(sender.people), Booking.ends_at > clock.now())
        .options(joinedload(Booking.service), joinedload(Booking.barber))
        .order_by(Booking.starts_at, Booking.id)
    ).all()


def _latest(session: Session, sender: Sender) -> Booking | None:
    return session.scalars(
        select(Booking)
        .where(Booking.person.in_(sender.people))
        .order_by(Booking.starts_at.desc())
        .limit(1)
    ).one_or_none()
