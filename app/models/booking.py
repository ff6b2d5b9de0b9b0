"""The table of bookings."""

import re
from collections.abc import Callable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import (
    CheckConstraint,
    ColumnElement,
    ForeignKey,
    Index,
    Numeric,
    String,
    Text,
    func,
    text,
)
from sqlalchemy.ext.hybrid import hybrid_property
from sqlalchemy.orm import Mapped, mapped_column, relationship, validates

from app.db import Base, UtcDateTime
from app.models import folding, identity
from app.models.series import Series as Series  # its table, for the foreign key
from app.models.shop import Barber, Service

STATUSES = ("confirmed", "cancelled", "completed", "no_show")
_AROUND = re.compile("^(customer|scheduled|whatsapp)_|_id$")
_CONFIRMED = text("status = 'confirmed'")
_IN_A_SERIES = text("series_id IS NOT NULL")


def _parts(column: str) -> Index:
    """What finds a part of a text on PostgreSQL: each three letters that follow each other."""
    index = Index(
        f"ix_booking_{column}_parts",
        column,
        info={"dialect": "postgresql"},
        postgresql_using="gin",
        postgresql_ops={column: "gin_trgm_ops"},
    )
    return index.ddl_if(dialect="postgresql")


def _as(column: str) -> Callable[[Any], Any]:
    """The default of a column: what the row has in another one."""
    return lambda context: context.get_current_parameters()[column]


class Booking(Base):
    """A booking. The partial unique index makes "the same booking again" impossible to store, for
    one spelling of a number; for two of them the barber's lock does (`service.create`).

    `person` is the customer's (`identity.person_of`): by it go all look-ups. `spellings` and
    `name_folded` are what a search reads. All three follow from `customer_phone`, which is as it
    was booked, and `customer_name`. Who walked in has no number, and so is no person and gets no
    messages (ADR 42). From `busy_from` to `busy_until` the barber takes nobody else: its time, and
    what its service had to be kept free before and after when it was booked.
    """

    __tablename__ = "booking"
    __table_args__ = (
        CheckConstraint(f"status IN {STATUSES}", name="status"),
        CheckConstraint("ends_at > starts_at", name="length"),
        CheckConstraint("busy_from <= starts_at AND busy_until >= ends_at", name="busy"),
        CheckConstraint("customer_phone LIKE '+%'", name="phone_e164"),
        CheckConstraint("(price IS NULL) = (currency IS NULL)", name="price"),
        CheckConstraint("(discount IS NULL) = (discount_reason IS NULL)", name="discount"),
        Index(
            "uq_booking_same",
            "customer_phone",
            "service_id",
            "barber_id",
            "starts_at",
            unique=True,
            postgresql_where=_CONFIRMED,
            sqlite_where=_CONFIRMED,
        ),
        Index(None, "barber_id", "starts_at"),
        Index(None, "starts_at", "id"),
        Index(None, "status", "starts_at", "id"),
        Index(None, "person", "starts_at"),
        Index(None, "updated_at"),
        Index(
            None,
            "series_id",
            "starts_at",
            postgresql_where=_IN_A_SERIES,
            sqlite_where=_IN_A_SERIES,
        ),
        _parts("name_folded"),
        _parts("spellings"),
    )

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    customer_name: Mapped[str] = mapped_column(String(100))
    customer_email: Mapped[str | None] = mapped_column(String(254))
    customer_phone: Mapped[str | None] = mapped_column(String(20))
    person: Mapped[str | None] = mapped_column(String(20))
    spellings: Mapped[str] = mapped_column(String(50))
    name_folded: Mapped[str] = mapped_column(Text)
    service_id: Mapped[str] = mapped_column(ForeignKey("service.id"))
    barber_id: Mapped[str] = mapped_column(ForeignKey("barber.id"))
    starts_at: Mapped[datetime] = mapped_column(UtcDateTime)
    ends_at: Mapped[datetime] = mapped_column(UtcDateTime)
    busy_from: Mapped[datetime] = mapped_column(UtcDateTime, default=_as("starts_at"))
    busy_until: Mapped[datetime] = mapped_column(UtcDateTime, default=_as("ends_at"))
    status: Mapped[str] = mapped_column(String(20))
    notes: Mapped[str | None] = mapped_column(Text)
    price: Mapped[Decimal | None] = mapped_column(Numeric(11, 3))
    currency: Mapped[str | None] = mapped_column(String(3))
    discount: Mapped[Decimal | None] = mapped_column(Numeric(11, 3))
    discount_reason: Mapped[str | None] = mapped_column(String(100))
    paid_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    series_id: Mapped[str | None] = mapped_column(ForeignKey("series.id"))
    reminders_sent: Mapped[int | None]  # when staff said whether they came
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    updated_at: Mapped[datetime] = mapped_column(UtcDateTime)

    service: Mapped[Service] = relationship(lazy="raise_on_sql")
    barber: Mapped[Barber] = relationship(lazy="raise_on_sql")

    @hybrid_property
    def due(self) -> Decimal | None:
        """What is paid for it: the price less the discount."""
        return None if self.price is None else self.price - (self.discount or 0)

    @due.inplace.expression
    @classmethod
    def _due(cls) -> ColumnElement[Decimal | None]:
        return cls.price - func.coalesce(cls.discount, 0)

    @validates("customer_phone", "customer_name")
    def _derive(self, field: str, value: str | None) -> str | None:
        for name, derived in derived_of(field, value).items():
            setattr(self, name, derived)
        return value


def short_name(field: str) -> str:
    """A field's name in forms and in the activity: `phone` for `customer_phone`."""
    return _AROUND.sub("", field)


def derived_of(field: str, value: str | None) -> dict[str, str | None]:
    """The columns of Booking that follow from its `customer_phone` or its `customer_name`."""
    if field == "customer_name":
        return {"name_folded": folding.fold(value or "")}
    if value is None:
        return {"person": None, "spellings": ""}
    written = identity.spellings(value)
    return {"person": written[0], "spellings": " ".join(written)}


def with_derived(columns: Mapping[str, Any]) -> dict[str, Any]:
    """Columns of Booking, and what follows from them."""
    derived = dict(columns)
    for field in ("customer_name", "customer_phone"):
        if field in columns:
            derived |= derived_of(field, columns[field])
    return derived
