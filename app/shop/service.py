"""Reading the shop: its single row, its services and its barbers."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.db import table_of
from app.models.shop import Barber, Service, Shop
from app.settings import settings


def shop(session: Session) -> Shop:
    """The single row, which the first migration makes."""
    return session.get_one(Shop, 1)


COLUMNS = tuple(table_of(Shop).c)


@lru_cache(maxsize=4)
def of_values(values: tuple[Any, ...]) -> Shop:
    """The row whose COLUMNS a statement has read along with something else.

    It belongs to no session, is one object as long as its values are, and must not be changed.
    """
    return Shop(**{column.key: value for column, value in zip(COLUMNS, values, strict=True)})


def time_zone(shop: Shop) -> ZoneInfo:
    """The shop's time zone: its own, else SHOP_TIMEZONE."""
    return ZoneInfo(shop.time_zone or settings().shop_timezone)


def services(session: Session) -> Sequence[Service]:
    """What can be booked, in the shop's order."""
    return session.scalars(select(Service).where(Service.active).order_by(Service.position)).all()


def barbers(session: Session) -> Sequence[Barber]:
    """Who takes bookings, in the shop's order."""
    return session.scalars(select(Barber).where(Barber.active).order_by(Barber.position)).all()
