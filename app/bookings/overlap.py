"""Which bookings of a barber take place at a time."""

from datetime import datetime, timedelta

from sqlalchemy import Select, select

from app.models.booking import Booking

LONGEST = timedelta(hours=12)
"""Of a service: how far back a booking may begin and still go on."""


def overlapping(
    barber_id: str, starts_at: datetime, ends_at: datetime, but: str = ""
) -> Select[Booking]:
    """The barber's bookings at that time, other than `but`, the earliest first.

    Who has come is noted as soon as they are there, and has the chair until the end; who was
    cancelled or did not come leaves it free.
    """
    return (
        select(Booking)
        .where(
            Booking.barber_id == barber_id,
            Booking.starts_at < ends_at,
            Booking.starts_at > starts_at - LONGEST,
            Booking.ends_at > starts_at,
            Booking.status.in_(("confirmed", "completed")),
            Booking.id != but,
        )
        .order_by(Booking.starts_at, Booking.id)
    )
