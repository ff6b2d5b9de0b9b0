"""Waiting list: who wants a place, whom a free time fits, and one press that books it."""

from functools import partial
from typing import Annotated

from litestar import Response, Router, get, post
from litestar.params import PathParameter
from sqlalchemy.orm import Session

from app import db, forms
from app.bookings import draft, service, waiting_list
from app.bookings.fields import MAX_NAME, MAX_NOTES
from app.bookings.waiting_list import WaitingForm
from app.dashboard.forms import AS_IT_IS, FormState, services_in, submit
from app.dashboard.shell import FormData, PageRequest, page, redirect, run_action, toast
from app.errors import Conflict
from app.models.booking import Booking
from app.shop import service as shop_service
from app.web import times

HERE = "/waiting"
LATELY = 10
"""Of those who wait no longer."""

_AT_FIRST = dict.fromkeys(WaitingForm.names, "")

WaitingId = Annotated[
    str,
    PathParameter(pattern=r"^waiting_[A-Za-z0-9]{1,32}$", description="Of the waiting list."),
]


@get(HERE, opt={"access": "viewer"}, sync_to_thread=True)
def show(request: PageRequest) -> Response[str]:
    """Who waits; a link may fill in `service`, `barber` and `day`, and of whom by `like`."""
    return _show(request)


@post(HERE, opt={"access": "staff"}, sync_to_thread=True)
def add(request: PageRequest, form: FormData) -> Response[str]:
    """Put somebody on the list."""
    typed = {**form, "service_id": services_in(form, "service_id")}

    def act(session: Session) -> Response[str]:
        new = waiting_list.add(session, typed, request.user.actor)
        undo = f"{HERE}/{new.id}/remove"
        return toast(redirect(request, HERE), f"{new.customer_name} is on the list.", undo)

    return submit(typed, act, partial(_show, request), partial(_refused, request))


@post(f"{HERE}/{{waiting_id:str}}/book", opt={"access": "staff"}, sync_to_thread=True)
def book(request: PageRequest, waiting_id: WaitingId, form: FormData) -> Response[str]:
    """Book one of the times that fit; it can be undone."""
    barber_id, _, at = form.get("place", "").partition(" ")

    def act(session: Session) -> Response[str]:
        try:
            moment = forms.moment(at)
        except ValueError:
            raise Conflict("no_place", "Choose one of the times that fit.") from None
        booking = waiting_list.book(session, waiting_id, barber_id, moment, request.user.actor)
        undo = f"{HERE}/{waiting_id}/reopen"
        return toast(redirect(request, _back(form)), _in_words(session, booking), undo)

    def again(state: FormState) -> Response[str]:
        problem = next(iter(state.errors.values()))
        return toast(redirect(request, _back(form)), problem, bad=True)

    return submit(form, act, again, partial(_refused, request))


@post(f"{HERE}/{{waiting_id:str}}/remove", opt={"access": "staff"}, sync_to_thread=True)
def remove(request: PageRequest, waiting_id: WaitingId) -> Response[str]:
    """They do not wait any more."""

    def act(session: Session) -> str:
        waiting = waiting_list.remove(session, waiting_id, request.user.actor)
        return f"{waiting.customer_name} is off the list."

    return run_action(request, HERE, act, undo=f"{HERE}/{waiting_id}/reopen")


@post(f"{HERE}/{{waiting_id:str}}/reopen", opt={"access": "staff"}, sync_to_thread=True)
def reopen(request: PageRequest, waiting_id: WaitingId) -> Response[str]:
    """They wait again; what they were given is cancelled."""

    def act(session: Session) -> str:
        waiting = waiting_list.reopen(session, waiting_id, request.user.actor)
        return f"{waiting.customer_name} is waiting again."

    return run_action(request, HERE, act)


def _show(request: PageRequest, state: FormState = AS_IT_IS) -> Response[str]:
    with db.database().read() as session:
        entries = waiting_list.entries(session)
        lately = waiting_list.lately(session, LATELY)
        services, barbers = shop_service.services(session), shop_service.barbers(session)
        at_first = {**_AT_FIRST, **_asked_for(request, session)}
    return page(
        request,
        "waiting/page.html",
        **state.context(at_first),
        entries=entries,
        lately=lately,
        services=services,
        barbers=barbers,
        longest=(MAX_NAME, MAX_NOTES),
    )


def _asked_for(request: PageRequest, session: Session) -> dict[str, str]:
    """What the link to the form fills in."""
    asked = request.query_params
    names = {"service_id": "service", "barber_id": "barber", "first_day": "day"}
    filled = {name: asked.get(short, "") for name, short in names.items()}
    if like := asked.get("like"):
        typed = draft.customer_of(service.get(session, like))
        filled |= {"customer_name": typed["name"], "customer_phone": typed["phone"]}
    return filled


def _in_words(session: Session, booking: Booking) -> str:
    """`Ada is booked: Tue, Nov 24 2:00 PM with Sam.`"""
    session.refresh(booking, ["barber"])
    row = shop_service.shop(session)
    with times.shown_in(shop_service.time_zone(row), row.locale, booking.created_at):
        when = times.when_text(booking.starts_at)
    return f"{booking.customer_name} is booked: {when} with {booking.barber.name}."


def _back(form: FormData) -> str:
    return "/today" if form.get("next") == "today" else HERE


def _refused(request: PageRequest, conflict: Conflict) -> Response[str]:
    return toast(redirect(request, HERE), conflict.detail, bad=True)


router = Router("/", route_handlers=[show, add, book, remove, reopen], include_in_schema=False)
