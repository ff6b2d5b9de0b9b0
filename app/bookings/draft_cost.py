"""What a draft would cost, as far as what is typed can be read."""

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import TypeVar

from app.bookings.draft import Draft
from app.forms import as_typed
from app.models.booking import Booking
from app.models.shop import Service
from app.shop import money

T = TypeVar("T")


@dataclass(frozen=True)
class Cost:
    """What it would cost: `price` is None for what has none, `is_own` if it is not the service's.

    `discount` is what goes off it.
    """

    price: Decimal | None = None
    discount: Decimal | None = None
    is_own: bool = False

    @property
    def due(self) -> Decimal | None:
        """What is paid for it."""
        return None if self.price is None else self.price - (self.discount or 0)


def of_draft(typed: Draft, service: Service | None, booking: Booking | None, currency: str) -> Cost:
    """As far as what is typed can be read; a price that was left alone goes with the service."""
    if service is None:
        return Cost()
    written, usual = typed.typed["price"], service.price
    if booking and written == as_typed(booking.price):
        keeps = service.id == booking.service_id
        price = booking.price if keeps else usual
    else:
        own = _read(money.read, written, currency)
        price = usual if own is None else own
    off = _read(money.read_discount, typed.typed["discount"], currency)
    return Cost(price, money.off(off, price, currency), price != usual)


def _read(read: Callable[[str, str], T], written: str, currency: str) -> T | None:
    try:
        return read(written, currency)
    except ValueError:
        return None
