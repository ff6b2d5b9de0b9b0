"""Moving a booking on the board: asked about first, then done, and it can be undone."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from litestar import Response, Router, post
from litestar.params import FromPath
from sqlalchemy.orm import Session

from app import clock, db, forms
from app.bookings import moving
from app.bookings.moving import Placement
from app.dashboard.shell import FormData, PageRequest, is_partial, page, redirect, toast
from app.errors import Conflict, FieldError, Invalid
from app.models.booking import Booking
from app.shop import service as shop_service
from app.web import times
from app.web.field_names import named

_FIELDS = {"scheduled_time": "New time", "at": "New time", "barber_id": "Barber"}


@dataclass(frozen=True)
class _AskedMove:
    """A move as its form says it; `is_sure` when it was shown what it changes, `tell` if the
    customer is to be told of the new time.
    """

    to: Placement
    seen: Placement | None
    is_sure: bool
    allow_overlap: bool
    tell: bool


@post("/bookings/{booking_id:str}/move", opt={"access": "staff"}, sync_to_thread=True)
def move(request: PageRequest, booking_id: FromPath[str], form: FormData) -> Response[str]:
    """Show what a move would change, or move; the undo of a toast has its fields in the URL."""
    try:
        asked = _asked_move({**request.query_params, **form})
        if not asked.is_sure:
            return _ask(request, booking_id, asked)
        return _moved(request, asked, *_move(request, booking_id, asked))
    except Conflict as conflict:
        if conflict.reason == "barber_taken":
            return _ask(request, booking_id, asked, status=409)
        return _refused(request, booking_id, 409, [conflict.detail])
    except Invalid as invalid:
        return _refused(
            request,
            booking_id,
            422,
            [named(_FIELDS.get(each.field, each.field), each.message) for each in invalid.errors],
        )


def _move(
    request: PageRequest, booking_id: str, asked: _AskedMove
) -> tuple[Booking, Placement, str]:
    """Returns the moved booking, where it was, and in words where it is."""
    with db.database().write() as session:
        booking, was = moving.move(
            session,
            booking_id,
            asked.seen,
            asked.to,
            request.user.actor,
            allow_overlap=asked.allow_overlap,
            tell=asked.tell,
        )
        return booking, was, _in_words(session, booking)


def _moved(
    request: PageRequest, asked: _AskedMove, booking: Booking, was: Placement, words: str
) -> Response[str]:
    """A toast with the way back, of which who was told is told too; htmx stays on its page, which
    looks at the board again.
    """
    fields = {
        "at": was.at.isoformat(),
        "barber": was.barber_id,
        "was_at": booking.starts_at.isoformat(),
        "was_barber": booking.barber_id,
        "confirmed": 1,
        "tell": int(asked.tell),
    }
    undo = f"/bookings/{booking.id}/move?{urlencode(fields)}"
    if is_partial(request):
        return toast(Response("", status_code=200, media_type="text/html"), words, undo)
    return toast(_to_board(request, booking), words, undo)


def _to_board(request: PageRequest, booking: Booking) -> Response[str]:
    """On to the board of the booking's day."""
    with db.database().read() as session:
        zone = shop_service.time_zone(shop_service.shop(session))
    return redirect(request, f"/today?date={booking.starts_at.astimezone(zone).date()}")


def _ask(
    request: PageRequest, booking_id: str, asked: _AskedMove, status: int = 200
) -> Response[str]:
    preview = moving.preview(db.database(), booking_id, asked.seen, asked.to)
    return _panel(request, status, preview=preview, asked=asked)


def _refused(
    request: PageRequest, booking_id: str, status: int, problems: list[str]
) -> Response[str]:
    """Why not, and where the booking is now: in the dialog, or as a toast on the board."""
    with db.database().read() as session:
        booking = moving.get(session, booking_id)
    if is_partial(request):
        return _panel(request, status, booking=booking, problems=problems)
    said = f"{booking.customer_name} was not moved. {' '.join(problems)}"
    return toast(_to_board(request, booking), said, bad=True)


def _panel(request: PageRequest, status: int, **context: Any) -> Response[str]:
    """The question as a page, or for htmx as the inside of the dialog.

    There a refusal is a form shown again, 422: htmx swaps no 409 (templates/base.html).
    """
    if is_partial(request) and status == 409:
        status = 422
    return page(request, "today/move.html", "today/_move.html", status=status, **context)


def _asked_move(fields: dict[str, str]) -> _AskedMove:
    """Raises Invalid."""
    seen = None
    if fields.get("was_at"):
        seen = Placement(_time(fields["was_at"], "was_at"), fields.get("was_barber", ""))
    return _AskedMove(
        to=Placement(_time(fields.get("at", ""), "at"), fields.get("barber", "")),
        seen=seen,
        is_sure=fields.get("confirmed") == "1",
        allow_overlap=fields.get("overlap") == "1",
        tell=fields.get("tell") == "1",
    )


def _time(text: str, field: str) -> datetime:
    try:
        return forms.moment(text)
    except ValueError as error:
        raise Invalid([FieldError(field, str(error))]) from None


def _in_words(session: Session, booking: Booking) -> str:
    """`Luis Ortega: today 14:00 with Sam.`"""
    shop = shop_service.shop(session)
    with times.shown_in(shop_service.time_zone(shop), shop.locale, clock.now()):
        at = times.when_text(booking.starts_at)
    return f"{booking.customer_name} moved to {at}, with {booking.barber.name}."


router = Router("/", route_handlers=[move], include_in_schema=False)
