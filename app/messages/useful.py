"""Whether a message is still worth sending: one rule, in SQL, for a claim, the tick and a retry.

"Newest only" (design.md §4): of the reminders of one booking that are due, the last one is sent.
"""

from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, and_, bindparam, case, exists
from sqlalchemy.orm import InstrumentedAttribute, aliased

from app.bookings.models import Booking
from app.messages.models import Message

APPOINTMENT_PASSED = "appointment_passed"
NOT_CONFIRMED = "not_confirmed"
SUPERSEDED = "superseded"

_OCCUPY_THEIR_SLOT = ("pending", "sending", "uncertain", "sent")


def is_one_of(column: InstrumentedAttribute[str], *values: str) -> ColumnElement[bool]:
    """`column IN (values)` with the values in the SQL: a partial index is used for no parameter.

    A single value becomes an `=`, as in the indexes: SQLite does not see that they are the same.
    """
    if len(values) == 1:
        return column == bindparam(None, values[0], literal_execute=True)
    return column.in_(bindparam(None, values, expanding=True, literal_execute=True))


def is_pending() -> ColumnElement[bool]:
    """The condition of the index of what is due."""
    return is_one_of(Message.state, "pending")


def why_not(now: datetime) -> ColumnElement[Any]:
    """Why a Message joined with its Booking is not worth sending any more; NULL if it is."""
    is_reminder = Message.kind == "reminder"
    return case(
        (Booking.starts_at <= now, APPOINTMENT_PASSED),
        (and_(is_reminder, Booking.status != "confirmed"), NOT_CONFIRMED),
        (and_(is_reminder, _newer_is_due(now)), SUPERSEDED),
        else_=None,
    )


def _newer_is_due(now: datetime) -> ColumnElement[bool]:
    newer = aliased(Message)
    found = exists().where(
        newer.booking_id == Message.booking_id,
        is_one_of(newer.kind, "reminder"),
        is_one_of(newer.state, *_OCCUPY_THEIR_SLOT),
        newer.planned_for > Message.planned_for,
        newer.planned_for <= now,
    )
    return found.correlate(Message)
