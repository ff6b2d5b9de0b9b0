"""The list of messages of all bookings, by when they last changed, a page at a time.

Reminders that are not due soon are no messages yet: a plan's row stands for them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, literal, select, tuple_
from sqlalchemy.orm import Session

from app import clock, cursors
from app.clock import USABLE_HINT
from app.db import UtcDateTime
from app.errors import FieldError, Invalid
from app.messages.service import API_STATES
from app.models.message import KINDS, Message
from app.sql import is_one_of

MAX_LIMIT = 100
ORDERS = ("updatedAt", "-updatedAt")
"""The first that changed first, or the last."""
STATES = ("delayed", "waiting", *dict.fromkeys(API_STATES.values()))
"""As the API calls them."""


@dataclass(frozen=True, kw_only=True)
class Filters:
    """What must be true of a message; `state` is one of the API's words, STATES."""

    state: str | None = None
    kind: str | None = None
    updated_since: datetime | None = None


def search(
    session: Session, filters: Filters, limit: int, cursor: str | None, sort: str
) -> tuple[list[Message], str | None]:
    """A page of messages in one of ORDERS, and the cursor of the next one, None at the end.

    A message that changes during the walk comes again, as it is then. Raises Invalid.
    """
    place = _checked(filters, limit, cursor, sort)
    query = select(Message).where(*_conditions(filters))
    columns, backwards = (Message.updated_at, Message.id), sort.startswith("-")
    if place is not None:
        here = tuple_(literal(place[0], UtcDateTime), literal(place[1]))
        query = query.where(tuple_(*columns) < here if backwards else tuple_(*columns) > here)
    by = [column.desc() for column in columns] if backwards else columns
    read = list(session.scalars(query.order_by(*by).limit(limit + 1)))
    page = read[:limit]
    more = len(read) > limit
    return page, cursors.write(page[-1].updated_at, page[-1].id, sort) if more else None


def of_bookings(session: Session, booking_ids: Sequence[str]) -> list[Message]:
    """The messages of these bookings, by the time that they were planned for."""
    theirs = select(Message).where(Message.booking_id.in_(booking_ids))
    return list(session.scalars(theirs.order_by(Message.planned_for, Message.id)))


def _conditions(filters: Filters) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = []
    now = clock.now()
    if filters.state in {"delayed", "waiting"}:
        is_later = filters.state == "delayed"
        found.append(is_one_of(Message.state, "pending"))
        found.append(Message.due_at > now if is_later else Message.due_at <= now)
    elif filters.state is not None:
        stored = [state for state, word in API_STATES.items() if word == filters.state]
        found.append(is_one_of(Message.state, *stored))
    if filters.kind is not None:
        found.append(Message.kind == filters.kind)
    if filters.updated_since is not None:
        found.append(Message.updated_at >= filters.updated_since)
    return found


def _checked(
    filters: Filters, limit: int, cursor: str | None, sort: str
) -> tuple[datetime, str] | None:
    """The place that `cursor` marks. Raises Invalid with all that is wrong."""
    place = None if cursor is None else cursors.read(cursor, sort)
    rules = {
        "state": (filters.state in {None, *STATES}, f"This must be one of {', '.join(STATES)}."),
        "kind": (filters.kind in {None, *KINDS}, f"This must be one of {', '.join(KINDS)}."),
        "sort": (sort in ORDERS, f"This must be one of {', '.join(ORDERS)}."),
        "limit": (1 <= limit <= MAX_LIMIT, f"This must be from 1 to {MAX_LIMIT}."),
        "updatedSince": (clock.is_usable(filters.updated_since), USABLE_HINT),
        "cursor": (cursor is None or place is not None, cursors.HINT),
    }
    wrong = [FieldError(name, words) for name, (is_right, words) in rules.items() if not is_right]
    if wrong:
        raise Invalid(wrong)
    return place
