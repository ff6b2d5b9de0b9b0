"""Services and barbers over JSON."""

from collections.abc import Mapping
from functools import partial
from typing import Annotated, Any, Literal, TypeVar

from litestar import Response, Router, delete, get, patch, post
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import JSONBody, PathParameter
from msgspec import UNSET, Meta, Struct, UnsetType
from sqlalchemy.orm import Session

from app import db
from app.api.fields import UpdatedSince
from app.api.once import Key, once
from app.errors import FieldError
from app.models.shop import Barber, Service
from app.shop import catalogue, money
from app.shop.money import Price
from app.shop.service import shop
from app.staff.guards import ApiRequest, actor_of
from app.web import decoding, etags
from app.web.bodies import Body, JsonBody, sent
from app.web.etags import IfMatch, IfNoneMatch
from app.web.problems import documented

Id = Annotated[str, PathParameter(pattern=r"^[A-Za-z0-9_-]{1,40}$", description="Its id.")]
Name = Annotated[str, Meta(description="1 to 100 characters, unlike all others.")]
Minutes = Annotated[int, Meta(description="5 to 720.", examples=[30])]
Cost = Annotated[Price | None, Meta(description="In the shop's currency.")]
BufferAfter = Annotated[
    int,
    Meta(
        description="Minutes after it in which the barber takes nobody else; 0 to 120.",
        examples=[10],
    ),
]
BufferBefore = Annotated[int, Meta(description="The same before it.", examples=[0])]
Colour = Literal["blue", "teal", "green", "amber", "rust", "pink", "purple", "grey"] | None
BarberIds = Annotated[
    list[str],
    Meta(description="Who does it. All barbers: so will those who are added later."),
]

_REFUSALS = (400, 401, 403, 413, 415, 422)
_GONE = ResponseSpec(None, description="It was never booked, and is deleted.", media_type="")


class NewService(Struct, rename="camel", kw_only=True, forbid_unknown_fields=True):
    """A service to be added."""

    name: Name
    minutes: Minutes
    price: Cost = None
    buffer_minutes: BufferAfter = 0
    buffer_minutes_before: BufferBefore = 0
    colour: Colour = None
    barber_ids: BarberIds | UnsetType = UNSET


class ServiceChanges(Struct, rename="camel", kw_only=True, forbid_unknown_fields=True):
    """What to change; fields that are left out stay as they are."""

    name: Name | UnsetType = UNSET
    minutes: Minutes | UnsetType = UNSET
    price: Cost | UnsetType = UNSET
    buffer_minutes: BufferAfter | UnsetType = UNSET
    buffer_minutes_before: BufferBefore | UnsetType = UNSET
    colour: Colour | UnsetType = UNSET
    barber_ids: BarberIds | UnsetType = UNSET
    active: bool | UnsetType = UNSET


class ServiceAnswer(Struct, rename="camel", kw_only=True):
    """A service. One that is not active is not offered for new bookings."""

    id: str
    name: Name
    minutes: Minutes
    price: Cost
    buffer_minutes: BufferAfter
    buffer_minutes_before: BufferBefore
    colour: Colour
    barber_ids: list[str]
    active: bool

    @classmethod
    def of(cls, session: Session, item: catalogue.CatalogueItem) -> "ServiceAnswer":
        assert isinstance(item, Service)
        currency = money.currency_of(shop(session))
        return cls(
            id=item.id,
            name=item.name,
            minutes=item.minutes,
            price=money.price_of(item.price, currency),
            buffer_minutes=item.buffer_minutes or 0,
            buffer_minutes_before=item.buffer_minutes_before or 0,
            colour=item.colour,  # type: ignore[arg-type]
            barber_ids=catalogue.doers(session, item.id),
            active=item.active,
        )


class NewBarber(Struct, rename="camel", kw_only=True, forbid_unknown_fields=True):
    """A barber to be added."""

    name: Name


class BarberChanges(Struct, rename="camel", kw_only=True, forbid_unknown_fields=True):
    """What to change; fields that are left out stay as they are."""

    name: Name | UnsetType = UNSET
    active: bool | UnsetType = UNSET


