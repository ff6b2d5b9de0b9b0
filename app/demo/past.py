"""Reminders of the demo's past that went out as planned, of which nothing more is to be told.

They are nearly all there is in the shop, and each sent by the real services would take a hundred
times as long (ADR 36). So these rows are written here, many at a time, and no others.
"""

import random
import uuid
from collections import Counter
from datetime import UTC, datetime, time, timedelta
from typing import Any

from sqlalchemy import ColumnElement, insert, select, update
from sqlalchemy.orm import Session

from app import clock
from app.messages import statistics
from app.messages.compose import compose
from app.messages.eligibility import is_pending
from app.messages.lifecycle import materialize
from app.messages.lifecycle.outcomes import count_sent
from app.messages.receipt_ranks import rank_of
from app.models.booking import Booking
from app.models.message import Attempt, Message, Receipt

_STATUSES = ("sent", "delivered", "read")
_HOW_OFTEN = (1, 5, 10)


def send_reminders(session: Session, chance: random.Random, *which: ColumnElement[bool]) -> None:
    """Make sent ones of the pending reminders whose time has come, of `which` bookings or of all.

    Each got as far as chance has it: sent, delivered, read.
    """
    now = clock.now()
    while materialize.materialize_due(session):
        pass
    due = session.execute(
        select(Message, Booking)
        .join(Message.booking)
        .where(is_pending(), Message.kind == "reminder", Message.due_at <= now, *which)
        .order_by(Message.due_at)
    )
    attempts: list[dict[str, Any]] = []
    receipts: list[dict[str, Any]] = []
    sent: list[dict[str, Any]] = []
    for message, booking in due:
        [status] = chance.choices(_STATUSES, _HOW_OFTEN)
        at = message.due_at
        attempt = {
            "id": str(uuid.UUID(int=chance.getrandbits(128), version=4)),
            "message_id": message.id,
            "number": 1,
            "sent_to": booking.customer_phone,
            "body": compose(session, message, booking, at).body,
            "started_at": at,
            "ended_at": min(at + timedelta(milliseconds=350), now),
            "outcome": "accepted",
            "sid": "SM" + uuid.UUID(int=chance.getrandbits(128)).hex,
        }
        attempts.append(attempt)
        for each in _STATUSES[: _STATUSES.index(status) + 1]:
            at = min(at + timedelta(seconds=chance.uniform(1, 90)), now)
            receipts.append(_receipt(attempt, each, at))
        sent.append(_sent(attempt, status, at))
    if sent:
        session.execute(insert(Attempt), attempts)
        session.execute(insert(Receipt), receipts)
        session.execute(update(Message), sent)
        _count(session, attempts)


def count_reminders(session: Session) -> None:
    """Whoever is marked as having come was so before their reminders were written here."""
    is_marked = Booking.status.in_(("completed", "no_show"))
    number = statistics.reminders_sent(Booking.id)
    session.execute(update(Booking).where(is_marked).values(reminders_sent=number))


def _receipt(attempt: dict[str, Any], status: str, at: datetime) -> dict[str, Any]:
    return {
        "attempt_id": attempt["id"],
        "callback_id": attempt["id"],
        "sid": attempt["sid"],
        "status": status,
        "error_code": "",
        "received_at": at,
    }


def _sent(attempt: dict[str, Any], status: str, at: datetime) -> dict[str, Any]:
    return {
        "id": attempt["message_id"],
        "state": "sent",
        "attempts": 1,
        "attempt_id": attempt["id"],
        "enqueued_at": attempt["started_at"],
        "sid": attempt["sid"],
        "sent_at": attempt["ended_at"],
        "delivery_status": status,
        "delivery_rank": rank_of(status),
        "updated_at": at,
    }


def _count(session: Session, attempts: list[dict[str, Any]]) -> None:
    sent = Counter((attempt["sent_to"], attempt["ended_at"].date()) for attempt in attempts)
    for (phone, day), number in sent.items():
        count_sent(session, phone, datetime.combine(day, time(), UTC), number)
