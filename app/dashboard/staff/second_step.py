"""The second step of a login: a code, or a passkey."""

from collections.abc import Callable

from litestar import Response, Router, get, post
from litestar.params import FromQuery
from sqlalchemy.orm import Session

from app import db
from app.dashboard.shell import FormData, PageRequest, bare_page, redirect, toast
from app.dashboard.staff import entering
from app.dashboard.staff.entering import HOME, SECOND
from app.errors import NotFound
from app.models.staff import LoginStep
from app.staff import codes, login, passkeys, second_factor, steps
from app.staff.login import TooManyTries
from app.web.addresses import ours


@get(SECOND, opt={"access": "public"}, sync_to_thread=True)
def show(request: PageRequest, next: FromQuery[str] = "") -> Response[str]:
    """The form of a code, and the button of the passkeys."""
    try:
        return _show(request, 200, ours(next))
    except NotFound as over:
        return _over(request, over)


@post(SECOND, opt={"access": "public"}, sync_to_thread=True)
def with_code(request: PageRequest, form: FormData) -> Response[str]:
    """A code of their app, or a recovery code."""

    def check(session: Session, step: LoginStep) -> bool:
        return codes.check(session, step.user_id, form.get("code", ""))

    return _go_on(request, form, check, "This code is wrong, or was used already.")


@post(f"{SECOND}/passkey", opt={"access": "public"}, sync_to_thread=True)
def with_passkey(request: PageRequest, form: FormData) -> Response[str]:
    """What their device has signed."""
    site, answer = entering.site(request), form.get("passkey", "")

    def check(session: Session, step: LoginStep) -> bool:
        return passkeys.check(session, step.user_id, answer, site, step.id)

    return _go_on(request, form, check, "This passkey is not one of yours here.")


def _go_on(
    request: PageRequest,
    form: FormData,
    check: Callable[[Session, LoginStep], bool],
    problem: str,
) -> Response[str]:
    onwards = ours(form.get("next", ""))
    secret, address = entering.step_secret(request), entering.address(request)

    def device_of(email: str) -> str | None:
        return entering.device(request, email)

    try:
        found = login.go_on(db.database(), secret, check, address, device_of)
        if found is None:
            return _show(request, 401, onwards, problem)
    except NotFound as over:
        return _over(request, over)
    except TooManyTries as many:
        return entering.too_many(_show(request, 429, onwards, entering.later(many)), many)
    email, begun = found
    return entering.entered(request, begun, email, onwards or HOME)


def _show(request: PageRequest, status: int, onwards: str, problem: str = "") -> Response[str]:
    """Raises NotFound."""
    with db.database().read() as session:
        step, user = steps.find(session, entering.step_secret(request))
        factors = second_factor.of_user(session, user.id)
        options = ""
        if factors.passkeys:
            site = entering.site(request)
            options = passkeys.request_options(session, user.id, site, step.id)
    return bare_page(
        request,
        "staff/second_step.html",
        status=status,
        next=onwards,
        problem=problem,
        has_app=factors.has_app,
        options=options,
    )


def _over(request: PageRequest, over: NotFound) -> Response[str]:
    return toast(redirect(request, "/login"), over.detail, bad=True)


router = Router("/", route_handlers=[show, with_code, with_passkey], include_in_schema=False)
