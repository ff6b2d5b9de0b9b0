"""Twilio's HTTP interface, as far as app/whatsapp/client.py uses it."""

import asyncio
import uuid
from datetime import timedelta
from typing import Any

from litestar import MediaType, Request, Response, Router, get, post
from litestar.connection import ASGIConnection
from litestar.datastructures import State
from litestar.handlers.base import BaseRouteHandler

from app import clock
from app.settings import settings
from app.simulator import buttons, receipts, store
from app.simulator.account import SimulatedAccount, checked_text
from app.simulator.core import resources, routes
from app.simulator.core.resources import API_VERSION
from app.simulator.core.rules import Refused
from app.simulator.faults import Fault, catalog
from app.simulator.store import Entry
from app.whatsapp.signature import parse_form

_SLOW_DOWN = "1"  # seconds, the Retry-After of a 429
_OF_ACCOUNTS = f"/{API_VERSION}/{{rest:path}}"

AnyRequest = Request[Any, Any, State]
Answer = Response[dict[str, Any]]


@post(_OF_ACCOUNTS)
async def send_message(request: AnyRequest) -> Answer:
    """Accept a message, refuse it, or play the fault that waits for it."""
    if not routes.is_list(_path(request)):
        raise Refused(20004, "Method not allowed", 405)
    form = dict(parse_form(await request.body()).multi_items())
    fault, entry = await asyncio.to_thread(_receive, form)
    if fault and not fault.answers:
        await _hold(request)
        return Response({"message": "The request was held"}, status_code=504)
    assert entry is not None
    account = SimulatedAccount()
    return Response(
        resources.message(account.account_sid, account.accepted(entry)), status_code=201
    )


@get([_OF_ACCOUNTS, "/v1/{rest:path}"], sync_to_thread=True)
def show(request: AnyRequest) -> dict[str, Any]:
    """The account, its messages and replies, or a template."""
    return routes.answer(SimulatedAccount(), _path(request), dict(request.query_params))


def _path(connection: ASGIConnection[Any, Any, Any, Any]) -> str:
    """Without the folder that the simulator stands in."""
    return "/" + connection.url.path.partition("/simulator/")[2]


async def _require_account(
    connection: ASGIConnection[Any, Any, Any, Any], _: BaseRouteHandler
) -> None:
    authorization = connection.headers.get("Authorization", "")
    routes.check_access(SimulatedAccount(), _path(connection), authorization)


def _refuse(_: AnyRequest, refused: Refused) -> Answer:
    status = refused.http_status
    headers = {"Retry-After": _SLOW_DOWN} if status == 429 else {}
    error = resources.error(refused)
    return Response(error, status_code=status, headers=headers, media_type=MediaType.JSON)


router = Router(
    path="/",
    route_handlers=[send_message, show],
    guards=[_require_account],
    exception_handlers={Refused: _refuse},
    include_in_schema=False,
)


def _receive(form: dict[str, str]) -> tuple[Fault | None, Entry | None]:
    """The fault to play and what was accepted. Raises Refused.

    A POST that Twilio would refuse anyway leaves the fault for the next one.
    """
    text = checked_text(form)
    number = form["To"].removeprefix("whatsapp:")
    fault = catalog().get(store.take_fault(number) or "")
    if fault is None or fault.accepts:
        return fault, _accept(form, number, text, fault)
    store.add("note", number, text, fault.kind, fault=fault.name)
    if fault.kind == "refused":
        raise Refused(fault.code or 0, "Refused on demand", fault.http_status)
    return fault, None


def _accept(form: dict[str, str], number: str, text: str, fault: Fault | None) -> Entry:
    entry = store.add(
        "message",
        number,
        text,
        "queued",
        sid=f"SM{uuid.uuid4().hex}",
        fault=fault.name if fault else None,
        callback=None if fault and fault.kind == "lost_silent" else form.get("StatusCallback"),
        payload=buttons.payload_of(form),
        next_status="sent",
        next_at=clock.now() + timedelta(seconds=receipts.DELAY),
    )
    receipts.wake()
    return entry


async def _hold(request: AnyRequest) -> None:
    """Wait until the sender gives up; in the event loop, so that it costs no thread.

    Our client waits twice SEND_TIMEOUT at the most.
    """
    longest = 2 * settings().send_timeout + 5
    try:
        async with asyncio.timeout(longest):
            while (await request.receive())["type"] != "http.disconnect":
                pass
    except TimeoutError:
        return
