"""A thing's ETag, and what a caller asks of it (RFC 9110 §8.8.3 and §13.1).

An ETag is of what an answer says of the thing, so it changes with any of its fields, and only then.
"""

import hashlib
import re
from typing import Annotated, Any

import msgspec
from litestar import Response
from litestar.datastructures import ResponseHeader
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import HeaderParameter
from msgspec import Struct

from app.errors import FieldError, Invalid, Refused

_TAG = r'(?:W/)?"[!\x23-\x7e\x80-\xff]*"'
_TAGS = re.compile(rf"\s*(?:{_TAG}\s*(?:,\s*|$))+")
_LONGEST = 4_000  # characters of a header: what is longer is no list of tags that we gave

IfMatch = Annotated[
    str | None,
    HeaderParameter(
        name="If-Match",
        description="ETags, with commas between, or `*`: only a thing that has one of them is "
        "changed, else the answer is 412. A weak ETag (`W/…`) matches nothing.",
    ),
]
IfNoneMatch = Annotated[
    str | None,
    HeaderParameter(
        name="If-None-Match",
        description="ETags, with commas between: a thing that has one of them is answered by 304.",
    ),
]
HEADERS = [
    ResponseHeader(
        name="ETag",
        documentation_only=True,
        description="Stands for this state of it: for `If-Match` and `If-None-Match`.",
    )
]
"""`response_headers` of a handler that answers with `tagged`."""

KNOWN = ResponseSpec(None, description="The caller has it already.", media_type="")
"""Of `responses`: the 304 of a handler that answers with `unless_known`."""


class Stale(Refused):
    """The caller has another state in mind than there is (412); `now` is the ETag of that."""

    def __init__(self, now: str) -> None:
        super().__init__("It has changed since: fetch it again, then change what it is now.")
        self.now = now


def etag(answer: Struct | dict[str, Any]) -> str:
    """The strong ETag of what is answered, also if it went through a database as JSON."""
    content = msgspec.json.encode(answer, order="sorted")
    return f'"{hashlib.sha256(content).hexdigest()[:32]}"'


def tagged(answer: Any, status: int = 200, **headers: str) -> Response[Any]:
    """The answer with its ETag."""
    return Response(answer, status_code=status, headers={"ETag": etag(answer), **headers})


def unless_known(answer: Any, if_none_match: str | None) -> Response[Any]:
    """The answer with its ETag, or 304 for a caller who has it. Raises Invalid."""
    with_tag = tagged(answer)
    if is_known(with_tag.headers["ETag"], if_none_match):
        return Response(None, status_code=304, headers={"ETag": with_tag.headers["ETag"]})
    return with_tag


def is_known(tag: str, if_none_match: str | None) -> bool:
    """Whether who sends `If-None-Match` has what is tagged so, weakly compared. Raises Invalid."""
    known = {each.removeprefix("W/") for each in _tags("If-None-Match", if_none_match)}
    return bool(known & {"*", tag.removeprefix("W/")})


def check(if_match: str | None, answer: Struct) -> None:
    """Whether the caller means this state. Raises Stale, and Invalid for what is no list of tags.

    Call it where the thing is locked, else it may change between this and what follows.
    """
    wanted, now = _tags("If-Match", if_match), etag(answer)
    if if_match is not None and not wanted & {"*", now}:
        raise Stale(now)


def _tags(header: str, text: str | None) -> set[str]:
    if text is None:
        return set()
    if text.strip() == "*":
        return {"*"}
    if len(text) > _LONGEST or not _TAGS.fullmatch(text):
        message = 'This must be ETags in quotes, with commas between, such as "1a2b", or *.'
        raise Invalid([FieldError(header, message)])
    return set(re.findall(_TAG, text))
