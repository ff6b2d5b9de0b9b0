"""The owner's page of staff: who may sign in, as what, and with which password."""

from collections.abc import Mapping
from typing import Annotated

from litestar import Response, Router, get, post
from litestar.params import FromQuery, PathParameter
from sqlalchemy.orm import Session

from app import db
from app.dashboard.shell import Form, PageRequest, carry_out, page, redirect, toast
from app.errors import Conflict, Invalid
from app.staff import accounts, members
from app.staff.members import Member
from app.web.names import first_of_each, typed_in

UserId = Annotated[
    str, PathParameter(pattern=r"^user_[A-Za-z0-9]{1,32}$", description="A member of staff.")
]


@get("/", opt={"access": "owner"}, sync_to_thread=True)
def show(request: PageRequest, member: FromQuery[str] = "") -> Response[str]:
    """All of staff; beside them the one whose id is `member`, or the form to add somebody."""
    return _show(request, member)


@post("/", opt={"access": "owner"}, sync_to_thread=True)
def add(request: PageRequest, form: Form) -> Response[str]:
    """Add somebody, with the password that the owner tells them."""
    email, name, role, password = (
        form.get(field, "") for field in ("email", "name", "role", "password")
    )
    try:
        with db.database().write() as session:
            user = accounts.add(session, email, name, role, password, request.user.actor)
    except Invalid as invalid:
        return _show(request, status=422, typed=form, errors=first_of_each(invalid))
    return toast(redirect(request, "/staff"), f"{user.name} may sign in now, as {user.email}.")


@post("/{user_id:str}", opt={"access": "owner"}, sync_to_thread=True)
def change(request: PageRequest, user_id: UserId, form: Form) -> Response[str]:
    """Change name and role."""
    name, role = form.get("name", ""), form.get("role", "")
    try:
        with db.database().write() as session:
            is_changed = members.change(session, user_id, name, role, request.user.actor)
    except Invalid as invalid:
        return _show(request, user_id, 422, typed=form, errors=first_of_each(invalid))
    except Conflict as conflict:
        return _show(request, user_id, 409, typed=form, errors={"role": conflict.detail})
    is_no_owner_now = user_id == request.user.id and role != "owner"
    onwards = redirect(request, "/" if is_no_owner_now else _address(user_id))
    return toast(onwards, "Changed." if is_changed else "There was nothing to change.")


@post("/{user_id:str}/password", opt={"access": "owner"}, sync_to_thread=True)
def reset_password(request: PageRequest, user_id: UserId, form: Form) -> Response[str]:
    """Give somebody else another password."""
    password, actor = form.get("password", ""), request.user.actor

    def act(session: Session) -> str:
        user = members.set_password(session, user_id, password, actor)
        return f"{user.name} has a new password, and is signed out everywhere."

    try:
        return carry_out(request, _address(user_id), act)
    except Invalid as invalid:
        return _show(request, user_id, 422, errors=first_of_each(invalid))


@post("/{user_id:str}/end-sessions", opt={"access": "owner"}, sync_to_thread=True)
def end_sessions(request: PageRequest, user_id: UserId) -> Response[str]:
    """Sign somebody out wherever they are signed in."""

    def act(session: Session) -> str:
        number = members.end_sessions(session, user_id, request.user.actor)
        return f"{number} session{'s' if number != 1 else ''} ended."

    return carry_out(request, _address(user_id), act)


@post("/{user_id:str}/disable", opt={"access": "owner"}, sync_to_thread=True)
def disable(request: PageRequest, user_id: UserId) -> Response[str]:
    """Let somebody sign in no more, and sign them out."""

    def act(session: Session) -> str:
        return f"{members.disable(session, user_id, request.user.actor).name} is disabled."

    return carry_out(request, _address(user_id), act)


@post("/{user_id:str}/enable", opt={"access": "owner"}, sync_to_thread=True)
def enable(request: PageRequest, user_id: UserId) -> Response[str]:
    """Let somebody sign in again."""

    def act(session: Session) -> str:
        return f"{members.enable(session, user_id, request.user.actor).name} may sign in again."

    return carry_out(request, _address(user_id), act)


def _show(
    request: PageRequest,
    member_id: str = "",
    status: int = 200,
    typed: Mapping[str, str] | None = None,
    errors: Mapping[str, str] | None = None,
) -> Response[str]:
    with db.database().read() as session:
        everybody = members.listed(session)
    member = next((each for each in everybody if each.id == member_id), None)
    return page(
        request,
        "staff/members.html",
        status=status,
        members=everybody,
        member=member,
        typed=typed_in(typed or _as_it_is(member), "name", "email", "role"),
        errors=errors or {},
    )


def _as_it_is(member: Member | None) -> dict[str, str]:
    """What the form shows before anything is typed."""
    return {"name": member.name, "role": member.role} if member else {"role": "staff"}


def _address(user_id: str) -> str:
    """The page with the member open, which on a phone is below the list."""
    return f"/staff?member={user_id}#member"


router = Router(
    "/staff",
    route_handlers=[show, add, change, reset_password, end_sessions, disable, enable],
    include_in_schema=False,
)
