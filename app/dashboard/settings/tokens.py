"""Settings: the tokens by which other programs call the API; a secret is shown once, when made."""

from functools import partial
from typing import Annotated

from litestar import Response, Router, get, post
from litestar.params import PathParameter
from sqlalchemy.orm import Session

from app import db
from app.dashboard.forms import AS_IT_IS, FormState, submit
from app.dashboard.shell import FormData, PageRequest, page, run_action
from app.models.staff import ApiToken
from app.staff import tokens
from app.staff.tokens import LIFETIMES, TokenForm

HERE = "/settings/tokens"

TokenId = Annotated[
    str, PathParameter(pattern=r"^token_[0-9a-f]{1,32}$", description="An API token's id.")
]


@get(HERE, opt={"access": "owner"}, sync_to_thread=True)
def show(request: PageRequest) -> Response[str]:
    """All tokens, and the form to make one."""
    return _show(request)


@post(HERE, opt={"access": "owner"}, sync_to_thread=True)
def create(request: PageRequest, form: FormData) -> Response[str]:
    """Make one. The answer has its secret, which no other page has: so it leads nowhere."""

    def act(session: Session) -> Response[str]:
        made = TokenForm(form).checked()
        token, secret = tokens.create(
            session, made["name"], made["scope"], made["days"], request.user.actor
        )
        session.flush()
        return _page(request, AS_IT_IS, tokens.listed(session), token, secret)

    return submit(form, act, partial(_show, request))


@post(f"{HERE}/{{token_id:str}}/revoke", opt={"access": "owner"}, sync_to_thread=True)
def revoke(request: PageRequest, token_id: TokenId) -> Response[str]:
    """End one at once, and for good."""

    def act(session: Session) -> str:
        tokens.revoke(session, token_id, request.user.actor)
        return "The token is revoked: whoever has it can do nothing with it any more."

    return run_action(request, HERE, act)


def _show(request: PageRequest, state: FormState = AS_IT_IS) -> Response[str]:
    with db.database().read() as session:
        rows = list(tokens.listed(session))
    return _page(request, state, rows)


def _page(
    request: PageRequest,
    state: FormState,
    rows: list[ApiToken],
    made: ApiToken | None = None,
    secret: str = "",
) -> Response[str]:
    answer = page(
        request,
        "settings/tokens.html",
        tokens=rows,
        scopes=tokens.SCOPES,
        holds=tokens.holds,
        made=made,
        secret=secret,
        lifetimes=list(LIFETIMES.items()),
        **state.context({"name": "", "scope": "read", "days": "365"}),
    )
    if secret:
        answer.headers["Cache-Control"] = "no-store"
    return answer


router = Router("/", route_handlers=[show, create, revoke], include_in_schema=False)
