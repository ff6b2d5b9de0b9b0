"""Weekly hours over JSON: the shop's, or a barber's."""

from collections.abc import Mapping
from typing import Annotated, Any

import msgspec
from litestar import Response, Router, get, put
from litestar.params import JSONBody, QueryParameter
from msgspec import Meta, Struct
from sqlalchemy.orm import Session

from app import db
from app.bookings import availability
from app.errors import FieldError, Invalid
from app.models.week import DAYS
from app.shop import changes, weekly_hours
from app.staff.guards import ApiRequest, actor_of
from app.web import etags
from app.web.bodies import Body, JsonBody
from app.web.etags import IfMatch, IfNoneMatch
from app.web.problems import documented

Clock = Annotated[str, Meta(description="On the shop's clock.", examples=["09:00"])]
BarberId = Annotated[
    str | None,
    QueryParameter(name="barberId", description="A barber; without one, the shop."),
]


class HoursBody(Struct, rename={"opens": "from", "closes": "to"}, forbid_unknown_fields=True):
    """From when to when; a `to` no later than `from` is on the next day."""

    opens: Clock
    closes: Clock


Day = Annotated[
    list[HoursBody], Meta(description="In their order; between two is a break. None: closed.")
]


class WeekBody(Struct, forbid_unknown_fields=True):
    """The hours of each day; a day that is left out is closed."""

    monday: Day = []
    tuesday: Day = []
    wednesday: Day = []
    thursday: Day = []
    friday: Day = []
    saturday: Day = []
    sunday: Day = []


class HoursChange(Struct, forbid_unknown_fields=True):
    """The week to be; null for a barber who has the shop's."""

    week: WeekBody | None


class HoursAnswer(Struct, rename="camel", kw_only=True):
    """Weekly hours; `isOwn` is false for a barber who has the shop's."""

    barber_id: str | None
    is_own: bool
    week: WeekBody


class HoursKept(HoursAnswer, kw_only=True, rename="camel"):
    """The same, with the ids of the confirmed bookings to come that lie outside of availability."""

    bookings_outside: list[str]


@get(
    "/",
    opt={"access": "read"},
    response_headers=etags.HEADERS,
    responses=documented(400, 401, 403, 404, 422) | {304: etags.KNOWN},
    sync_to_thread=True,
)
def get_hours(
    barber_id: BarberId = None, if_none_match: IfNoneMatch = None
) -> Response[HoursAnswer]:
    """The weekly hours of the shop, or of a barber."""
    with db.database().read() as session:
        return etags.unless_known(_answer(session, barber_id), if_none_match)


@put(
    "/",
    dto=JsonBody[HoursChange],
    opt={"access": "write"},
    response_headers=etags.HEADERS,
    responses=documented(400, 401, 403, 404, 412, 413, 415, 422),
    sync_to_thread=True,
)
def replace_hours(
    data: JSONBody[Body[HoursChange]],
    request: ApiRequest,
    barber_id: BarberId = None,
    if_match: IfMatch = None,
) -> Response[HoursKept]:
    """Replace the weekly hours; what is booked stays, and is named if it lies outside now."""
    with db.database().write() as session:
        changes.locked(session)
        asked = data.checked(_wrong)
        if asked.week is None and barber_id is None:
            raise Invalid([FieldError("week", "The shop needs a week of its own.")])
        week = weekly_hours.of_json(_pairs(asked.week)) if asked.week else None
        etags.check(if_match, _answer(session, barber_id))
        weekly_hours.save(session, barber_id, week, actor_of(request))
        session.flush()
        now = _answer(session, barber_id)
        outside = [each.booking.id for each in availability.strays(session, barber_id)]
        kept = HoursKept(**msgspec.structs.asdict(now), bookings_outside=outside)
        return Response(kept, headers={"ETag": etags.etag(now)})


def _wrong(given: Mapping[str, Any]) -> list[FieldError]:
    """What is wrong besides with a week that can be read."""
    week = given.get("week")
    if week is None:
        return []
    try:
        weekly_hours.of_json(_pairs(week))
    except Invalid as invalid:
        return invalid.errors
    return []


def _pairs(week: WeekBody) -> dict[str, list[tuple[str, str]]]:
    return {day: [(each.opens, each.closes) for each in getattr(week, day)] for day in DAYS}


def _answer(session: Session, barber_id: str | None) -> HoursAnswer:
    week, is_own = weekly_hours.week_of(session, barber_id)
    days = {
        day: [HoursBody(f"{opens:%H:%M}", f"{closes:%H:%M}") for opens, closes in spans]
        for day, spans in zip(DAYS, week, strict=True)
    }
    return HoursAnswer(barber_id=barber_id, is_own=is_own, week=WeekBody(**days))


router = Router(
    "/api/hours",
    route_handlers=[get_hours, replace_hours],
    tags=["Hours"],
    security=[{"bearer": []}],
)
