"""Reading the shop: its single row, its services and its barbers."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Row, select
from sqlalchemy.orm import Session

from app.db import table_of
from app.models.shop import Barber, Service, Shop
from app.settings import settings


def shop(session: Session) -> Shop:
    """The single row, which the first migration makes."""
    return session.get_one(Shop, 1)


def read_shop(session: Session) -> Shop:
    """The same as values that belong to no session, read anew in a tenth of the time.

    It is one object as long as the row stays as it is, and must not be changed.
    """
    return _as_read(session.connection().execute(_ROW).one())


_ROW = select(*table_of(Shop).c)


@lru_cache(maxsize=4)
def _as_read(row: Row[*tuple[Any, ...]]) -> Shop:
    return Shop(**row._mapping)


def time_zone(shop: Shop) -> ZoneInfo:
    """The shop's time zone: its own, else SHOP_TIMEZONE."""
    return ZoneInfo(shop.time_zone or settings().shop_timezone)


def services(session: Session) -> Sequence[Service]:
    """What can be booked, in the shop's order."""
    return session.scalars(select(Service).where(Service.active).order_by(Service.position)).all()


def barbers(session: Session) -> Sequence[Barber]:
    """Who takes bookings, in the shop's order."""
    return session.scalars(select(Barber).where(Barber.active).order_by(Barber.position)).all()
