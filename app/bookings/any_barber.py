"""A booking with any barber: who of those that do the service takes it.

The form says whom it would be, saving chooses again: with all of them held, so that two who book at
once get two barbers, or the second is told that nobody is free.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from app import clock
from app.bookings import availability
from app.bookings.fields import FARTHEST
from app.bookings.need import Need
from app.errors import Conflict
from app.models.shop import ANY_BARBER, Barber, Service
from app.shop import hours
from app.shop.service import barbers, does, shop, time_zone

_AHEAD = timedelta(days=28)


@dataclass(frozen=True)
class Offer:
    """A free time (UTC), and with whom."""

    barber: Barber
    starts_at: datetime
    ends_at: datetime

    def told(self) -> dict[str, str]:
        """As the `instead` of a Conflict."""
        starts_at, ends_at = (f"{at:%Y-%m-%dT%H:%M:%SZ}" for at in (self.starts_at, self.ends_at))
        return {"barberId": self.barber.id, "startsAt": starts_at, "endsAt": ends_at}


def usual(session: Session) -> str:
    """What a new booking is with unless somebody says: any barber, or the only one there is."""
    there = barbers(session)
    return there[0].id if len(there) == 1 else ANY_BARBER


def doers(session: Session, service_id: str) -> list[Barber]:
    """Who does it and takes bookings, in the shop's order."""
    return [each for each in barbers(session) if does(session, each.id, service_id)]


def best(session: Session, who: Sequence[Barber], need: Need, starts_at: datetime) -> Barber | None:
    """Who of them is free then, in their hours, and is least busy that day (of the shop's zone).

    Of equals the first. None if nobody is free.
    """
    ends_at = starts_at + need.length
    busy_from, busy_until = need.busy(starts_at)
    zone = time_zone(shop(session))
    day = starts_at.astimezone(zone).date()
    days = availability.calendar(session, day, ends_at.astimezone(zone).date())
    begins, ends = hours.of_calendar_day(day, zone)
    around = min(begins, busy_from), max(ends, busy_until)
    taken = availability.taken_by(session, [each.id for each in who], *around)
    there = [
        each
        for each in who
        if days.outside(each, starts_at, ends_at) is None
        and not any(begin < busy_until and busy_from < end for begin, end in taken[each.id])
    ]
    load = {id: sum((end - begin for begin, end in its), timedelta()) for id, its in taken.items()}
    return min(there, key=lambda each: load[each.id], default=None)


def somebody_else(
    session: Session, service_id: str, barber_id: str, need: Need, starts_at: datetime
) -> Barber | None:
    """Who besides that barber does the service and is free then; None if nobody is."""
    others = [each for each in doers(session, service_id) if each.id != barber_id]
    return best(session, others, need, starts_at) if others else None


def next_free(session: Session, who: Sequence[Barber], need: Need, since: datetime) -> Offer | None:
    """The first time within four weeks at which one of them is free, and with whom."""
    since = max(since, clock.now())
    until = min(since + _AHEAD, clock.now() + FARTHEST)
    free = availability.free_between(session, who, need, since, until)
    starts_at = min((times[0] for times in free.values() if times), default=None)
    if starts_at is None:
        return None
    barber = best(session, who, need, starts_at)
    return Offer(barber, starts_at, starts_at + need.length) if barber else None


def choose(session: Session, service: Service, starts_at: datetime) -> Barber:
    """The `best` of all who do the service, whom the caller holds.

    Raises Conflict `nobody_free`, which tells of the next free time.
    """
    need = Need.of_service(service)
    who = doers(session, service.id)
    chosen = best(session, who, need, starts_at)
    if chosen is None:
        raise nobody_free(next_free(session, who, need, starts_at))
    return chosen


def hold(session: Session, who: Sequence[Barber]) -> None:
    """Nobody else books them until the transaction's end. By id: two never wait crosswise."""
    ids = [each.id for each in who]
    by_id = select(Barber.id).where(Barber.id.in_(ids)).order_by(Barber.id)
    session.execute(by_id.with_for_update(key_share=True)).all()


def nobody_free(offer: Offer | None) -> Conflict:
    """The refusal of a time at which nobody is free."""
    if offer is None:
        return Conflict("nobody_free", "No barber is free then, nor in the four weeks after.")
    told = offer.told()
    next_time = f"The next free time is {told['startsAt']} with {offer.barber.name}."
    return Conflict("nobody_free", f"No barber is free then. {next_time}", told)
