"""The notes of a booking and of its customer, and its price, on a page of their own: also once it
is over.
"""

from functools import partial

from litestar import Response, Router, get, post
from sqlalchemy.orm import Session

from app import db
from app.bookings import notes, service
from app.bookings.fields import MAX_NOTES
from app.dashboard.forms import AS_IT_IS, FormState, saved, submit
from app.dashboard.shell import FormData, PageRequest, page
from app.forms import line_ends
from app.models.booking import Booking
from app.shop import money
from app.shop.service import shop
from app.web import edit_conflicts
from app.web.parameters import BookingId


@get("/{booking_id:str}/notes", opt={"access": "staff"}, sync_to_thread=True)
def show_notes(request: PageRequest, booking_id: BookingId) -> Response[str]:
    """The form; for who comes from the customer's page, without what is this booking's alone."""
    return _show(request, booking_id)


@post("/{booking_id:str}/notes", opt={"access": "staff"}, sync_to_thread=True)
def save_notes(request: PageRequest, booking_id: BookingId, form: FormData) -> Response[str]:
    """Keep them, and back to the page that one came from."""
    typed = {name: line_ends(text).strip() for name, text in form.items()}

    def act(session: Session) -> Response[str]:
        service.locked(session, booking_id)
        now = notes.shown(session, booking_id)
        names = _names(request, service.get(session, booking_id))
        edit_conflicts.check(typed, {name: now[name] for name in names})
        is_changed = notes.save(session, booking_id, typed, request.user.actor, names)
        return saved(request, _back(request, booking_id), is_changed, "Saved.")

    return submit(typed, act, partial(_show, request, booking_id))


def _show(request: PageRequest, booking_id: str, state: FormState = AS_IT_IS) -> Response[str]:
    with db.database().read() as session:
        booking = service.get(session, booking_id)
        now = notes.shown(session, booking_id)
        currency = money.currency_of(shop(session))
    names = _names(request, booking)
    return page(
        request,
        "bookings/notes.html",
        **state.context(edit_conflicts.shown({name: now[name] for name in names})),
        booking=booking,
        names=names,
        back=_back(request, booking_id),
        came_from="?from=customer" if _is_from_customer(request) else "",
        longest=MAX_NOTES,
        currency=currency,
    )


def _is_from_customer(request: PageRequest) -> bool:
    return request.query_params.get("from") == "customer"


def _names(request: PageRequest, booking: Booking) -> tuple[str, ...]:
    """Which of the form's fields are asked for: who walked in has nothing that is always theirs."""
    if booking.customer_phone is None:
        return notes.OF_BOOKING
    return ("always",) if _is_from_customer(request) else notes.NotesForm.names


def _back(request: PageRequest, booking_id: str) -> str:
    return f"/{'customers' if _is_from_customer(request) else 'bookings'}/{booking_id}"


router = Router("/bookings", route_handlers=[show_notes, save_notes], include_in_schema=False)
