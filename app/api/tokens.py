"""API tokens over JSON, for who may manage: a secret is told once, to who makes it."""

from datetime import datetime
from typing import Annotated, Any

import msgspec
from litestar import Response, Router, delete, get, post
from litestar.params import JSONBody, PathParameter
from msgspec import Meta, Struct
from sqlalchemy.orm import Session

from app import db
from app.api.once import Key, once
from app.errors import FieldError, Invalid
from app.models.staff import ApiToken
from app.staff import tokens
from app.staff.guards import ApiRequest, actor_of
from app.staff.tokens import LIFETIMES, Scope, TokenForm
from app.web import etags
from app.web.bodies import Body, JsonBody
from app.web.etags import IfMatch, IfNoneMatch
from app.web.problems import documented

Id = Annotated[str, PathParameter(pattern=r"^token_[0-9a-f]{1,32}$", description="A token's id.")]
Name = Annotated[
    str, Meta(description="For which program: 1 to 100 characters.", examples=["Booking site"])
]
Scopes = Annotated[
    Scope,
    Meta(
        description="`metrics`: read `/metrics` alone. `read`: read. `write`: also book and "
        "change. `manage`: also make and revoke tokens.",
        examples=["write"],
    ),
]
_DAYS = [int(days) for days in LIFETIMES if days.isdecimal()]


class NewToken(Struct, rename="camel", kw_only=True, forbid_unknown_fields=True):
    """A token to be made."""

    name: Name
    scope: Scopes
    days: Annotated[
        int | None,
        Meta(
            description=f"For how long it holds: {', '.join(map(str, _DAYS))}, or null: until it "
            "is revoked.",
            examples=[365],
            extra_json_schema={"enum": [*_DAYS, None]},
        ),
    ] = 365


class TokenAnswer(Struct, rename="camel", kw_only=True):
    """What a program calls the API with; times are in UTC."""

    id: Annotated[str, Meta(examples=["token_85cb0d70df68"])]
    name: Name
    scope: Scopes
    active: Annotated[bool, Meta(description="Whether it opens anything.", examples=[True])]
    created_at: datetime
    expires_at: Annotated[datetime | None, Meta(description="Null: it holds until it is revoked.")]
    revoked_at: datetime | None
    last_used_at: Annotated[datetime | None, Meta(description="To the minute.")]

    @classmethod
    def of(cls, token: ApiToken) -> "TokenAnswer":
        own = (name for name in TokenAnswer.__struct_fields__ if name != "active")
        return cls(**{name: getattr(token, name) for name in own}, active=tokens.holds(token))


class TokenMade(TokenAnswer, rename="camel", kw_only=True):
    """The same, with its secret: it is told this once."""

    secret: Annotated[
        str | None,
        Meta(
            description="What goes behind `Bearer`. Null in a repeated answer to an "
            "Idempotency-Key.",
            examples=["chairtime_85cb0d70df68_0123456789abcdef0123456789abcdef0123456789abcdef"],
        ),
    ]


class TokenList(Struct):
    """Those that hold, the newest first, then those that have ended."""

    items: list[TokenAnswer]


@get("/", opt={"access": "manage"}, responses=documented(400, 401, 403), sync_to_thread=True)
def list_tokens() -> TokenList:
    """All tokens, without their secrets."""
    with db.database().read() as session:
        return TokenList([TokenAnswer.of(each) for each in tokens.listed(session)])


@get(
    "/{token_id:str}",
    opt={"access": "manage"},
    response_headers=etags.HEADERS,
    responses=documented(400, 401, 403, 404) | {304: etags.KNOWN},
    sync_to_thread=True,
)
def get_token(token_id: Id, if_none_match: IfNoneMatch = None) -> Response[TokenAnswer]:
    """One token, without its secret."""
    with db.database().read() as session:
        found = TokenAnswer.of(tokens.get(session, token_id))
    return etags.unless_known(found, if_none_match)


@post(
    "/",
    dto=JsonBody[NewToken],
    opt={"access": "manage"},
    responses=documented(400, 401, 403, 413, 415, 422),
    sync_to_thread=True,
)
def create_token(
    data: JSONBody[Body[NewToken]], request: ApiRequest, idempotency_key: Key = None
) -> Response[TokenMade]:
    """Make a token; its secret is in this answer alone."""

    def make(session: Session) -> TokenMade:
        asked = TokenForm(_typed(msgspec.structs.asdict(data.checked(_wrong)))).checked()
        made, secret = tokens.create(
            session, asked["name"], asked["scope"], asked["days"], actor_of(request)
        )
        session.flush()
        return TokenMade(**msgspec.structs.asdict(TokenAnswer.of(made)), secret=secret)

    answer = once(request, idempotency_key, data, make)
    answer.headers["Cache-Control"] = "no-store"
    return answer


@delete(
    "/{token_id:str}",
    opt={"access": "manage"},
    responses=documented(400, 401, 403, 404, 412),
    sync_to_thread=True,
)
def revoke_token(token_id: Id, request: ApiRequest, if_match: IfMatch = None) -> None:
    """End a token at once and for good; it stays in the list."""
    with db.database().write() as session:
        etags.check(if_match, TokenAnswer.of(tokens.get(session, token_id)))
        tokens.revoke(session, token_id, actor_of(request))


def _typed(given: dict[str, Any]) -> dict[str, str]:
    """By the words of the form."""
    return {name: "never" if value is None else str(value) for name, value in given.items()}


def _wrong(given: Any) -> list[FieldError]:
    try:
        TokenForm(_typed(given)).checked(given.keys())
    except Invalid as invalid:
        return invalid.errors
    return []


router = Router(
    "/api/tokens",
    route_handlers=[list_tokens, get_token, create_token, revoke_token],
    tags=["Tokens"],
    security=[{"bearer": []}],
)
