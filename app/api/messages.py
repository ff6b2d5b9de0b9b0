"""The messages of all bookings over JSON: what came of them, and what failed once more."""

from typing import Annotated

from litestar import Response, Router, get, post
from litestar.params import QueryParameter
from msgspec import Struct
from sqlalchemy.orm import Session

from app import clock, db
from app.api.once import Key, once
from app.api.reminders import MessageAnswer
from app.messages import entries, search, service
from app.models.message import KINDS, Message
from app.staff.guards import ApiRequest, actor_of
from app.web import decoding, etags
from app.web.etags import IfNoneMatch
from app.web.parameters import JobId
from app.web.problems import documented


class MessagePage(Struct, rename="camel"):
    """Messages by when they last changed; `nextCursor` is null on the last page."""

    items: list[MessageAnswer]
    next_cursor: str | None


@get("/", opt={"access": "read"}, responses=documented(400, 401, 403, 422), sync_to_thread=True)
def list_messages(
    in_state: Annotated[
        str | None,
        QueryParameter(
            name="state", description="In that state.", schema_extra={"enum": list(search.STATES)}
        ),
    ] = None,
    kind: Annotated[
        str | None, QueryParameter(description="Of that kind.", schema_extra={"enum": list(KINDS)})
    ] = None,
    updated_since: Annotated[
        str | None,
        QueryParameter(
            name="updatedSince",
            description="Those that changed then or later.",
            schema_extra={"format": "date-time"},
        ),
    ] = None,
    sort: Annotated[
        str,
        QueryParameter(
            description="By when they changed; with `-` the latest first.",
            schema_extra={"enum": list(search.ORDERS)},
        ),
    ] = "updatedAt",
    limit: Annotated[int, QueryParameter(description=f"1 to {search.MAX_LIMIT}.")] = 50,
    cursor: Annotated[
        str | None, QueryParameter(description="`nextCursor` of the page before.")
    ] = None,
) -> MessagePage:
    """Messages that are due soon, are being sent, or came to an end; of all bookings."""
    [since] = decoding.times({"updatedSince": updated_since})
    filters = search.Filters(state=in_state, kind=kind, updated_since=since)
    with db.database().read() as session:
        found, next_cursor = search.search(session, filters, limit, cursor, sort)
        return MessagePage(_answers(session, found), next_cursor)


@get(
    "/{job_id:str}",
    opt={"access": "read"},
    response_headers=etags.HEADERS,
    responses=documented(400, 401, 403, 404) | {304: etags.KNOWN},
    sync_to_thread=True,
)
def get_message(job_id: JobId, if_none_match: IfNoneMatch = None) -> Response[MessageAnswer]:
    """One message, with its attempts and receipts."""
    with db.database().read() as session:
        [found] = _answers(session, [service.get(session, job_id)])
    return etags.unless_known(found, if_none_match)


@post(
    "/{job_id:str}/retry",
    status_code=202,
    opt={"access": "write"},
    responses=documented(400, 401, 403, 404, 409),
    sync_to_thread=True,
)
def retry_message(
    job_id: JobId, request: ApiRequest, idempotency_key: Key = None
) -> Response[MessageAnswer]:
    """Send a message that failed once more, now."""

    def retry(session: Session) -> MessageAnswer:
        service.retry(session, job_id, actor_of(request))
        session.expire_all()
        return _answers(session, [service.get(session, job_id)])[0]

    return once(request, idempotency_key, None, retry)


def _answers(session: Session, messages: list[Message]) -> list[MessageAnswer]:
    now = clock.now()
    return [MessageAnswer.of(entry, now) for entry in entries.of_rows(session, messages)]


router = Router(
    "/api/messages",
    route_handlers=[list_messages, get_message, retry_message],
    tags=["Messages"],
    security=[{"bearer": []}],
)