class BarberAnswer(Struct, rename="camel", kw_only=True):
    """A barber. One who is not active takes no new bookings."""

    id: str
    name: Name
    active: bool

    @classmethod
    def of(cls, item: catalogue.CatalogueItem) -> "BarberAnswer":
        return cls(id=item.id, name=item.name, active=item.active)


class ServiceList(Struct):
    """All services in the shop's order; those that are not active come last."""

    items: list[ServiceAnswer]


class BarberList(Struct):
    """All barbers in the shop's order; those who are not active come last."""

    items: list[BarberAnswer]


Answer = TypeVar("Answer", ServiceAnswer, BarberAnswer)


@get(
    "/",
    opt={"access": "read"},
    responses=documented(400, 401, 403, 422) | {304: etags.KNOWN},
    response_headers=etags.HEADERS,
    sync_to_thread=True,
)
def list_services(
    updated_since: UpdatedSince = None, if_none_match: IfNoneMatch = None
) -> Response[ServiceList]:
    """All services, or what has changed since a time; what was deleted is not among them."""
    [since] = decoding.times({"updatedSince": updated_since})
    with db.database().read() as session:
        listed = catalogue.listed(session, Service, since)
        found = ServiceList([ServiceAnswer.of(session, each) for each in listed])
    return etags.unless_known(found, if_none_match)


@get(
    "/{item_id:str}",
    opt={"access": "read"},
    responses=documented(400, 401, 403, 404, 422) | {304: etags.KNOWN},
    response_headers=etags.HEADERS,
    sync_to_thread=True,
)
def get_service(item_id: Id, if_none_match: IfNoneMatch = None) -> Response[ServiceAnswer]:
    """One service."""
    with db.database().read() as session:
        return etags.unless_known(_service(session, item_id), if_none_match)


@post(
    "/",
    dto=JsonBody[NewService],
    opt={"access": "write"},
    response_headers=etags.HEADERS,
    responses=documented(*_REFUSALS),
    sync_to_thread=True,
)
def create_service(
    data: JSONBody[Body[NewService]], request: ApiRequest, idempotency_key: Key = None
) -> Response[ServiceAnswer]:
    """Add a service, after those that are there."""

    def add(session: Session) -> ServiceAnswer:
        return ServiceAnswer.of(session, _add(session, Service, data, request))

    return once(request, idempotency_key, data, add, tagged=True)


@patch(
    "/{item_id:str}",
    dto=JsonBody[ServiceChanges],
    opt={"access": "write"},
    responses=documented(404, 409, 412, *_REFUSALS),
    sync_to_thread=True,
)
def change_service(
    item_id: Id,
    data: JSONBody[Body[ServiceChanges]],
    request: ApiRequest,
    if_match: IfMatch = None,
) -> Response[ServiceAnswer]:
    """Change a service; what is booked keeps its length and its price."""
    with db.database().write() as session:
        etags.check(if_match, _service(session, item_id))
        _change(session, Service, item_id, data, request)
        return etags.tagged(_service(session, item_id))


@delete(
    "/{item_id:str}",
    status_code=200,
    opt={"access": "write"},
    responses=documented(400, 401, 403, 404, 409, 412, 422) | {204: _GONE},
    sync_to_thread=True,
)
def delete_service(
    item_id: Id, request: ApiRequest, if_match: IfMatch = None
) -> Response[ServiceAnswer | None]:
    """Delete a service that was never booked; any other is switched off, and answered."""
    with db.database().write() as session:
        etags.check(if_match, _service(session, item_id))
        left = catalogue.remove(session, Service, item_id, actor_of(request))
        return _removed(ServiceAnswer.of(session, left) if left else None)


@get(
    "/",
    opt={"access": "read"},
    responses=documented(400, 401, 403, 422) | {304: etags.KNOWN},
    response_headers=etags.HEADERS,
    sync_to_thread=True,
)
def list_barbers(
    updated_since: UpdatedSince = None, if_none_match: IfNoneMatch = None
) -> Response[BarberList]:
    """All barbers, or those who have changed since a time; who was deleted is not among them."""
    [since] = decoding.times({"updatedSince": updated_since})
    with db.database().read() as session:
        listed = catalogue.listed(session, Barber, since)
        found = BarberList([BarberAnswer.of(each) for each in listed])
    return etags.unless_known(found, if_none_match)


