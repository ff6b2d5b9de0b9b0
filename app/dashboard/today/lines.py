"""Bookings as lines of a list: of a whole week of the shop there may be hundreds, so plain rows."""

from collections.abc import Sequence, Set
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple

from sqlalchemy import bindparam, exists, select
from sqlalchemy.orm import Session, aliased

from app import clock
from app.dashboard import labels
from app.db import UtcDateTime
from app.models.booking import Booking
from app.models.message import Message
from app.models.shop import Service
from app.rows import read_rows
from app.sql import is_among, is_one_of


class Line(NamedTuple):
    """A booking as a line says it. `failed`: the newest reminder that was to go out did not, and it
    is still to come.
    """

    id: str
    customer_name: str
    starts_at: datetime
    ends_at: datetime
    status: str
    paid_at: datetime | None
    due: Decimal | None
    currency: str | None
    barber_id: str
    service: str
    colour: str | None
    is_past: bool
    failed: bool

    @property
    def outcome(self) -> str:
        """As `Block.outcome`."""
        return labels.outcome(self.status, self.paid_at)


_LINE = (
    Booking.id,
    Booking.customer_name,
    Booking.starts_at,
    Booking.ends_at,
    Booking.status,
    Booking.paid_at,
    Booking.due,
    Booking.currency,
    Booking.barber_id,
    Service.name,
    Service.colour,
)
_LINES = (
    select(*_LINE)
    .join(Booking.service)
    .where(
        Booking.starts_at >= bindparam("since", type_=UtcDateTime()),
        Booking.starts_at < bindparam("until", type_=UtcDateTime()),
        Booking.status != "cancelled",
    )
    .order_by(Booking.starts_at, Booking.id)
)
_NEWER = aliased(Message)
_WENT_OUT = exists().where(
    _NEWER.booking_id == Message.booking_id,
    _NEWER.kind == Message.kind,
    _NEWER.number > Message.number,
    is_one_of(_NEWER.state, "sent"),
)
_FAILED = select(Message.booking_id).where(
    is_among(Message.booking_id, "ids"),
    is_one_of(Message.kind, "reminder"),
    is_one_of(Message.state, "failed"),
    Message.dismissed_at.is_(None),
    ~_WENT_OUT,
)


def lines(session: Session, since: datetime, until: datetime) -> list[Line]:
    """All that begin between the two and were not cancelled, by time."""
    rows, now = read_rows(session, _LINES, {"since": since, "until": until}).all(), clock.now()
    coming = [row.id for row in rows if row.ends_at > now]
    failed = _failed(session, coming)
    return [Line._make((*row, row.ends_at <= now, row.id in failed)) for row in rows]


def _failed(session: Session, ids: Sequence[str]) -> Set[str]:
    """The ids of those whose newest reminder that was to go out failed."""
    return set(read_rows(session, _FAILED, {"ids": ids}).scalars()) if ids else set()
