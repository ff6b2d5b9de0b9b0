"""Rows for tests: believable ones, of which a test names only what matters to it.

    with db.write() as session:
        booking = factories.booking(session, starts_at=clock.now() + timedelta(hours=10))
        failed = factories.message(session, booking, state="failed")

Every row is flushed, so the database's constraints have had their say.
"""

import hashlib
import itertools
import uuid
from datetime import date, datetime, timedelta
from typing import Any, TypeVar

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app import clock
from app.db import Base
from app.messages.lifecycle import materialize
from app.models.booking import Booking
from app.models.conversation import Reply
from app.models.identity import person_of
from app.models.message import Attempt, Message, Receipt
from app.models.shop import Barber, Service, Shop
from app.models.staff import ApiToken, User
from app.models.time_off import Absence, Closure

_serial = itertools.count(1)

Row = TypeVar("Row", bound=Base)


def phone() -> str:
    """A number that no other call returned, E.164, of the range kept for fiction."""
    return f"+447700900{next(_serial) % 1000:03d}"


def sid() -> str:
    """A message SID as Twilio makes them."""
    return "SM" + uuid.uuid4().hex


def shop(session: Session, **values: Any) -> Shop:
    """The shop's single row, made if it is missing, with these values."""
    row = session.get(Shop, 1)
    if row is None:
        given = {"id": 1, "name": "The Chair", "locale": "en", "count_from": "booking"}
        return _added(session, Shop(**(given | values)))
    for name, value in values.items():
        setattr(row, name, value)
    session.flush()
    return row


def service(session: Session, id: str = "haircut", **values: Any) -> Service:
    """The service with this id, made if it is missing: 30 minutes."""
    given = {"name": "Haircut", "minutes": 30, "position": 1, "active": True}
    return session.get(Service, id) or _added(session, Service(id=id, **(given | values)))


def barber(session: Session, id: str = "barber_1", **values: Any) -> Barber:
    """The barber with this id, made if it is missing."""
    given = {"name": "Sam", "position": 1, "active": True}
    return session.get(Barber, id) or _added(session, Barber(id=id, **(given | values)))


def closure(session: Session, first_day: date, **values: Any) -> Closure:
    """A day on which the shop is closed."""
    given = {
        "id": f"closure_{next(_serial)}",
        "shop_id": shop(session).id,
        "name": "Works",
        "first_day": first_day,
        "last_day": first_day,
    }
    return _added(session, Closure(**(given | values)))


def absence(session: Session, starts_at: datetime, length: timedelta, **values: Any) -> Absence:
    """When barber_1 is away, once."""
    given = {
        "id": f"absence_{next(_serial)}",
        "shop_id": shop(session).id,
        "barber_id": "barber_1",
        "name": "Training",
        "starts_at": starts_at,
        "ends_at": starts_at + length,
        "repeats": False,
    }
    return _added(session, Absence(**(given | values)))


def booking(session: Session, starts_at: datetime | None = None, **values: Any) -> Booking:
    """A confirmed booking, made now, of a new customer; in ten hours if nothing else is said."""
    starts_at = starts_at or clock.now() + timedelta(hours=10)
    minutes = service(session, values.get("service_id", "haircut")).minutes
    given = {
        "id": f"booking_{uuid.uuid4().hex[:26]}",
        "customer_name": "Zoë Ångström",
        "customer_phone": phone(),
        "service_id": "haircut",
        "barber_id": barber(session, values.get("barber_id", "barber_1")).id,
        "starts_at": starts_at,
        "ends_at": starts_at + timedelta(minutes=minutes),
        "status": "confirmed",
        "created_at": clock.now(),
        "updated_at": clock.now(),
    }
    return _added(session, Booking(**(given | values)))


