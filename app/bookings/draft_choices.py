"""What the form of a booking offers to choose, and what a draft has chosen of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

from sqlalchemy.orm import Session

from app.bookings import any_barber
from app.bookings.draft import Draft, StartTime
from app.bookings.need import Need
from app.models.booking import Booking
from app.models.shop import PARTS_JOIN, Barber, Service
from app.shop import service as shop_service
from app.shop import several

_MINUTE = timedelta(minutes=1)


@dataclass(frozen=True)
class Choices:
    """What can be chosen; `service` and `barber` are what the draft has chosen.

    `needs` is how long each service would take, by id: a booking keeps its length and its buffers
    until its service is changed. `is_done`: the barber does the service, or the booking has both.
    `parts` are the services that are chosen, of which `service` is what they come to.
    `candidates` are whose free times are offered: the barber's, or those of all who do the service.
    """

    services: Sequence[Service]
    barbers: Sequence[Barber]
    needs: Mapping[str, Need]
    service: Service | None
    barber: Barber | None
    is_done: bool
    candidates: Sequence[Barber] = ()
    parts: Sequence[Service] = ()

    @property
    def need(self) -> Need:
        """What it would take; nothing until a service is chosen."""
        return self.needs[self.service.id] if self.service else Need(timedelta(0))

    @property
    def length(self) -> timedelta:
        """How long somebody would be in the chair."""
        return self.need.length

    @property
    def minutes(self) -> Mapping[str, int]:
        """The lengths of all services, by id."""
        return {id: each.length // _MINUTE for id, each in self.needs.items()}


def of_draft(
    session: Session, typed: Draft, start: StartTime | None, booking: Booking | None
) -> Choices:
    """What can be chosen for a draft that begins then; `booking` is the one that it changes."""
    return _with_any(session, _offered(session, typed, booking), typed, start)


def _offered(session: Session, typed: Draft, booking: Booking | None) -> Choices:
    """All that is offered, and what the booking has although it is not offered any more."""
    services = list(shop_service.services(session))
    barbers = list(shop_service.barbers(session))
    mine = several.ids_of(session, booking.service_id) if booking else []
    offered = {each.id for each in services}
    services += [session.get_one(Service, id) for id in mine if id not in offered]
    if booking and booking.barber_id not in {each.id for each in barbers}:
        barbers.append(session.get_one(Barber, booking.barber_id))
    barber_id, written = typed.typed["barber"], typed.typed["service"]
    known = {each.id: each for each in services}
    parts = [known[id] for id in written.split(PARTS_JOIN) if id in known]
    whole = several.as_one(session, written) if parts else None
    needs = {each.id: Need.of_service(each) for each in [*services, *filter(None, [whole])]}
    if booking:
        needs[booking.service_id] = Need.of_booking(booking)
    has_them = booking is not None and (barber_id, written) == (
        booking.barber_id,
        several.key_of(session, booking.service_id),
    )
    return Choices(
        services,
        barbers,
        needs,
        whole,
        next((each for each in barbers if each.id == barber_id), None),
        has_them or shop_service.does(session, barber_id, written),
        [each for each in barbers if each.id == barber_id],
        parts,
    )


def _with_any(session: Session, choices: Choices, typed: Draft, start: StartTime | None) -> Choices:
    """With those who could take it, if any barber will do, and who of them it would be."""
    if not (typed.is_any and choices.service):
        return choices
    doers = any_barber.doers(session, typed.typed["service"])
    best = any_barber.best(session, doers, choices.need, start.at) if start else None
    return replace(choices, barber=best, candidates=doers, is_done=bool(doers))
