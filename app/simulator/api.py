"""Twilio's HTTP interface, as far as app/whatsapp/client.py uses it."""

import asyncio
import base64
import secrets
import uuid
from datetime import timedelta
from email.utils import format_datetime
from typing import Any
from urllib.parse import urlencode

from litestar import MediaType, Request, Response, Router, get, post
from litestar.connection import ASGIConnection
from litestar.datastructures import State
from litestar.handlers.base import BaseRouteHandler
from litestar.params import FromPath

from app import clock
from app.messages.compose import CANCEL_PAYLOAD, as_template
from app.messages.texts import DEFAULTS
from app.settings import settings
from app.simulator import buttons, receipts, store
from app.simulator.faults import Fault, catalog
from app.simulator.rules import Refused, check_message, templates, text_of
from app.simulator.store import Entry
from app.simulator.things import THINGS
from app.whatsapp.signature import parse_form

_VERSION = "2010-04-01"
_KINDS = ("message", "reply")
_SLOW_DOWN = "1"  # seconds, the Retry-After of a 429
_LONGEST_PAGE = 1000

Answer = Response[dict[str, Any]]


@post(f"/{_VERSION}/Accounts/{{account_sid:str}}/Messages.json")
async def send_message(request: Request[Any, Any, State]) -> Answer:
    """Accept a message, refuse it, or play the fault that waits for it."""
    form = dict(parse_form(await request.body()).multi_items())
    fault, entry = await asyncio.to_thread(_receive, form)
    if fault and not fault.answers:
        await _hold(request)
        return Response({"message": "The request was held"}, status_code=504)
    assert entry is not None
    return Response(_message(entry), status_code=201)


@get(f"/{_VERSION}/Accounts/{{account_sid:str}}/Messages.json", sync_to_thread=True)
def list_messages(request: Request[Any, Any, State]) -> dict[str, Any]:
    """Messages and replies, newest first. A page begins after the last entry of the one before,
    so that what arrives meanwhile shifts nothing.
    """
    query = dict(request.query_params)
    size = min(max(_number(query, "PageSize", 50), 1), _LONGEST_PAGE)
    rows = _matching(query, _number(query, "PageToken", 0) or None, size + 1)
    page = _number(query, "Page", 0)
    path = f"/{_VERSION}/Accounts/{settings().whatsapp_account_sid}/Messages.json"
    filters = [(name, query[name]) for name in ("To", "From") if name in query]
    base = [*filters, ("PageSize", str(size))]
    following = None
    if len(rows) > size:
        token = [("Page", str(page + 1)), ("PageToken", str(rows[size - 1].id))]
        following = f"{path}?{urlencode([*base, *token])}"
    return {
        "messages": [_message(row) for row in rows[:size]],
        "page": page,
        "page_size": size,
        "uri": f"{path}?{urlencode(query)}",
        "first_page_uri": f"{path}?{urlencode([*base, ('Page', '0')])}",
        "next_page_uri": following,
        "previous_page_uri": None,
    }


@get(f"/{_VERSION}/Accounts/{{account_sid:str}}/Messages/{{file:str}}", sync_to_thread=True)
def fetch_message(file: FromPath[str]) -> dict[str, Any]:
    """One message or reply."""
    entry = store.find(file.removesuffix(".json"))
    if entry is None:
        raise Refused(404, 20404, "The requested message was not found")
    return _message(entry)


@get(f"/{_VERSION}/Accounts/{{account_sid:str}}", sync_to_thread=False)
def fetch_account(account_sid: FromPath[str]) -> dict[str, Any]:
    """The account, which is always active."""
    return {
        "sid": account_sid.removesuffix(".json"),
        "friendly_name": "Chairtime's simulator",
        "status": "active",
        "type": "Full",
    }


@get("/v1/Content/{sid:str}", sync_to_thread=False)
def fetch_template(sid: FromPath[str]) -> dict[str, Any]:
    """A template that the settings name: the default text of its kind of message."""
    kind = templates().get(sid)
    if kind is None:
        raise Refused(404, 20404, "The requested template was not found")
    action = {"type": "QUICK_REPLY", "title": buttons.LABEL, "id": f"{{{{{CANCEL_PAYLOAD}}}}}"}
    actions = [action] if kind in buttons.WITH_BUTTON else []
    types = {"twilio/quick-reply": {"body": as_template(DEFAULTS[kind]), "actions": actions}}
    return {"sid": sid, "friendly_name": kind, "language": "en", "variables": {}, "types": types}


