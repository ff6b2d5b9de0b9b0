"""“Same again”: the same visit some weeks later, on the same weekday and by the same clock."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy.orm import Session

from app import clock
from app.bookings import availability, draft
from app.bookings.availability import Outside
from app.bookings.draft import Draft
from app.bookings.need import Need
from app.errors import FieldError, Invalid
from app.models.booking import Booking
from app.models.shop import Barber
from app.shop import service as shop_service
from app.shop.service import shop, time_zone

USUAL = 4
"""Weeks until the next visit, if nobody says."""
MOST = 52
"""Weeks that can be chosen."""

_WEEK = timedelta(days=7)


@dataclass(frozen=True)
class Again:
    """A visit that is offered: `at` (UTC), and why nobody is booked then, if that is so: it is
    `outside`, or others are `taken` in. `nearest` are free times of the barber around it.
    """

    weeks: int
    at: datetime
    barber: Barber
    outside: Outside | None
    taken: Sequence[Booking]
    nearest: Sequence[datetime]

    @property
    def is_free(self) -> bool:
        return not (self.outside or self.taken)


def weeks_of(typed: str) -> int:
    """The weeks that were typed, USUAL if nothing was. Raises Invalid (`weeks`)."""
    if not typed.strip():
        return USUAL
    if not re.fullmatch("[0-9]{1,3}", typed.strip()) or not 1 <= int(typed) <= MOST:
        raise Invalid([FieldError("weeks", f"This must be a number from 1 to {MOST}.")])
    return int(typed)


def day_of(starts_at: datetime, weeks: int, zone: ZoneInfo) -> date:
    """So many weeks after a visit, on its weekday of the zone's.

    After one that is long over, so many weeks after the last such weekday, so that it is to come.
    """
    day, today = (at.astimezone(zone).date() for at in (starts_at, clock.now()))
    over = max(0, (today - day) // _WEEK)
    return day + (over + weeks) * _WEEK


def draft_of(session: Session, booking: Booking, weeks: int) -> Draft:
    """The form of a new booking as it is opened: customer, service, barber, day and time.

    The time is the clock's, whatever has been done to the clock in between.
    """
    zone = time_zone(shop(session))
    was = Draft.of_booking(session, booking)
    typed = {**draft.customer_of(booking), **{n: was.typed[n] for n in ("service", "barber")}}
    day = day_of(booking.starts_at, weeks, zone)
    return Draft(day=day.isoformat(), time=was.time).with_typed(**typed)


def offer(session: Session, booking: Booking, weeks: int = USUAL) -> Again | None:
    """What the booking's page offers; None if the barber is not here any more, or the clock leaps
    over the time.
    """
    barber = shop_service.barber(session, booking.barber_id)
    zone = time_zone(shop(session))
    try:
        at = draft.start_of(draft_of(session, booking, weeks), zone).at
    except Invalid:
        return None
    if barber is None or not barber.active:
        return None
    need = Need.of_booking(booking)
    outside = availability.outside(session, barber, at, at + need.length)
    taken = session.scalars(availability.overlapping(barber.id, *need.busy(at))).all()
    nearest = _nearest(session, barber, at, need, zone) if outside or taken else ()
    return Again(weeks, at, barber, outside, taken, nearest)


def _nearest(
    session: Session, barber: Barber, at: datetime, need: Need, zone: ZoneInfo
) -> Sequence[datetime]:
    """The free times before and after it: of that day, or else at its hour on the days around."""
    around = at - _WEEK, at + _WEEK
    free = availability.free_between(session, [barber], need, *around)[barber.id]
    day, hour = _on_the_clock(at, zone)
    near = [each for each in free if _on_the_clock(each, zone)[0] == day]
    near = near or [each for each in free if _on_the_clock(each, zone)[1] == hour]
    before, after = [each for each in near if each < at], [each for each in near if each > at]
    return [*before[-1:], *after[:1]]


def _on_the_clock(at: datetime, zone: ZoneInfo) -> tuple[date, str]:
    local = at.astimezone(zone)
    return local.date(), f"{local:%H:%M}"
