"""Today: the day's board, and moving a booking on it."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from litestar import Response, Router, get, post
from litestar.params import FromPath, FromQuery
from sqlalchemy.orm import Session

from app import clock, db, forms
from app.bookings import moving
from app.bookings.moving import Placement
from app.conversations import service as conversations
from app.dashboard.shell import FormData, PageRequest, is_partial, live_page, page, redirect, toast
from app.dashboard.today import day
from app.dashboard.today.cells import Column
from app.dashboard.today.needs import Needs, needs_attention
from app.errors import Conflict, FieldError, Invalid, NotFound
from app.messages import statistics
from app.models.booking import Booking
from app.shop import money
from app.shop import service as shop_service
from app.web import times
from app.web.addresses import with_query
from app.web.field_names import named

NEXT_TO_SEND = 5
NEEDS_SHOWN = 5
"""Replies in sight, and as many failed sends."""
MOST_REPLIES = 30
"""So many replies are on the page: what is not in sight is folded."""
_DAYS = (date(2000, 1, 1), date(2100, 12, 31))

_FIELDS = {"scheduled_time": "New time", "at": "New time", "barber_id": "Barber"}


@get("/", opt={"access": "viewer"}, sync_to_thread=False)
def home(request: PageRequest) -> Response[str]:
    """The first page is today's."""
    return redirect(request, "/today")


@get("/today", opt={"access": "viewer"}, sync_to_thread=True)
def show(
    request: PageRequest, date: FromQuery[str] = "", barber: FromQuery[str] = ""
) -> Response[str]:
    """A day's board, of all barbers or of one; beside it what needs attention and goes out next."""
    return live_page(
        request, "today/page.html", "today/_again.html", lambda: _context(date, barber)
    )


@dataclass(frozen=True)
class _AskedMove:
    """A move as its form says it; `is_sure` when it was shown what it changes."""

    to: Placement
    seen: Placement | None
    is_sure: bool
    allow_overlap: bool


@post("/bookings/{booking_id:str}/move", opt={"access": "staff"}, sync_to_thread=True)
def move(request: PageRequest, booking_id: FromPath[str], form: FormData) -> Response[str]:
    """Show what a move would change, or move; the undo of a toast has its fields in the URL."""
    try:
        asked = _asked_move({**request.query_params, **form})
        if not asked.is_sure:
            return _ask(request, booking_id, asked)
        return _moved(request, *_move(request, booking_id, asked))
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


def _context(date: str, barber: str) -> dict[str, Any]:
    with db.database().read() as session:
        today = day.today(session)
        board = day.board(session, _day(date) if date else today)
        needs = needs_attention(session)
        replies = conversations.open_replies(session, MOST_REPLIES + 1)
        due = statistics.next_due(session, NEXT_TO_SEND)
        currency = money.currency_of(shop_service.shop(session))
    return {
        "board": board,
        "columns": _shown(board, barber),
        "barber": barber,
        "currency": currency,
        # Without a date it is today's, also after midnight.
        "address": with_query("/today", {"date": date, "barber": barber}),
        "today": today,
        "previous": board.date - timedelta(days=1),
        "next": board.date + timedelta(days=1),
        "needs": needs.items[:NEEDS_SHOWN],
        "replies": replies[:NEEDS_SHOWN],
        "more_replies": replies[NEEDS_SHOWN:MOST_REPLIES],
        "are_all_replies": len(replies) <= MOST_REPLIES,
        "number": _number(needs, len(replies)),
        "due": due,
    }


def _number(needs: Needs, replies: int) -> str:
    """How much needs attention, and how much of it is in sight: `7`, `10 of 23`, `5 of 30+`."""
    number = len(needs.items) + min(replies, MOST_REPLIES)
    in_sight = min(len(needs.items), NEEDS_SHOWN) + min(replies, NEEDS_SHOWN)
    known = f"{number}" if needs.is_all and replies <= MOST_REPLIES else f"{number}+"
    return known if number == in_sight else f"{in_sight} of {known}"


def _move(
    request: PageRequest, booking_id: str, asked: _AskedMove
) -> tuple[Booking, Placement, str]:
    """Returns the moved booking, where it was, and in words where it is."""
    with db.database().write() as session:
        booking, was = moving.move(
            session, booking_id, asked.seen, asked.to, request.user.actor, asked.allow_overlap
        )
        return booking, was, _in_words(session, booking)


def _moved(request: PageRequest, booking: Booking, was: Placement, words: str) -> Response[str]:
    """A toast with the way back; htmx stays on its page, which looks at the board again."""
    fields = {
        "at": was.at.isoformat(),
        "barber": was.barber_id,
        "was_at": booking.starts_at.isoformat(),
        "was_barber": booking.barber_id,
        "confirmed": 1,
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
    )


def _time(text: str, field: str) -> datetime:
    try:
        return forms.moment(text)
    except ValueError as error:
        raise Invalid([FieldError(field, str(error))]) from None


def _day(text: str) -> date:
    """Raises Invalid."""
    try:
        when = forms.day(text)
        if not _DAYS[0] <= when <= _DAYS[1]:
            raise ValueError("This must be between 2000 and 2100.")
    except ValueError as error:
        raise Invalid([FieldError("date", str(error))]) from None
    return when


def _shown(board: day.Board, barber_id: str) -> list[Column]:
    """All columns, or that of one barber. Raises NotFound."""
    columns = [each for each in board.columns if barber_id in {"", each.barber.id}]
    if barber_id and not columns:
        raise NotFound("There is no such barber on that day.")
    return columns


def _in_words(session: Session, booking: Booking) -> str:
    """`Luis Ortega: today 14:00 with Sam.`"""
    shop = shop_service.shop(session)
    with times.shown_in(shop_service.time_zone(shop), shop.locale, clock.now()):
        at = times.when_text(booking.starts_at)
    return f"{booking.customer_name} moved to {at}, with {booking.barber.name}."


router = Router("/", route_handlers=[home, show, move], include_in_schema=False)
