"""The table of series: what bookings that repeat have in common."""

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from app.db import Base, UtcDateTime


class Series(Base):
    """Bookings of one customer, every so many `weeks`; each is a booking like any other, which
    names its series in `Booking.series_id` (ADR 54).
    """

    __tablename__ = "series"
    __table_args__ = (CheckConstraint("weeks BETWEEN 1 AND 52", name="weeks"),)

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    shop_id: Mapped[int] = mapped_column(ForeignKey("shop.id"))
    weeks: Mapped[int]
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
