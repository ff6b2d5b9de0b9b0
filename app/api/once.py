"""What a POST does, it does once for each Idempotency-Key: all of them are answered here."""

import hashlib
import json
from collections.abc import Callable
from http import HTTPStatus
from typing import Annotated, Any

import msgspec
from litestar import Response
from litestar.params import HeaderParameter
from sqlalchemy.orm import Session

from app import db
from app.staff import idempotency
from app.staff.guards import ApiRequest
from app.web import etags
from app.web.bodies import Body

Key = Annotated[
    str | None,
    HeaderParameter(
        name=idempotency.HEADER,
        description="Up to 255 visible ASCII characters. A request that is repeated with its key "
        "within a day gets the first answer again and does nothing.",
    ),
]


def once(
    request: ApiRequest,
    key: str | None,
    data: Body[Any] | None,
    act: Callable[[Session], Any],
    *,
    tagged: bool = False,
) -> Response[Any]:
    """What `act` answers in a transaction of its own, or what it answered to this key.

    `act` returns a struct, or a status and a struct. What is made has its `Location`, and with
    `tagged` an ETag. Raises Invalid, and what `act` raises; then the key is as new.
    """
    usual = request.route_handler.status_code

    def answer() -> idempotency.Answer:
        given = act(session)
        status, struct = given if isinstance(given, tuple) else (usual, given)
        return status, msgspec.to_builtins(struct)

    with db.database().write() as session:
        asked = "" if key is None else _digest(request.scope["path"], data)
        status, body = idempotency.answer_once(session, request.auth.id, key, asked, answer)
    headers = {"ETag": etags.etag(body)} if tagged else {}
    if usual == HTTPStatus.CREATED:
        headers["Location"] = f"{request.scope['path']}/{body['id']}"
    return Response(body, status_code=status, headers=headers)


def _digest(path: str, data: Body[Any] | None) -> str:
    """Of what is asked, however its fields are ordered and whether or not it can be read."""
    given = None if data is None else [msgspec.to_builtins(data.given), len(data.wrong)]
    asked = json.dumps([path, given], sort_keys=True)
    return hashlib.sha256(asked.encode()).hexdigest()
