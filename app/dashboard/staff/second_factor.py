"""One's own second factor: an authenticator app, passkeys, recovery codes.

What changes the way in wants the password, typed a short time ago.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Annotated

from litestar import Response, Router, get, post
from litestar.params import PathParameter
from sqlalchemy.orm import Session

from app import db
from app.dashboard.forms import AS_IT_IS, FormState, submit
from app.dashboard.shell import FormData, PageRequest, page, redirect, run_action, toast
from app.dashboard.staff import entering
from app.errors import Conflict, Invalid
from app.models.staff import User
from app.shop import service as shop_service
from app.staff import codes, login, passkeys, second_factor, sessions
from app.staff.login import TooManyTries
from app.web import qr

HERE = "/account/second-factor"

PasskeyId = Annotated[
    str, PathParameter(pattern=r"^passkey_[0-9A-Z]{26}$", description="A passkey's id.")
]


@get("/", opt={"access": "viewer"}, sync_to_thread=True)
def show(request: PageRequest) -> Response[str]:
    """What one has, and what one can add."""
    return _show(request)


@post("/confirm", opt={"access": "viewer"}, sync_to_thread=True)
def confirm(request: PageRequest, form: FormData) -> Response[str]:
    """Type the password once more, so that the rest of the page can be used."""
    user = request.user
    with db.database().read() as session:
        device = entering.device(request, session.get_one(User, user.id).email)
    tried = form.get("password", ""), entering.address(request), device
    try:
        login.confirm(db.database(), user.id, user.session_id, *tried)
    except Invalid as invalid:
        errors = {each.field: each.message for each in invalid.errors}
        return _show(request, FormState(422, errors=errors))
    except TooManyTries as many:
        state = FormState(429, errors={"password": entering.later(many)})
        return entering.too_many(_show(request, state), many)
    return redirect(request, HERE)


@post("/app", opt={"access": "viewer"}, sync_to_thread=True)
def begin_app(request: PageRequest) -> Response[str]:
    """Begin with an authenticator app: the page shows what it is to be given."""

    def act(session: Session) -> str:
        _check(session, request)
        codes.begin(session, request.user.id)
        return "Now give the code to your app."

    return run_action(request, HERE, act)


@post("/app/confirm", opt={"access": "viewer"}, sync_to_thread=True)
def confirm_app(request: PageRequest, form: FormData) -> Response[str]:
    """The app works: a login asks for it from now on."""

    def add(session: Session) -> None:
        codes.confirm(session, request.user.id, form.get("code", ""))

    return _add(request, form, add, "Your authenticator app is added.")


@post("/app/remove", opt={"access": "viewer"}, sync_to_thread=True)
def remove_app(request: PageRequest) -> Response[str]:
    """Ask for the app no more."""
    return _remove(request, codes.remove, "Your authenticator app is removed.")


@post("/passkeys", opt={"access": "viewer"}, sync_to_thread=True)
def add_passkey(request: PageRequest, form: FormData) -> Response[str]:
    """Keep the passkey that a device has made."""
    name, answer = form.get("name", ""), form.get("passkey", "")
    site, about = entering.site(request), request.user.session_id

    def add(session: Session) -> None:
        passkeys.add(session, request.user.id, name, answer, site, about)

    return _add(request, form, add, "Your passkey is added.")


@post("/passkeys/{passkey_id:str}/remove", opt={"access": "viewer"}, sync_to_thread=True)
def remove_passkey(request: PageRequest, passkey_id: PasskeyId) -> Response[str]:
    """Ask for that passkey no more."""

    def remove(session: Session, user_id: str) -> bool:
        return passkeys.remove(session, user_id, passkey_id)

    return _remove(request, remove, "The passkey is removed.")


@post("/recovery-codes", opt={"access": "viewer"}, sync_to_thread=True)
def make_recovery_codes(request: PageRequest, form: FormData) -> Response[str]:
    """New recovery codes; this answer alone has them."""

    def act(session: Session) -> Response[str]:
        _check(session, request)
        if not second_factor.is_on(session, request.user.id):
            raise Conflict("is_off", "Add an app or a passkey first.")
        made = codes.make_recovery_codes(session, request.user.id)
        return _page(request, session, AS_IT_IS, made)

    return submit(form, act, partial(_show, request), partial(_refused, request))


def _add(
    request: PageRequest, form: FormData, add: Callable[[Session], None], said: str
) -> Response[str]:
    """Add a factor. With the first one the answer has recovery codes, which no other page has."""

    def act(session: Session) -> Response[str]:
        _check(session, request)
        made = second_factor.adding(session, request.user.id, lambda: add(session))
        if not made:
            return toast(redirect(request, HERE), said)
        return toast(_page(request, session, AS_IT_IS, made), said)

    return submit(form, act, partial(_show, request), partial(_refused, request))


def _remove(
    request: PageRequest, remove: Callable[[Session, str], bool], said: str
) -> Response[str]:
    def act(session: Session) -> str:
        _check(session, request)
        mine = request.user.id
        is_removed = second_factor.removing(session, mine, lambda: remove(session, mine))
        return said if is_removed else "It was removed already."

    return run_action(request, HERE, act)


def _refused(request: PageRequest, conflict: Conflict) -> Response[str]:
    return toast(redirect(request, HERE), conflict.detail, bad=True)


def _check(session: Session, request: PageRequest) -> None:
    """Raise Conflict unless the password was typed a short time ago."""
    if not sessions.is_confirmed(session, request.user.session_id):
        raise Conflict("unconfirmed", "Type your password first.")


def _show(request: PageRequest, state: FormState = AS_IT_IS) -> Response[str]:
    with db.database().read() as session:
        return _page(request, session, state)


def _page(
    request: PageRequest, session: Session, state: FormState, made: Sequence[str] = ()
) -> Response[str]:
    shop = shop_service.shop(session)
    user = session.get_one(User, request.user.id)
    factors = second_factor.of_user(session, user.id)
    is_confirmed = sessions.is_confirmed(session, request.user.session_id)
    begun = factors.authenticator if is_confirmed and not factors.has_app else None
    site, about = entering.site(request), request.user.session_id
    return page(
        request,
        "staff/second_factor.html",
        status=state.status,
        errors=state.errors,
        typed_name=state.typed.get("name", ""),
        factors=factors,
        is_confirmed=is_confirmed,
        secret=codes.secret_of(begun) if begun else "",
        qr=qr.drawn(codes.address_of(begun, user, shop.name)) if begun else "",
        options=passkeys.creation_options(session, user, site, shop.name, about)
        if is_confirmed
        else "",
        recovery_codes=made,
    )


router = Router(
    HERE,
    route_handlers=[
        *(show, confirm, begin_app, confirm_app, remove_app),
        *(add_passkey, remove_passkey, make_recovery_codes),
    ],
    include_in_schema=False,
)
