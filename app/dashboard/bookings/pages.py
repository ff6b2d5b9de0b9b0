"""The list of bookings and the page of one: its timeline, and what staff do with it."""

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from functools import partial
from typing import Any

from litestar import Response, Router, get, post
from sqlalchemy import select
from sqlalchemy.orm import Session, joinedload

from app import clock, db, forms
from app.bookings import again, attendance, by_customer, search, send_now, series, service
from app.bookings.undo import UNDO_FOR, undo_cancel
from app.conversations import requests
from app.conversations import service as conversations
from app.conversations.service import Chat, ReplyEntry
from app.customers import service as customers
from app.dashboard.beads import reminders_of
from app.dashboard.bookings import talk, timeline
from app.dashboard.shell import PageRequest, is_partial, page, run_action
from app.errors import FieldError, Invalid
from app.messages import entries
from app.messages.channels import channel
from app.messages.compose import compose
from app.messages.service import REASONS, advice_of
from app.messages.texts import TextError
from app.models.booking import Booking
from app.models.message import Attempt, Message
from app.models.shop import Barber
from app.shop import service as shop_service
from app.web.addresses import with_query
from app.web.field_names import named
from app.web.parameters import BookingId

HERE = "/bookings"

PAGE = 40
"""Bookings on a page of the list."""

_ASKED = ("q", "status", "barber", "from", "to", "failed", "past", "cursor")
_FIELDS = {"barber_id": "barber"}  # what the form calls them
_LABELS = {"q": "Search", "status": "Status", "barber": "Barber", "from": "From", "to": "To"}


@get("/", opt={"access": "viewer"}, sync_to_thread=True)
def list_bookings(request: PageRequest) -> Response[str]:
    """The bookings that fit the filters in the URL; without any, those to come."""
    asked = {name: request.query_params.get(name, "").strip() for name in _ASKED}
    with db.database().read() as session:
        barbers = session.scalars(select(Barber).order_by(Barber.active.desc(), Barber.position))
        context: dict[str, Any] = {"barbers": [(each.id, each.name) for each in barbers]}
        try:
            context |= _listed(session, asked)
        except Invalid as invalid:
            context |= _wrong(invalid)
        if not context.get("rows") and not _is_filtered(asked):
            context["has_any"] = session.scalar(select(Booking.id).limit(1)) is not None
    answer = page(
        request,
        "bookings/list.html",
        partial="bookings/_list.html",
        status=422 if "errors" in context else 200,
        **{"errors": {}, "problems": [], **context},
        asked=asked,
        address=lambda **changes: with_query(HERE, {**asked, "cursor": "", **changes}),
        is_filtered=_is_filtered(asked),
        period=_period(asked),
    )
    source = request.headers.get("HX-Source", "")
    if is_partial(request) and not source.endswith("#bookings"):  # the list itself: it is a new day
        # Each letter would be a step back otherwise.
        is_typing = source.endswith("#q")
        answer.headers[f"HX-{'Replace' if is_typing else 'Push'}-Url"] = with_query(HERE, asked)
    return answer


@get("/{booking_id:str}", opt={"access": "viewer"}, sync_to_thread=True)
def show_booking(request: PageRequest, booking_id: BookingId) -> Response[str]:
    """One booking with its timeline, and its messages as the customer reads them."""
    now = clock.now()
    with db.database().read() as session:
        booking = _booking(session, booking_id)
        chat = conversations.chat(session, booking)
        shown = timeline.timeline_of(_entries(session, booking, chat), now)
        is_staff, has_begun = request.user.may("staff"), booking.starts_at <= now
        is_confirmed = booking.status == "confirmed"
        contact = customers.find(session, booking.customer_phone)
        text = partial(_text, session, booking, contact.language if contact else None)
        context: dict[str, Any] = {
            "before": by_customer.before(session, booking),
            "asked": requests.request_of(session, booking, chat.replies),
            "series": series.place_of(session, booking),
            "again": again.offer(session, booking) if is_staff else None,
            "contact": contact,
            "next_text": text(shown.next, shown.next.due_at) if shown.next else "",
            "cancellation": text(Message(kind="cancellation"), now),
            "reminder": text(Message(kind="reminder"), now),
        }
    return page(
        request,
        "bookings/show.html",
        partial="bookings/_show.html",
        booking=booking,
        timeline=shown,
        chat=chat,
        turns=talk.turns_of(chat.lines, now),
        turns_shown=talk.SHOWN,
        max_answer=conversations.MAX_ANSWER,
        again_weeks=again.USUAL,
        typed="",
        errors={},
        may_act=is_staff and is_confirmed and not has_begun,
        may_mark=is_staff and is_confirmed and has_begun,
        may_be_paid=is_staff and booking.status == "completed" and booking.paid_at is None,
        may_reopen=is_staff and booking.status in ("completed", "no_show"),
        may_undo=is_staff and _may_undo(booking, shown),
        undo_seconds=int(UNDO_FOR.total_seconds()),
        reasons=REASONS,
        advice_of=advice_of,
        outcome_of=_outcome,
        **context,
    )


