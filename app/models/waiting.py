"""The table of those who wait for a place."""

from datetime import date, datetime, time

from sqlalchemy import CheckConstraint, ForeignKey, Index, String, Text, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.db import Base, UtcDateTime
from app.models.booking import Booking
from app.models.shop import Barber, Service

ENDINGS = ("booked", "removed")

_IS_OPEN = text("ended_at IS NULL")


class Waiting(Base):
    """Somebody who wants a place on one of some days, with a barber or (NULL) any, that was full.

    `from_time` and `until_time` are on the shop's clock: when it may begin on each of the days.
    `person` is the customer's (`identity.person_of`). `booking_id` is what they were given.
    """

    __tablename__ = "waiting"
    __table_args__ = (
        CheckConstraint("last_day >= first_day", name="days"),
        CheckConstraint(f"reason IN {ENDINGS}", name="reason"),
        CheckConstraint("(ended_at IS NULL) = (reason IS NULL)", name="ended"),
        CheckConstraint("customer_phone LIKE '+%'", name="phone_e164"),
        Index(
            "ix_waiting_open",
            "shop_id",
            "last_day",
            postgresql_where=_IS_OPEN,
            sqlite_where=_IS_OPEN,
        ),
        Index(None, "person"),
    )

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    shop_id: Mapped[int] = mapped_column(ForeignKey("shop.id"))
    customer_name: Mapped[str] = mapped_column(String(100))
    customer_phone: Mapped[str] = mapped_column(String(20))
    person: Mapped[str] = mapped_column(String(20))
    service_id: Mapped[str] = mapped_column(ForeignKey("service.id"))
    barber_id: Mapped[str | None] = mapped_column(ForeignKey("barber.id"))
    first_day: Mapped[date]
    last_day: Mapped[date]
    from_time: Mapped[time | None]
    until_time: Mapped[time | None]
    notes: Mapped[str | None] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    ended_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    reason: Mapped[str | None] = mapped_column(String(10))
    booking_id: Mapped[str | None] = mapped_column(ForeignKey("booking.id"))

    service: Mapped[Service] = relationship(lazy="raise_on_sql")
    barber: Mapped[Barber | None] = relationship(lazy="raise_on_sql")
    booking: Mapped[Booking | None] = relationship(lazy="raise_on_sql")
