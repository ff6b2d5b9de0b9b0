"""What is booked on some days, and what is known of it: one statement of each kind, whatever there
is.
"""

from collections.abc import Iterable, Sequence, Set
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session, joinedload

from app.bookings.availability import LONGEST
from app.customers import service as customers
from app.dashboard.beads import reminders_of
from app.dashboard.today.cells import Known
from app.models.booking import Booking
from app.models.conversation import Reply
from app.models.shop import Barber
from app.shop import service as shop_service


def bookings(
    session: Session, since: datetime, until: datetime, barber_id: str = ""
) -> Sequence[Booking]:
    """All that take place between the two, also those that only end or only begin there, by time;
    of a barber, or of all. With service and barber.
    """
    query = (
        select(Booking)
        .where(
            Booking.starts_at > since - LONGEST,
            Booking.starts_at < until,
            Booking.ends_at > since,
        )
        .order_by(Booking.starts_at, Booking.id)
        .options(joinedload(Booking.service), joinedload(Booking.barber))
    )
    if barber_id:
        query = query.where(Booking.barber_id == barber_id)
    return session.scalars(query).all()


def barbers_of(session: Session, ids: Iterable[str]) -> list[Barber]:
    """The barbers who take bookings, then those switched off who are among these."""
    active = shop_service.barbers(session)
    others = sorted(set(ids) - {each.id for each in active})
    found = (shop_service.barber(session, id) for id in others)
    return [*active, *(each for each in found if each)]


def known(session: Session, bookings: Sequence[Booking]) -> Known:
    """What blocks and traces say of them."""
    kept = [each for each in bookings if each.status != "cancelled"]
    return Known(
        reminders=reminders_of(session, [each.id for each in kept]),
        notes=customers.notes_on(session, [each.person for each in kept if each.person]),
        replied=_replied(session, bookings),
    )


def _replied(session: Session, bookings: Sequence[Booking]) -> Set[str]:
    """The ids of those that their customers cancelled."""
    ids = [booking.id for booking in bookings if booking.status == "cancelled"]
    if not ids:
        return set()
    cancelled = select(Reply.booking_id).where(
        Reply.booking_id.in_(ids), Reply.effect == "cancelled"
    )
    return {each for each in session.scalars(cancelled) if each is not None}
