"""Bookings over JSON."""

from datetime import datetime
from functools import partial
from typing import Annotated, Literal, cast

import msgspec
from litestar import Response, Router, delete, get, patch, post
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import JSONBody, QueryParameter
from msgspec import UNSET, Meta, Struct, UnsetType
from sqlalchemy.orm import Session

from app import db
from app.api.fields import Email, Name, Notes, Phone, UpdatedSince
from app.api.once import Key, once
from app.api.services_field import ServiceId, ServiceIds, as_written, services_of
from app.bookings import attendance, search, service
from app.models.booking import STATUSES, Booking
from app.shop import several
from app.shop.money import Price, price_of
from app.staff.guards import ApiRequest, actor_of
from app.web import decoding, etags
from app.web.bodies import Body, JsonBody, sent
from app.web.etags import IfMatch, IfNoneMatch
from app.web.parameters import BookingId
from app.web.problems import documented

BarberId = Annotated[str, Meta(examples=["barber_1"])]
BarberOrAny = Annotated[
    str,
    Meta(
        description="Or `any`: of those who do the service and are free then, in their hours, who "
        "has least that day.",
        examples=["barber_1"],
    ),
]
Time = Annotated[
    datetime,
    Meta(
        description="RFC 3339 with an offset; in the future, 400 days ahead at the most.",
        examples=["2026-11-23T18:00:00Z"],
    ),
]
Overlap = Annotated[bool, Meta(description="Book although the barber has another booking then.")]
Consent = Annotated[
    bool | None,
    Meta(
        description="What the customer said when asked whether they want WhatsApp messages; kept "
        "for their number. With false none are sent. null: they were not asked, and what is known "
        "of them stays; while nothing is known, the shop vouches for their consent.",
        examples=[True],
    ),
]
BookingPrice = Annotated[
    Price | None,
    Meta(
        description="In the shop's currency. Left out or null: what the service costs.",
        examples=[{"amount": "25.00", "currency": "GBP"}],
    ),
]

Discount = Annotated[
    Price | None,
    Meta(
        description="Off the price, in its currency; it has a reason. Null, or 0: none.",
        examples=[{"amount": "5.00", "currency": "GBP"}],
    ),
]
DiscountReason = Annotated[
    str | None,
    Meta(description="Why there is a discount: 1 to 100 characters.", examples=["Student"]),
]

Status = Literal["confirmed", "cancelled", "completed", "no_show"]

_DATE_TIME = {"format": "date-time"}
OfStatus = Annotated[
    str | None,
    QueryParameter(description="Exactly that.", schema_extra={"enum": list(STATUSES)}),
]
OfBarber = Annotated[str | None, QueryParameter(name="barberId", description="Of that barber.")]
OfService = Annotated[str | None, QueryParameter(name="serviceId", description="Of that service.")]
StartsFrom = Annotated[
    str | None,
    QueryParameter(
        name="from", description="Those that start then or later.", schema_extra=_DATE_TIME
    ),
]
StartsTo = Annotated[
    str | None,
    QueryParameter(name="to", description="Those that start before.", schema_extra=_DATE_TIME),
]
Q = Annotated[
    str | None, QueryParameter(description="A part of the name, a phone number, or an id.")
]
Sort = Annotated[
    str,
    QueryParameter(
        description="By which time; with `-` the latest first.",
        schema_extra={"enum": list(search.ORDERS)},
    ),
]
Limit = Annotated[int, QueryParameter(description=f"1 to {search.MAX_LIMIT}.")]
Cursor = Annotated[str | None, QueryParameter(description="`nextCursor` of the page before.")]


class NewBookingBody(Struct, rename="camel", kw_only=True, forbid_unknown_fields=True):
    """A booking to be made."""

    customer_name: Name
    customer_email: Email = None
    customer_phone: Phone
    service_id: ServiceId | UnsetType = UNSET
    service_ids: ServiceIds | UnsetType = UNSET
    barber_id: BarberOrAny
    scheduled_time: Time
    notes: Notes = None
    price: BookingPrice = None
    discount: Discount = None
    discount_reason: DiscountReason = None
    allow_overlap: Overlap = False
    whatsapp_consent: Consent = None