@get(
    "/{item_id:str}",
    opt={"access": "read"},
    responses=documented(400, 401, 403, 404, 422) | {304: etags.KNOWN},
    response_headers=etags.HEADERS,
    sync_to_thread=True,
)
def get_barber(item_id: Id, if_none_match: IfNoneMatch = None) -> Response[BarberAnswer]:
    """One barber."""
    with db.database().read() as session:
        return etags.unless_known(_barber(session, item_id), if_none_match)


@post(
    "/",
    dto=JsonBody[NewBarber],
    opt={"access": "write"},
    response_headers=etags.HEADERS,
    responses=documented(*_REFUSALS),
    sync_to_thread=True,
)
def create_barber(
    data: JSONBody[Body[NewBarber]], request: ApiRequest, idempotency_key: Key = None
) -> Response[BarberAnswer]:
    """Add a barber, after those who are there."""

    def add(session: Session) -> BarberAnswer:
        return BarberAnswer.of(_add(session, Barber, data, request))

    return once(request, idempotency_key, data, add, tagged=True)


@patch(
    "/{item_id:str}",
    dto=JsonBody[BarberChanges],
    opt={"access": "write"},
    responses=documented(404, 409, 412, *_REFUSALS),
    sync_to_thread=True,
)
def change_barber(
    item_id: Id,
    data: JSONBody[Body[BarberChanges]],
    request: ApiRequest,
    if_match: IfMatch = None,
) -> Response[BarberAnswer]:
    """Rename a barber, or switch them off or on."""
    with db.database().write() as session:
        etags.check(if_match, _barber(session, item_id))
        _change(session, Barber, item_id, data, request)
        return etags.tagged(_barber(session, item_id))


@delete(
    "/{item_id:str}",
    status_code=200,
    opt={"access": "write"},
    responses=documented(400, 401, 403, 404, 409, 412, 422) | {204: _GONE},
    sync_to_thread=True,
)
def delete_barber(
    item_id: Id, request: ApiRequest, if_match: IfMatch = None
) -> Response[BarberAnswer | None]:
    """Delete a barber who was never booked; any other is switched off, and answered."""
    with db.database().write() as session:
        etags.check(if_match, _barber(session, item_id))
        left = catalogue.remove(session, Barber, item_id, actor_of(request))
        return _removed(BarberAnswer.of(left) if left else None)


def _service(session: Session, id: str) -> ServiceAnswer:
    return ServiceAnswer.of(session, catalogue.get(session, Service, id))


def _barber(session: Session, id: str) -> BarberAnswer:
    return BarberAnswer.of(catalogue.get(session, Barber, id))


def _add(
    session: Session, kind: catalogue.Kind, data: Body[Any], request: ApiRequest
) -> catalogue.CatalogueItem:
    asked = data.checked(partial(catalogue.wrong, session, kind))
    return catalogue.add(session, kind, sent(asked), actor_of(request))


def _change(
    session: Session, kind: catalogue.Kind, id: str, data: Body[Any], request: ApiRequest
) -> None:
    item = catalogue.get(session, kind, id)
    asked = data.checked(partial(_wrong, session, kind, id))
    changes = sent(asked)
    is_on = changes.pop("active", None)
    if changes:
        given = {**catalogue.shown(session, item), **changes}
        catalogue.change(session, kind, id, given, actor_of(request))
    if is_on is not None:
        catalogue.switch(session, kind, id, is_on, actor_of(request))


def _wrong(
    session: Session, kind: catalogue.Kind, id: str, given: Mapping[str, Any]
) -> list[FieldError]:
    fields = {name: value for name, value in given.items() if name != "active"}
    return catalogue.wrong(session, kind, fields, id)


def _removed(left: Answer | None) -> Response[Answer | None]:
    return Response(left, status_code=200 if left else 204)


_HANDLERS = {
    "services": [list_services, get_service, create_service, change_service, delete_service],
    "barbers": [list_barbers, get_barber, create_barber, change_barber, delete_barber],
}

routers = [
    Router(
        f"/api/{name}",
        route_handlers=handlers,
        tags=[name.capitalize()],
        security=[{"bearer": []}],
    )
    for name, handlers in _HANDLERS.items()
]
