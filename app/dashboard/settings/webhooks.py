"""Settings: where other programs listen, and what each was sent."""

import json
from collections.abc import Mapping
from functools import partial
from typing import Annotated, Any

from litestar import Response, Router, get, post
from litestar.params import FromQuery, PathParameter
from sqlalchemy.orm import Session

from app import db
from app.dashboard.forms import AS_IT_IS, FormState, saved, submit
from app.dashboard.shell import FormData, PageRequest, page, redirect, run_action, toast
from app.errors import Conflict, FieldError, Invalid
from app.integrations import deliveries, endpoints
from app.integrations.courier import headers_of
from app.integrations.deliveries import Line
from app.integrations.endpoints import host_of
from app.models.integration import WebhookDelivery, WebhookEndpoint
from app.outbox import TYPES, EventType
from app.web import cookies

HERE = "/settings/webhooks"
PAGE = 30
"""Deliveries on a page."""

WORDS: Mapping[EventType, str] = {
    "booking.created": "Booked",
    "booking.changed": "Changed",
    "booking.moved": "Moved",
    "booking.cancelled": "Cancelled",
    "booking.attended": "Came, or did not",
    "message.sent": "Sent",
    "message.delivered": "Delivered",
    "message.failed": "Failed",
    "message.skipped": "Skipped",
    "reply.received": "A customer writes",
    "customer.opted_out": "A customer wants no messages any more",
    "sending.stopped": "Sending stops",
    "sending.resumed": "Sending goes on",
}
GROUPS = (
    ("Bookings", tuple(each for each in TYPES if each.startswith("booking."))),
    ("Messages", tuple(each for each in TYPES if each.startswith("message."))),
    ("Customers", ("reply.received", "customer.opted_out")),
    ("Sending", ("sending.stopped", "sending.resumed")),
)

_NEW = "chairtime_new_secret"  # a cookie: whose secret is to be shown, once
_SHOWN_FOR = 60

WebhookId = Annotated[
    str, PathParameter(pattern=r"^webhook_[a-z0-9]{1,32}$", description="A webhook.")
]
DeliveryId = Annotated[int, PathParameter(ge=1, le=2**31 - 1, description="One of its deliveries.")]


@get(HERE, opt={"access": "owner"}, sync_to_thread=True)
def show_all(request: PageRequest) -> Response[str]:
    """All webhooks, and a form to add one."""
    return _all(request)


@post(HERE, opt={"access": "owner"}, sync_to_thread=True)
def add(request: PageRequest, form: FormData) -> Response[str]:
    """Add a webhook, and show its secret."""

    def act(session: Session) -> Response[str]:
        endpoint = endpoints.add(session, _given(form), request.user.actor)
        return _with_secret(request, endpoint)

    def refused(conflict: Conflict) -> Response[str]:
        return _all(request, FormState(409, _typed(form), {"url": conflict.detail}))

    return submit(_typed(form), act, partial(_all, request), refused)


@get(f"{HERE}/{{webhook_id:str}}", opt={"access": "owner"}, sync_to_thread=True)
def show(request: PageRequest, webhook_id: WebhookId, before: FromQuery[str] = "") -> Response[str]:
    """One of them: what it is told, and what came of it."""
    return _one(request, webhook_id, before)


@post(f"{HERE}/{{webhook_id:str}}", opt={"access": "owner"}, sync_to_thread=True)
def change(request: PageRequest, webhook_id: WebhookId, form: FormData) -> Response[str]:
    """Change the address, or what it is told of."""

    def act(session: Session) -> Response[str]:
        before = _state(endpoints.get(session, webhook_id))
        after = endpoints.change(session, webhook_id, _given(form), request.user.actor)
        return saved(request, _address(webhook_id), before != _state(after))

    def again(state: FormState) -> Response[str]:
        return _one(request, webhook_id, "", state)

    return submit(_typed(form), act, again)


