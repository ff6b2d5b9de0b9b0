"""Signing in and out, the first run, one's own password and looks, and what everybody did."""

from collections.abc import Mapping
from functools import partial
from typing import Annotated

from litestar import Response, Router, get, post
from litestar.params import FromQuery, PathParameter
from sqlalchemy.orm import Session

from app import db
from app.dashboard import look
from app.dashboard.forms import AS_IT_IS, FormState, submit
from app.dashboard.shell import (
    FormData,
    PageRequest,
    bare_page,
    page,
    redirect,
    run_action,
    toast,
)
from app.dashboard.staff import entering
from app.dashboard.staff.entering import HOME
from app.errors import Conflict, Invalid
from app.mail import service as mails
from app.models.staff import User
from app.settings import settings
from app.shop import first_steps
from app.staff import activity, first_run, links, login, second_factor, sessions
from app.staff import sessions as staff_sessions
from app.staff.login import TooManyTries
from app.web import cookies
from app.web.addresses import ours, with_query
from app.web.field_names import first_of_each

FIRST_STEP = "/welcome"

LinkSecret = Annotated[
    str, PathParameter(pattern=r"^[A-Za-z0-9_-]{1,64}$", description="The secret of a link.")
]

_LONGEST_EMAIL = 254
_ASKED = ("who", "about", "before")  # of the audit log


@get("/setup", opt={"access": "public"}, sync_to_thread=True)
def show_setup(request: PageRequest) -> Response[str]:
    """The form of the first run, while there is no owner."""
    if not _is_first_run():
        return redirect(request, "/login")
    return _setup(request)


@post("/setup", opt={"access": "public"}, sync_to_thread=True)
def set_up(request: PageRequest, form: FormData) -> Response[str]:
    """Make the first owner, and sign them in."""
    old_secret = cookies.session_secret(request)
    typed = {name: form.get(name, "") for name in ("code", "email", "name", "password")}

    def act(session: Session) -> Response[str]:
        user = first_run.set_up(session, settings().state_dir, **typed)
        first_steps.begin(session)
        entry = login.begin(session, user, old_secret)
        return entering.enter(request, entry, typed["email"], FIRST_STEP)

    def refused(_: Conflict) -> Response[str]:
        return redirect(request, "/login")

    try:
        with login.throttled(db.database(), "/setup", entering.address(request)):
            return submit(typed, act, partial(_setup, request), refused)
    except TooManyTries as many:
        return entering.too_many(_setup(request, FormState(429, typed), entering.later(many)), many)


@get("/join/{secret:str}", opt={"access": "public"}, sync_to_thread=True)
def show_join(request: PageRequest, secret: LinkSecret) -> Response[str]:
    """The form of a link that the owner has given to somebody, to choose their password."""
    return _join(request, secret)


@post("/join/{secret:str}", opt={"access": "public"}, sync_to_thread=True)
def join(request: PageRequest, secret: LinkSecret, form: FormData) -> Response[str]:
    """Keep their password, and sign them in."""
    old_secret = cookies.session_secret(request)

    def act(session: Session) -> Response[str]:
        user = links.use(session, secret, form.get("password", ""))
        return entering.enter(request, login.begin(session, user, old_secret), user.email, HOME)

    return submit({}, act, partial(_join, request, secret))


@get("/login", opt={"access": "public"}, sync_to_thread=True)
def show_login(request: PageRequest, next: FromQuery[str] = "") -> Response[str]:
    """The form to sign in; the way to /setup when nobody could."""
    if _is_first_run():
        return redirect(request, "/setup")
    return _login(request, 200, "", ours(next))


@post("/login", opt={"access": "public"}, sync_to_thread=True)
def log_in(request: PageRequest, form: FormData) -> Response[str]:
    """Sign in, and go on to where one wanted to."""
    email, onwards = form.get("email", ""), ours(form.get("next", ""))
    try:
        entry = login.log_in(
            db.database(),
            email,
            form.get("password", ""),
            entering.address(request),
            cookies.session_secret(request),
            entering.device(request, email),
        )
    except TooManyTries as many:
        return entering.too_many(_login(request, 429, email, onwards, entering.later(many)), many)
    if entry is None:
        return _login(request, 401, email, onwards, "Email or password is wrong.")
    return entering.enter(request, entry, email, onwards or HOME)


@get("/login/forgotten", opt={"access": "public"}, sync_to_thread=False)
def show_forgotten(request: PageRequest) -> Response[str]:
    """The form of who has forgotten their password, or whom to ask where no mail is sent."""
    return _forgotten(request)


@post("/login/forgotten", opt={"access": "public"}, sync_to_thread=True)
def mail_link(request: PageRequest, form: FormData) -> Response[str]:
    """Mail them a link. The answer is the same for somebody who is not there."""
    if not mails.is_set_up():
        return _forgotten(request)
    email, address = form.get("email", "")[:_LONGEST_EMAIL], entering.address(request)
    try:
        tried = login.throttled(db.database(), f"/login/forgotten {email.lower()}", address)
        with tried, db.database().write() as session:
            links.mail_if_known(session, email)
    except TooManyTries as many:
        state = FormState(429, {"email": email}, {"email": entering.later(many)})
        return entering.too_many(_forgotten(request, state), many)
    return _forgotten(request, sent_to=email)


