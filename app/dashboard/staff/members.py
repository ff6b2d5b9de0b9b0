"""The owner's page of staff: who may sign in, as what, and with which password."""

from collections.abc import Sequence
from functools import partial
from typing import Annotated

from litestar import Response, Router, get, post
from litestar.params import FromQuery, PathParameter
from sqlalchemy.orm import Session

from app import db
from app.dashboard.forms import AS_IT_IS, FormState, saved, submit
from app.dashboard.shell import FormData, PageRequest, page, redirect, run_action, toast
from app.errors import Conflict, NotFound
from app.mail import service as mails
from app.models.staff import User
from app.settings import settings
from app.staff import accounts, links, members
from app.staff.accounts import UserForm
from app.staff.members import Member

UserId = Annotated[
    str, PathParameter(pattern=r"^user_[A-Za-z0-9]{1,32}$", description="A member of staff.")
]


@get("/", opt={"access": "owner"}, sync_to_thread=True)
def show(request: PageRequest, member: FromQuery[str] = "") -> Response[str]:
    """All of staff; beside them the one whose id is `member`, or the form to add somebody."""
    return _show(request, member)


@post("/", opt={"access": "owner"}, sync_to_thread=True)
def add(request: PageRequest, form: FormData) -> Response[str]:
    """Add somebody, with a password that the owner tells them, or with a link to choose one: it is
    mailed to them where mail is set up.
    """

    def act(session: Session) -> Response[str]:
        email, name, role, password = (
            form.get(field, "") for field in ("email", "name", "role", "password")
        )
        actor = request.user.actor
        if not password:
            invited = links.invite(session, email, name, role, actor)
            return _linked(request, session, invited, is_mailed=mails.is_set_up())
        user = accounts.add(session, email, name, role, password, actor)
        said = f"{user.name} may sign in now, as {user.email}."
        return toast(redirect(request, "/staff"), said)

    return submit(form, act, partial(_show, request, ""))


@post("/{user_id:str}", opt={"access": "owner"}, sync_to_thread=True)
def change(request: PageRequest, user_id: UserId, form: FormData) -> Response[str]:
    """Change name and role."""
    name, role = form.get("name", ""), form.get("role", "")
    is_no_owner_now = user_id == request.user.id and role != "owner"

    def act(session: Session) -> Response[str]:
        is_changed = members.change(session, user_id, name, role, request.user.actor)
        return saved(request, "/" if is_no_owner_now else _address(user_id), is_changed, "Changed.")

    def refused(conflict: Conflict) -> Response[str]:
        return _show(request, user_id, FormState(409, form, {"role": conflict.detail}))

    return submit(form, act, partial(_show, request, user_id), refused)


@post("/{user_id:str}/password", opt={"access": "owner"}, sync_to_thread=True)
def reset_password(request: PageRequest, user_id: UserId, form: FormData) -> Response[str]:
    """Give somebody else another password."""

    def act(session: Session) -> Response[str]:
        password = form.get("password", "")
        user = members.set_password(session, user_id, password, request.user.actor)
        said = f"{user.name} has a new password, and is signed out everywhere."
        return toast(redirect(request, _address(user_id)), said)

    def refused(conflict: Conflict) -> Response[str]:
        return toast(redirect(request, _address(user_id)), conflict.detail, bad=True)

    return submit({}, act, partial(_show, request, user_id), refused)


@post("/{user_id:str}/link", opt={"access": "owner"}, sync_to_thread=True)
def make_link(request: PageRequest, user_id: UserId, form: FormData) -> Response[str]:
    """Make a link by which they choose a password, and mail it (`mail`) or show it once."""

    def act(session: Session) -> Response[str]:
        user = session.get(User, user_id)
        if user is None:
            raise NotFound("There is no such member of staff.")
        return _linked(request, session, user, is_mailed="mail" in form)

    def refused(conflict: Conflict) -> Response[str]:
        return toast(redirect(request, _address(user_id)), conflict.detail, bad=True)

    return submit({}, act, partial(_show, request, user_id), refused)


@post("/{user_id:str}/end-sessions", opt={"access": "owner"}, sync_to_thread=True)
def end_sessions(request: PageRequest, user_id: UserId) -> Response[str]:
    """Sign somebody out wherever they are signed in."""

    def act(session: Session) -> str:
        number = members.end_sessions(session, user_id, request.user.actor)
        return f"{number} session{'s' if number != 1 else ''} ended."

    return run_action(request, _address(user_id), act)


@post("/{user_id:str}/second-factor/reset", opt={"access": "owner"}, sync_to_thread=True)
def reset_second_factor(request: PageRequest, user_id: UserId) -> Response[str]:
    """Let somebody sign in by their password alone, who has lost the rest."""

    def act(session: Session) -> str:
        name = members.reset_second_factor(session, user_id, request.user.actor).name
        return f"{name} signs in by password alone now, and is signed out everywhere."

    return run_action(request, _address(user_id), act)


@post("/{user_id:str}/disable", opt={"access": "owner"}, sync_to_thread=True)
def disable(request: PageRequest, user_id: UserId) -> Response[str]:
    """Let somebody sign in no more, and sign them out."""

    def act(session: Session) -> str:
        return f"{members.disable(session, user_id, request.user.actor).name} is disabled."

    return run_action(request, _address(user_id), act)


@post("/{user_id:str}/enable", opt={"access": "owner"}, sync_to_thread=True)
def enable(request: PageRequest, user_id: UserId) -> Response[str]:
    """Let somebody sign in again."""

    def act(session: Session) -> str:
        return f"{members.enable(session, user_id, request.user.actor).name} may sign in again."

    return run_action(request, _address(user_id), act)


def _show(request: PageRequest, member_id: str = "", state: FormState = AS_IT_IS) -> Response[str]:
    with db.database().read() as session:
        everybody = members.listed(session)
    return _page(request, everybody, member_id, state)


def _linked(
    request: PageRequest, session: Session, user: User, *, is_mailed: bool
) -> Response[str]:
    """A new link is mailed to them; or the page has it, and no other page: so it leads nowhere.

    Raises NotFound and Conflict.
    """
    secret = links.make(session, user.id, request.user.actor)
    session.flush()
    if is_mailed and links.mail(session, user, secret):
        said = f"A link to choose a password goes to {user.email}."
        return toast(redirect(request, _address(user.id)), said)
    everybody = members.listed(session)
    address = f"{settings().public_url}/join/{secret}"
    answer = _page(request, everybody, user.id, AS_IT_IS, address)
    answer.headers["Cache-Control"] = "no-store"
    return answer


def _page(
    request: PageRequest,
    everybody: Sequence[Member],
    member_id: str,
    state: FormState,
    link: str = "",
) -> Response[str]:
    member = next((each for each in everybody if each.id == member_id), None)
    return page(
        request,
        "staff/members.html",
        members=everybody,
        member=member,
        link=link,
        link_days=links.HOLDS_FOR.days,
        can_mail=mails.is_set_up(),
        mail_from=settings().mail_from,
        **state.context(_as_it_is(member)),
    )


def _as_it_is(member: Member | None) -> dict[str, str]:
    """What the form shows before anything is typed."""
    at_first = {"name": "", "email": "", "role": "staff"}
    return {**at_first, **UserForm.shown(member)} if member else at_first


def _address(user_id: str) -> str:
    """The page with the member open, which on a phone is below the list."""
    return f"/staff?member={user_id}#member"


router = Router(
    "/staff",
    route_handlers=[
        *(show, add, change, reset_password, make_link),
        *(end_sessions, reset_second_factor, disable, enable),
    ],
    include_in_schema=False,
)
