"""The pages of a series: a booking is repeated, and those of a series are moved or cancelled.

Each day is looked at before anything is saved. `visit-…` is a day's field, with the time (RFC 3339)
that is booked; empty, it is left out.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from functools import partial

from litestar import Response, Router, get, post
from sqlalchemy.orm import Session

from app import db, forms
from app.bookings import series, series_changes, service
from app.bookings.fields import FARTHEST
from app.bookings.series import Visit
from app.bookings.undo import UNDO_FOR
from app.dashboard.forms import FormState, submit
from app.dashboard.shell import FormData, PageRequest, page, redirect, run_action, toast
from app.errors import Conflict, FieldError, Invalid
from app.models.booking import Booking
from app.shop import service as shop_service
from app.web.field_names import first_of_each
from app.web.parameters import BookingId

_RULE = {"weeks": "4", "ends": "times", "times": "6", "until": ""}
"""How a booking repeats, at first."""
_VISIT = "visit-"

Answer = Response[str]


@get("/{booking_id:str}/repeat", opt={"access": "staff"}, sync_to_thread=True)
def show_repeat(request: PageRequest, booking_id: BookingId) -> Answer:
    """The days on which it would come again, and what is in the way on each."""
    return _repeat(request, booking_id, FormState(typed=dict(request.query_params.items())))


@post("/{booking_id:str}/repeat", opt={"access": "staff"}, sync_to_thread=True)
def repeat(request: PageRequest, booking_id: BookingId, form: FormData) -> Answer:
    """Book those that have a time."""

    def act(session: Session) -> Answer:
        booking = service.get(session, booking_id)
        weeks = series.form_of(session, booking, form).checked()["weeks"]
        times, actor = [*_chosen(form).values()], request.user.actor
        made = series.make(session, booking_id, weeks, times, actor, _agreed(form))
        said = f"{_bookings(made)} made. Each has its own reminders."
        return toast(redirect(request, f"/bookings/{booking_id}/series"), said)

    again = partial(_repeat, request, booking_id)
    return submit(form, act, again, lambda conflict: again(_refused(form, conflict)))


@get("/{booking_id:str}/series", opt={"access": "viewer"}, sync_to_thread=True)
def show_series(request: PageRequest, booking_id: BookingId) -> Answer:
    """All bookings of its series, and what is done to several of them; a single one is repeated."""
    with db.database().read() as session:
        booking = service.get(session, booking_id)
        every = series.place_of(session, booking)
        listed = series_changes.of(session, booking)
        numbers = {
            scope: len(series_changes.to_come(session, booking, scope))
            for scope in series_changes.SCOPES
        }
    return page(
        request,
        "bookings/series.html",
        booking=booking,
        weeks=every[2] if every else 0,
        listed=listed,
        numbers=numbers,
        undo_seconds=int(UNDO_FOR.total_seconds()),
    )


@post("/{booking_id:str}/series/cancel", opt={"access": "staff"}, sync_to_thread=True)
def cancel(request: PageRequest, booking_id: BookingId, form: FormData) -> Answer:
    """Cancel those from here on, or all that are to come."""
    scope = series_changes.scope_of(form.get("scope", ""))
    told, here = form.get("tell") == "no", f"/bookings/{booking_id}/series"

    def act(session: Session) -> Answer:
        done = series_changes.cancel(session, booking_id, scope, request.user.actor, told=told)
        seconds = int(UNDO_FOR.total_seconds())
        what = "Nobody is told by us." if told else f"The customer is told in {seconds} seconds."
        undo = f"{here}/undo?at={done[0].updated_at:%Y-%m-%dT%H:%M:%S.%fZ}"
        said = f"{_bookings(done)} cancelled. {what}"
        return toast(redirect(request, here), said, None if told else undo)

    return submit(form, act, lambda _: redirect(request, here), partial(_back, request, here))


@post("/{booking_id:str}/series/undo", opt={"access": "staff"}, sync_to_thread=True)
def undo_cancel(request: PageRequest, booking_id: BookingId) -> Answer:
    """Confirm those again that were cancelled together at a moment, while nobody was told."""

    def act(session: Session) -> str:
        actor = request.user.actor
        try:
            moment = forms.moment(request.query_params.get("at", ""))
        except ValueError:
            raise Conflict("none_cancelled", "There is nothing to undo any more.") from None
        done, refused = series_changes.undo_cancel(session, booking_id, moment, actor)
        said = f"{_bookings(done)} confirmed again. The customer was not told."
        left = f" {len(refused)} could not be: {refused[0].detail}" if refused else ""
        return said + left

    return run_action(request, f"/bookings/{booking_id}/series", act)


@get("/{booking_id:str}/series/change", opt={"access": "staff"}, sync_to_thread=True)
def show_change(request: PageRequest, booking_id: BookingId) -> Answer:
    """Where those of the series would go, and what is in the way of each."""
    return _change(request, booking_id, FormState(typed=dict(request.query_params.items())))


@post("/{booking_id:str}/series/change", opt={"access": "staff"}, sync_to_thread=True)
def change(request: PageRequest, booking_id: BookingId, form: FormData) -> Answer:
    """Move those that have a time."""

    def act(session: Session) -> Answer:
        chosen, actor = _chosen(form), request.user.actor
        done = series_changes.move(session, booking_id, form, chosen, actor, _agreed(form))
        return toast(
            redirect(request, f"/bookings/{booking_id}/series"), f"{_bookings(done)} changed."
        )

    again = partial(_change, request, booking_id)
    return submit(form, act, again, lambda conflict: again(_refused(form, conflict)))


def _repeat(request: PageRequest, booking_id: str, state: FormState) -> Answer:
    typed = {name: state.typed.get(name, first) for name, first in _RULE.items()}

    def find(session: Session, booking: Booking) -> list[Visit]:
        return series.visits(session, booking, series.form_of(session, booking, typed).days())

    return _show(request, booking_id, "repeat", state, typed, find)


def _change(request: PageRequest, booking_id: str, state: FormState) -> Answer:
    with db.database().read() as session:
        as_it_is = series_changes.as_it_is(session, service.get(session, booking_id))
    scope = series_changes.scope_of(state.typed.get("scope", ""))
    typed = {name: state.typed.get(name, first) for name, first in as_it_is.items()}

    def find(session: Session, booking: Booking) -> list[Visit]:
        if typed == as_it_is and not state.errors:
            return []
        return series_changes.moved(session, booking, scope, typed)

    return _show(request, booking_id, "series_change", state, {**typed, "scope": scope}, find)


def _show(
    request: PageRequest,
    booking_id: str,
    name: str,
    state: FormState,
    typed: Mapping[str, str],
    find: Callable[[Session, Booking], list[Visit]],
) -> Answer:
    """The page with what was typed, and the visits that `find` makes of it."""
    errors, visits = dict(state.errors), list[Visit]()
    with db.database().read() as session:
        booking = service.get(session, booking_id)
        session.refresh(booking, ["service", "barber"])
        try:
            visits = find(session, booking)
        except Invalid as invalid:
            errors = {**errors, **first_of_each(invalid)}
        except Conflict as conflict:
            if conflict.reason != "barber_left":
                return _back(request, f"/bookings/{booking_id}", conflict)
            errors.setdefault("barber", conflict.detail)
        chosen = _picked(state.typed, visits)
        most, total = series.most_reminders(session, [*chosen.values()])
        services, barbers = [*shop_service.services(session)], shop_service.barbers(session)
        own = shop_service.service(session, booking.service_id)
        services += [own] if own and own.parts else []
    return page(
        request,
        f"bookings/{name}.html",
        partial=f"bookings/_{name}.html",
        status=state.status if state.status != 200 else 422 if errors else 200,
        booking=booking,
        typed=typed,
        errors=errors,
        visits=visits,
        chosen=chosen,
        reminders=(most, total),
        is_many=most > service.MANY,
        is_agreed=(_agreed(state.typed) or 0) >= most,
        services=services,
        barbers=barbers,
        limits=(series.MOST, FARTHEST.days),
    )


def _picked(typed: Mapping[str, str], visits: list[Visit]) -> dict[str, datetime]:
    """The time that each visit has in the form: what was chosen, at first its own if it is free."""
    if not any(name.startswith(_VISIT) for name in typed):
        return {each.key: each.at for each in visits if each.is_free}
    try:
        sent = _chosen(typed)
    except Invalid:
        sent = {}
    offered = {each.key: {*each.free, *([each.at] if each.is_free else [])} for each in visits}
    return {key: at for key, at in sent.items() if at in offered.get(key, ())}


def _chosen(form: Mapping[str, str]) -> dict[str, datetime]:
    """The times that were chosen, by the keys of their visits. Raises Invalid."""
    sent = {
        name.removeprefix(_VISIT): text
        for name, text in form.items()
        if name.startswith(_VISIT) and text
    }
    try:
        return {key: forms.moment(text) for key, text in sent.items()}
    except ValueError as error:
        raise Invalid([FieldError("visits", str(error))]) from None


def _agreed(form: Mapping[str, str]) -> int:
    """The number of reminders that was agreed to."""
    text = form.get("sure", "")
    return int(text) if text.isdecimal() and len(text) < 6 else 0


def _refused(form: FormData, conflict: Conflict) -> FormState:
    return FormState(409, form, {"visits": f"Nothing is saved yet. {conflict.detail}"})


def _back(request: PageRequest, address: str, conflict: Conflict) -> Answer:
    return toast(redirect(request, address), conflict.detail, bad=True)


def _bookings(made: list[Booking]) -> str:
    return f"{len(made)} booking{'s' if len(made) != 1 else ''}"


router = Router(
    "/bookings",
    route_handlers=[show_repeat, repeat, show_series, cancel, undo_cancel, show_change, change],
    include_in_schema=False,
)
