"""Errors as `application/problem+json` (RFC 9457): the one shape that every caller gets.

Services name fields as they do themselves; the caller reads the names that the caller wrote.
"""

import logging
import re
import traceback
from collections.abc import Sequence
from http import HTTPStatus
from typing import Any

import msgspec
from litestar import Request, Response
from litestar.exceptions import HTTPException, ValidationException
from litestar.openapi.datastructures import ResponseSpec
from litestar.types import ExceptionHandlersMap
from msgspec import UNSET, Struct, UnsetType
from sqlalchemy import exc as sql

from app import db, telemetry
from app.errors import Conflict, FieldError, Invalid, NotFound
from app.web.etags import Stale
from app.web.field_names import WrongFields, camel, in_words
from app.web.request_ids import request_id

MEDIA_TYPE = "application/problem+json"
RETRY_AFTER = "5"  # seconds
MAX_ERRORS = 20

AnyRequest = Request[Any, Any, Any]

_MISSING = re.compile(r"Missing required \w+ parameter '([^']+)'")
"""What Litestar says in place of its list where a parameter is not there at all."""

_log = logging.getLogger(__name__)


class FieldProblem(Struct):
    """One field of the request, named as the caller named it, and what is wrong with it."""

    field: str
    message: str


class Problem(Struct, kw_only=True, rename="camel"):
    """What went wrong: `reason` is the code of a 409 or 503, `requestId` finds a 5xx in the log,
    `instead` is what would be possible in the place of what was asked for.
    """

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    errors: list[FieldProblem] = []
    reason: str | UnsetType = UNSET
    request_id: str | UnsetType = UNSET
    instead: dict[str, str] | UnsetType = UNSET


def documented(*statuses: int) -> dict[int, ResponseSpec]:
    """The `responses` of a handler that may answer with these statuses, or with 500 or 503; one
    that needs a token, also with 422 and 429.
    """
    more = (422, 429) if 401 in statuses else ()
    return {
        status: ResponseSpec(
            Problem,
            description=HTTPStatus(status).phrase,
            media_type=MEDIA_TYPE,
            generate_examples=False,
        )
        for status in sorted({*statuses, *more, 500, 503})
    }


def problem(
    status: int,
    detail: str,
    errors: Sequence[FieldError] = (),
    headers: dict[str, str] | None = None,
    **more: Any,
) -> Response[bytes]:
    """The answer that says `detail`; `more` may have `reason`, `request_id` and `instead`."""
    body = Problem(
        title=HTTPStatus(status).phrase,
        status=status,
        detail=detail,
        errors=[FieldProblem(error.field, error.message) for error in errors[:MAX_ERRORS]],
        **more,
    )
    return Response(
        msgspec.json.encode(body), status_code=status, media_type=MEDIA_TYPE, headers=headers
    )


def _on_invalid(_request: AnyRequest, error: Invalid) -> Response[bytes]:
    errors = [FieldError(camel(each.field), each.message) for each in error.errors]
    return problem(422, "Some fields are wrong.", errors)


def _on_wrong_fields(_request: AnyRequest, error: WrongFields) -> Response[bytes]:
    return problem(422, "Some fields are wrong.", error.errors)


def _on_not_found(_request: AnyRequest, error: NotFound) -> Response[bytes]:
    return problem(404, error.detail)


def _on_conflict(_request: AnyRequest, error: Conflict) -> Response[bytes]:
    instead = UNSET if error.instead is None else {**error.instead}
    return problem(409, error.detail, reason=error.reason, instead=instead)


def _on_stale(_request: AnyRequest, error: Stale) -> Response[bytes]:
    return problem(412, error.detail, headers={"ETag": error.now})


def _on_wrong_parameters(request: AnyRequest, error: ValidationException) -> Response[bytes]:
    """Litestar's findings; a wrong id in the path is something that there is not."""
    if missing := _MISSING.match(error.detail):
        return problem(422, "Some fields are wrong.", [FieldError(missing[1], "This is missing.")])
    if not isinstance(error.extra, list):  # of a form that cannot be read
        return problem(400, f"{error.detail[:1].upper()}{error.detail[1:]}.")
    wrong: list[dict[str, str]] = error.extra
    if any(each.get("source") == "path" for each in wrong):
        return problem(404, "There is nothing here.")
    errors = [
        FieldError("body", "This is missing: a JSON object is needed.")
        if each.get("key") == "data"  # whatever is in a body is found by web.bodies
        else FieldError(_written_name(request, each.get("key", "")), in_words(each["message"]))
        for each in wrong
    ]
    return problem(422, "Some fields are wrong.", errors)


def _written_name(request: AnyRequest, key: str) -> str:
    """What the caller calls the handler's parameter `key`."""
    definition = request.route_handler.parsed_fn_signature.parameters.get(key)
    known = definition.kwarg_definition if definition else None
    return getattr(known, "name", None) or key


def _on_http_error(request: AnyRequest, error: HTTPException) -> Response[bytes]:
    if error.status_code >= 500:
        return _on_unexpected(request, error)
    details = {404: "There is nothing here.", 405: "This method is not allowed here."}
    detail = details.get(error.status_code) or error.detail
    return problem(error.status_code, detail, headers=error.headers)


def _on_database_trouble(request: AnyRequest, error: Exception) -> Response[bytes]:
    trouble = db.trouble(error)
    if trouble is None:
        return _on_unexpected(request, error)
    id = request_id()
    cause = getattr(error, "orig", None) or error
    _log.error("%s %s: the database is %s: %s", id, _what(request), trouble, type(cause).__name__)
    headers = {"Retry-After": RETRY_AFTER}
    detail = _TROUBLES[trouble]
    return problem(503, detail, headers=headers, request_id=id, reason=trouble)


_TROUBLES = {
    "away": "The database cannot be reached. Try again soon.",
    "busy": "The database is busy with something else. Nothing was saved. Try again soon.",
    "full": "The database's disk is full. Nothing was saved: make room on it, then try again.",
    "read_only": "The database can only be read now. Nothing was saved. Try again soon.",
}


def _on_unexpected(request: AnyRequest, error: Exception) -> Response[bytes]:
    """Logged without the error's own words: they may hold a name or a phone number."""
    id = request_id()
    where = "".join(traceback.format_tb(error.__traceback__))
    _log.error("%s %s: %s\n%s", id, _what(request), type(error).__name__, where)
    telemetry.report(error)
    return problem(500, "Something went wrong on our side.", request_id=id)


def _what(request: AnyRequest) -> str:
    return f"{request.method} {request.scope.get('path_template', '')}"


HANDLERS: ExceptionHandlersMap = {
    Invalid: _on_invalid,
    WrongFields: _on_wrong_fields,
    NotFound: _on_not_found,
    Conflict: _on_conflict,
    Stale: _on_stale,
    ValidationException: _on_wrong_parameters,
    HTTPException: _on_http_error,
    sql.DBAPIError: _on_database_trouble,
    sql.TimeoutError: _on_database_trouble,
    Exception: _on_unexpected,
}
"""Error type → answer, for Litestar."""
