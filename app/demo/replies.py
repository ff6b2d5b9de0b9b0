"""What customers write in the shop of `chairtime demo`, and what comes of it."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from sqlalchemy import select

from app import clock
from app.channel import Incoming
from app.conversations import inbound
from app.conversations import service as conversations
from app.demo.builder import Appointment, DemoBuilder
from app.models.message import Message

_A_MOMENT = timedelta(milliseconds=400)  # until it has been acted on
_AGREED = 6  # customers who agreed to messages when they booked
_LATER = "Can I come an hour later instead?"
_PARKING = "Is there parking near you?"
_BEHIND = "Yes, behind the house, and the first two hours are free. See you soon!"


def write(
    builder: DemoBuilder, appointments: Sequence[Appointment], staff: str, busy: set[str]
) -> None:
    """Put what customers say on the agenda, each of another number, and of none that is `busy`.

    Two wait for an answer and one has got it (from the actor `staff`), one cancels, one wants no
    messages any more. What no booking fits to is left out.
    """
    talk = _Talk(builder, appointments, staff, busy)
    talk.withdraw()
    talk.opt_out()
    talk.ask_and_be_answered(builder.now - timedelta(hours=5))
    talk.wait_for_staff(builder.now - timedelta(minutes=25), body=_LATER)
    talk.wait_for_staff(builder.now - timedelta(minutes=70), media=1, media_types=["picture"])
    talk.agree()


class _Talk:
    def __init__(
        self,
        builder: DemoBuilder,
        appointments: Sequence[Appointment],
        staff: str,
        busy: set[str],
    ) -> None:
        self._builder, self._appointments, self._staff = builder, appointments, staff
        self._busy = set(busy)

    def withdraw(self) -> None:
        """CANCEL, as an answer to a reminder, of the latest booking cancelled after one."""
        for each in sorted(self._free(), key=lambda each: each.starts_at, reverse=True):
            if each.is_cancelled and each.reminded_at:
                each.end = "withdrawn"
                self._busy.add(each.phone)
                self._builder.at(each.ended_at, partial(self._withdraw, each))
                return

    def opt_out(self) -> None:
        """STOP, by who has got nothing for the longest time, after their last message."""
        last: dict[str, tuple[datetime, Appointment]] = {}
        for each in self._free():
            told = [*each.reminded_at, *([each.ended_at] if each.is_cancelled else [])]
            if told and (each.phone not in last or told[-1] > last[each.phone][0]):
                last[each.phone] = told[-1], each
        if last:
            at, one = min(last.values(), key=lambda each: each[0])
            self._say(one, at + timedelta(minutes=4), body="STOP")

    def ask_and_be_answered(self, at: datetime) -> None:
        if asked := self._next_of_somebody(at):
            self._say(asked, at, body=_PARKING)
            self._builder.at(at + timedelta(minutes=12), partial(self._answer, asked))

    def wait_for_staff(self, at: datetime, **said: Any) -> None:
        if asked := self._next_of_somebody(at):
            self._say(asked, at, **said)

    def agree(self) -> None:
        """Some were asked when they booked for the first time."""
        first: dict[str, Appointment] = {}
        for each in sorted(self._free(), key=lambda each: each.made_at):
            first.setdefault(each.phone, each)
        for each in list(first.values())[:_AGREED]:
            each.is_agreed = True

    def _free(self) -> Iterator[Appointment]:
        return (each for each in self._appointments if each.phone not in self._busy)

    def _next_of_somebody(self, at: datetime) -> Appointment | None:
        """The next booking of a number that has not written, as it was at `at`."""
        seen: set[str] = set()
        for each in sorted(self._free(), key=lambda each: each.starts_at):
            if each.is_open(at) and each.phone not in seen:
                seen.add(each.phone)
                if each.end == "confirmed":
                    return each
        return None

    def _say(self, one: Appointment, at: datetime, **said: Any) -> None:
        self._busy.add(one.phone)
        self._builder.at(at, partial(self._receive, one, **said))

    def _receive(self, one: Appointment, body: str = "", **more: Any) -> str:
        sid = self._builder.sid()
        name = one.name.partition(" ")[0]
        incoming = Incoming(sid=sid, sender=one.phone, body=body, profile_name=name, **more)
        inbound.receive(self._builder.session, incoming)
        return sid

    def _withdraw(self, one: Appointment) -> None:
        session = self._builder.session
        self._builder.send_reminders_of(one)
        theirs = select(Message.sid).where(Message.booking_id == one.booking_id)
        quoted = session.scalars(theirs.order_by(Message.sent_at.desc()).limit(1)).one()
        said_at = clock.now() - _A_MOMENT
        sid = self._receive(one, "Cancel", replied_to=quoted, received_at=said_at)
        seen = partial(conversations.mark_handled, session, sid, self._staff)
        self._builder.at(clock.now() + timedelta(minutes=6), seen)

    def _answer(self, asked: Appointment) -> None:
        job_id = conversations.answer(self._builder.session, asked.booking_id, _BEHIND, self._staff)
        self._builder.send(job_id)
