"""Webhooks over JSON: where a program wants to hear what happens, and what it was sent.

What is sent is described in `events`.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Literal

import msgspec
from litestar import Response, Router, delete, get, patch, post
from litestar.params import JSONBody, PathParameter, QueryParameter
from msgspec import UNSET, Meta, Struct, UnsetType
from sqlalchemy.orm import Session

from app import db
from app.api.once import Key, once
from app.errors import FieldError, Invalid
from app.integrations import deliveries, endpoints
from app.integrations.deliveries import Line
from app.integrations.endpoints import EndpointForm
from app.models.integration import WebhookEndpoint
from app.outbox import TYPES, EventType
from app.staff.guards import ApiRequest, actor_of
from app.web import etags
from app.web.bodies import Body, JsonBody, sent
from app.web.etags import IfMatch, IfNoneMatch
from app.web.problems import documented

MOST = 100
"""Deliveries in an answer."""

Id = Annotated[
    str, PathParameter(pattern=r"^webhook_[a-z0-9]{1,32}$", description="A webhook's id.")
]
DeliveryId = Annotated[int, PathParameter(ge=1, le=2**31 - 1, description="A delivery's id.")]
Url = Annotated[
    str,
    Meta(
        description="Where events are posted: https, and reached from the internet; in development "
        "also http to this machine.",
        examples=["https://example.com/chairtime"],
    ),
]
Events = Annotated[
    list[EventType],
    Meta(description="What it is told of.", examples=[["booking.created", "booking.cancelled"]]),
]


class NewWebhook(Struct, rename="camel", kw_only=True, forbid_unknown_fields=True):
    """A webhook to be added; without `events` it is told of everything."""

    url: Url
    events: Events | UnsetType = UNSET


class WebhookChanges(Struct, rename="camel", kw_only=True, forbid_unknown_fields=True):
    """What to change; fields that are left out stay as they are."""

    url: Url | UnsetType = UNSET
    events: Events | UnsetType = UNSET
    active: bool | UnsetType = UNSET


class ExampleAsked(Struct, rename="camel", kw_only=True, forbid_unknown_fields=True):
    """Which event an example is of."""

    type: Annotated[EventType, Meta(examples=["booking.created"])]


class WebhookAnswer(Struct, rename="camel", kw_only=True):
    """An address that is told what happens. While it is not active, it is told nothing."""

    id: Annotated[str, Meta(examples=["webhook_0123456789abcdef"])]
    url: Url
    events: Events
    active: bool
    failing_since: Annotated[
        datetime | None, Meta(description="Since when it has taken nothing; null if all is well.")
    ]
    switched_off_at: Annotated[
        datetime | None,
        Meta(description="When it was switched off after a week of failing, or by a 410."),
    ]
    created_at: datetime

    @classmethod
    def of(cls, endpoint: WebhookEndpoint) -> "WebhookAnswer":
        return cls(**{name: getattr(endpoint, name) for name in WebhookAnswer.__struct_fields__})


class WebhookMade(WebhookAnswer, rename="camel", kw_only=True):
    """The same, with its secret: it is told this once."""

    secret: Annotated[
        str | None,
        Meta(
            description="What signatures are verified with. Null in a repeated answer to an "
            "Idempotency-Key.",
            examples=["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"],
        ),
    ]


class WebhookList(Struct):
    """All webhooks, in the order in which they were made."""

    items: list[WebhookAnswer]


class DeliveryAnswer(Struct, rename="camel", kw_only=True):
    """An event on its way to a webhook, or what came of it."""

    id: Annotated[int, Meta(examples=[42])]
    event_id: Annotated[
        str,
        Meta(
            description="The `webhook-id`: the same each time that it is sent.",
            examples=["event_01JDBV5W3NXJ0V4M0F4Z1T7Q8K"],
        ),
    ]
    type: EventType
    occurred_at: datetime
    state: Annotated[
        Literal["pending", "delivered", "failed"],
        Meta(description="pending: it is tried until it is taken. failed: given up."),
    ]
    attempts: Annotated[int, Meta(examples=[1])]
    tried_at: datetime | None
    next_attempt_at: datetime | None
    status_code: Annotated[int | None, Meta(description="Of the last try.", examples=[200])]
    problem: Annotated[str | None, Meta(description="In words; null if it was taken.")]
    answer: Annotated[str | None, Meta(description="The beginning of what was answered.")]

    @classmethod
    def of(cls, line: Line) -> "DeliveryAnswer":
        delivery, event = line
        return cls(
            id=delivery.id,
            event_id=event.id,
            type=event.type,  # type: ignore[arg-type]
            occurred_at=event.at,
            state=delivery.state,  # type: ignore[arg-type]
            attempts=delivery.attempts,
            tried_at=delivery.tried_at,
            next_attempt_at=delivery.next_at if delivery.state == "pending" else None,
            status_code=delivery.status_code,
            problem=delivery.problem,
            answer=delivery.answer,
        )


class DeliveryList(Struct, rename="camel"):
    """Deliveries, the newest first; `nextCursor` is null on the last page."""

    items: list[DeliveryAnswer]
    next_cursor: str | None


@get("/", opt={"access": "read"}, responses=documented(400, 401, 403), sync_to_thread=True)
def list_webhooks() -> WebhookList:
    """All webhooks."""
    with db.database().read() as session:
        return WebhookList([WebhookAnswer.of(each) for each in endpoints.listed(session)])


@get(
    "/{webhook_id:str}",
    opt={"access": "read"},
    response_headers=etags.HEADERS,
    responses=documented(400, 401, 403, 404, 422) | {304: etags.KNOWN},
    sync_to_thread=True,
)
def get_webhook(webhook_id: Id, if_none_match: IfNoneMatch = None) -> Response[WebhookAnswer]:
    """One webhook."""
    with db.database().read() as session:
        found = WebhookAnswer.of(endpoints.get(session, webhook_id))
    return etags.unless_known(found, if_none_match)


@post(
    "/",
    dto=JsonBody[NewWebhook],
    opt={"access": "write"},
    responses=documented(400, 401, 403, 409, 413, 415, 422),
    sync_to_thread=True,
)
def create_webhook(
    data: JSONBody[Body[NewWebhook]], request: ApiRequest, idempotency_key: Key = None
) -> Response[WebhookMade]:
    """Add a webhook; its secret is in this answer alone."""

    def add(session: Session) -> WebhookMade:
        given = {"events": list(TYPES), **sent(data.checked(_wrong))}
        return _made(endpoints.add(session, given, actor_of(request)))

    return once(request, idempotency_key, data, add)


@patch(
    "/{webhook_id:str}",
    dto=JsonBody[WebhookChanges],
    opt={"access": "write"},
    response_headers=etags.HEADERS,
    responses=documented(400, 401, 403, 404, 412, 413, 415, 422),
    sync_to_thread=True,
)
def change_webhook(
    webhook_id: Id,
    data: JSONBody[Body[WebhookChanges]],
    request: ApiRequest,
    if_match: IfMatch = None,
) -> Response[WebhookAnswer]:
    """Change a webhook, or switch it off or on."""
    with db.database().write() as session:
        given = sent(data.checked(_wrong))
        _check(session, webhook_id, if_match)
        changed = endpoints.change(session, webhook_id, given, actor_of(request))
        return etags.tagged(WebhookAnswer.of(changed))


@delete(
    "/{webhook_id:str}",
    opt={"access": "write"},
    responses=documented(400, 401, 403, 404, 412, 422),
    sync_to_thread=True,
)
def delete_webhook(webhook_id: Id, request: ApiRequest, if_match: IfMatch = None) -> None:
    """Remove a webhook, with the log of its deliveries."""
    with db.database().write() as session:
        _check(session, webhook_id, if_match)
        endpoints.remove(session, webhook_id, actor_of(request))


@post(
    "/{webhook_id:str}/secret",
    status_code=200,
    opt={"access": "write"},
    responses=documented(400, 401, 403, 404, 422),
    sync_to_thread=True,
)
def renew_secret(
    webhook_id: Id, request: ApiRequest, idempotency_key: Key = None
) -> Response[WebhookMade]:
    """Give it a new secret; for 24 hours what is sent is signed with the old one, too."""

    def renew(session: Session) -> WebhookMade:
        return _made(endpoints.rotate(session, webhook_id, actor_of(request)))

    return once(request, idempotency_key, None, renew)


@post(
    "/{webhook_id:str}/example",
    status_code=202,
    dto=JsonBody[ExampleAsked],
    opt={"access": "write"},
    responses=documented(400, 401, 403, 404, 409, 413, 415, 422),
    sync_to_thread=True,
)
def send_example(
    webhook_id: Id,
    data: JSONBody[Body[ExampleAsked]],
    request: ApiRequest,
    idempotency_key: Key = None,
) -> Response[DeliveryAnswer]:
    """Send it an example of an event, of a booking that there is not."""

    def send(session: Session) -> DeliveryAnswer:
        asked = data.checked(lambda _: ())
        return DeliveryAnswer.of(deliveries.send_example(session, webhook_id, asked.type))

    return once(request, idempotency_key, data, send)


@get(
    "/{webhook_id:str}/deliveries",
    opt={"access": "read"},
    responses=documented(400, 401, 403, 404, 422),
    sync_to_thread=True,
)
def list_deliveries(
    webhook_id: Id,
    limit: Annotated[int, QueryParameter(description=f"1 to {MOST}.")] = 50,
    cursor: Annotated[
        str | None, QueryParameter(description="`nextCursor` of the page before.")
    ] = None,
) -> DeliveryList:
    """What it was sent in the last ten days, and what came of it."""
    before = _before(limit, cursor)
    with db.database().read() as session:
        endpoints.get(session, webhook_id)
        lines, has_more = deliveries.log(session, webhook_id, limit, before)
        items = [DeliveryAnswer.of(each) for each in lines]
    return DeliveryList(items, str(items[-1].id) if has_more else None)


@post(
    "/{webhook_id:str}/deliveries/{delivery_id:int}/resend",
    status_code=202,
    opt={"access": "write"},
    responses=documented(400, 401, 403, 404, 409, 422),
    sync_to_thread=True,
)
def resend_delivery(
    webhook_id: Id, delivery_id: DeliveryId, request: ApiRequest, idempotency_key: Key = None
) -> Response[DeliveryAnswer]:
    """Send an event again, with the id that it had."""

    def send(session: Session) -> DeliveryAnswer:
        actor = actor_of(request)
        return DeliveryAnswer.of(deliveries.resend(session, webhook_id, delivery_id, actor))

    return once(request, idempotency_key, None, send)


def _wrong(given: Mapping[str, Any]) -> list[FieldError]:
    """What is wrong besides, of the fields that can be read."""
    try:
        EndpointForm(given).checked([each for each in EndpointForm.names if each in given])
    except Invalid as invalid:
        return invalid.errors
    return []


def _check(session: Session, webhook_id: str, if_match: str | None) -> None:
    endpoint = endpoints.get(session, webhook_id, to_change=True)
    etags.check(if_match, WebhookAnswer.of(endpoint))


def _made(endpoint: WebhookEndpoint) -> WebhookMade:
    answer = WebhookAnswer.of(endpoint)
    return WebhookMade(**msgspec.structs.asdict(answer), secret=endpoints.secret(endpoint))


def _before(limit: int, cursor: str | None) -> int | None:
    errors = []
    if not 1 <= limit <= MOST:
        errors.append(FieldError("limit", f"This must be from 1 to {MOST}."))
    is_one = cursor is None or (cursor.isascii() and cursor.isdigit() and len(cursor) < 10)
    if not is_one:
        errors.append(FieldError("cursor", "No page gave this: start from the first one."))
    if errors:
        raise Invalid(errors)
    return None if cursor is None else int(cursor)


router = Router(
    "/api/webhooks",
    route_handlers=[
        list_webhooks,
        get_webhook,
        create_webhook,
        change_webhook,
        delete_webhook,
        renew_secret,
        send_example,
        list_deliveries,
        resend_delivery,
    ],
    tags=["Webhooks"],
    security=[{"bearer": []}],
)
