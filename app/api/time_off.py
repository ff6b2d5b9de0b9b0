"""Closed days of the shop, and when barbers are away, over JSON."""

from collections.abc import Mapping
from datetime import date, datetime
from typing import Annotated, Any, Literal

import msgspec
from litestar import Response, Router, delete, get, post
from litestar.params import JSONBody, PathParameter
from msgspec import Meta, Struct
from sqlalchemy.orm import Session

from app import clock, db
from app.api.once import Key, once
from app.bookings import availability
from app.errors import FieldError, Invalid
from app.models.time_off import Absence, Closure
from app.shop import time_off
from app.shop.service import shop, time_zone
from app.shop.time_off import AbsenceFields, ClosureForm
from app.staff.guards import ApiRequest, actor_of
from app.web.bodies import Body, JsonBody
from app.web.field_names import WrongFields, camel
from app.web.problems import documented

Name = Annotated[str, Meta(description="1 to 100 characters.", examples=["Christmas"])]
Day = Annotated[str, Meta(description="A day of the shop's calendar.", examples=["2026-12-25"])]
Repeats = Annotated[
    Literal["weekly"] | None,
    Meta(description="At the same times of the shop's clock each week, or once."),
]
Outside = Annotated[
    list[str], Meta(description="The ids of the confirmed bookings to come that lie in it.")
]
BarberId = Annotated[
    str, PathParameter(pattern=r"^[A-Za-z0-9_-]{1,40}$", description="A barber's id.")
]
ItemId = Annotated[str, PathParameter(pattern=r"^[a-z]+_[A-Za-z0-9]{1,32}$", description="Its id.")]

_WORDS = {"first_day": "from", "last_day": "to", "starts_at": "from", "ends_at": "to"}


class NewClosure(Struct, rename={"first": "from", "last": "to"}, forbid_unknown_fields=True):
    """Days on which the shop is to be closed; without `to` it is one day."""

    name: Name
    first: Day
    last: Day | None = None


class ClosureAnswer(Struct, rename={"first": "from", "last": "to"}):
    """Days on which the shop is closed."""

    id: str
    name: str
    first: date
    last: date


class ClosureMade(
    ClosureAnswer, rename={"first": "from", "last": "to", "bookings": "bookingsOutside"}
):
    """The same, with what is booked on these days."""

    bookings: Outside


class Closures(Struct):
    """Those that are not over, by their first day."""

    items: list[ClosureAnswer]


_ABSENCE = {"starts_at": "from", "ends_at": "to", "repeats_until": "repeatsUntil"}


class NewAbsence(Struct, rename=_ABSENCE, forbid_unknown_fields=True):
    """When a barber is to be away."""

    name: Name
    starts_at: datetime
    ends_at: datetime
    repeats: Repeats = None
    repeats_until: Day | None = None


class AbsenceAnswer(Struct, rename=_ABSENCE):
    """When a barber is away; of what repeats, the first time."""

    id: str
    name: str
    starts_at: datetime
    ends_at: datetime
    repeats: Repeats
    repeats_until: date | None


class AbsenceMade(AbsenceAnswer, rename={**_ABSENCE, "bookings": "bookingsOutside"}):
    """The same, with what is booked then."""

    bookings: Outside


class Absences(Struct):
    """Those that are not over, by their beginning."""

    items: list[AbsenceAnswer]


@get("/", opt={"access": "read"}, responses=documented(400, 401, 403), sync_to_thread=True)
def list_closures() -> Closures:
    """The closed days that are not over."""
    with db.database().read() as session:
        zone = time_zone(shop(session))
        today = clock.now().astimezone(zone).date()
        return Closures([_closure(each) for each in time_off.closures(session, today)])


@post(
    "/",
    dto=JsonBody[NewClosure],
    opt={"access": "write"},
    responses=documented(400, 401, 403, 409, 413, 415, 422),
    sync_to_thread=True,
)
def create_closure(
    data: JSONBody[Body[NewClosure]], request: ApiRequest, idempotency_key: Key = None
) -> Response[ClosureMade]:
    """Close the shop on some days; what is booked stays, and is named."""

    def close(session: Session) -> ClosureMade:
        asked = data.checked(_wrong_closure)
        values = _named(ClosureForm(_days(msgspec.structs.asdict(asked))).columns)
        [closure] = time_off.add_closures(session, [values], actor_of(request))
        booked = [
            each.booking.id
            for each in availability.strays(session)
            if closure.first_day <= each.day <= closure.last_day and each.why.closed
        ]
        return ClosureMade(**msgspec.structs.asdict(_closure(closure)), bookings=booked)

    return once(request, idempotency_key, data, close)


