"""Tables of the shop: one row of `shop`, its services and its barbers."""

from datetime import time

from sqlalchemy import CheckConstraint, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from app.db import Base


class Shop(Base):
    """The shop: a single row. An empty column means "as the environment, or the default, says"."""

    __tablename__ = "shop"
    __table_args__ = (
        CheckConstraint("id = 1", name="single_row"),
        CheckConstraint("count_from IN ('booking', 'appointment')", name="count_from"),
        CheckConstraint("(quiet_from IS NULL) = (quiet_until IS NULL)", name="quiet_hours"),
        CheckConstraint("opens_at < closes_at", name="opening_hours"),
    )

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    name: Mapped[str] = mapped_column(String(100))
    locale: Mapped[str] = mapped_column(String(20))
    country: Mapped[str | None] = mapped_column(String(2))
    time_zone: Mapped[str | None] = mapped_column(String(64))
    reminder_every: Mapped[int | None]  # seconds
    count_from: Mapped[str] = mapped_column(String(20))
    within: Mapped[int | None]  # seconds before the appointment
    at_most: Mapped[int | None]
    quiet_from: Mapped[time | None]
    quiet_until: Mapped[time | None]
    opens_at: Mapped[time]  # on the shop's clock
    closes_at: Mapped[time]
    reminder_text: Mapped[str | None] = mapped_column(Text)
    cancellation_text: Mapped[str | None] = mapped_column(Text)


class Service(Base):
    """Something that can be booked; its length sets the length of a booking."""

    __tablename__ = "service"
    __table_args__ = (CheckConstraint("minutes BETWEEN 5 AND 720", name="minutes"),)

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    name: Mapped[str] = mapped_column(String(100))
    minutes: Mapped[int]
    position: Mapped[int]
    active: Mapped[bool]


class Barber(Base):
    """Somebody who takes bookings."""

    __tablename__ = "barber"

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    name: Mapped[str] = mapped_column(String(100))
    position: Mapped[int]
    active: Mapped[bool]