@post(f"{HERE}/{{webhook_id:str}}/switch-on", opt={"access": "owner"}, sync_to_thread=True)
def switch_on(request: PageRequest, webhook_id: WebhookId) -> Response[str]:
    """Tell it what happens, from now on."""
    return _switch(request, webhook_id, True, "It is told what happens.")


@post(f"{HERE}/{{webhook_id:str}}/switch-off", opt={"access": "owner"}, sync_to_thread=True)
def switch_off(request: PageRequest, webhook_id: WebhookId) -> Response[str]:
    """Tell it nothing for a while."""
    return _switch(request, webhook_id, False, "It is told nothing now.")


@post(f"{HERE}/{{webhook_id:str}}/secret", opt={"access": "owner"}, sync_to_thread=True)
def renew_secret(request: PageRequest, webhook_id: WebhookId) -> Response[str]:
    """Give it a new secret, and show it."""
    with db.database().write() as session:
        endpoint = endpoints.rotate(session, webhook_id, request.user.actor)
        return _with_secret(request, endpoint)


@post(f"{HERE}/{{webhook_id:str}}/remove", opt={"access": "owner"}, sync_to_thread=True)
def remove(request: PageRequest, webhook_id: WebhookId) -> Response[str]:
    """Remove it."""

    def act(session: Session) -> str:
        endpoints.remove(session, webhook_id, request.user.actor)
        return "The webhook is removed."

    return run_action(request, HERE, act)


@post(f"{HERE}/{{webhook_id:str}}/example", opt={"access": "owner"}, sync_to_thread=True)
def send_example(request: PageRequest, webhook_id: WebhookId, form: FormData) -> Response[str]:
    """Send it an example of an event, and show what it answers."""

    def act(session: Session) -> Response[str]:
        type: Any = form.get("type", "")
        if type not in TYPES:
            raise Invalid([FieldError("type", "This must be one of the list.")])
        made = deliveries.send_example(session, webhook_id, type)
        return redirect(request, _address(webhook_id, made.delivery.id))

    def refused(conflict: Conflict) -> Response[str]:
        return toast(redirect(request, _address(webhook_id)), conflict.detail, bad=True)

    def again(state: FormState) -> Response[str]:
        return _one(request, webhook_id, "", state)

    return submit({}, act, again, refused)


@get(
    f"{HERE}/{{webhook_id:str}}/deliveries/{{delivery_id:int}}",
    opt={"access": "owner"},
    sync_to_thread=True,
)
def show_delivery(
    request: PageRequest, webhook_id: WebhookId, delivery_id: DeliveryId
) -> Response[str]:
    """What was sent, and what was answered."""
    with db.database().read() as session:
        endpoint = endpoints.get(session, webhook_id)
        line = deliveries.line(session, webhook_id, delivery_id)
        sent = _sent(endpoint, line)
    return page(
        request,
        "settings/webhook_delivery.html",
        "settings/_webhook_delivery.html",
        webhook=endpoint,
        host=host_of(endpoint.url),
        line=line,
        word=word_of(line.delivery),
        sent=sent,
        words=WORDS,
    )


@post(
    f"{HERE}/{{webhook_id:str}}/deliveries/{{delivery_id:int}}/resend",
    opt={"access": "owner"},
    sync_to_thread=True,
)
def resend(request: PageRequest, webhook_id: WebhookId, delivery_id: DeliveryId) -> Response[str]:
    """Send an event again, with its id."""

    def act(session: Session) -> str:
        deliveries.resend(session, webhook_id, delivery_id, request.user.actor)
        return "It is sent again."

    return run_action(request, _address(webhook_id, delivery_id), act)


def word_of(delivery: WebhookDelivery) -> dict[str, str]:
    """What has become of a delivery, as a tag shows it."""
    if delivery.state == "delivered":
        return {"colour": "ok", "text": "Taken"}
    if delivery.state == "failed":
        return {"colour": "bad", "text": "Given up"}
    if delivery.attempts:
        return {"colour": "due", "text": "Not taken yet"}
    return {"colour": "sending", "text": "On its way"}


