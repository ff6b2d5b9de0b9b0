"""Who wrote, by what WhatsApp calls them and by what they press or quote."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.channel import Incoming
from app.messages.lifecycle.compare_and_set import booking_of
from app.models.booking import Booking
from app.models.identity import person_of
from app.models.message import Attempt, Message


@dataclass(frozen=True)
class Sender:
    """`phone` is their number as WhatsApp spells it (E.164), if it tells; `people` are whom they
    show themselves to be; `named` is the booking of the button that they pressed, or else of the
    message of ours that they quote.
    """

    phone: str | None
    people: frozenset[str]
    named: Booking | None

    @property
    def is_known(self) -> bool:
        """Whether their number is."""
        return any(person.startswith("+") for person in self.people)

    @property
    def in_order(self) -> Sequence[str]:
        """The people, always in the same order, for whoever locks each."""
        return sorted(self.people)


def who(session: Session, incoming: Incoming, pressed: str | None) -> Sender:
    """Whoever presses our button, or quotes a message of ours, is whom it was for: also somebody
    who hides their number, or whom WhatsApp calls by a number that we do not know them by.

    `pressed` is the id of the booking whose button they pressed.
    """
    phone = incoming.sender if incoming.sender.startswith("+") else incoming.number
    writers = {person_of(incoming.sender), person_of(phone or incoming.sender)}
    named = _named(session, writers, pressed, incoming.replied_to)
    people = writers | ({named.person} if named and named.person else set())
    return Sender(phone, frozenset(people), named)


def _named(
    session: Session, writers: set[str], pressed: str | None, replied_to: str | None
) -> Booking | None:
    """The booking of the button that was pressed, or else of the message that is quoted.

    Not if its number was corrected since, and the wrong one's owner writes.
    """
    booking = session.get(Booking, pressed) if pressed else None
    if booking is not None and _is_theirs(session, booking, writers):
        return booking
    quoted = _quoted(session, replied_to) if replied_to else None
    if quoted is None:
        return None
    booking = session.get_one(Booking, booking_of(quoted.message_id))
    return booking if booking.person in {*writers, person_of(quoted.sent_to)} else None


def _is_theirs(session: Session, booking: Booking, writers: set[str]) -> bool:
    """False if its messages went to these writers when it had another number."""
    if booking.person in writers:
        return True
    sent_to = session.scalars(
        select(Attempt.sent_to)
        .join(Message, Message.id == Attempt.message_id)
        .where(Message.booking_id == booking.id)
    )
    return writers.isdisjoint(person_of(number) for number in sent_to)


def _quoted(session: Session, sid: str) -> Attempt | None:
    """The attempt by which our message with this SID went out."""
    return session.scalars(select(Attempt).where(Attempt.sid == sid)).one_or_none()
