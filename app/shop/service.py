"""Reading the shop: its single row, its services and its barbers."""

from collections.abc import Sequence
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.models.shop import Barber, Service, Shop
from app.settings import settings


def shop(session: Session) -> Shop:
    """The single row, which the first migration makes."""
    return session.get_one(Shop, 1)


def time_zone(shop: Shop) -> ZoneInfo:
    """The shop's time zone: its own, else SHOP_TIMEZONE."""
    return ZoneInfo(shop.time_zone or settings().shop_timezone)


def services(session: Session) -> Sequence[Service]:
    """What can be booked, in the shop's order."""
    return session.scalars(select(Service).where(Service.active).order_by(Service.position)).all()


def barbers(session: Session) -> Sequence[Barber]:
    """Who takes bookings, in the shop's order."""
    return session.scalars(select(Barber).where(Barber.active).order_by(Barber.position)).all()
