"""The reminders of many bookings at once, as their rows in a list show them: as beads."""

from collections import defaultdict
from collections.abc import Iterable
from typing import cast

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.messages.models import Message
from app.messages.useful import is_one_of

_COLUMNS = (
    Message.booking_id,
    Message.kind,
    Message.number,
    Message.state,
    Message.reason,
    Message.error_code,
    Message.delivery_status,
    Message.due_at,
    Message.attempts,
)


def reminders_of(session: Session, booking_ids: Iterable[str]) -> dict[str, list[Message]]:
    """By booking, its reminders that were not cancelled; one without any has an empty list.

    One query, of what a bead and a reason need, as plain rows: a page of bookings may have
    thousands of reminders.
    """
    found: dict[str, list[Message]] = defaultdict(list)
    query = select(*_COLUMNS).where(
        Message.booking_id.in_(list(booking_ids)),
        is_one_of(Message.kind, "reminder"),
        Message.state != "cancelled",
    )
    for row in session.execute(query):
        found[row.booking_id].append(cast(Message, row))
    return found