def state_of(endpoint: WebhookEndpoint) -> dict[str, str]:
    """How an endpoint is, as a tag shows it."""
    if endpoint.switched_off_at is not None:
        return {"colour": "bad", "text": "Switched off: it failed for long"}
    if not endpoint.active:
        return {"colour": "none", "text": "Switched off"}
    if endpoint.failing_since is not None:
        return {"colour": "due", "text": "Failing"}
    return {"colour": "ok", "text": "On"}


def _switch(request: PageRequest, webhook_id: str, is_on: bool, said: str) -> Response[str]:
    def act(session: Session) -> str:
        endpoints.change(session, webhook_id, {"active": is_on}, request.user.actor)
        return said

    return run_action(request, _address(webhook_id), act)


def _all(request: PageRequest, state: FormState = AS_IT_IS) -> Response[str]:
    with db.database().read() as session:
        listed = endpoints.listed(session)
    return page(
        request,
        "settings/webhooks.html",
        **state.context({"url": "", "events": ",".join(TYPES)}),
        webhooks=[(each, host_of(each.url), state_of(each)) for each in listed],
        groups=GROUPS,
        words=WORDS,
        all_types=len(TYPES),
    )


def _one(
    request: PageRequest, webhook_id: str, before: str = "", state: FormState = AS_IT_IS
) -> Response[str]:
    last = int(before) if before.isascii() and before.isdigit() and len(before) < 10 else None
    with db.database().read() as session:
        endpoint = endpoints.get(session, webhook_id)
        lines, has_more = deliveries.log(session, webhook_id, PAGE, last)
    is_new = request.cookies.get(cookies.named(_NEW)) == webhook_id
    answer = page(
        request,
        "settings/webhook.html",
        **state.context({"url": endpoint.url, "events": ",".join(endpoint.events)}),
        webhook=endpoint,
        host=host_of(endpoint.url),
        webhook_state=state_of(endpoint),
        secret=endpoints.secret(endpoint) if is_new else None,
        lines=[(*each, word_of(each.delivery)) for each in lines],
        before=last,
        older=lines[-1].delivery.id if has_more else None,
        groups=GROUPS,
        words=WORDS,
    )
    if is_new:
        cookies.give(answer, _NEW, "", 0)
    return answer


def _sent(endpoint: WebhookEndpoint, line: Line) -> dict[str, Any] | None:
    """The headers and the body of the last try; None before the first."""
    delivery, event = line
    if delivery.tried_at is None or event.body is None:
        return None
    secrets = endpoints.signing(endpoint.id, endpoint.secret_number, endpoint.rotated_at)
    headers = headers_of(event.id, event.body, secrets, delivery.tried_at)
    pretty = json.dumps(json.loads(event.body), indent=2, ensure_ascii=False)
    return {"headers": headers, "body": pretty}


def _with_secret(request: PageRequest, endpoint: WebhookEndpoint) -> Response[str]:
    """On to its page, which shows the secret this once."""
    answer = redirect(request, _address(endpoint.id))
    cookies.give(answer, _NEW, endpoint.id, _SHOWN_FOR)
    return answer


def _given(form: FormData) -> dict[str, Any]:
    return {"url": form.get("url", ""), "events": form.getall("events", [])}


def _typed(form: FormData) -> dict[str, str]:
    return {"url": form.get("url", ""), "events": ",".join(form.getall("events", []))}


def _state(endpoint: WebhookEndpoint) -> tuple[str, tuple[str, ...]]:
    return endpoint.url, tuple(endpoint.events)


def _address(webhook_id: str, delivery_id: int | None = None) -> str:
    address = f"{HERE}/{webhook_id}"
    return address if delivery_id is None else f"{address}/deliveries/{delivery_id}"


router = Router(
    "/",
    route_handlers=[
        *(show_all, add, show, change, switch_on, switch_off, renew_secret, remove, send_example),
        *(show_delivery, resend),
    ],
    include_in_schema=False,
)
