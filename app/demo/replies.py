"""What customers wrote in the shop of `chairtime demo`, as `app.conversations` would keep it."""

import random
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy.orm import Session

from app.conversations import answers
from app.conversations.inbound import ACTOR
from app.demo.builder import DemoBuilder, Setting
from app.models.conversation import Reply
from app.models.customer import Customer
from app.models.identity import person_of
from app.models.message import Message

_SEED = 11
_A_MOMENT = timedelta(milliseconds=400)  # until it has been acted on
_AGREED = 6  # customers who agreed to messages when they booked
_LATER = "Can I come an hour later instead?"
_PARKING = "Is there parking near you?"
_BEHIND = "Yes, behind the house, and the first two hours are free. See you soon!"


@dataclass(frozen=True)
class _Writer:
    """Writes what customers said; `wrote` are the numbers of those who did."""

    session: Session
    setting: Setting
    builders: Sequence[DemoBuilder]
    chance: random.Random
    wrote: set[str] = field(default_factory=set)

    def write(
        self, builder: DemoBuilder, at: datetime, effect: str = "for_staff", **more: Any
    ) -> Reply:
        """Keep what the booking's customer wrote at `at`; `more` are further columns."""
        booking = builder.booking
        phone, first_name = booking.customer_phone, booking.customer_name.partition(" ")[0]
        values = {
            "sid": "SM" + uuid.UUID(int=self.chance.getrandbits(128)).hex,
            "sender": phone,
            "person": person_of(phone),
            "profile_name": first_name,
            "body": "",
            "media": 0,
            "received_at": at,
            "effect": effect,
            "booking_id": booking.id,
            "needs_attention": False,
            "updated_at": at,
        }
        reply = Reply(**values | more)
        said: dict[str, Any] = {"consent": True, "consent_at": at, "consent_how": "reply"}
        if effect == "opted_out":
            said = {"opted_out_at": at, "opted_out_how": "reply"}
        self.session.add(reply)
        known = {"profile_name": first_name, "written_at": at, **said}
        self.session.merge(Customer(person=person_of(phone), **known))
        self.wrote.add(phone)
        return reply

    def next_of_somebody(self, at: datetime) -> DemoBuilder | None:
        """The next booking of a number that has not written, as it was at `at`."""
        is_new = (
            builder
            for builder in _open(self.builders, at)
            if builder.booking.customer_phone not in self.wrote
            and builder.booking.status == "confirmed"
        )
        return next(is_new, None)


def write(session: Session, setting: Setting, builders: Sequence[DemoBuilder], staff: str) -> None:
    """Write what customers said, each of another number.

    Two wait for an answer and one has got it (from the actor `staff`), one cancelled, one wants no
    messages any more. What no booking fits to is left out.
    """
    writer = _Writer(session, setting, builders, random.Random(_SEED))  # noqa: S311
    _cancel(writer)
    _opt_out(writer)
    _ask_and_be_answered(writer, setting.now - timedelta(hours=5), staff)
    _wait_for_staff(writer, setting.now - timedelta(minutes=25), body=_LATER)
    _wait_for_staff(writer, setting.now - timedelta(minutes=70), media=1)
    _agree(writer)


def _wait_for_staff(writer: _Writer, at: datetime, **said: Any) -> None:
    if asked := writer.next_of_somebody(at):
        writer.write(asked, at, needs_attention=True, **said)


def _ask_and_be_answered(writer: _Writer, at: datetime, staff: str) -> None:
    if asked := writer.next_of_somebody(at):
        handled_at = at + timedelta(minutes=12)
        handled: dict[str, Any] = {
            "handled_at": handled_at,
            "handled_by": staff,
            "updated_at": handled_at,
        }
        writer.write(asked, at, body=_PARKING, **handled)
        asked.answer(handled_at, _BEHIND, staff)


def _cancel(writer: _Writer) -> None:
    """CANCEL, as an answer to a reminder of the latest booking that was cancelled after one."""
    cancelled = [each for each in writer.builders if each.booking.status == "cancelled"]
    for builder in sorted(cancelled, key=lambda each: each.booking.starts_at, reverse=True):
        at = builder.booking.updated_at
        quoted = [each for each in _sent(builder) if each.planned_for < at - timedelta(minutes=1)]
        if quoted:
            builder.leave_untold(ACTOR)
            told = answers.answer(writer.setting.shop, "cancelled", builder.booking)
            said = {"body": "Cancel", "replied_to": quoted[-1].sid, "answer": told}
            writer.write(builder, at - _A_MOMENT, effect="cancelled", **said)
            return


def _opt_out(writer: _Writer) -> None:
    """STOP, by who has got nothing for the longest time, after their last message."""
    last: dict[str, tuple[datetime, DemoBuilder]] = {}
    for builder in writer.builders:
        phone = builder.booking.customer_phone
        sent_at = max((attempt.started_at for attempt in builder.attempts), default=None)
        if sent_at and phone not in writer.wrote:
            last[phone] = max(last.get(phone, (sent_at, builder)), (sent_at, builder), key=_first)
    if last:
        sent_at, builder = min(last.values(), key=_first)
        at = min(sent_at + timedelta(minutes=4), writer.setting.now)
        told = answers.answer(writer.setting.shop, "opted_out")
        said = {"body": "STOP", "booking_id": None, "answer": told}
        reply = writer.write(builder, at, effect="opted_out", **said)
        builder.note(at, "customer.opted_out", ACTOR, subject=reply.sid)


def _agree(writer: _Writer) -> None:
    """Some were asked when they booked for the first time."""
    first: dict[str, DemoBuilder] = {}
    for builder in sorted(writer.builders, key=lambda each: each.booking.created_at):
        first.setdefault(builder.booking.customer_phone, builder)
    for phone in [phone for phone in first if phone not in writer.wrote][:_AGREED]:
        at = first[phone].booking.created_at
        said = {"consent": True, "consent_at": at, "consent_how": "form"}
        writer.session.merge(Customer(person=person_of(phone), **said))
        first[phone].note(at, "customer.agreed", first[phone].actor)


def _open(builders: Sequence[DemoBuilder], at: datetime) -> Iterator[DemoBuilder]:
    """Of each number, the first booking that was to come then, the soonest first."""
    seen: set[str] = set()
    for builder in sorted(builders, key=lambda each: each.booking.starts_at):
        booking = builder.booking
        was_cancelled = booking.status == "cancelled" and booking.updated_at <= at
        is_open = booking.created_at <= at < booking.starts_at and not was_cancelled
        if is_open and booking.customer_phone not in seen:
            seen.add(booking.customer_phone)
            yield builder


def _sent(builder: DemoBuilder) -> list[Message]:
    return [each for each in builder.messages if each.kind == "reminder" and each.state == "sent"]


def _first(pair: tuple[datetime, DemoBuilder]) -> datetime:
    return pair[0]