@post("/logout", opt={"access": "viewer"}, sync_to_thread=True)
def log_out(request: PageRequest) -> Response[str]:
    """End the session, here and in the database."""
    with db.database().write() as session:
        staff_sessions.end(session, cookies.session_secret(request) or "")
    answer = redirect(request, "/login")
    cookies.end_session(answer)
    return answer


@post("/look", opt={"access": "viewer"}, sync_to_thread=False)
def choose_look(request: PageRequest, form: FormData) -> Response[str]:
    """Keep the theme, the zoom of the board, what it shows, or that a phone has it at all."""
    answer = redirect(request, ours(form.get("next", "")) or HOME)
    for name in look.CHOICES:
        if name in form:
            look.keep(answer, name, form.get(name, ""))
    return answer


@get("/account", opt={"access": "viewer"}, sync_to_thread=True)
def show_account(request: PageRequest) -> Response[str]:
    """Who one is signed in as, and the form to change one's own password."""
    return _account(request)


@post("/account", opt={"access": "viewer"}, sync_to_thread=True)
def change_password(request: PageRequest, form: FormData) -> Response[str]:
    """Change one's own password, and go on in a session that is new."""
    old, new = form.get("old", ""), form.get("new", "")
    try:
        secret = _changed_password(request, old, new)
    except Invalid as invalid:
        return _account(request, 422, errors=first_of_each(invalid))
    except TooManyTries as many:
        return entering.too_many(_account(request, 429, errors={"old": entering.later(many)}), many)
    answer = entering.signed_in(request, secret, "/account")
    return toast(answer, "Your password is changed. Wherever else you were signed in, you are not.")


@post("/account/sessions/end", opt={"access": "viewer"}, sync_to_thread=True)
def end_own_sessions(request: PageRequest, form: FormData) -> Response[str]:
    """End one's own sessions: the one that is named, or all but this one."""
    mine, named = request.user.session_id, form.get("session", "")

    def act(session: Session) -> str:
        there = [each.id for each in sessions.of_user(session, request.user.id) if each.id != mine]
        ended = [each for each in there if named in {"", each}]
        number = sessions.end_own(session, request.user.id, ended)
        return f"{number} session{'s' if number != 1 else ''} ended."

    return run_action(request, "/account", act)


@get("/activity", opt={"access": "owner"}, sync_to_thread=True)
def show_activity(request: PageRequest) -> Response[str]:
    """The audit log: of all, or of the person and the subject in the URL."""
    asked = {name: request.query_params.get(name, "").strip() for name in _ASKED}
    shown, errors = None, {}
    with db.database().read() as session:
        people = activity.people(session)
        try:
            shown = activity.page(session, **asked)
        except Invalid as invalid:
            errors = first_of_each(invalid)
    return page(
        request,
        "staff/activity.html",
        status=422 if errors else 200,
        people=people,
        shown=shown,
        errors=errors,
        asked=asked,
        address=lambda **changes: with_query("/activity", {**asked, "before": "", **changes}),
    )


def _is_first_run() -> bool:
    with db.database().read() as session:
        return first_run.is_first_run(session)


def _setup(request: PageRequest, state: FormState = AS_IT_IS, problem: str = "") -> Response[str]:
    shown = state.context(dict.fromkeys(("code", "name", "email"), ""))
    return bare_page(request, "staff/setup.html", **shown, problem=problem)


def _join(request: PageRequest, secret: str, state: FormState = AS_IT_IS) -> Response[str]:
    with db.database().read() as session:
        account = links.user_of(session, secret)
    return bare_page(
        request,
        "staff/join.html",
        account=account,
        secret=secret,
        **state.context({"password": ""}),
    )


def _login(
    request: PageRequest, status: int, email: str, onwards: str, problem: str = ""
) -> Response[str]:
    context = {"email": email, "next": onwards, "problem": problem}
    return bare_page(request, "staff/login.html", status=status, **context)


def _forgotten(
    request: PageRequest, state: FormState = AS_IT_IS, sent_to: str = ""
) -> Response[str]:
    return bare_page(
        request,
        "staff/forgotten.html",
        **state.context({"email": ""}),
        can_mail=mails.is_set_up(),
        sent_to=sent_to,
    )


def _account(
    request: PageRequest, status: int = 200, errors: Mapping[str, str] | None = None
) -> Response[str]:
    with db.database().read() as session:
        account = session.get_one(User, request.user.id)
        own = sessions.of_user(session, request.user.id)
        has_second_factor = second_factor.is_on(session, request.user.id)
    return page(
        request,
        "staff/account.html",
        has_second_factor=has_second_factor,
        status=status,
        account=account,
        own_sessions=own,
        mine=request.user.session_id,
        errors=errors or {},
    )


def _changed_password(request: PageRequest, old: str, new: str) -> str:
    with db.database().read() as session:
        email = session.get_one(User, request.user.id).email
    whose = request.user.id, old, new, entering.address(request), entering.device(request, email)
    return login.change_password(db.database(), *whose)


router = Router(
    "/",
    route_handlers=[
        *(show_setup, set_up, show_join, join, show_login, log_in, log_out),
        *(show_forgotten, mail_link),
        *(show_account, change_password, end_own_sessions, choose_look, show_activity),
    ],
    include_in_schema=False,
)
