"""`chairtime demo`: a believable shop, with messages in every state, for trying out and pictures.

It writes a past that no service could make today, so it is the one place besides
`messages.lifecycle` that writes the states of messages. Nothing that it makes is overdue: what is
planned goes out from now on, one by one.
"""

import random
import uuid
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session
from ulid import ULID

from app import clock
from app.bookings.models import Booking
from app.db import insert
from app.messages import texts
from app.messages.models import Attempt, DailySent, Message, Receipt
from app.messages.receipt_ranks import rank_of
from app.preflight import Trouble
from app.reminders.plan import reminder_times
from app.reminders.policy import Policy, of_shop
from app.settings import Settings
from app.shop.models import Barber, Service, Shop
from app.shop.service import barbers, services, shop, time_zone
from app.staff.models import AuditEvent

_DAYS = range(-3, 8)  # around today
_SEED = 7  # the same shop each time
_CUSTOMERS = """
    Ada Lovelace, Bilal Haddad, Chiara Ferri, Diego Morales, Emma Lindqvist, Femi Adeyemi,
    Grace O’Neill, Hiro Tanaka, Ines Carvalho, Jonas Weber, Kofi Mensah, Léa Dubois, Mateusz Nowak,
    Nadia Petrova, Omar Farouk, Priya Nair, Quinn Baker, Rosa Jiménez, Søren Holm, Tom Ashworth,
    Uma Krishnan, Viktor Novák, Wen Li, Xavier Roux, Yara Khalil, Zoë Ångström
"""
_NAMES = [" ".join(name.split()) for name in _CUSTOMERS.split(",")]
_PHONES = "+4477009{:05d}"  # 900000 to 900999 are kept for fiction (Ofcom)

# How often each end is met, and what became of reminders whose time has passed.
_PAST_ENDS = ("completed",) * 8 + ("no_show", "cancelled")
_COMING_ENDS = ("confirmed",) * 9 + ("cancelled",)
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
class _Setting:
    """What all bookings of the shop share."""

    shop: Shop
    policy: Policy
    services: Sequence[Service]
    barbers: Sequence[Barber]
    now: datetime


def fill(session: Session, found: Settings, *, add: bool) -> int:
    """Add some days of bookings around today; returns how many.

    Raises Trouble in production, without the simulator (the numbers are nobody's), and when there
    are bookings already and not `add`.
    """
    there = session.scalar(select(func.count()).select_from(Booking)) or 0
    _check_allowed(found, there, add)
    chance = random.Random(_SEED + there)  # noqa: S311
    setting = _setting(session)
    bookings = list(_bookings(session, setting, chance))
    session.add_all(bookings)
    session.flush()
    tellers = [_Teller(setting, booking, chance) for booking in bookings]
    for teller in tellers:
        teller.tell()
    if not there:
        _leave_two_unsettled(tellers)
    for rows in zip(*(teller.rows_in_order() for teller in tellers), strict=True):
        session.add_all(row for group in rows for row in group)
        session.flush()
    _count_sent(session, tellers)
    return len(bookings)


def _check_allowed(found: Settings, there: int, add: bool) -> None:
    if found.production or not found.simulator:
        raise Trouble(
            "demo works with the simulator only: unset APP_ENV, WHATSAPP_ACCOUNT_SID, "
            "WHATSAPP_AUTH_TOKEN and WHATSAPP_FROM_NUMBER"
        )
    if there and not add:
        raise Trouble(f"there are {there} bookings already: use --add, or another STATE_DIR")


def _setting(session: Session) -> _Setting:
    """Intervals of an hour at least: very short ones, as in tests, would make it all reminders."""
    row = shop(session)
    policy = of_shop(row)
    return _Setting(
        shop=row,
        policy=replace(policy, every=max(policy.every, timedelta(hours=1))),
        services=services(session),
        barbers=barbers(session),
        now=clock.now(),
    )


def _bookings(session: Session, setting: _Setting, chance: random.Random) -> Iterator[Booking]:
    for barber in setting.barbers:
        taken = _taken(session, barber)
        for starts_at in _slots(setting, chance):
            booking = _booking(setting, chance, barber, starts_at)
            if not any(at < booking.ends_at and starts_at < end for at, end in taken):
                yield booking
                taken.append((starts_at, booking.ends_at))


def _taken(session: Session, barber: Barber) -> list[tuple[datetime, datetime]]:
    rows = session.execute(
        select(Booking.starts_at, Booking.ends_at).where(Booking.barber_id == barber.id)
    )
    return [(at, end) for at, end in rows]


