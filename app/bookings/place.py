"""The place of a booking: its service, its barber and its time, and whether that is still free."""

from collections.abc import Mapping, Set
from datetime import datetime
from typing import Any, cast

from sqlalchemy import Select, and_, bindparam, select
from sqlalchemy.orm import Session

from app import db
from app.bookings import any_barber
from app.bookings.any_barber import Offer
from app.bookings.availability import in_the_way, overlapping, reach
from app.bookings.need import Need
from app.errors import Conflict, FieldError, Invalid
from app.models.booking import Booking
from app.models.identity import person_of
from app.models.shop import ANY_BARBER, PARTS_JOIN, Barber, Service
from app.rows import read_rows, table_of
from app.shop import service as shop_service

CHOSEN = frozenset({"service_id", "barber_id"})


def choices(
    session: Session, service_id: str, barber_id: str, new: Set[str] = CHOSEN
) -> tuple[Service, Barber]:
    """The service and the barber; the barber is held, so that two cannot take one time at once.

    Raises Invalid for what does not exist, and for what is not offered any more if its field is
    `new`: what a booking has, it keeps.
    """
    service, barber = shop_service.service(session, service_id), _held(session, barber_id)
    problems = []
    if service is None:
        problems.append(_no_such("service", service_id))
    elif "service_id" in new and not shop_service.is_offered(session, service.id):
        problems.append(_switched_off("service_id", service))
    if barber is None:
        problems.append(_no_such("barber", barber_id))
    elif "barber_id" in new and not barber.active:
        problems.append(_switched_off("barber_id", barber))
    elif service and new & CHOSEN and not shop_service.does(session, barber_id, service_id):
        says = f"{barber.name} does not do {service.name}: choose another."
        problems.append(FieldError("barber_id", says))
    if problems or service is None or barber is None:
        raise Invalid(problems)
    return service, barber


def any_of(session: Session, values: Mapping[str, Any]) -> str:
    """The id of the barber whom a new booking with any barber gets: of the same booking if it is
    there, whoever has it, else of who is free and has least that day.

    `values` are BookingForm's. Raises Invalid for a service that is not offered, and Conflict
    `nobody_free`.
    """
    service = shop_service.service(session, values["service_id"])
    if service is None:
        raise Invalid([_no_such("service", values["service_id"])])
    if not shop_service.is_offered(session, service.id):
        raise Invalid([_switched_off("service_id", service)])
    any_barber.hold(session, any_barber.doers(session, service.id))
    same = {
        "person": _person(values),
        "service_id": service.id,
        "starts_at": values["scheduled_time"],
    }
    there = session.scalars(_SAME_WITH_ANY, same).one_or_none()
    return there or any_barber.choose(session, service, values["scheduled_time"]).id


def unknown(session: Session, values: Mapping[str, Any], names: Set[str]) -> list[FieldError]:
    """An error for the service and the barber among `names` if there is none such."""
    problems = []
    if "service_id" in names:
        ids = values["service_id"].split(PARTS_JOIN)
        missing = [id for id in ids if shop_service.service(session, id) is None]
        problems += [_no_such("service", id) for id in missing[:1]]
    if "barber_id" in names and values["barber_id"] != ANY_BARBER:
        is_there = shop_service.barber(session, values["barber_id"]) is not None
        problems += [] if is_there else [_no_such("barber", values["barber_id"])]
    return problems


def find_same(
    session: Session,
    barber: Barber,
    values: Mapping[str, Any],
    allow_overlap: bool,
    but: str = "",
) -> Booking | None:
    """The same booking, confirmed, other than `but`, as a plain row; the barber is held, so none
    is being made.

    `values` are the columns of a booking. One look, which also tells whether the barber is free
    then: raises Conflict `barber_taken` unless `allow_overlap`, which names another who is free.
    """
    found = _found(session, _SAME if allow_overlap else _SAME_OR_IN_THE_WAY, values, but)
    if found is not None and not _is_same(found, values):
        raise _taken(barber, found, _instead(session, barber, values))
    return found


def check_still_free(session: Session, booking: Booking, since: datetime) -> None:
    """Whether a cancelled booking's place was not taken since then.

    Raises Conflict `same_booking` or `barber_taken`.
    """
    _, barber = choices(session, booking.service_id, booking.barber_id, new=set())
    check_no_double(session, booking)
    query = overlapping(barber.id, booking.busy_from, booking.busy_until)
    later = session.scalars(query.where(Booking.updated_at >= since).limit(1)).one_or_none()
    if later is not None:
        raise _taken(barber, later)


