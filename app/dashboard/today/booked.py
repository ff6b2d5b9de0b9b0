"""What is booked on some days, and what is known of it: one statement of each kind, whatever there
is.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple

from sqlalchemy import bindparam, exists, select
from sqlalchemy.orm import Session

from app.bookings.availability import LONGEST
from app.dashboard.beads import reminders_of
from app.dashboard.labels import Reminders
from app.db import UtcDateTime
from app.models.booking import Booking
from app.models.conversation import Reply
from app.models.customer import Customer
from app.models.shop import Barber
from app.rows import read_rows
from app.shop import service as shop_service
from app.sql import is_one_of

_SHOWN = (
    Booking.id,
    Booking.customer_name,
    Booking.customer_phone,
    Booking.person,
    Booking.barber_id,
    Booking.starts_at,
    Booking.ends_at,
    Booking.busy_from,
    Booking.busy_until,
    Booking.status,
    Booking.notes,
    Booking.due,
    Booking.currency,
    Booking.paid_at,
    Booking.updated_at,
    select(Customer.notes).where(Customer.person == Booking.person).scalar_subquery(),
    is_one_of(Booking.status, "cancelled")
    & exists().where(Reply.booking_id == Booking.id, is_one_of(Reply.effect, "cancelled")),
)


class Named(NamedTuple):
    """A service or a barber, as far as a booking shows it."""

    name: str
    colour: str | None = None


class Booked(NamedTuple):
    """What boards show of a booking: plain values, by which a block that was shown before is found
    again (`once` of app.dashboard.templating). The first ones are _SHOWN.

    `always` are the notes on its customer, who has cancelled it if it is `by_reply`.
    """

    id: str
    customer_name: str
    customer_phone: str | None
    person: str | None
    barber_id: str
    starts_at: datetime
    ends_at: datetime
    busy_from: datetime
    busy_until: datetime
    status: str
    notes: str | None
    due: Decimal | None
    currency: str | None
    paid_at: datetime | None
    updated_at: datetime
    always: str | None
    by_reply: bool
    service: Named
    barber: Named


_AT = (
    select(*_SHOWN, Booking.service_id)
    .where(
        Booking.starts_at > bindparam("earliest", type_=UtcDateTime()),
        Booking.starts_at < bindparam("until", type_=UtcDateTime()),
        Booking.ends_at > bindparam("since", type_=UtcDateTime()),
    )
    .order_by(Booking.starts_at, Booking.id)
)
_OF_BARBER = _AT.where(Booking.barber_id == bindparam("barber_id"))


def bookings(
    session: Session, since: datetime, until: datetime, barber_id: str = ""
) -> Sequence[Booked]:
    """All that take place between the two, also those that only end or only begin there, by time;
    of a barber, or of all.
    """
    given = {"earliest": since - LONGEST, "since": since, "until": until, "barber_id": barber_id}
    rows = read_rows(session, _OF_BARBER if barber_id else _AT, given).all()
    services = {id: _service(session, id) for id in {row.service_id for row in rows}}
    barbers = {id: _barber(session, id) for id in {row.barber_id for row in rows}}
    return [
        Booked._make((*row[:-1], services[row.service_id], barbers[row.barber_id])) for row in rows
    ]


def _service(session: Session, id: str) -> Named:
    found = shop_service.service(session, id)
    return Named(found.name, found.colour) if found else Named("")


def _barber(session: Session, id: str) -> Named:
    found = shop_service.barber(session, id)
    return Named(found.name) if found else Named("")


def barbers_of(session: Session, ids: Iterable[str]) -> list[Barber]:
    """The barbers who take bookings, then those switched off who are among these."""
    active = shop_service.barbers(session)
    others = sorted(set(ids) - {each.id for each in active})
    found = (shop_service.barber(session, id) for id in others)
    return [*active, *(each for each in found if each)]


def reminders(session: Session, bookings: Sequence[Booked]) -> Mapping[str, Reminders]:
    """By id, of those that were not cancelled."""
    return reminders_of(session, [each.id for each in bookings if each.status != "cancelled"])