def _require_account(connection: ASGIConnection[Any, Any, Any, Any], _: BaseRouteHandler) -> None:
    """HTTP Basic with the account's SID and token, and the same SID in the path."""
    sid = settings().whatsapp_account_sid
    expected = (
        "Basic " + base64.b64encode(f"{sid}:{settings().whatsapp_auth_token}".encode()).decode()
    )
    given = connection.headers.get("Authorization", "")
    named = connection.path_params.get("account_sid", sid)
    is_ours = named.removesuffix(".json") == sid
    if not (is_ours and secrets.compare_digest(given.encode(), expected.encode())):
        raise Refused(401, 20003, "Authenticate")


def _refuse(_: Request[Any, Any, State], refused: Refused) -> Answer:
    content = {
        "code": refused.code,
        "message": refused.message,
        "more_info": f"https://www.twilio.com/docs/errors/{refused.code}",
        "status": refused.http_status,
    }
    headers = {"Retry-After": _SLOW_DOWN} if refused.http_status == 429 else {}
    return Response(
        content, status_code=refused.http_status, headers=headers, media_type=MediaType.JSON
    )


router = Router(
    path="/",
    route_handlers=[send_message, list_messages, fetch_message, fetch_account, fetch_template],
    guards=[_require_account],
    exception_handlers={Refused: _refuse},
    include_in_schema=False,
)


def _receive(form: dict[str, str]) -> tuple[Fault | None, Entry | None]:
    """The fault to play and what was accepted. Raises Refused.

    A POST that Twilio would refuse anyway leaves the fault for the next one.
    """
    check_message(form)
    text = text_of(form)
    number = form["To"].removeprefix("whatsapp:")
    fault = catalog().get(store.take_fault(number) or "")
    if fault is None or fault.accepts:
        return fault, _accept(form, number, text, fault)
    store.add("note", number, text, fault.kind, fault=fault.name)
    if fault.kind == "refused":
        raise Refused(fault.http_status, fault.code or 0, "Refused on demand")
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


async def _hold(request: Request[Any, Any, State]) -> None:
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


def _matching(query: dict[str, str], before: int | None, most: int) -> list[Entry]:
    """What is to or from a customer; a filter that names only our own number leaves the kind."""
    ours = f"whatsapp:{settings().whatsapp_from_number}"
    to, sender = query.get("To"), query.get("From")
    kinds = [kind for kind, matches in (
        ("message", to != ours and sender in (None, ours)),
        ("reply", sender != ours and to in (None, ours)),
    ) if matches]  # fmt: skip
    customer = next((name for name in (to, sender) if name not in (None, ours)), None)
    number = customer.removeprefix("whatsapp:") if customer else None
    return store.listed(number, kinds, before, most) if kinds else []


def _number(query: dict[str, str], name: str, default: int) -> int:
    text = query.get(name, str(default))
    if not (text.isascii() and text.isdecimal() and len(text) < 10):
        raise Refused(400, 20001, f"{name} is a number")
    return int(text)


def _message(entry: Entry) -> dict[str, Any]:
    ours, theirs = f"whatsapp:{settings().whatsapp_from_number}", f"whatsapp:{entry.number}"
    is_reply = entry.kind == "reply"
    account = settings().whatsapp_account_sid
    return {
        "sid": entry.sid,
        "account_sid": account,
        "api_version": _VERSION,
        "to": ours if is_reply else theirs,
        "from": theirs if is_reply else ours,
        "body": entry.body,
        "status": "received" if is_reply else entry.status,
        "direction": "inbound" if is_reply else "outbound-api",
        "error_code": None if is_reply else entry.error_code,
        "error_message": None,
        "num_media": THINGS[entry.thing].fields.get("NumMedia", "0") if entry.thing else "0",
        "date_created": format_datetime(entry.created_at),
        "date_updated": format_datetime(entry.updated_at),
        "date_sent": None if entry.status == "queued" else format_datetime(entry.updated_at),
        "uri": f"/{_VERSION}/Accounts/{account}/Messages/{entry.sid}.json",
    }
