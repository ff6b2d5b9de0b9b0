"""The form of a booking: to make one, to change one, and what it comes to while it is typed.

The time is a radio among the free ones, or `other` with the minute in `other_time`. The tick "Book
anyway" carries the ids of the bookings that it was shown for, "Yes, really" the number of
reminders: whoever ticks agrees to what they saw, and to nothing that came after. What is said of a
time outside hours carries that time, so that who has not seen it is told before it is booked.
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any
from zoneinfo import ZoneInfo

from babel import Locale
from babel.dates import format_timedelta
from litestar import Response, Router, get, post
from sqlalchemy.orm import Session

from app import clock, db, forms
from app.bookings import again as same_again
from app.bookings import (
    any_barber,
    availability,
    draft,
    phone_corrections,
    preview,
    service,
)
from app.bookings.draft import Draft
from app.bookings.fields import FARTHEST, LONGEST_AGO, MAX_NAME, MAX_NOTES
from app.customers import service as customers
from app.dashboard.forms import FormState, saved, services_in, submit
from app.dashboard.shell import FormData, PageRequest, is_partial, page, redirect, toast
from app.errors import Conflict, Invalid
from app.models.booking import Booking, short_name
from app.models.shop import ANY_BARBER, Shop
from app.shop import money, several
from app.shop import service as shop_service
from app.web import edit_conflicts
from app.web.edit_conflicts import Difference
from app.web.parameters import BookingId

_WHEN = ("service", "barber", "day", "time")
_ORDER = (*_WHEN, *(name for name in draft.TYPED.values() if name not in _WHEN))
_LABELS = {name: name.capitalize().replace("_", " ") for name in _ORDER}
_LABELS |= {"when": "Time", "sure": "Reminders"}
_ASK_AGAIN = {"barber_taken", "changed_meanwhile", "outside_hours", "same_booking"}
"""Conflicts that the form is shown again for; the others end on the booking's page."""


@get("/new", opt={"access": "staff"}, sync_to_thread=True)
def new(request: PageRequest) -> Response[str]:
    """An empty form; the link may say `barber` and `at` (RFC 3339).

    `like` is the id of a booking of the customer whom the new one is for, `customer` the id of one
    who has none: a link with their number would be in the access log. `again` is the id of one that
    is wanted again, in so many `weeks`.
    """
    asked = request.query_params
    errors: dict[str, str] = {}
    with db.database().read() as session:
        zone = shop_service.time_zone(shop_service.shop(session))
        barber = asked.get("barber", "") or any_barber.usual(session)
        typed = Draft().with_typed(barber=barber)
        typed = replace(typed, day=availability.next_day(session).isoformat())
        if like := asked.get("like"):
            typed = typed.with_typed(**draft.customer_of(service.get(session, like)))
        if known := customers.imported(session, asked.get("customer", "")):
            typed = typed.with_typed(**draft.imported(known))
        if same := asked.get("again"):
            typed, errors = _again_of(session, same, asked.get("weeks", ""))
    try:
        typed = replace(typed, **_on_the_clock(asked.get("at", ""), zone))
    except (ValueError, OverflowError):
        errors = {"time": "The link to this form had no time that can be read. Choose one."}
    return _show(request, typed, status=422 if errors else 200, errors=errors, is_new=True)


def _again_of(session: Session, booking_id: str, weeks: str) -> tuple[Draft, dict[str, str]]:
    """The form of the same visit again, and what is wrong with the weeks of the link."""
    booking = service.get(session, booking_id)
    try:
        return same_again.draft_of(session, booking, same_again.weeks_of(weeks)), {}
    except Invalid as invalid:
        problem = {"day": f"Weeks until then: {invalid.errors[0].message}"}
        return same_again.draft_of(session, booking, same_again.USUAL), problem


@post("/preview", opt={"access": "staff"}, sync_to_thread=True)
def show_preview(request: PageRequest, form: FormData) -> Response[str]:
    """What the form's fields would come to: free times, conflict, reminders, known customer.

    It changes nothing. It is a POST as a URL with a phone number would be in the access log.
    """
    return _show(request, _draft(form), form.get("id", ""))


@post("/", opt={"access": "staff"}, sync_to_thread=True)
def create(request: PageRequest, form: FormData) -> Response[str]:
    """Book. The same booking again leads to the first one."""
    typed = _draft(form)
    if "look" in form:
        return _show(request, _taking(typed, form["look"]))

    def act(session: Session) -> Response[str]:
        booking, is_new = draft.book(session, typed, request.user.actor)
        said = (
            f"{booking.customer_name} is booked." if is_new else "This booking was there already."
        )
        return toast(redirect(request, f"/bookings/{booking.id}"), said)

    def refused(conflict: Conflict) -> Response[str]:
        return _show(request, typed, status=409, conflict=conflict)

    return submit({}, act, partial(_again, request, typed, ""), refused)


@get("/{booking_id:str}/edit", opt={"access": "staff"}, sync_to_thread=True)
def edit(request: PageRequest, booking_id: BookingId) -> Response[str]:
    """The form of a booking that can still be changed; else its page, which says why not."""
    try:
        with db.database().read() as session:
            typed = Draft.of_booking(session, service.to_change(session, booking_id))
    except Conflict as conflict:
        return toast(redirect(request, f"/bookings/{booking_id}"), conflict.detail, bad=True)
    return _show(request, typed, booking_id)


