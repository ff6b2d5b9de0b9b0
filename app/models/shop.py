"""Tables of the shop: one row of `shop`, its services and its barbers."""

from datetime import datetime, time
from decimal import Decimal

from sqlalchemy import CheckConstraint, ForeignKey, Numeric, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from app import clock
from app.db import Base, UtcDateTime
from app.models.week import Week, WeekType

COLOURS = ("blue", "teal", "green", "amber", "rust", "pink", "purple", "grey")

ANY_BARBER = "any"
"""Stands for a barber's id where whoever is free will do; no barber has it."""


PARTS_JOIN = "+"
"""Between the ids of services that are booked together; no id has it."""


def _changed_at() -> Mapped[datetime | None]:
    """When the row was made or last changed; empty if that was before it was noted."""
    return mapped_column(UtcDateTime, default=lambda: clock.now(), onupdate=lambda: clock.now())


class Shop(Base):
    """The shop: a single row. An empty column means "as the environment, or the default, says"."""

    __tablename__ = "shop"
    __table_args__ = (
        CheckConstraint("id = 1", name="single_row"),
        CheckConstraint("count_from IN ('booking', 'appointment')", name="count_from"),
        CheckConstraint("(quiet_from IS NULL) = (quiet_until IS NULL)", name="quiet_hours"),
        CheckConstraint("budget_per_customer > 0 AND budget_per_month > 0", name="budget"),
        CheckConstraint("(message_price IS NULL) = (currency IS NULL)", name="price"),
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
    own_times: Mapped[str | None] = mapped_column(Text)  # in their place: app.shop.own_times
    quiet_from: Mapped[time | None]
    quiet_until: Mapped[time | None]
    weekly_hours: Mapped[Week] = mapped_column(WeekType)
    reminder_text: Mapped[str | None] = mapped_column(Text)
    cancellation_text: Mapped[str | None] = mapped_column(Text)
    confirmation_text: Mapped[str | None] = mapped_column(Text)
    moved_text: Mapped[str | None] = mapped_column(Text)
    confirmation_on: Mapped[bool] = mapped_column(default=False)
    moved_on: Mapped[bool] = mapped_column(default=False)
    cancel_words: Mapped[str | None] = mapped_column(Text)  # beside "cancel", with commas between
    budget_per_customer: Mapped[int | None]  # messages in a month
    budget_per_month: Mapped[int | None]  # messages of the whole shop
    message_price: Mapped[Decimal | None] = mapped_column(Numeric(10, 4))
    currency: Mapped[str | None] = mapped_column(String(3))  # of message_price
    prices_in: Mapped[str | None] = mapped_column(String(3))  # the currency of services
    setup_next: Mapped[str | None] = mapped_column(String(10))  # of app.shop.first_steps


class Service(Base):
    """Something that can be booked; its length sets the length of a booking."""

    __tablename__ = "service"
    __table_args__ = (
        CheckConstraint("minutes BETWEEN 5 AND 720", name="minutes"),
        CheckConstraint(
            "buffer_minutes BETWEEN 1 AND 120 AND buffer_minutes_before BETWEEN 1 AND 120",
            name="buffers",
        ),
    )

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    name: Mapped[str] = mapped_column(String(100))
    minutes: Mapped[int]
    buffer_minutes_before: Mapped[int | None]  # minutes in which the barber takes nobody else
    buffer_minutes: Mapped[int | None]
    position: Mapped[int]
    active: Mapped[bool]
    price: Mapped[Decimal | None] = mapped_column(Numeric(11, 3))  # in the shop's currency
    colour: Mapped[str | None] = mapped_column(String(10))  # one of COLOURS, on the board
    parts: Mapped[str | None] = mapped_column(Text)  # ids, of several in one visit (shop.several)
    updated_at: Mapped[datetime | None] = _changed_at()


class ServiceBarber(Base):
    """A barber who does a service; every barber does a service that has no rows here."""

    __tablename__ = "service_barber"

    service_id: Mapped[str] = mapped_column(ForeignKey("service.id"), primary_key=True)
    barber_id: Mapped[str] = mapped_column(ForeignKey("barber.id"), primary_key=True)


class Barber(Base):
    """Somebody who takes bookings, in hours of their own or (NULL) in the shop's."""

    __tablename__ = "barber"

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    name: Mapped[str] = mapped_column(String(100))
    position: Mapped[int]
    active: Mapped[bool]
    weekly_hours: Mapped[Week | None] = mapped_column(WeekType)
    updated_at: Mapped[datetime | None] = _changed_at()