class BookingChanges(Struct, rename="camel", kw_only=True, forbid_unknown_fields=True):
    """What to change; fields that are left out stay as they are."""

    customer_name: Name | UnsetType = UNSET
    customer_email: Email | UnsetType = UNSET
    customer_phone: Phone | UnsetType = UNSET
    service_id: ServiceId | UnsetType = UNSET
    service_ids: ServiceIds | UnsetType = UNSET
    barber_id: BarberId | UnsetType = UNSET
    scheduled_time: Time | UnsetType = UNSET
    notes: Notes | UnsetType = UNSET
    price: BookingPrice | UnsetType = UNSET
    discount: Discount | UnsetType = UNSET
    discount_reason: DiscountReason | UnsetType = UNSET
    allow_overlap: Overlap | UnsetType = UNSET
    whatsapp_consent: Consent | UnsetType = UNSET


class Attendance(Struct, rename="camel", kw_only=True, forbid_unknown_fields=True):
    """Whether the customer came."""

    came: Annotated[
        bool | None,
        Meta(
            description="true: the booking is completed. false: a no-show. null: nobody has said, "
            "and it is confirmed again.",
            examples=[True],
        ),
    ]


class BookingAnswer(Struct, rename="camel", kw_only=True):
    """A booking; times are in UTC."""

    id: Annotated[str, Meta(examples=["booking_01JDBV5W3NXJ0V4M0F4Z1T7Q8K"])]
    customer_name: Name
    customer_email: Email
    customer_phone: Annotated[
        str | None,
        Meta(description="E.164; null for who walked in.", examples=["+442079460958"]),
    ]
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
    barber_id: BarberId
    scheduled_time: Annotated[datetime, Meta(examples=["2026-11-23T18:00:00Z"])]
    ends_at: Annotated[datetime, Meta(examples=["2026-11-23T18:30:00Z"])]
    status: Status
    notes: Notes
    price: Annotated[
        Price | None,
        Meta(description="What it was made at, or was given since. Null: none."),
    ]
    discount: Discount
    discount_reason: DiscountReason
    series_id: Annotated[
        str | UnsetType,
        Meta(
            description="Of one that repeats, the same for all of its series; else left out.",
            examples=["series_01JDBV5W3NXJ0V4M0F4Z1T7Q8K"],
        ),
    ] = UNSET
    created_at: datetime
    updated_at: datetime

    @classmethod
    def of(cls, session: Session, booking: Booking) -> "BookingAnswer":
        parts = several.ids_of(session, booking.service_id)
        return cls(
            id=booking.id,
            customer_name=booking.customer_name,
            customer_email=booking.customer_email,
            customer_phone=booking.customer_phone,
            service_id=booking.service_id,
            service_ids=parts if len(parts) > 1 else UNSET,
            barber_id=booking.barber_id,
            scheduled_time=booking.starts_at,
            ends_at=booking.ends_at,
            status=cast(Status, booking.status),
            notes=booking.notes,
            price=price_of(booking.price, booking.currency),
            discount=price_of(booking.discount, booking.currency),
            discount_reason=booking.discount_reason,
            series_id=booking.series_id or UNSET,
            created_at=booking.created_at,
            updated_at=booking.updated_at,
        )


class BookingPage(Struct, rename="camel"):
    """Bookings by time; `nextCursor` is null on the last page."""

    items: list[BookingAnswer]
    next_cursor: str | None


@post(
    "/",
    dto=JsonBody[NewBookingBody],
    opt={"access": "write"},
    response_headers=etags.HEADERS,
    responses=documented(400, 401, 403, 409, 413, 415, 422)
    | {200: ResponseSpec(BookingAnswer, description="The same booking was there already.")},
    sync_to_thread=True,
)
def create_booking(
    data: JSONBody[Body[NewBookingBody]], request: ApiRequest, idempotency_key: Key = None
) -> Response[BookingAnswer]:
    """Make a booking and plan its reminders."""

    def book(session: Session) -> tuple[int, BookingAnswer]:
        with as_written(data):
            asked = services_of(data, is_new=True).checked(partial(service.wrong, session))
            new = msgspec.structs.asdict(asked)
            booking, is_new = service.create(session, new, actor_of(request))
        return (201 if is_new else 200), BookingAnswer.of(session, booking)

    return once(request, idempotency_key, data, book, tagged=True)


