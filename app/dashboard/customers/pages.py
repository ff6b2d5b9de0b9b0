"""The list of customers, the page of one, and what staff note of whether they want messages.

A customer is addressed by the id of any of their bookings: no phone number is in a path.
"""

from collections.abc import Mapping
from typing import Any

from litestar import Response, Router, get, post
from sqlalchemy.orm import Session

from app import clock, db
from app.bookings import by_customer, search
from app.bookings import service as bookings
from app.bookings.by_customer import CustomerPage
from app.bookings.customer_changes import put_language
from app.conversations import service as conversations
from app.customers import consent
from app.customers import service as customers
from app.dashboard.beads import reminders_of
from app.dashboard.shell import FormData, PageRequest, is_partial, page, redirect, run_action
from app.errors import Conflict, Invalid
from app.messages import languages
from app.messages.languages import LANGUAGES
from app.models.booking import Booking
from app.shop import service as shop_service
from app.web.addresses import with_query
from app.web.field_names import first_of_each
from app.web.parameters import BookingId

PAST = 20
"""Bookings of the past on the page of a customer."""

_COMING = 20
_WRITTEN = 5
_ASKED = ("q", "past", "new")


@get("/", opt={"access": "viewer"}, sync_to_thread=True)
def list_customers(request: PageRequest) -> Response[str]:
    """Those whom the search finds; without one, who comes next, who was here last, or who never."""
    asked = {name: request.query_params.get(name, "").strip() for name in _ASKED}
    errors: Mapping[str, str] = {}
    listed, contacts = CustomerPage([], has_more=False), {}
    with db.database().read() as session:
        try:
            listed = _listed(session, asked)
        except Invalid as invalid:
            errors = first_of_each(invalid)
        contacts = customers.find_all(session, [each.person for each in listed.customers])
    address = with_query("/customers", asked)
    answer = page(
        request,
        "customers/list.html",
        partial="customers/_list.html",
        status=422 if errors else 200,
        errors=errors,
        asked=asked,
        listed=listed,
        contacts=contacts,
        address=address,
    )
    if is_partial(request):
        answer.headers["HX-Replace-Url"] = address
    return answer


@get("/{booking_id:str}", opt={"access": "viewer"}, sync_to_thread=True)
def show_customer(request: PageRequest, booking_id: BookingId) -> Response[str]:
    """One customer: their bookings, what they said about messages, what they wrote.

    Who walked in is not known, but for their booking.
    """
    cursor = request.query_params.get("cursor") or None
    with db.database().read() as session:
        shop = shop_service.shop(session)
        booking = bookings.get(session, booking_id)
        if booking.person is None:
            return redirect(request, f"/bookings/{booking_id}")
        [customer] = by_customer.summaries(session, [booking.person])
        context: dict[str, Any] = {
            **_bookings(session, customer.person, cursor),
            "contact": customers.find(session, customer.person),
            "sent": customers.sent_this_month(session, customer.person),
            "budget": shop.budget_per_customer,
            "shops_language": languages.chosen(shop.locale).name,
            "replies": conversations.written_by(session, customer.person, _WRITTEN),
        }
    return page(
        request,
        "customers/show.html",
        partial="customers/_show.html",
        booking=booking,
        customer=customer,
        cursor=cursor,
        languages=LANGUAGES,
        **context,
    )


@post("/{booking_id:str}/opt-out", opt={"access": "staff"}, sync_to_thread=True)
def opt_out(request: PageRequest, booking_id: BookingId) -> Response[str]:
    """Note that a booking's customer wants no messages any more."""

    def act(session: Session) -> str:
        consent.opt_out(session, booking_id, request.user.actor)
        return "Noted: no messages any more."

    undo = f"/customers/{booking_id}/opt-in{_from(request)}"
    return run_action(request, _back(request, booking_id), act, undo)


@post("/{booking_id:str}/opt-in", opt={"access": "staff"}, sync_to_thread=True)
def opt_in(request: PageRequest, booking_id: BookingId) -> Response[str]:
    """Note that they want messages after all."""

    def act(session: Session) -> str:
        consent.opt_in(session, booking_id, request.user.actor)
        return "Noted: they want messages."

    return run_action(request, _back(request, booking_id), act)


@post("/{booking_id:str}/language", opt={"access": "staff"}, sync_to_thread=True)
def choose_language(request: PageRequest, booking_id: BookingId, form: FormData) -> Response[str]:
    """Write to a booking's customer in the language that was chosen from now on."""
    chosen = form.get("language", "")

    def act(session: Session) -> str:
        phone = bookings.phone_of(bookings.get(session, booking_id))
        if chosen and chosen not in LANGUAGES:
            raise Conflict("no_such_language", "There are no texts in that language.")
        put_language(session, booking_id, phone, chosen or None, request.user.actor)
        name = LANGUAGES[chosen].name if chosen else "the shop’s language"
        return f"Messages to them are in {name} from now on."

    return run_action(request, f"/customers/{booking_id}", act)


def _listed(session: Session, asked: Mapping[str, str]) -> CustomerPage:
    """Raises Invalid."""
    if asked["q"]:
        return by_customer.find(session, asked["q"])
    if asked["new"]:
        return by_customer.unbooked(session)
    return by_customer.lately(session) if asked["past"] else by_customer.coming(session)


def _bookings(session: Session, person: str, cursor: str | None) -> dict[str, Any]:
    """Those to come and a page of those that are over, each with its reminders. Raises Invalid."""
    now = clock.now()
    to_come = search.Filters(person=person, starts_from=now)
    over = search.Filters(person=person, starts_to=now)
    coming = search.page(session, to_come, _COMING)
    past = search.page(session, over, PAST, cursor, newest_first=True)
    shown = [*coming.bookings, *past.bookings]
    reminders = reminders_of(session, [booking.id for booking in shown])

    def rows(bookings: list[Booking]) -> list[tuple[Booking, Any]]:
        return [(booking, reminders[booking.id]) for booking in bookings]

    return {
        "coming": rows(coming.bookings),
        "has_more_coming": coming.later is not None,
        "past": rows(past.bookings),
        "earlier": past.earlier,
        "later": past.later,
    }


def _from(request: PageRequest) -> str:
    """The query that says that a button stands on the customer's page, not on a booking's."""
    return "?from=customer" if request.query_params.get("from") == "customer" else ""


def _back(request: PageRequest, booking_id: str) -> str:
    return f"/{'customers' if _from(request) else 'bookings'}/{booking_id}"


router = Router(
    "/customers",
    route_handlers=[list_customers, show_customer, opt_out, opt_in, choose_language],
    include_in_schema=False,
)
