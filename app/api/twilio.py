"""What Twilio calls: the status of a message that it accepted, and what a customer wrote."""

import logging
import re
from typing import Any
from uuid import UUID

from litestar import Request, Response, Router, post
from litestar.concurrency import sync_to_thread
from litestar.exceptions import HTTPException, PermissionDeniedException
from litestar.params import FromPath
from twilio.twiml.messaging_response import MessagingResponse  # type: ignore[import-untyped]

from app import db
from app.channel import Incoming, StatusReport
from app.conversations import inbound
from app.messages import receipts
from app.messages.channels import channel
from app.settings import settings
from app.whatsapp.client import WEBHOOKS
from app.whatsapp.signature import is_signed, parse_form

_SID = re.compile(r"[A-Za-z0-9]{1,34}")

_log = logging.getLogger(__name__)


@post(
    "/status/{attempt_id:uuid}",
    status_code=204,
    opt={"access": "signed"},
)
async def message_status(attempt_id: FromPath[UUID], request: Request[Any, Any, Any]) -> None:
    """Note a delivery status. An attempt that we do not know is noted too, and changes nothing."""
    form = await _signed_form(request)
    if report := channel().read_receipt(form):
        await sync_to_thread(_record, str(attempt_id), report)


@post(
    "/inbound",
    status_code=200,
    media_type="text/xml",
    opt={"access": "signed"},
)
async def inbound_message(request: Request[Any, Any, Any]) -> Response[str]:
    """Take a customer's message and answer it, if at all, by TwiML.

    A message that is delivered again is answered the same, and changes nothing.
    """
    form = await _signed_form(request)
    if form.get("To") != f"whatsapp:{settings().whatsapp_from_number}":
        raise PermissionDeniedException("Forbidden.")
    if not form.get("From") or not _SID.fullmatch(form.get("MessageSid", "")):
        raise HTTPException(status_code=400, detail="MessageSid and From are needed.")
    incoming = channel().read_incoming(form)
    answer = await sync_to_thread(_receive, incoming) if incoming else None
    twiml = MessagingResponse()
    if answer:
        twiml.message(answer)
    return Response(str(twiml), media_type="text/xml")


async def _signed_form(request: Request[Any, Any, Any]) -> Any:
    """The form, if it is Twilio's and about our account.

    Raises HTTPException 415 for what is no form, and PermissionDeniedException.
    """
    content_type, _ = request.content_type
    if content_type.lower() != "application/x-www-form-urlencoded":
        raise HTTPException(status_code=415, detail="A form is expected here.")
    env = settings()
    body = await request.body()
    form = parse_form(body)
    is_theirs = is_signed(
        tokens=[env.whatsapp_auth_token],
        public_url=env.public_url,
        raw_path=request.scope["raw_path"].partition(b"?")[0],
        raw_query=request.scope["query_string"],
        form=form,
        body=body,
        headers=request.headers,
    )
    if not is_theirs or form.get("AccountSid") != env.whatsapp_account_sid:
        _log.warning("a webhook's request was refused: not signed with our auth token")
        raise PermissionDeniedException("Forbidden.")
    return form


def _record(attempt_id: str, report: StatusReport) -> None:
    with db.database().write() as session:
        receipts.record(session, attempt_id, report)


def _receive(incoming: Incoming) -> str | None:
    with db.database().write() as session:
        return inbound.receive(session, incoming)


router = Router(WEBHOOKS, route_handlers=[message_status, inbound_message], include_in_schema=False)
