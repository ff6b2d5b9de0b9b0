"""Settings: the weekly hours of the shop, and those of a barber who has their own."""

from collections.abc import Mapping
from functools import partial
from typing import Annotated

from litestar import Response, Router, get, post
from litestar.params import PathParameter
from sqlalchemy.orm import Session

from app import db
from app.bookings import availability, strays
from app.dashboard.forms import AS_IT_IS, FormState, saved, submit
from app.dashboard.shell import FormData, PageRequest, page
from app.errors import NotFound
from app.models.shop import Barber
from app.models.week import DAYS
from app.shop import changes, weekly_hours
from app.web import edit_conflicts

HERE = "/settings/hours"

LOOKED_AT = 2_000
"""Bookings to come that are looked at for those outside of the hours."""

BarberId = Annotated[
    str, PathParameter(pattern=r"^[A-Za-z0-9_-]{1,40}$", description="A barber's id.")
]


@get(HERE, opt={"access": "owner"}, sync_to_thread=True)
def show(request: PageRequest) -> Response[str]:
    """When the shop is open on each day of the week."""
    return _show(request, None)


@post(HERE, opt={"access": "owner"}, sync_to_thread=True)
def save(request: PageRequest, form: FormData) -> Response[str]:
    """Keep its hours."""
    return _save(request, None, form)


@get("/settings/barbers/{barber_id:str}/hours", opt={"access": "owner"}, sync_to_thread=True)
def show_barber(request: PageRequest, barber_id: BarberId) -> Response[str]:
    """When a barber works, if not whenever the shop is open."""
    return _show(request, barber_id)


@post("/settings/barbers/{barber_id:str}/hours", opt={"access": "owner"}, sync_to_thread=True)
def save_barber(request: PageRequest, barber_id: BarberId, form: FormData) -> Response[str]:
    """Keep a barber's hours, or that they have the shop's."""
    return _save(request, barber_id, form)


def _save(request: PageRequest, barber_id: str | None, form: FormData) -> Response[str]:
    address = f"/settings/barbers/{barber_id}/hours" if barber_id else HERE

    def act(session: Session) -> Response[str]:
        changes.locked(session)
        edit_conflicts.check(form, _fields(session, barber_id))
        is_own = barber_id is None or form.get("is_own") == "1"
        week = weekly_hours.of_form(form) if is_own else None
        return saved(
            request, address, weekly_hours.save(session, barber_id, week, request.user.actor)
        )

    return submit(form, act, partial(_show, request, barber_id))


def _show(
    request: PageRequest, barber_id: str | None, state: FormState = AS_IT_IS
) -> Response[str]:
    with db.database().read() as session:
        barber = session.get(Barber, barber_id) if barber_id else None
        if barber_id and barber is None:
            raise NotFound("There is no such barber.")
        fields = edit_conflicts.shown(_fields(session, barber_id))
        outside = availability.strays(session, barber_id, LOOKED_AT)
        instead = strays.instead(session, outside)
    return page(
        request,
        "settings/hours.html",
        **state.context(fields),
        barber=barber,
        days=DAYS,
        breaks=weekly_hours.MOST_BREAKS,
        labels=LABELS,
        strays=outside,
        instead=instead,
    )


def _fields(session: Session, barber_id: str | None) -> dict[str, str]:
    week, is_own = weekly_hours.week_of(session, barber_id)
    own = {"is_own": "1" if is_own else ""} if barber_id else {}
    return {**own, **weekly_hours.shown(week)}


def _label(name: str) -> str:
    """`Monday opens`, `Monday’s break from`, `Monday’s break 2 until`."""
    day, *rest = name.split("_")
    if rest[0] != "break":
        return f"{day.capitalize()} {rest[0]}"
    number = "" if rest[1] == "1" else f" {rest[1]}"
    return f"{day.capitalize()}’s break{number} {rest[2]}"


LABELS: Mapping[str, str] = {
    "is_own": "Own hours",
    **{name: _label(name) for name in weekly_hours.field_names()},
}

router = Router("/", route_handlers=[show, save, show_barber, save_barber], include_in_schema=False)
