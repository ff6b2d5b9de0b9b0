"""What Twilio calls: the status of a message that it accepted."""

import logging
from typing import Any
from uuid import UUID

from litestar import Request, Router, post
from litestar.concurrency import sync_to_thread
from litestar.exceptions import HTTPException, PermissionDeniedException
from litestar.params import FromPath

from app import db
from app.messages import receipts
from app.settings import settings
from app.web.problems import documented
from app.whatsapp.signature import is_signed, parse_form

_LONGEST_SID, _LONGEST_STATUS, _LONGEST_CODE = 34, 32, 32

_log = logging.getLogger(__name__)


@post(
    "/status/{attempt_id:uuid}",
    status_code=204,
    opt={"access": "signed"},
    responses=documented(400, 403, 404, 413, 415),
)
async def message_status(attempt_id: FromPath[UUID], request: Request[Any, Any, Any]) -> None:
    """Note a delivery status. An attempt that we do not know is noted too, and changes nothing."""
    content_type, _ = request.content_type
    if content_type.lower() != "application/x-www-form-urlencoded":
        raise HTTPException(status_code=415, detail="A form is expected here.")
    form = _signed_form(await request.body(), request)
    sid = _text(form.get("MessageSid"), _LONGEST_SID)
    status = _text(form.get("MessageStatus"), _LONGEST_STATUS).lower()
    code = _text(form.get("ErrorCode"), _LONGEST_CODE)
    if sid and status:
        await sync_to_thread(_record, str(attempt_id), sid, status, code)


def _signed_form(body: bytes, request: Request[Any, Any, Any]) -> Any:
    """The form, if it is Twilio's and about our account; raises PermissionDeniedException."""
    found = settings()
    form = parse_form(body)
    is_theirs = is_signed(
        tokens=[found.whatsapp_auth_token],
        public_url=found.public_url,
        raw_path=request.scope["raw_path"].partition(b"?")[0],
        raw_query=request.scope["query_string"],
        form=form,
        body=body,
        headers=request.headers,
    )
    if not is_theirs or form.get("AccountSid") != found.whatsapp_account_sid:
        _log.warning("a status callback was refused: not signed with our auth token")
        raise PermissionDeniedException("Forbidden.")
    return form


def _text(value: str | None, longest: int) -> str:
    """What can be stored of a value: no NUL (PostgreSQL takes none), no line breaks, not long."""
    return "".join(char for char in (value or "") if char.isprintable())[:longest]


def _record(attempt_id: str, sid: str, status: str, code: str) -> None:
    with db.database().write() as session:
        receipts.record(session, attempt_id, sid, status, code)


router = Router("/webhooks/twilio", route_handlers=[message_status], tags=["Webhooks"])
