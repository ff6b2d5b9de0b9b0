"""The past of the shop of `chairtime demo`, told by the services that would have made it.

What happened is put on an agenda and then done in the order of time, with the clock at that time.
"""

import random
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from heapq import heappop, heappush
from itertools import count
from typing import Literal

from sqlalchemy import select
from sqlalchemy.orm import Session

from app import clock
from app.bookings import attendance
from app.bookings import service as bookings
from app.channel import Outcome, StatusReport
from app.demo import past
from app.messages import delivery, receipts
from app.messages.compose import Content
from app.messages.lifecycle import claims, materialize
from app.messages.lifecycle.claims import Claim
from app.messages.lifecycle.compare_and_set import job_id
from app.models.booking import Booking
from app.models.message import Message
from app.models.shop import Barber, Service
from app.reminders.plan import reminder_times
from app.shop.policy import Policy

End = Literal["confirmed", "completed", "no_show", "cancelled", "withdrawn"]

_READ = ("sent", "delivered", "read")
_POST_TAKES = timedelta(milliseconds=350)


@dataclass
class Appointment:
    """A booking that is made at `made_at`, and what comes of it, at `ended_at`.

    That is `confirmed` (nothing yet), `completed`, `no_show`, `cancelled` by staff, or `withdrawn`
    by the customer. `reminded_at` are the times of its reminders that have come.
    """

    name: str
    phone: str
    service: Service
    barber: Barber
    starts_at: datetime
    made_at: datetime
    end: End
    ended_at: datetime
    actor: str = ""
    is_agreed: bool | None = None
    reminded_at: Sequence[datetime] = ()
    booking_id: str = ""

    @property
    def is_cancelled(self) -> bool:
        return self.end in {"cancelled", "withdrawn"}

    def is_open(self, at: datetime) -> bool:
        """Whether it was made, and is still to come, at that time."""
        is_over = self.is_cancelled and self.ended_at <= at
        return self.made_at <= at < self.starts_at and not is_over


class DemoBuilder:
    """Does what is on the agenda. Times are aware, and no later than `now`."""

    def __init__(self, session: Session, chance: random.Random) -> None:
        self.session = session
        self.now = clock.now()
        self._chance = chance
        # A session forgets what nobody holds, and each message would ask for these again.
        self._catalogue = [*session.scalars(select(Service)), *session.scalars(select(Barber))]
        self._agenda: list[tuple[datetime, int, Callable[[], object]]] = []
        self._turn = count()

    def at(self, moment: datetime, act: Callable[[], object]) -> None:
        """Put `act` on the agenda."""
        heappush(self._agenda, (min(moment, self.now), next(self._turn), act))

    def add(self, appointments: Sequence[Appointment], policy: Policy) -> None:
        """Put them on the agenda: they are made, and end."""
        for each in appointments:
            times = reminder_times(policy, each.made_at, each.starts_at).times
            until = each.ended_at if each.is_cancelled else self.now
            each.reminded_at = [at for at in times if at <= until]
            self.at(each.made_at, partial(self._book, each))
            if each.end != "confirmed":
                self.at(each.ended_at, partial(self._end, each))

    def run(self) -> None:
        """Do all that is on the agenda; all other reminders whose time has come were sent."""
        while self._agenda:
            moment, _, act = heappop(self._agenda)
            with clock.at(moment):
                materialize.materialize_due(self.session)
                act()
        past.send_reminders(self.session, self._chance)
        past.count_reminders(self.session)

    def sid(self) -> str:
        """One of a message."""
        return "SM" + uuid.UUID(int=self._chance.getrandbits(128)).hex

    def send(
        self, message_id: str, refusal: Outcome | None = None, statuses: Sequence[str] = _READ
    ) -> datetime | None:
        """Send a message that is due: it meets a refusal, or these receipts come of it.

        Returns when it is tried again, if ever.
        """
        taken = claims.claim(self.session, message_id)
        if not isinstance(taken, Claim):
            return None
        if not isinstance(delivery.begin(self.session, taken), Content):
            return None
        sid = self.sid()
        with clock.at(self._after(_POST_TAKES)):
            came = refusal or Outcome("accepted", sid, "queued")
            due = delivery.note(self.session, taken.attempt_id, came)
            if refusal is None:
                self._report(taken.attempt_id, sid, statuses)
        return due

    def send_reminders_of(self, appointment: Appointment) -> None:
        """Those whose time has come."""
        past.send_reminders(self.session, self._chance, Booking.id == appointment.booking_id)

    def reminder(self, appointment: Appointment, position: int = -1) -> str:
        """The job id of the reminder at this position of those whose time has come."""
        return self.session.scalars(
            select(Message.id).where(
                Message.booking_id == appointment.booking_id,
                Message.planned_for == appointment.reminded_at[position],
            )
        ).one()

    def _after(self, pause: timedelta) -> datetime:
        return min(clock.now() + pause, self.now)

    def _report(self, attempt_id: str, sid: str, statuses: Sequence[str]) -> None:
        at = clock.now()
        for status in statuses:
            at = min(at + timedelta(seconds=self._chance.uniform(1, 90)), self.now)
            code = "63049" if status == "undelivered" else ""
            with clock.at(at):
                receipts.record(self.session, attempt_id, StatusReport(sid, status, code))

    def _book(self, appointment: Appointment) -> None:
        new = {
            "customer_name": appointment.name,
            "customer_phone": appointment.phone,
            "service_id": appointment.service.id,
            "barber_id": appointment.barber.id,
            "scheduled_time": appointment.starts_at,
            "whatsapp_consent": appointment.is_agreed,
        }
        booking, _ = bookings.create(self.session, new, appointment.actor)
        appointment.booking_id = booking.id

    def _end(self, appointment: Appointment) -> None:
        booking_id, actor = appointment.booking_id, appointment.actor
        match appointment.end:
            case "cancelled":
                self.send_reminders_of(appointment)
                bookings.cancel(self.session, booking_id, actor)
                self.send(job_id(booking_id, "cancellation", 1))
            case "completed" | "no_show" as came:
                attendance.mark(self.session, booking_id, came, actor)
