"""The waiting list over JSON: who wants a place, and whom a free time fits."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from functools import partial
from typing import Annotated, Any, Literal

import msgspec
from litestar import Response, Router, delete, get, post
from litestar.params import JSONBody, PathParameter
from msgspec import UNSET, Meta, Struct, UnsetType
from sqlalchemy.orm import Session

from app import db
from app.api.bookings import BookingAnswer
from app.api.fields import Name, Notes, Phone
from app.api.once import Key, once
from app.api.services_field import ServiceId, ServiceIds, as_written, services_of
from app.bookings import service, waiting_list
from app.bookings.need import Need
from app.bookings.waiting_list import FreeTime
from app.forms import as_typed
from app.models.waiting import Waiting
from app.shop import several
from app.staff.guards import ApiRequest, actor_of
from app.web import etags
from app.web.bodies import Body, JsonBody, sent
from app.web.etags import IfMatch, IfNoneMatch
from app.web.problems import documented

Id = Annotated[
    str, PathParameter(pattern=r"^waiting_[A-Za-z0-9]{1,32}$", description="Of the waiting list.")
]
FirstDay = Annotated[
    str,
    Meta(
        description="The first day that would do, of the shop's calendar: from today on, at most "
        "400 days ahead.",
        examples=["2026-11-24"],
    ),
]
LastDay = Annotated[
    str | None,
    Meta(
        description=f"The last one; null or left out: the first alone. {waiting_list.LONGEST} days "
        "at the most.",
        examples=["2026-11-27"],
    ),
]
AnyBarber = Annotated[
    str | None, Meta(description="A barber's id; null or left out: any.", examples=["barber_1"])
]
FromTime = Annotated[
    str | None,
    Meta(description="On each of the days it may begin from then on; null: all day.",
         examples=["12:00"]),
]  # fmt: skip
UntilTime = Annotated[
    str | None, Meta(description="It may begin until then, likewise.", examples=["13:30"])
]
Status = Annotated[
    Literal["waiting", "booked", "removed"],
    Meta(description="`booked`: they were given a place, which is `bookingId`.",
         examples=["waiting"]),
]  # fmt: skip


class NewWaiting(Struct, rename="camel", kw_only=True, forbid_unknown_fields=True):
    """Somebody who wants a place."""

    customer_name: Name
    customer_phone: Phone
    service_id: ServiceId | UnsetType = UNSET
    service_ids: ServiceIds | UnsetType = UNSET
    barber_id: AnyBarber = None
    first_day: FirstDay
    last_day: LastDay = None
    from_time: FromTime = None
    until_time: UntilTime = None
    notes: Notes = None


class WaitingPlace(Struct, rename="camel", kw_only=True, forbid_unknown_fields=True):
    """A place for somebody who waits: one of their free times."""

    barber_id: str
    scheduled_time: datetime


class FreePlace(Struct, rename="camel", kw_only=True):
    """A time at which a barber could take somebody."""

    barber_id: str
    starts_at: datetime
    ends_at: datetime


class WaitingAnswer(Struct, rename="camel", kw_only=True):
    """Somebody who wants a place, or wanted one."""

    id: Annotated[str, Meta(examples=["waiting_01JDBV5W3NXJ0V4M0F4Z1T7Q8K"])]
    customer_name: Name
    customer_phone: Annotated[str, Meta(description="E.164.", examples=["+442079460958"])]
    service_id: Annotated[
        str, Meta(description="Of several, what stands for them all.", examples=["haircut"])
    ]
    service_ids: Annotated[
        list[str] | UnsetType,
        Meta(
            description="Of several in one visit, all; else left out.",
            examples=[["haircut", "beard-trim"]],
        ),
    ] = UNSET
    barber_id: AnyBarber
    first_day: date
    last_day: date
    from_time: FromTime
    until_time: UntilTime
    notes: Notes
    status: Status
    booking_id: Annotated[str | None, Meta(description="What they were given; null: nothing.")]
    created_at: datetime

    @classmethod
    def of(cls, session: Session, row: Waiting) -> "WaitingAnswer":
        parts = several.ids_of(session, row.service_id)
        names = (name for name in cls.__struct_fields__ if hasattr(row, name))
        columns = {name: getattr(row, name) for name in names}
        times = {name: as_typed(columns[name]) or None for name in ("from_time", "until_time")}
        return cls(
            **columns | times,
            service_ids=parts if len(parts) > 1 else UNSET,
            status=row.reason or "waiting",  # type: ignore[arg-type]
        )


class WaitingEntry(WaitingAnswer, rename="camel", kw_only=True):
    """Somebody who waits, and what fits them."""

    free_times: Annotated[
        list[FreePlace],
        Meta(
            description=f"The first {waiting_list.SHOWN} that fit; of the first "
            f"{waiting_list.LOOKED_AT} who wait.",
            examples=[[]],
        ),
    ]


class WaitingList(Struct):
    """All who wait for a day to come, the next first."""

    items: list[WaitingEntry]


@get("/", opt={"access": "read"}, responses=documented(400, 401, 403), sync_to_thread=True)
def list_waiting() -> WaitingList:
    """Who waits for a day to come, and the free times that fit."""
    with db.database().read() as session:
        entries = waiting_list.entries(session)
        return WaitingList([_entry(session, each.waiting, each.fits) for each in entries])


@get(
    "/{waiting_id:str}",
    opt={"access": "read"},
    response_headers=etags.HEADERS,
    responses=documented(400, 401, 403, 404, 422) | {304: etags.KNOWN},
    sync_to_thread=True,
)
def get_waiting(waiting_id: Id, if_none_match: IfNoneMatch = None) -> Response[WaitingAnswer]:
    """Somebody who waits, or did."""
    with db.database().read() as session:
        answer = WaitingAnswer.of(session, waiting_list.get(session, waiting_id))
    return etags.unless_known(answer, if_none_match)


@post(
    "/",
    dto=JsonBody[NewWaiting],
    opt={"access": "write"},
    response_headers=etags.HEADERS,
    responses=documented(400, 401, 403, 409, 413, 415, 422),
    sync_to_thread=True,
)
def create_waiting(
    data: JSONBody[Body[NewWaiting]], request: ApiRequest, idempotency_key: Key = None
) -> Response[WaitingAnswer]:
    """Put somebody on the waiting list."""

    def add(session: Session) -> WaitingAnswer:
        with as_written(data):
            asked = services_of(data, is_new=True).checked(
                lambda given: waiting_list.wrong(session, _typed(given))
            )
        typed = _typed(sent(asked))
        with as_written(data):
            return WaitingAnswer.of(session, waiting_list.add(session, typed, actor_of(request)))

    return once(request, idempotency_key, data, add, tagged=True)


@delete(
    "/{waiting_id:str}",
    opt={"access": "write"},
    responses=documented(400, 401, 403, 404, 409, 412, 422),
    sync_to_thread=True,
)
def delete_waiting(waiting_id: Id, request: ApiRequest, if_match: IfMatch = None) -> None:
    """Take somebody off the list: they do not wait any more."""
    with db.database().write() as session:
        etags.check(if_match, WaitingAnswer.of(session, waiting_list.get(session, waiting_id)))
        waiting_list.remove(session, waiting_id, actor_of(request))


@post(
    "/{waiting_id:str}/book",
    dto=JsonBody[WaitingPlace],
    status_code=200,
    opt={"access": "write"},
    responses=documented(400, 401, 403, 404, 409, 413, 415, 422),
    sync_to_thread=True,
)
def book_waiting(
    waiting_id: Id,
    data: JSONBody[Body[WaitingPlace]],
    request: ApiRequest,
    idempotency_key: Key = None,
) -> Response[BookingAnswer]:
    """Book a place for somebody who waits; they wait no longer."""

    def book(session: Session) -> BookingAnswer:
        asked = data.checked(partial(service.wrong, session))
        place = asked.barber_id, asked.scheduled_time
        booking = waiting_list.book(session, waiting_id, *place, actor_of(request))
        return BookingAnswer.of(session, booking)

    return once(request, idempotency_key, data, book)


@post(
    "/{waiting_id:str}/reopen",
    status_code=200,
    opt={"access": "write"},
    responses=documented(400, 401, 403, 404, 409, 422),
    sync_to_thread=True,
)
def reopen_waiting(
    waiting_id: Id, request: ApiRequest, idempotency_key: Key = None
) -> Response[WaitingAnswer]:
    """Let somebody wait again; what they were given is cancelled."""

    def reopen(session: Session) -> WaitingAnswer:
        waiting_list.reopen(session, waiting_id, actor_of(request))
        return WaitingAnswer.of(session, waiting_list.get(session, waiting_id))

    return once(request, idempotency_key, None, reopen)


def _entry(session: Session, row: Waiting, fits: Sequence[FreeTime]) -> WaitingEntry:
    length = Need.of_service(row.service).length
    free = [
        FreePlace(barber_id=each.barber.id, starts_at=each.at, ends_at=each.at + length)
        for each in fits
    ]
    return WaitingEntry(**msgspec.structs.asdict(WaitingAnswer.of(session, row)), free_times=free)


def _typed(given: Mapping[str, Any]) -> dict[str, str]:
    return {name: value or "" for name, value in given.items()}


router = Router(
    "/api/waiting-list",
    route_handlers=[
        *(list_waiting, get_waiting, create_waiting),
        *(delete_waiting, book_waiting, reopen_waiting),
    ],
    tags=["Waiting list"],
    security=[{"bearer": []}],
)