@post("/{booking_id:str}/cancel", opt={"access": "staff"}, sync_to_thread=True)
def cancel(request: PageRequest, booking_id: BookingId) -> Response[str]:
    """Cancel it; the customer is told a little later, so that it can be undone."""

    def act(session: Session) -> str:
        booking = service.cancel(session, booking_id, request.user.actor, tell_after=UNDO_FOR)
        if booking.customer_phone is None:
            return f"Cancelled: {booking.customer_name}."
        seconds = int(UNDO_FOR.total_seconds())
        return f"Cancelled. {booking.customer_name} is told in {seconds} seconds."

    return run_action(request, f"/bookings/{booking_id}", act, undo=f"/bookings/{booking_id}/undo")


@post("/{booking_id:str}/undo", opt={"access": "staff"}, sync_to_thread=True)
def undo(request: PageRequest, booking_id: BookingId) -> Response[str]:
    """Confirm it again, while its customer does not know yet."""

    def act(session: Session) -> str:
        undo_cancel(session, booking_id, request.user.actor)
        return "Cancellation undone. The customer was not told."

    return run_action(request, f"/bookings/{booking_id}", act)


@post("/{booking_id:str}/remind", opt={"access": "staff"}, sync_to_thread=True)
def remind(request: PageRequest, booking_id: BookingId) -> Response[str]:
    """Send one more reminder, at once."""

    def act(session: Session) -> str:
        send_now.remind_now(session, booking_id, request.user.actor)
        return "The reminder is on its way."

    return run_action(request, f"/bookings/{booking_id}", act)


@post("/{booking_id:str}/completed", opt={"access": "staff"}, sync_to_thread=True)
def completed(request: PageRequest, booking_id: BookingId) -> Response[str]:
    """The customer came."""
    return _mark(request, booking_id, "completed", "Noted: {} came.")


@post("/{booking_id:str}/paid", opt={"access": "staff"}, sync_to_thread=True)
def paid(request: PageRequest, booking_id: BookingId) -> Response[str]:
    """The customer came and has paid."""

    def act(session: Session) -> str:
        booking = attendance.mark_paid(session, booking_id, request.user.actor)
        return f"Noted: {booking.customer_name} has paid."

    return run_action(request, _back(request, booking_id), act, _undo(request, booking_id))


@post("/{booking_id:str}/no-show", opt={"access": "staff"}, sync_to_thread=True)
def no_show(request: PageRequest, booking_id: BookingId) -> Response[str]:
    """The customer did not come."""
    return _mark(request, booking_id, "no_show", "Noted: {} did not come.")


@post("/{booking_id:str}/reopen", opt={"access": "staff"}, sync_to_thread=True)
def reopen(request: PageRequest, booking_id: BookingId) -> Response[str]:
    """Nobody has said whether the customer came."""
    return _mark(request, booking_id, "confirmed", "The booking of {} is confirmed again.")


def _mark(
    request: PageRequest, booking_id: str, status: attendance.Mark, said: str
) -> Response[str]:
    def act(session: Session) -> str:
        booking = attendance.mark(session, booking_id, status, request.user.actor)
        return said.format(booking.customer_name)

    undo = None if status == "confirmed" else _undo(request, booking_id)
    return run_action(request, _back(request, booking_id), act, undo)


def _day_of_board(request: PageRequest) -> str:
    """The day of the board that a button stands on; empty for one on the booking's page."""
    try:
        return forms.day(request.query_params.get("day", "")).isoformat()
    except ValueError:
        return ""


def _back(request: PageRequest, booking_id: str) -> str:
    day = _day_of_board(request)
    return f"/today?date={day}" if day else f"/bookings/{booking_id}"


