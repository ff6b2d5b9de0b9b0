"""How long a visit takes: the time in the chair, and what the barber is kept free before and after.

Hours are about the time in the chair. Before and after it there is only no other booking, with all
that is kept free for that one.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Self

from app.models.booking import Booking
from app.models.shop import Service
from app.shop.hours import Span

NONE = timedelta(0)
_MINUTE = timedelta(minutes=1)


@dataclass(frozen=True)
class Need:
    """A length, and how much is kept free before and after it."""

    length: timedelta
    before: timedelta = NONE
    after: timedelta = NONE

    @classmethod
    def of_service(cls, service: Service) -> Self:
        """As it would be booked now."""
        parts = service.minutes, service.buffer_minutes_before or 0, service.buffer_minutes or 0
        return cls(*(timedelta(minutes=part) for part in parts))

    @classmethod
    def of_booking(cls, booking: Booking) -> Self:
        """As it was booked."""
        return cls(
            booking.ends_at - booking.starts_at,
            booking.starts_at - booking.busy_from,
            booking.busy_until - booking.ends_at,
        )

    @property
    def buffers(self) -> tuple[int, int]:
        """The minutes that are kept free before and after."""
        return self.before // _MINUTE, self.after // _MINUTE

    def busy(self, starts_at: datetime) -> Span:
        """From when to when the barber takes nobody else."""
        return starts_at - self.before, starts_at + self.length + self.after

    def columns(self, starts_at: datetime) -> dict[str, Any]:
        """The columns of a booking that begins then."""
        busy_from, busy_until = self.busy(starts_at)
        return {
            "starts_at": starts_at,
            "ends_at": starts_at + self.length,
            "busy_from": busy_from,
            "busy_until": busy_until,
        }