@delete(
    "/{closure_id:str}",
    opt={"access": "write"},
    responses=documented(400, 401, 403, 404),
    sync_to_thread=True,
)
def delete_closure(closure_id: ItemId, request: ApiRequest) -> None:
    """Open the shop again on these days."""
    with db.database().write() as session:
        time_off.remove_closure(session, closure_id, actor_of(request))


@get("/", opt={"access": "read"}, responses=documented(400, 401, 403, 404), sync_to_thread=True)
def list_absences(barber_id: BarberId) -> Absences:
    """When a barber is away, as far as it is not over."""
    with db.database().read() as session:
        return Absences([_absence(each) for each in time_off.absences(session, barber_id)])


@post(
    "/",
    dto=JsonBody[NewAbsence],
    opt={"access": "write"},
    responses=documented(400, 401, 403, 404, 409, 413, 415, 422),
    sync_to_thread=True,
)
def create_absence(
    barber_id: BarberId,
    data: JSONBody[Body[NewAbsence]],
    request: ApiRequest,
    idempotency_key: Key = None,
) -> Response[AbsenceMade]:
    """Note when a barber is away; what is booked then stays, and is named."""

    def note(session: Session) -> AbsenceMade:
        asked = data.checked(_wrong_absence)
        values = _named(AbsenceFields(msgspec.structs.asdict(asked)).checked)
        absence = time_off.add_absence(session, barber_id, values, actor_of(request))
        booked = _booked(session, absence)
        return AbsenceMade(**msgspec.structs.asdict(_absence(absence)), bookings=booked)

    return once(request, idempotency_key, data, note)


@delete(
    "/{absence_id:str}",
    opt={"access": "write"},
    responses=documented(400, 401, 403, 404),
    sync_to_thread=True,
)
def delete_absence(barber_id: BarberId, absence_id: ItemId, request: ApiRequest) -> None:
    """Take an absence back."""
    with db.database().write() as session:
        time_off.remove_absence(session, barber_id, absence_id, actor_of(request))


def _booked(session: Session, absence: Absence) -> list[str]:
    return [
        each.booking.id
        for each in availability.strays(session, absence.barber_id)
        if availability.is_in(session, absence, each.booking)
    ]


def _days(given: Mapping[str, Any]) -> dict[str, str]:
    """By the names of ClosureForm."""
    names = {"name": "name", "first": "first_day", "last": "last_day"}
    return {names[name]: value or "" for name, value in given.items()}


def _wrong_closure(given: Mapping[str, Any]) -> list[FieldError]:
    days = _days(given)
    return _wrong(lambda: ClosureForm(days).checked([name for name in days if days[name]]))


def _wrong_absence(given: Mapping[str, Any]) -> list[FieldError]:
    return _wrong(lambda: AbsenceFields(given).checked(given))


def _wrong(check: Any) -> list[FieldError]:
    """What is wrong besides, of the fields that can be read."""
    try:
        _named(check)
    except WrongFields as wrong:
        return wrong.errors
    return []


def _named(check: Any) -> dict[str, Any]:
    """What a form's check returns. Raises WrongFields, by the names that callers wrote."""
    try:
        values: dict[str, Any] = check()
    except Invalid as invalid:
        raise WrongFields(
            [
                FieldError(_WORDS.get(each.field, camel(each.field)), each.message)
                for each in invalid.errors
            ]
        ) from None
    return values


def _closure(of: Closure) -> ClosureAnswer:
    return ClosureAnswer(of.id, of.name, of.first_day, of.last_day)


def _absence(of: Absence) -> AbsenceAnswer:
    repeats: Repeats = "weekly" if of.repeats else None
    return AbsenceAnswer(of.id, of.name, of.starts_at, of.ends_at, repeats, of.repeats_until)


router = Router(
    "/api",
    route_handlers=[
        Router("/closures", route_handlers=[list_closures, create_closure, delete_closure]),
        Router(
            "/barbers/{barber_id:str}/absences",
            route_handlers=[list_absences, create_absence, delete_absence],
        ),
    ],
    tags=["Hours"],
    security=[{"bearer": []}],
)