def check_no_double(session: Session, booking: Booking) -> None:
    """Raises Conflict `same_booking` if another confirmed booking is the same as this one."""
    refuse_double(_found(session, _SAME, vars(booking), booking.id))


def refuse_double(other: Booking | None) -> None:
    """Raises Conflict `same_booking` if there is one."""
    if other is not None:
        raise Conflict("same_booking", f"This customer has this very booking: {other.id}.")


def _held(session: Session, id: str) -> Barber | None:
    if not db.locks_rows(session):
        return shop_service.barber(session, id)
    return cast(Barber | None, session.connection().execute(_HELD_BARBER, {"id": id}).one_or_none())


def _found(
    session: Session, query: Select[Any], values: Mapping[str, Any], but: str
) -> Booking | None:
    given = {name: values.get(name) for name in ("service_id", "barber_id", "starts_at")}
    around = reach(values["busy_from"], values["busy_until"])
    more = {"person": _person(values), "but": but}
    found = read_rows(session, query, given | around | more).one_or_none()
    return cast(Booking | None, found)


def _is_same(found: Booking, values: Mapping[str, Any]) -> bool:
    """Of a booking that is at this time with this barber."""
    person = _person(values)
    return (
        person is not None
        and found.status == "confirmed"
        and (
            (found.person, found.service_id, found.starts_at)
            == (person, values["service_id"], values["starts_at"])
        )
    )


def _person(values: Mapping[str, Any]) -> str | None:
    """Of those who walk in nobody knows whether they are the same."""
    phone = values["customer_phone"]
    return None if phone is None else person_of(phone)


def _no_such(kind: str, given: str) -> FieldError:
    return FieldError(f"{kind}_id", f"There is no {kind} {given!r}.")


def _switched_off(field: str, item: Service | Barber) -> FieldError:
    return FieldError(field, f"{item.name} cannot be booked any more: choose another.")


def _instead(session: Session, barber: Barber, values: Mapping[str, Any]) -> Offer | None:
    """The same time with somebody else."""
    starts_at, ends_at = values["starts_at"], values["ends_at"]
    need = Need(
        ends_at - starts_at, starts_at - values["busy_from"], values["busy_until"] - ends_at
    )
    free = any_barber.somebody_else(session, values["service_id"], barber.id, need, starts_at)
    return Offer(free, starts_at, ends_at) if free else None


def _taken(barber: Barber, other: Booking, instead: Offer | None = None) -> Conflict:
    taken = f"{other.starts_at:%Y-%m-%dT%H:%M:%SZ} to {other.ends_at:%H:%M:%SZ}"
    said = f"{barber.name} has another booking from {taken}"
    if (other.busy_from, other.busy_until) != (other.starts_at, other.ends_at):
        said += (
            f", and is kept free from {other.busy_from:%H:%M:%SZ} to {other.busy_until:%H:%M:%SZ}"
        )
    if instead is None:
        return Conflict("barber_taken", f"{said}.")
    return Conflict("barber_taken", f"{said}. {instead.barber.name} is free then.", instead.told())


# Made once: to build and to look up a statement takes longer than SQLite does to answer it.
_HELD_BARBER = (
    select(*table_of(Barber).c).where(Barber.id == bindparam("id")).with_for_update(key_share=True)
)
_IS_SAME_WITH_ANY = and_(
    Booking.person == bindparam("person"),
    Booking.service_id == bindparam("service_id"),
    Booking.starts_at == bindparam("starts_at"),
    Booking.status == "confirmed",
)
_SAME_WITH_ANY = select(Booking.barber_id).where(_IS_SAME_WITH_ANY).order_by(Booking.id).limit(1)
_IS_SAME = and_(_IS_SAME_WITH_ANY, Booking.barber_id == bindparam("barber_id"))
_COLUMNS = table_of(Booking).c
_WHERE = ("barber_id", "earliest", "latest", "busy_from", "busy_until")
_SAME = (
    select(*_COLUMNS).where(_IS_SAME, Booking.id != bindparam("but")).order_by(Booking.id).limit(1)
)
# The same booking is in the way too, so it is found first.
_SAME_OR_IN_THE_WAY = (
    select(*_COLUMNS)
    .where(
        in_the_way(*map(bindparam, _WHERE)),
        Booking.id != bindparam("but"),
    )
    .order_by(_IS_SAME.desc(), Booking.starts_at, Booking.id)
    .limit(1)
)