@get("/", opt={"access": "read"}, responses=documented(400, 401, 403, 422), sync_to_thread=True)
def list_bookings(
    status: OfStatus = None,
    barber_id: OfBarber = None,
    service_id: OfService = None,
    starts_from: StartsFrom = None,
    starts_to: StartsTo = None,
    updated_since: UpdatedSince = None,
    q: Q = None,
    sort: Sort = "scheduledTime",
    limit: Limit = 50,
    cursor: Cursor = None,
) -> BookingPage:
    """Bookings by time, a page at a time; by `updatedAt`, what has changed since a time."""
    first, last, since = decoding.times(
        {"from": starts_from, "to": starts_to, "updatedSince": updated_since}
    )
    filters = search.Filters(
        status=status,
        barber_id=barber_id,
        service_id=service_id,
        starts_from=first,
        starts_to=last,
        updated_since=since,
        q=q,
    )
    with db.database().read() as session:
        hits, next_cursor = search.search(session, filters, limit, cursor, sort)
        return BookingPage([BookingAnswer.of(session, booking) for booking in hits], next_cursor)


@get(
    "/{booking_id:str}",
    opt={"access": "read"},
    response_headers=etags.HEADERS,
    responses=documented(400, 401, 403, 404, 422) | {304: etags.KNOWN},
    sync_to_thread=True,
)
def get_booking(
    booking_id: BookingId, if_none_match: IfNoneMatch = None
) -> Response[BookingAnswer]:
    """One booking."""
    with db.database().read() as session:
        return etags.unless_known(
            BookingAnswer.of(session, service.row(session, booking_id)), if_none_match
        )


@patch(
    "/{booking_id:str}",
    dto=JsonBody[BookingChanges],
    opt={"access": "write"},
    response_headers=etags.HEADERS,
    responses=documented(400, 401, 403, 404, 409, 412, 413, 415, 422),
    sync_to_thread=True,
)
def change_booking(
    booking_id: BookingId,
    data: JSONBody[Body[BookingChanges]],
    request: ApiRequest,
    if_match: IfMatch = None,
) -> Response[BookingAnswer]:
    """Change a booking; another time cancels the planned reminders and plans new ones."""
    with db.database().write() as session:
        asked = services_of(data).checked(partial(service.wrong, session))
        changes = sent(asked)
        if if_match is not None:
            etags.check(if_match, BookingAnswer.of(session, service.locked(session, booking_id)))
        with as_written(data):
            changed = service.change(session, booking_id, changes, actor_of(request))
        return etags.tagged(BookingAnswer.of(session, changed))


@delete(
    "/{booking_id:str}",
    status_code=200,
    opt={"access": "write"},
    response_headers=etags.HEADERS,
    responses=documented(400, 401, 403, 404, 409, 412, 422),
    sync_to_thread=True,
)
def cancel_booking(
    booking_id: BookingId, request: ApiRequest, if_match: IfMatch = None
) -> Response[BookingAnswer]:
    """Cancel a booking and its reminders, and tell the customer; doing it again changes nothing."""
    with db.database().write() as session:
        if if_match is not None:
            etags.check(if_match, BookingAnswer.of(session, service.locked(session, booking_id)))
        cancelled = service.cancel(session, booking_id, actor_of(request))
        return etags.tagged(BookingAnswer.of(session, cancelled))


@post(
    "/{booking_id:str}/attendance",
    status_code=200,
    dto=JsonBody[Attendance],
    opt={"access": "write"},
    response_headers=etags.HEADERS,
    responses=documented(400, 401, 403, 404, 409, 413, 415, 422),
    sync_to_thread=True,
)
def note_attendance(
    booking_id: BookingId,
    data: JSONBody[Body[Attendance]],
    request: ApiRequest,
    idempotency_key: Key = None,
) -> Response[BookingAnswer]:
    """Note whether the customer came, once it has begun; the same again changes nothing."""

    def mark(session: Session) -> BookingAnswer:
        status = _MARKS[data.checked(lambda _: ()).came]
        actor = actor_of(request)
        return BookingAnswer.of(session, attendance.mark(session, booking_id, status, actor))

    return once(request, idempotency_key, data, mark, tagged=True)


_MARKS: dict[bool | None, attendance.Mark] = {
    True: "completed",
    False: "no_show",
    None: "confirmed",
}

router = Router(
    "/api/bookings",
    route_handlers=[
        create_booking,
        list_bookings,
        get_booking,
        change_booking,
        cancel_booking,
        note_attendance,
    ],
    tags=["Bookings"],
    security=[{"bearer": []}],
)
