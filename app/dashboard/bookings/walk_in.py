"""The page “Walk-in”: a service, whoever is free, and they are in the chair."""

from functools import partial
from typing import Any

from litestar import Response, Router, get, post
from sqlalchemy.orm import Session

from app import db
from app.bookings import draft, walk_in
from app.bookings.fields import MAX_NAME, MAX_NOTES
from app.dashboard.forms import AS_IT_IS, FormState, services_in, submit
from app.dashboard.shell import FormData, PageRequest, page, redirect, toast
from app.errors import Conflict
from app.models.booking import Booking
from app.shop import money
from app.shop import service as shop_service
from app.shop.service import services
from app.web import times

_FIELDS = ("service", "barber", "name", "began", "notes", "id")


@get("/walk-in", opt={"access": "staff"}, sync_to_thread=True)
def new_walk_in(request: PageRequest) -> Response[str]:
    """The form; it is of one booking, however often it is sent."""
    return _show(request)


@post("/walk-in", opt={"access": "staff"}, sync_to_thread=True)
def add_walk_in(request: PageRequest, form: FormData) -> Response[str]:
    """Book, and back to the board."""
    typed = {**form, "service": services_in(form)}

    def act(session: Session) -> Response[str]:
        booking, is_new = walk_in.book(session, form.get("id", ""), typed, request.user.actor)
        said = _in_words(session, booking) if is_new else "This walk-in was there already."
        undo = f"/bookings/{booking.id}/cancel" if is_new else None
        return toast(redirect(request, "/today"), said, undo)

    def refused(_conflict: Conflict) -> Response[str]:
        with db.database().read() as session:
            in_the_way = walk_in.conflicts(session, typed)
            return _show(request, FormState(409, typed), in_the_way)

    return submit(typed, act, partial(_show, request), refused)


def _show(request: PageRequest, state: FormState = AS_IT_IS, conflicts: Any = ()) -> Response[str]:
    with db.database().read() as session:
        offered, chairs = services(session), walk_in.chairs(session)
        currency = money.currency_of(shop_service.shop(session))
    best = walk_in.first_free(chairs)
    at_first = dict.fromkeys(_FIELDS, "") | {"id": walk_in.new_id()}
    at_first["service"] = offered[0].id if offered else ""
    at_first["barber"] = best.barber.id if best else ""
    return page(
        request,
        "bookings/walk_in.html",
        **state.context(at_first),
        services=offered,
        currency=currency,
        chairs=chairs,
        conflicts=conflicts,
        overlap=draft.ids_of(conflicts),
        longest=(MAX_NAME, MAX_NOTES),
    )


def _in_words(session: Session, booking: Booking) -> str:
    """`Walk-in with Sam, 17:20 to 17:50.`"""
    session.refresh(booking, ["barber"])
    row = shop_service.shop(session)
    with times.shown_in(shop_service.time_zone(row), row.locale, booking.created_at):
        begins, ends = map(times.clock_text, (booking.starts_at, booking.ends_at))
    return f"{booking.customer_name} with {booking.barber.name}, {begins} to {ends}."


router = Router("/bookings", route_handlers=[new_walk_in, add_walk_in], include_in_schema=False)
