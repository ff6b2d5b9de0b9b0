"""The story of one booking of `chairtime demo`: its messages, their attempts and receipts."""

import random
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from app.messages import texts
from app.messages.receipt_ranks import rank_of
from app.models.booking import Booking
from app.models.message import Attempt, Message, Receipt
from app.models.shop import Barber, Service, Shop
from app.models.staff import AuditEvent
from app.reminders.plan import reminder_times
from app.shop.policy import Policy
from app.shop.service import time_zone

# What became of reminders whose time has passed, and how often.
_FATES = [
    *["read"] * 200,
    *["delivered"] * 90,
    *["sent"] * 20,
    *["superseded"] * 6,
    *["refused", "gave_up", "undelivered"],
]
_RECEIPTS = {
    "sent": ("sent",),
    "delivered": ("sent", "delivered"),
    "read": ("sent", "delivered", "read"),
    "undelivered": ("sent", "undelivered"),
}
_CODES = {"refused": "63024", "gave_up": "unreachable", "undelivered": "63049"}


@dataclass(frozen=True)
class Setting:
    """What all bookings of the shop share."""

    shop: Shop
    policy: Policy
    services: Sequence[Service]
    barbers: Sequence[Barber]
    now: datetime


class DemoBuilder:
    """Makes the rows of one booking, which `actor` made: messages, attempts, receipts."""

    def __init__(
        self, setting: Setting, booking: Booking, chance: random.Random, actor: str
    ) -> None:
        self._setting = setting
        self.booking = booking
        self._chance = chance
        self.actor = actor
        self.messages: list[Message] = []
        self.attempts: list[Attempt] = []
        self._receipts: list[Receipt] = []
        self.events: list[AuditEvent] = []
        self.note(booking.created_at, "booking.created", actor)

    def rows_in_order(self) -> tuple[list[Message], list[Attempt], list[Receipt]]:
        """The rows, those first that others refer to; without `events`."""
        return self.messages, self.attempts, self._receipts

    def build(self) -> None:
        """Make the rows."""
        booking = self.booking
        planned = reminder_times(self._setting.policy, booking.created_at, booking.starts_at)
        quiet = set(planned.quiet)
        for number, at in enumerate(sorted((*planned.times, *quiet)), start=1):
            self._reminder(number, at, is_quiet=at in quiet)
        if booking.status in {"completed", "no_show"}:
            self.note(booking.updated_at, f"booking.{booking.status}", self.actor)
        if booking.status == "cancelled":
            self.note(booking.updated_at, "booking.cancelled", self.actor)
            told = self._message("cancellation", 1, booking.updated_at)
            self._send(told, texts.CANCELLATION_TEXT, "read")

    def last_sent(self) -> Message | None:
        """The newest reminder that went out."""
        sent = [message for message in self.messages if message.state == "sent"]
        return sent[-1] if sent else None

    def note(
        self, at: datetime, action: str, actor: str, subject: str = "", **details: Any
    ) -> None:
        """Something that was done, to the booking if it was to nothing else, for the audit log."""
        self.events.append(
            AuditEvent(
                at=at,
                actor=actor,
                action=action,
                subject=subject or self.booking.id,
                details=details,
            )
        )

    def answer(self, at: datetime, text: str, actor: str) -> None:
        """Staff's own words, which the customer has read."""
        message = self._message("answer", 1, at)
        message.text = text
        self._send(message, text, "read")
        self.note(at, "booking.answered", actor, job_id=message.id)

    def leave_untold(self, actor: str) -> None:
        """It was `actor` who cancelled, and was told by an answer, not by a message."""
        told = next(message for message in self.messages if message.kind == "cancellation")
        self.messages.remove(told)
        self.attempts = [one for one in self.attempts if one.message_id != told.id]
        self._receipts = [one for one in self._receipts if one.attempt_id != told.attempt_id]
        self.events[-1].actor = actor

    def unsettle(self, message: Message, **values: Any) -> None:
        """Make of a sent message one whose attempt has come to nothing so far."""
        attempt = next(one for one in self.attempts if one.id == message.attempt_id)
        self._receipts = [one for one in self._receipts if one.attempt_id != attempt.id]
        attempt.outcome, attempt.sid = values.pop("outcome"), None
        attempt.error_code = values["error_code"]
        nothing = {"sid": None, "sent_at": None, "delivery_status": None, "delivery_rank": 0}
        for name, value in (nothing | values).items():
            setattr(message, name, value)

    def _reminder(self, number: int, at: datetime, *, is_quiet: bool) -> None:
        message = self._message("reminder", number, at)
        if is_quiet:
            message.state, message.reason = "skipped", "quiet_hours"
        elif self.booking.status == "cancelled" and at > self.booking.updated_at:
            message.state, message.reason = "cancelled", "booking_cancelled"
            message.updated_at = self.booking.updated_at
        elif at <= self._setting.now:
            self._meet(message, self._chance.choice(_FATES))

    def _meet(self, message: Message, fate: str) -> None:
        """What became of a reminder whose time has passed."""
        if fate == "superseded":
            message.state, message.reason = "skipped", "superseded"
        elif fate in {"refused", "gave_up"}:
            self._fail(message, fate, 1 if fate == "refused" else 6)
        else:
            self._send(message, texts.REMINDER_TEXT, fate)

    def _message(self, kind: str, number: int, at: datetime) -> Message:
        booking = self.booking
        message = Message(
            id=f"{booking.id}-{kind}-{number}",
            booking_id=booking.id,
            kind=kind,
            number=number,
            state="pending",
            planned_for=at,
            due_at=at,
            updated_at=max(at, booking.created_at)
            if at <= self._setting.now
            else booking.created_at,
            attempts=0,
            tries=0,
            checks=0,
            delivery_rank=0,
            verify_first=False,
            doubled=False,
        )
        self.messages.append(message)
        return message

    def _send(self, message: Message, text: str, status: str) -> None:
        """Twilio took it; `status` is the last it told."""
        attempt = self._attempt(message, 1, message.planned_for, text, "accepted")
        attempt.sid = "SM" + uuid.UUID(int=self._chance.getrandbits(128)).hex
        at = attempt.started_at
        for name in _RECEIPTS[status]:
            at = min(at + timedelta(seconds=self._chance.uniform(1, 90)), self._setting.now)
            self._receipts.append(_receipt(attempt, name, _CODES.get(name, ""), at))
        if status == "undelivered":
            attempt.outcome, attempt.error_code = status, _CODES[status]
            message.state, message.reason, message.error_code = "failed", status, _CODES[status]
            return
        message.state, message.sid, message.sent_at = "sent", attempt.sid, attempt.ended_at
        message.delivery_status, message.delivery_rank = status, rank_of(status)

    def _fail(self, message: Message, reason: str, attempts: int) -> None:
        at = message.planned_for
        for number in range(1, attempts + 1):
            outcome = "refused" if reason == "refused" else "not_sent"
            attempt = self._attempt(message, number, at, texts.REMINDER_TEXT, outcome)
            attempt.error_code = _CODES[reason]
            at = min(at + timedelta(seconds=5.0**number), self._setting.now)
        message.state, message.reason, message.error_code = "failed", reason, _CODES[reason]
        message.tries = attempts

    def _attempt(
        self, message: Message, number: int, at: datetime, text: str, outcome: str
    ) -> Attempt:
        attempt = Attempt(
            id=str(uuid.UUID(int=self._chance.getrandbits(128), version=4)),
            message_id=message.id,
            number=number,
            sent_to=self.booking.customer_phone,
            body=self._body(text, at),
            started_at=at,
            ended_at=min(at + timedelta(milliseconds=350), self._setting.now),
            outcome=outcome,
        )
        message.attempts, message.attempt_id = number, attempt.id
        message.updated_at = message.enqueued_at = at
        self.attempts.append(attempt)
        return attempt

    def _body(self, text: str, at: datetime) -> str:
        booking, row = self.booking, self._setting.shop
        values = {
            "customerName": booking.customer_name,
            "formattedDateTime": texts.format_date_time(
                booking.starts_at, time_zone(row), row.locale
            ),
            "serviceName": booking.service.name,
            "barberName": booking.barber.name,
            "timeUntil": texts.time_until(at, booking.starts_at, row.locale),
        }
        return texts.render(text, values)


def _receipt(attempt: Attempt, status: str, code: str, at: datetime) -> Receipt:
    return Receipt(
        attempt_id=attempt.id,
        callback_id=attempt.id,
        sid=attempt.sid,
        status=status,
        error_code=code,
        received_at=at,
    )