@post("/{booking_id:str}", opt={"access": "staff"}, sync_to_thread=True)
def change(request: PageRequest, booking_id: BookingId, form: FormData) -> Response[str]:
    """Change a booking, and with its time its reminders."""
    typed = _draft(form)
    if "look" in form:
        return _show(request, _taking(typed, form["look"]), booking_id)
    here = f"/bookings/{booking_id}"

    def act(session: Session) -> Response[str]:
        _, is_changed = draft.change(session, booking_id, typed, request.user.actor)
        return saved(request, here, is_changed, "The booking is changed.")

    def refused(conflict: Conflict) -> Response[str]:
        if conflict.reason in _ASK_AGAIN:
            return _show(request, typed, booking_id, status=409, conflict=conflict)
        return toast(redirect(request, here), conflict.detail, bad=True)

    return submit({}, act, partial(_again, request, typed, booking_id), refused)


def _draft(form: FormData) -> Draft:
    return Draft.of_form({**form, "service": services_in(form)})


def _taking(typed: Draft, at: str) -> Draft:
    """The draft with the free time that was pressed, if it was one (RFC 3339)."""
    with db.database().read() as session:
        zone = shop_service.time_zone(shop_service.shop(session))
    try:
        return replace(typed, **_on_the_clock(at, zone))
    except (ValueError, OverflowError):
        return typed


def _again(request: PageRequest, typed: Draft, booking_id: str, state: FormState) -> Response[str]:
    """The form with what was typed, and what is wrong with its fields."""
    errors = _in_order(state.errors)
    return _show(request, typed, booking_id, status=state.status, errors=errors)


def _show(
    request: PageRequest,
    typed: Draft,
    booking_id: str = "",
    status: int = 200,
    errors: Mapping[str, str] | None = None,
    conflict: Conflict | None = None,
    is_new: bool = False,
) -> Response[str]:
    """The form; for htmx only what follows from it, as its fields are being typed in."""
    with db.database().read() as session:
        shop = shop_service.shop(session)
        booking = service.get(session, booking_id) if booking_id else None
        differences: list[Difference] = []
        if booking and conflict and conflict.reason == "changed_meanwhile":
            typed, differences = _merged(session, typed, booking)
        shown = preview.preview_booking(session, typed, booking)
        others = (
            phone_corrections.others(session, booking)
            if booking and not is_partial(request)
            else None
        )
    today = clock.now().astimezone(shop_service.time_zone(shop)).date()
    return page(
        request,
        "bookings/form.html",
        partial="bookings/_preview.html",
        status=status,
        draft=shown.draft,
        preview=shown,
        booking=booking,
        others=others,
        errors=errors or {},
        conflict=conflict.reason if conflict else "",
        differences=differences,
        labels=_LABELS,
        is_new=is_new,
        days=(today if booking else today - LONGEST_AGO, today + FARTHEST),
        any_barber=ANY_BARBER,
        longest_name=MAX_NAME,
        longest_notes=MAX_NOTES,
        country=_country(shop),
        currency=money.currency_of(shop),
        every=_every(shown),
    )


def _merged(session: Session, typed: Draft, booking: Booking) -> tuple[Draft, list[Difference]]:
    """The draft with what somebody else has changed where nothing was typed, and what that is."""
    zone = shop_service.time_zone(shop_service.shop(session))
    now = Draft.of_booking(session, booking)
    fields, differences = edit_conflicts.merged(typed.fields, typed.seen, now.fields)
    when = typed if fields.pop("when") == typed.fields["when"] else now
    merged = replace(
        typed.with_typed(**fields), day=when.day, time=when.time, turn=when.turn, seen=now.seen
    )
    return merged, [_readable(session, each, zone) for each in differences]


def _readable(session: Session, each: Difference, zone: ZoneInfo) -> Difference:
    """A difference as its template shows it: names instead of ids, and times."""
    if each.name == "when":
        return replace(each, was=_time_of(each.was, zone), now=_time_of(each.now, zone))
    if each.name not in {"service", "barber"}:
        return each
    find = several.as_one if each.name == "service" else shop_service.barber
    was, now = (getattr(find(session, id), "name", id) for id in (each.was, each.now))
    return replace(each, was=was, now=now)


def _time_of(when: str, zone: ZoneInfo) -> datetime | str:
    """`2026-11-23 14:30` of `Draft.fields` as a time (UTC), if it is one."""
    day, _, rest = when.partition(" ")
    time, _, turn = rest.partition(" ")
    try:
        return draft.start_of(Draft(day=day, time=time, turn=turn), zone).at
    except Invalid:
        return when


def _on_the_clock(at: str, zone: ZoneInfo) -> dict[str, Any]:
    """The day and the time that a link names. Raises ValueError or OverflowError."""
    if not at:
        return {}
    return {**draft.on_the_clock(forms.moment(at), zone)}


def _in_order(errors: Mapping[str, str]) -> dict[str, str]:
    """What is wrong, by the form's names, in the order of its fields."""
    named = {short_name(name): words for name, words in errors.items()}
    return dict(sorted(named.items(), key=lambda each: _place(each[0])))


def _place(name: str) -> int:
    """Where a field stands in the form."""
    return _ORDER.index(name) if name in _ORDER else len(_ORDER)


def _country(shop: Shop) -> str:
    """Where a number without + belongs, in words; empty if the shop has not said it."""
    if not shop.country:
        return ""
    return str(Locale("en").territories.get(shop.country, shop.country))


def _every(shown: preview.BookingPreview) -> str:
    """How long it is between two reminders: `2 hours`."""
    every = shown.reminders.every if shown.reminders else timedelta(0)
    return format_timedelta(every, threshold=2, locale="en")


router = Router(
    "/bookings", route_handlers=[new, show_preview, create, edit, change], include_in_schema=False
)