def message(session: Session, of: Booking, state: str = "pending", **values: Any) -> Message:
    """The booking's next message, a reminder due now, with all that its state asks for.

    One that was or is being sent has its attempt too.
    """
    kind = values.get("kind", "reminder")
    number = values.get("number") or _next_number(session, of, kind)
    now = clock.now()
    given = {
        "id": f"{of.id}-{kind}-{number}",
        "booking_id": of.id,
        "kind": kind,
        "number": number,
        "state": state,
        "planned_for": values.get("due_at", now) + timedelta(microseconds=number - 1),
        "due_at": now,
        "updated_at": now,
        **_demands(state, of),
    }
    row = _added(session, Message(**(given | values)))
    if row.attempt_id:
        _attempt_of(session, row, of)
    return row


def attempt(session: Session, of: Message, **values: Any) -> Attempt:
    """One more POST of a message, begun now and not answered yet."""
    given = {
        "id": str(uuid.uuid4()),
        "message_id": of.id,
        "number": _count(session, Attempt, Attempt.message_id == of.id) + 1,
        "sent_to": "+447700900000",
        "body": "Hello!",
        "started_at": clock.now(),
    }
    return _added(session, Attempt(**(given | values)))


def receipt(session: Session, of: Attempt, status: str = "delivered", **values: Any) -> Receipt:
    """A delivery status of an attempt."""
    given = {
        "attempt_id": of.id,
        "callback_id": of.id,
        "sid": of.sid or sid(),
        "status": status,
        "error_code": "",
        "received_at": clock.now(),
    }
    return _added(session, Receipt(**(given | values)))


def reply(session: Session, of: Booking | None = None, **values: Any) -> Reply:
    """A message from a booking's customer, for staff to read."""
    now = clock.now()
    sender = values.get("sender") or (of.customer_phone if of else phone())
    given = {
        "sid": sid(),
        "sender": sender,
        "person": person_of(sender),
        "body": "Can I bring my son?",
        "media": 0,
        "received_at": now,
        "effect": "for_staff",
        "booking_id": of.id if of else None,
        "needs_attention": True,
        "updated_at": now,
    }
    return _added(session, Reply(**(given | values)))


def user(session: Session, **values: Any) -> User:
    """An owner who cannot log in: the password's hash is of nothing."""
    number = next(_serial)
    given = {
        "id": f"user_{number}",
        "email": f"owner{number}@example.com",
        "name": "Ola Owner",
        "role": "owner",
        "password_hash": "x",
        "created_at": clock.now(),
    }
    return _added(session, User(**(given | values)))


def api_token(session: Session, secret: str = "t" * 40, **values: Any) -> ApiToken:
    """A token that may write, known by `secret`."""
    given = {
        "id": f"token_{next(_serial)}",
        "name": "a test",
        "scope": "write",
        "digest": hashlib.sha256(secret.encode()).hexdigest(),
        "created_at": clock.now(),
    }
    return _added(session, ApiToken(**(given | values)))


def _demands(state: str, of: Booking) -> dict[str, Any]:
    """What the constraints ask of a message in this state."""
    now = clock.now()
    in_flight = {"sending_to": of.person, "attempt_id": str(uuid.uuid4()), "attempts": 1}
    demands: dict[str, dict[str, Any]] = {
        "sending": {**in_flight, "lease_until": now + timedelta(seconds=60)},
        "uncertain": {**in_flight, "check_at": now + timedelta(seconds=120)},
        "sent": {
            "sid": sid(),
            "sent_at": now,
            "delivery_status": "queued",
            "attempt_id": str(uuid.uuid4()),
            "attempts": 1,
        },
        "failed": {"reason": "refused", "error_code": "63024"},
        "cancelled": {"reason": "booking_cancelled"},
        "skipped": {"reason": "superseded"},
    }
    return demands.get(state, {})


def _attempt_of(session: Session, of: Message, booked: Booking) -> None:
    answer = {"sid": of.sid, "ended_at": of.sent_at, "outcome": "accepted"} if of.sid else {}
    attempt(session, of, id=of.attempt_id, sent_to=booked.customer_phone, **answer)


def _next_number(session: Session, of: Booking, kind: str) -> int:
    return materialize.last_number(session, of.id, kind) + 1


def _count(session: Session, table: type[Base], where: Any) -> int:
    return session.scalar(select(func.count()).select_from(table).where(where)) or 0


def _added(session: Session, row: Row) -> Row:
    session.add(row)
    session.flush()
    return row
