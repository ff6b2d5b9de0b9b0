"""Tables of when nobody works: closed days of the shop, and what a barber is away for."""

from datetime import date, datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from app.db import Base, UtcDateTime


class Closure(Base):
    """Days on which the shop is closed, from the first to the last: a holiday, works, a fair.

    It holds for hours that begin on these days; what is left of the night before goes on.
    """

    __tablename__ = "closure"
    __table_args__ = (
        CheckConstraint("last_day >= first_day", name="days"),
        Index(None, "shop_id", "last_day"),
    )

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    shop_id: Mapped[int] = mapped_column(ForeignKey("shop.id"))
    name: Mapped[str] = mapped_column(String(100))
    first_day: Mapped[date]
    last_day: Mapped[date]


class Absence(Base):
    """When a barber is away: a day off, sick, a lunch, a training.

    One that repeats is there each week, at the same times on the shop's clock, on days up to
    `repeats_until` (None: for ever).
    """

    __tablename__ = "absence"
    __table_args__ = (
        CheckConstraint("ends_at > starts_at", name="length"),
        CheckConstraint("repeats OR repeats_until IS NULL", name="repeats"),
        Index(None, "shop_id", "starts_at"),
        Index(None, "barber_id", "starts_at"),
    )

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    shop_id: Mapped[int] = mapped_column(ForeignKey("shop.id"))
    barber_id: Mapped[str] = mapped_column(ForeignKey("barber.id"))
    name: Mapped[str] = mapped_column(String(100))
    starts_at: Mapped[datetime] = mapped_column(UtcDateTime)
    ends_at: Mapped[datetime] = mapped_column(UtcDateTime)
    repeats: Mapped[bool]
    repeats_until: Mapped[date | None]
