"""What becomes of bookings that new hours, a closed day or an absence have left outside.

Each is kept, moved to a free time, or cancelled and its customer told.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from app import clock
from app.bookings import any_barber, availability, series, service
from app.bookings.any_barber import Offer
from app.bookings.availability import Stray
from app.bookings.need import Need
from app.bookings.undo import UNDO_FOR
from app.errors import Conflict, Invalid
from app.models.shop import Barber
from app.shop.service import shop, time_zone

OFFERED = 20
"""Bookings for which free times are looked for, the soonest."""

_DAY = timedelta(days=1)
_AROUND = 3  # days before and after, with the same barber


@dataclass(frozen=True)
class Move:
    """To a time (aware) and a barber, by id."""

    at: datetime
    barber_id: str


@dataclass(frozen=True)
class Settled:
    """How many were moved and cancelled."""

    moved: int
    cancelled: int


def instead(session: Session, strays: Sequence[Stray]) -> dict[str, list[Offer]]:
    """Where each could go, by its id: with another barber that day, the nearest to its time, and
    with its own, the free times before and after it.
    """
    return {each.booking.id: list(_offers(session, each)) for each in strays[:OFFERED]}


def settle(session: Session, choices: Mapping[str, Move | None], actor: str) -> Settled:
    """Do what was chosen for bookings, by their ids: move them, or (None) cancel them, and their
    customers are told. All of it or, when one fails, nothing.

    Raises NotFound, and Conflict that names the booking.
    """
    moves = {id: where for id, where in choices.items() if where}
    for id in choices.keys() - moves.keys():
        service.cancel(session, id, actor, UNDO_FOR)
    for id, where in moves.items():
        _move(session, id, where, actor)
    return Settled(len(moves), len(choices) - len(moves))


def _move(session: Session, id: str, where: Move, actor: str) -> None:
    booking = service.get(session, id)
    changes = {"scheduled_time": where.at, "barber_id": where.barber_id}
    try:
        service.change(session, id, changes, actor)
        series.check_free(session, booking)
    except Conflict as conflict:
        raise Conflict(conflict.reason, f"{booking.customer_name}: {conflict.detail}") from None
    except Invalid as invalid:
        problem = invalid.errors[0].message
        raise Conflict("not_moved", f"{booking.customer_name}: {problem}") from None


def _offers(session: Session, stray: Stray) -> Iterator[Offer]:
    booking, zone = stray.booking, time_zone(shop(session))
    others = [
        each
        for each in any_barber.doers(session, booking.service_id)
        if each.id != booking.barber_id
    ]
    own = [booking.barber] if booking.barber.active else []
    for who, days in ((others, 0), (own, _AROUND)):
        since = clock.midnight(stray.day - days * _DAY, zone)
        until = clock.midnight(stray.day + (days + 1) * _DAY, zone)
        yield from _nearest(session, who, stray, since, until)


def _nearest(
    session: Session, who: Sequence[Barber], stray: Stray, since: datetime, until: datetime
) -> Iterator[Offer]:
    """Of each the last free time before the booking's own, and the first from then on."""
    at, need = stray.booking.starts_at, Need.of_booking(stray.booking)
    if not who:
        return
    free = availability.free_between(session, who, need, since, until, stray.booking.id)
    for each in who:
        before = [start for start in free[each.id] if start < at][-1:]
        after = [start for start in free[each.id] if start >= at][:1]
        chosen = after if after == [at] else [*before, *after]
        for start in chosen:
            yield Offer(each, start, start + need.length)
