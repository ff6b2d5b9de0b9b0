"""Free times over JSON."""

from datetime import datetime, timedelta
from typing import Annotated

from litestar import Router, get
from litestar.params import QueryParameter
from msgspec import Meta, Struct
from sqlalchemy.orm import Session

from app import db, forms
from app.bookings import availability
from app.bookings.need import Need
from app.errors import FieldError
from app.models.shop import Barber, Service
from app.shop import service as shop_service
from app.web.field_names import WrongFields
from app.web.problems import documented

LONGEST = timedelta(days=62)
"""From `from` to `to`."""

_DATE_TIME = {"format": "date-time"}


class FreeTime(Struct, rename="camel", kw_only=True):
    """A time that can be booked, in UTC."""

    barber_id: Annotated[str, Meta(examples=["barber_1"])]
    starts_at: datetime
    ends_at: datetime


class FreeTimes(Struct):
    """Times by when they begin."""

    items: list[FreeTime]


@get("/", opt={"access": "read"}, responses=documented(400, 401, 403, 422), sync_to_thread=True)
def list_free_times(
    service_id: Annotated[
        str, QueryParameter(name="serviceId", description="What is to be booked.")
    ],
    starts_from: Annotated[
        str,
        QueryParameter(
            name="from", description="Those that begin then or later.", schema_extra=_DATE_TIME
        ),
    ],
    starts_to: Annotated[
        str,
        QueryParameter(
            name="to",
            description=f"Those that begin before; {LONGEST.days} days later at the most.",
            schema_extra=_DATE_TIME,
        ),
    ],
    barber_id: Annotated[
        str | None, QueryParameter(name="barberId", description="A barber; without one, any.")
    ] = None,
) -> FreeTimes:
    """When a service can be booked: within hours, while a barber who does it is there and free."""
    with db.database().read() as session:
        service, asked, limits = _asked(session, service_id, barber_id, starts_from, starts_to)
        barbers = [each for each in asked if shop_service.does(session, each.id, service.id)]
        need = Need.of_service(service)
        free = availability.free_between(session, barbers, need, *limits)
    items = [
        FreeTime(barber_id=each.id, starts_at=at, ends_at=at + need.length)
        for each in barbers
        for at in free[each.id]
    ]
    return FreeTimes(sorted(items, key=lambda each: each.starts_at))


def _asked(
    session: Session, service_id: str, barber_id: str | None, starts_from: str, starts_to: str
) -> tuple[Service, list[Barber], tuple[datetime, datetime]]:
    """Service, barbers, and from when to when. Raises WrongFields with all that is wrong."""
    wrong: dict[str, str] = {}
    services = [each for each in shop_service.services(session) if each.id == service_id]
    if not services:
        wrong["serviceId"] = "There is no such service that can be booked."
    barbers = [each for each in shop_service.barbers(session) if barber_id in {None, each.id}]
    if not barbers:
        wrong["barberId"] = "There is no such barber who can be booked."
    limits: list[datetime] = []
    for name, text in (("from", starts_from), ("to", starts_to)):
        try:
            limits.append(forms.moment(text))
        except ValueError as error:
            wrong[name] = str(error)
    if len(limits) == 2 and not timedelta(0) <= limits[1] - limits[0] <= LONGEST:
        wrong["to"] = f"This must not be before “from”, nor over {LONGEST.days} days later."
    if wrong:
        raise WrongFields([FieldError(*each) for each in wrong.items()])
    return services[0], barbers, (limits[0], limits[1])


router = Router(
    "/api/availability",
    route_handlers=[list_free_times],
    tags=["Hours"],
    security=[{"bearer": []}],
)