def _undo(request: PageRequest, booking_id: str) -> str:
    day = _day_of_board(request)
    return with_query(f"/bookings/{booking_id}/reopen", {"day": day})


def _listed(session: Session, asked: Mapping[str, str]) -> dict[str, Any]:
    """The page of the list, and the reminders of its bookings. Raises Invalid."""
    newest_first = _period(asked) == "past" or bool(asked["to"] and not asked["from"])
    filters, cursor = _filters(session, asked), asked["cursor"] or None
    listed = search.page(session, filters, PAGE, cursor, newest_first=newest_first)
    reminders = reminders_of(session, [booking.id for booking in listed.bookings])
    rows = [(booking, reminders[booking.id]) for booking in listed.bookings]
    return {"rows": rows, "earlier": listed.earlier, "later": listed.later}


def _wrong(invalid: Invalid) -> dict[str, Any]:
    """What is wrong, beside each field and, as a list that is swapped has none, by their labels."""
    errors = {_FIELDS.get(each.field, each.field): each.message for each in invalid.errors}
    problems = [named(_LABELS.get(name, name), message) for name, message in errors.items()]
    return {"errors": errors, "problems": problems}


def _filters(session: Session, asked: Mapping[str, str]) -> search.Filters:
    """Raises Invalid for days that are none, or in the wrong order."""
    first, last = _day(asked, "from"), _day(asked, "to")
    if first and last and first > last:
        raise Invalid([FieldError("from", "This is after “To”.")])
    zone = shop_service.time_zone(shop_service.shop(session))
    period = _period(asked)
    starts_from = clock.midnight(first, zone) if first else None
    starts_to = clock.midnight(last + timedelta(days=1), zone) if last else None
    return search.Filters(
        status=asked["status"] or None,
        barber_id=asked["barber"] or None,
        starts_from=clock.now() if period == "upcoming" else starts_from,
        starts_to=clock.now() if period == "past" else starts_to,
        q=asked["q"] or None,
        has_failures=bool(asked["failed"]),
    )


def _period(asked: Mapping[str, str]) -> str:
    """`upcoming` or `past`; empty when days are asked for, or one booking by its id."""
    if asked["from"] or asked["to"] or search.is_id(asked["q"]):
        return ""
    return "past" if asked["past"] else "upcoming"


def _is_filtered(asked: Mapping[str, str]) -> bool:
    return any(asked[name] for name in ("q", "status", "barber", "from", "to", "failed"))


def _day(asked: Mapping[str, str], name: str) -> date | None:
    if not asked[name]:
        return None
    try:
        return forms.day_everywhere(asked[name])
    except ValueError as error:
        raise Invalid([FieldError(name, str(error))]) from None


def _booking(session: Session, booking_id: str) -> Booking:
    """The booking, with its service and barber loaded. Raises NotFound."""
    names = (joinedload(Booking.service), joinedload(Booking.barber))
    booking = session.get(Booking, booking_id, options=names)
    return booking or service.get(session, booking_id)


def _entries(session: Session, booking: Booking, chat: Chat) -> list[timeline.Entry]:
    """What happened and is planned, replies included, in the order of time."""
    merged: list[timeline.Entry] = [*entries.timeline(session, booking.id)]
    merged += [ReplyEntry(reply) for reply in chat.replies]
    return sorted(merged, key=lambda entry: entry.at)


def _text(
    session: Session, booking: Booking, language: str | None, message: Message, at: datetime
) -> str:
    """What the customer would read then; empty if the shop's text cannot be filled in."""
    try:
        return compose(session, message, booking, at, language).body
    except TextError:
        return ""


def _outcome(attempt: Attempt) -> str:
    """What became of a POST, in words."""
    if attempt.outcome == "accepted":
        return "taken by Twilio"
    if attempt.outcome is None and attempt.error_code is None:
        return "nobody knows yet"
    return (
        channel().explain(attempt.error_code, asynchronous=attempt.outcome == "undelivered").words
    )


def _may_undo(booking: Booking, shown: timeline.Timeline) -> bool:
    first = shown.next
    is_untold = first is not None and first.kind == "cancellation" and not first.attempts
    return booking.status == "cancelled" and (is_untold or booking.customer_phone is None)


router = Router(
    "/bookings",
    route_handlers=[
        list_bookings,
        show_booking,
        cancel,
        undo,
        remind,
        completed,
        paid,
        no_show,
        reopen,
    ],
    include_in_schema=False,
)
