"""Today: the day's board, a week and a month, and beside the board what needs attention."""

from datetime import date, timedelta
from functools import partial
from typing import Any

from litestar import Response, Router, get
from litestar.params import FromQuery
from sqlalchemy.orm import Session

from app import db, forms
from app.bookings import waiting_list
from app.bookings.waiting_list import LOOKED_AT
from app.conversations import requests
from app.conversations import service as conversations
from app.dashboard.shell import PageRequest, live_page, redirect
from app.dashboard.today import booked, day, month, week
from app.dashboard.today.agenda import agenda_of
from app.dashboard.today.cells import Column
from app.dashboard.today.needs import Needs, needs_attention
from app.errors import FieldError, Invalid, NotFound
from app.messages import statistics
from app.models.shop import Barber
from app.shop import money
from app.shop import service as shop_service
from app.web.addresses import with_query

NEXT_TO_SEND = 5
NEEDS_SHOWN = 5
"""Replies in sight, and as many failed sends, and people for whom there is a place by now."""
MOST_REPLIES = 30
"""So many replies are on the page: what is not in sight is folded."""
MOST_LINES = 14
"""Bookings of a barber and day that the week of the shop names."""

ALL_HOURS = "all"

_DAYS = (date(2000, 1, 1), date(2100, 12, 31))
_DAY = timedelta(days=1)
_VIEWS = {"day": "/today", "week": "/today/week", "month": "/today/month"}


@get("/", opt={"access": "viewer"}, sync_to_thread=False)
def home(request: PageRequest) -> Response[str]:
    """The first page is today's."""
    return redirect(request, "/today")


@get("/today", opt={"access": "viewer"}, sync_to_thread=True)
def show(
    request: PageRequest,
    date: FromQuery[str] = "",
    barber: FromQuery[str] = "",
    hours: FromQuery[str] = "",
) -> Response[str]:
    """A day's board, of all barbers or of one; beside it what needs attention and goes out next.

    `hours=all`: also those in which the shop is closed and nothing is booked.
    """
    return live_page(
        request, "today/page.html", "today/_again.html", lambda: _context(date, barber, hours)
    )


@get("/today/week", opt={"access": "viewer"}, sync_to_thread=True)
def show_week(
    request: PageRequest,
    date: FromQuery[str] = "",
    barber: FromQuery[str] = "",
    hours: FromQuery[str] = "",
) -> Response[str]:
    """The week of a day: of one barber as a board, of all as lists. `hours` is as of a day."""
    return live_page(
        request, "today/week.html", "today/_week_again.html", lambda: _week(date, barber, hours)
    )


@get("/today/month", opt={"access": "viewer"}, sync_to_thread=True)
def show_month(
    request: PageRequest, date: FromQuery[str] = "", barber: FromQuery[str] = ""
) -> Response[str]:
    """The month of a day, of all barbers or of one: how many bookings, how full."""
    return live_page(
        request, "today/month.html", "today/_month_again.html", lambda: _month(date, barber)
    )


def _context(date: str, barber: str, hours: str) -> dict[str, Any]:
    with db.database().read() as session:
        head = _head(session, "day", date, barber, hours)
        board = day.board(session, head["shown"], is_whole=hours == ALL_HOURS)
        needs = needs_attention(session)
        fitting = [each for each in waiting_list.entries(session, LOOKED_AT) if each.fits]
        replies = conversations.open_replies(session, MOST_REPLIES + 1)
        asked = {
            each.reply.sid: requests.request_of(session, each.booking, [each.reply])
            for each in replies[:NEEDS_SHOWN]
            if each.booking
        }
        due = statistics.next_due(session, NEXT_TO_SEND)
    return {
        **head,
        "barbers": [each.barber for each in board.columns],
        "board": board,
        "columns": (columns := _shown(board, barber)),
        "agenda": agenda_of(columns),
        **_steps(board.date - _DAY, board.date + _DAY, is_now=board.date == head["today"]),
        "needs": needs.items[:NEEDS_SHOWN],
        "replies": replies[:NEEDS_SHOWN],
        "more_replies": replies[NEEDS_SHOWN:MOST_REPLIES],
        "asked": asked,
        "are_all_replies": len(replies) <= MOST_REPLIES,
        "fitting": fitting[:NEEDS_SHOWN],
        "number": _number(needs, len(replies), len(fitting)),
        "due": due,
    }


def _week(date: str, barber: str, hours: str) -> dict[str, Any]:
    with db.database().read() as session:
        head = _head(session, "week", date, barber, hours)
        days = week.days_of(session, head["shown"])
        barbers = booked.barbers_of(session, [barber] if barber else [])
        one = _one(barbers, barber) or (barbers[0] if len(barbers) == 1 else None)
        is_whole = hours == ALL_HOURS
        shown = (
            week.of_barber(session, one, days, is_whole=is_whole)
            if one
            else week.of_shop(session, days)
        )
    return {
        **head,
        "barbers": barbers,
        "week": shown,
        "days": days,
        "most_lines": MOST_LINES,
        **_steps(days[0] - 7 * _DAY, days[0] + 7 * _DAY, is_now=head["today"] in days),
    }


def _month(date: str, barber: str) -> dict[str, Any]:
    with db.database().read() as session:
        head = _head(session, "month", date, barber)
        barbers = booked.barbers_of(session, [barber] if barber else [])
        shown = month.of(session, head["shown"], _one(barbers, barber), head["currency"])
    return {
        **head,
        "barbers": barbers,
        "month": shown,
        **_steps(
            (shown.first - _DAY).replace(day=1),
            (shown.first + 31 * _DAY).replace(day=1),
            is_now=head["today"].replace(day=1) == shown.first,
        ),
    }


def _head(session: Session, view: str, date: str, barber: str, hours: str = "") -> dict[str, Any]:
    """What stands above each of the three. Without a date it is today's, also after midnight."""
    today = day.today(session)
    return {
        "view": view,
        "date": date,
        "barber": barber,
        "today": today,
        "shown": _day(date) if date else today,
        "currency": money.currency_of(shop_service.shop(session)),
        "are_all_hours": hours == ALL_HOURS,
        "address": _address(view, date, barber, hours if hours == ALL_HOURS else ""),
        "address_of": partial(_address, barber=barber),
    }


def _address(view: str, date: object = "", barber: str = "", hours: str = "") -> str:
    return with_query(_VIEWS[view], {"date": f"{date}", "barber": barber, "hours": hours})


def _steps(previous: date, next: date, *, is_now: bool) -> dict[str, Any]:
    """Where one turns to, as far as there are pages."""
    first, last = _DAYS
    return {
        "previous": max(previous, first),
        "next": min(next, last),
        "is_now": is_now,
    }


def _one(barbers: list[Barber], barber_id: str) -> Barber | None:
    """The barber with this id, if one is asked for. Raises NotFound."""
    found = next((each for each in barbers if each.id == barber_id), None)
    if barber_id and not found:
        raise NotFound("There is no such barber.")
    return found


def _number(needs: Needs, replies: int, waiting: int) -> str:
    """How much needs attention, and how much of it is in sight: `7`, `10 of 23`, `5 of 30+`."""
    number = len(needs.items) + min(replies, MOST_REPLIES) + waiting
    in_sight = sum(min(each, NEEDS_SHOWN) for each in (len(needs.items), replies, waiting))
    known = f"{number}" if needs.is_all and replies <= MOST_REPLIES else f"{number}+"
    return known if number == in_sight else f"{in_sight} of {known}"


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


router = Router("/", route_handlers=[home, show, show_week, show_month], include_in_schema=False)