def _slots(setting: _Setting, chance: random.Random) -> Iterator[datetime]:
    """Half hours of the opening times, fewer of them the farther ahead."""
    zone = time_zone(setting.shop)
    today = setting.now.astimezone(zone).date()
    for offset in _DAYS:
        day = today + timedelta(days=offset)
        at = datetime.combine(day, setting.shop.opens_at, zone)
        while at < datetime.combine(day, setting.shop.closes_at, zone):
            if chance.random() < 0.4 / (1 + 0.4 * max(offset, 0)):
                yield at.astimezone(UTC)
            at += timedelta(minutes=30)


def _booking(
    setting: _Setting, chance: random.Random, barber: Barber, starts_at: datetime
) -> Booking:
    customer = chance.randrange(len(_NAMES))
    service = chance.choice(setting.services)
    ends_at = starts_at + timedelta(minutes=service.minutes)
    before = min(starts_at, setting.now)
    created_at = before - timedelta(minutes=chance.randrange(90, 40 * 60))
    status = chance.choice(_PAST_ENDS if ends_at <= setting.now else _COMING_ENDS)
    is_over = status == "cancelled"
    return Booking(
        id=f"booking_{ULID.from_datetime(created_at)}",
        customer_name=_NAMES[customer],
        customer_phone=_PHONES.format(customer),
        service_id=service.id,
        service=service,
        barber_id=barber.id,
        barber=barber,
        starts_at=starts_at,
        ends_at=ends_at,
        status=status,
        created_at=created_at,
        updated_at=created_at + (before - created_at) * 0.7 if is_over else created_at,
    )


class _Teller:
    """Tells the story of one booking: its messages, their attempts and receipts."""

    def __init__(self, setting: _Setting, booking: Booking, chance: random.Random) -> None:
        self._setting = setting
        self.booking = booking
        self._chance = chance
        self.messages: list[Message] = []
        self.attempts: list[Attempt] = []
        self._receipts: list[Receipt] = []
        self._events = [self._event(booking.created_at, "booking.created")]

    def rows_in_order(self) -> tuple[list[Message], list[Attempt], list[Receipt], list[AuditEvent]]:
        """The rows, those first that others refer to."""
        return self.messages, self.attempts, self._receipts, self._events

    def tell(self) -> None:
        """Make the rows."""
        booking = self.booking
        planned = reminder_times(self._setting.policy, booking.created_at, booking.starts_at)
        quiet = set(planned.quiet)
        for number, at in enumerate(sorted((*planned.times, *quiet)), start=1):
            self._reminder(number, at, is_quiet=at in quiet)
        if booking.status == "cancelled":
            self._events.append(self._event(booking.updated_at, "booking.cancelled"))
            told = self._message("cancellation", 1, booking.updated_at)
            self._send(told, texts.CANCELLATION_TEXT, "read")

    def last_sent(self) -> Message | None:
        """The newest reminder that went out."""
        sent = [message for message in self.messages if message.state == "sent"]
        return sent[-1] if sent else None

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
        message.updated_at = message.fed_at = at
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

    def _event(self, at: datetime, action: str) -> AuditEvent:
        return AuditEvent(at=at, actor="system", action=action, subject=self.booking.id, details={})


def _receipt(attempt: Attempt, status: str, code: str, at: datetime) -> Receipt:
    return Receipt(
        attempt_id=attempt.id,
        callback_id=attempt.id,
        sid=attempt.sid,
        status=status,
        error_code=code,
        received_at=at,
    )


def _leave_two_unsettled(tellers: list[_Teller]) -> None:
    """One reminder of a coming booking is being tried again, and one looked up."""
    now = clock.now()
    coming = [teller for teller in tellers if teller.booking.starts_at > now + timedelta(hours=2)]
    confirmed = [teller for teller in coming if teller.booking.status == "confirmed"]
    found = [(teller, sent) for teller in confirmed if (sent := teller.last_sent()) is not None]
    changes: list[dict[str, Any]] = [
        {
            "outcome": "not_sent",
            "state": "pending",
            "due_at": now + timedelta(minutes=10),
            "tries": 4,
            "error_code": "unreachable",
        },
        {
            "outcome": None,
            "state": "uncertain",
            "check_at": now + timedelta(minutes=10),
            "tries": 1,
            "error_code": "no_answer",
        },
    ]
    for (teller, message), values in zip(found, changes, strict=False):
        if values["state"] == "uncertain":
            values["sending_to"] = teller.booking.customer_phone
        teller.unsettle(message, **values)


def _count_sent(session: Session, tellers: list[_Teller]) -> None:
    sent = Counter(
        message.sent_at.date()
        for teller in tellers
        for message in teller.messages
        if message.sent_at is not None
    )
    for day, number in sent.items():
        statement = insert(session, DailySent).values(day=day, messages=number)
        session.execute(
            statement.on_conflict_do_update(
                index_elements=["day"], set_={"messages": DailySent.messages + number}
            )
        )
