"""Bookings: creating, changing and cancelling them, with what follows for their messages."""

from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Literal, cast

from sqlalchemy import bindparam, select
from sqlalchemy.orm import Session
from ulid import ULID

from app import clock
from app.bookings import place
from app.bookings.fields import BookingForm
from app.bookings.need import Need
from app.customers import consent
from app.errors import Conflict, FieldError, Invalid, NotFound
from app.messages.enqueue import enqueue_after_commit, revoke_after_commit
from app.messages.lifecycle import materialize, plans
from app.messages.lifecycle.compare_and_set import lock_booking
from app.models.booking import Booking, with_derived
from app.models.plan import ReminderTimes
from app.models.shop import ANY_BARBER, Service
from app.reminders.plan import PlanTooLong, reminder_times
from app.rows import insert_new, read_rows, table_of, update_held
from app.settings import settings
from app.shop import money, several
from app.shop import service as shop_service
from app.shop.money import Percent
from app.shop.policy import of_shop
from app.shop.service import shop
from app.staff import audit

_ANY_TIME = frozenset({"notes", "price", "discount", "discount_reason"})
"""What can be changed when the appointment is over, too."""
_DISCOUNTED = ("price", "currency", "discount", "discount_reason")
_PLACED = place.CHOSEN | {"starts_at", "customer_phone"}
"""What is not changed without a look for the same booking."""

_ROW = select(*table_of(Booking).c).where(table_of(Booking).c.id == bindparam("id"))

MANY = 100
"""More reminders than this staff are asked about before they are planned."""

Fields = Mapping[str, Any] | BookingForm
"""Of a booking, by the names of BookingForm's fields; as they were given."""


def form(session: Session, given: Fields, begun: timedelta = timedelta(0)) -> BookingForm:
    """The fields, to be read by this shop's rules; a form stays as it is.

    `begun` is how long ago the appointment may have begun.
    """
    if isinstance(given, BookingForm):
        return given
    return BookingForm(
        given,
        country=shop(session).country,
        own_number=settings().whatsapp_from_number,
        now=clock.now(),
        begun=begun,
        currency=money.currency_of(shop(session)),
    )


def create(
    session: Session, new: Fields, actor: str, agreed: int | None = None
) -> tuple[Booking, bool]:
    """Make a booking and its plan of reminders, and enqueue what is due soon.

    A confirmation goes out at once if the shop sends those. The same booking again (phone, service,
    barber and time, still confirmed) is returned with False. With ANY_BARBER whoever is free and
    has least that day gets it. Raises Invalid, and Conflict: `barber_taken` unless
    `allow_overlap`, `nobody_free`. `agreed` is how many reminders staff have agreed to, None if
    nobody is asked.
    """
    values = _checked(session, form(session, new), BookingForm.names)
    allow_overlap, is_agreed = values.pop("allow_overlap"), values.pop("whatsapp_consent")
    values["service_id"] = several.made(session, values["service_id"])
    if values["barber_id"] == ANY_BARBER:
        values["barber_id"] = place.any_of(session, values)
    service, barber = place.choices(session, values["service_id"], values["barber_id"])
    starts_at = values.pop("scheduled_time")
    values |= Need.of_service(service).columns(starts_at)
    values |= priced(session, values["price"], service)
    values |= discounted(**{name: values[name] for name in _DISCOUNTED})
    same = place.find_same(session, barber, values, allow_overlap)
    if same is not None:
        there = get(session, same.id)
        consent.note(session, there, is_agreed, actor)
        return there, False
    booking = store(session, values, actor)
    if starts_at > booking.created_at:
        times = _times(session, booking, agreed)
        enqueue_after_commit(session, materialize.make_first(session, [(booking.id, times)]))
        _tell(session, booking, "confirmation")
    consent.note(session, booking, is_agreed, actor)
    return booking, True


def store(session: Session, columns: Mapping[str, Any], actor: str) -> Booking:
    """Add a confirmed booking with these columns, checked already; it gets no messages."""
    now = clock.now()
    common = {"status": "confirmed", "created_at": now, "updated_at": now}
    values = with_derived({"id": f"booking_{ULID()}", **common, **columns})
    booking = insert_new(session, Booking, **values)
    audit.record(session, actor, "booking.created", booking.id)
    return booking


def priced(session: Session, price: Decimal | None, service: Service) -> dict[str, Any]:
    """The columns of a booking's price: its own, or what the service costs now."""
    amount = service.price if price is None else price
    currency = None if amount is None else money.currency_of(shop(session))
    return {"price": amount, "currency": currency}


def discounted(
    price: Decimal | None,
    currency: str | None,
    discount: Decimal | Percent | None,
    discount_reason: str | None,
) -> dict[str, Any]:
    """The columns of a discount, which are none without one: the amount, also of a part of the
    price. Raises Invalid.
    """
    amount = money.off(discount, price, currency)
    problems = []
    if discount is not None and price is None:
        problems.append(FieldError("discount", "There is no price to take it from."))
    elif amount is None:
        return {"discount": None, "discount_reason": None}
    elif price is not None and amount > price:
        problems.append(FieldError("discount", "This is more than the price."))
    if not discount_reason:
        problems.append(FieldError("discount_reason", "Say why, such as “student”."))
    if problems:
        raise Invalid(problems)
    return {"discount": amount, "discount_reason": discount_reason}


def change(
    session: Session,
    booking_id: str,
    changes: Fields,
    actor: str,
    agreed: int | None = None,
    *,
    tell: bool | None = None,
) -> Booking:
    """Change any of BookingForm's fields; another time cancels the old plan and makes a new one.

    A booking keeps its length and its buffers until its service is changed, and a service or barber
    who is switched off until it gets another. With `tell` the customer is told of another time at
    once; None: if the shop does that. Changes that change nothing are fine; notes and the price can
    be changed whatever has become of the booking. A booking keeps its price, too, until it gets
    another one or another service. Raises NotFound, Invalid, and Conflict: `not_confirmed`,
    `appointment_passed`, `barber_taken`, `same_booking`. `agreed` is as in `create`.
    """
    booking = locked(session, booking_id)
    wanted = form(session, changes)
    if wanted.given.keys() - _ANY_TIME or not wanted.given:
        _check_open(booking)
    values = _checked(session, wanted, wanted.given.keys())
    allow_overlap = values.pop("allow_overlap", False)
    is_agreed = values.pop("whatsapp_consent", None)
    if "scheduled_time" in values:
        values["starts_at"] = values.pop("scheduled_time")
    if "service_id" in values:
        values["service_id"] = several.made(session, values["service_id"])
    values = {name: value for name, value in values.items() if getattr(booking, name) != value}
    if values:
        _change(session, booking, values, allow_overlap, actor, agreed, tell)
    consent.note(session, booking, is_agreed, actor)
    return booking


def cancel(
    session: Session,
    booking_id: str,
    actor: str,
    tell_after: timedelta = timedelta(0),
    *,
    told: bool = False,
) -> Booking:
    """Cancel a booking: its reminders stop, and its customer is told. Each time the same answer.

    `tell_after` leaves time for `undo.undo_cancel`; a customer who is `told` already gets no
    message, nor does who walked in, whose booking can be cancelled when it has begun, too. Raises
    NotFound, and Conflict `appointment_passed` or `not_confirmed` (it took place).
    """
    booking = locked(session, booking_id)
    if booking.status == "cancelled":
        return booking
    _check_open(booking, may_have_begun=booking.customer_phone is None)
    now = clock.now()
    update_held(session, booking, status="cancelled", updated_at=now)
    revoke_after_commit(session, plans.cancel_pending(session, booking.id, "booking_cancelled"))
    if not told and booking.customer_phone is not None:
        at = now + tell_after
        enqueue_after_commit(session, plans.add(session, booking.id, "cancellation", at))
    audit.record(session, actor, "booking.cancelled", booking.id)
    return booking


def planned_from_now(session: Session, starts_at: datetime) -> ReminderTimes:
    """The reminders that a booking made now for `starts_at` (aware) gets.

    Raises PlanTooLong.
    """
    return reminder_times(of_shop(shop(session)), clock.now(), starts_at)


def get(session: Session, booking_id: str) -> Booking:
    """Raises NotFound."""
    booking = session.get(Booking, booking_id)
    if booking is None:
        raise NotFound("There is no such booking.")
    return booking


def row(session: Session, booking_id: str) -> Booking:
    """The same as a plain row, which is only to be shown: half as dear. Raises NotFound."""
    found = read_rows(session, _ROW, {"id": booking_id}).one_or_none()
    if found is None:
        raise NotFound("There is no such booking.")
    return cast(Booking, found)


def phone_of(booking: Booking) -> str:
    """Its customer's number. Raises Conflict `no_phone` for who walked in."""
    if booking.customer_phone is None:
        raise Conflict("no_phone", "There is no phone number in this booking.")
    return booking.customer_phone


def locked(session: Session, booking_id: str) -> Booking:
    """The booking, locked until the transaction's end. Raises NotFound."""
    booking = lock_booking(session, booking_id, to_change=True)
    if booking is None:
        raise NotFound("There is no such booking.")
    return booking


def to_change(session: Session, booking_id: str) -> Booking:
    """The booking, locked until the transaction's end, if it is confirmed and still to come.

    Raises NotFound, and Conflict `not_confirmed` or `appointment_passed`.
    """
    booking = locked(session, booking_id)
    _check_open(booking)
    return booking


def wrong(session: Session, given: Mapping[str, Any]) -> list[FieldError]:
    """All that is wrong with these fields, what does not exist included."""
    try:
        _checked(session, form(session, given), given)
    except Invalid as invalid:
        return invalid.errors
    return place.unknown(session, given, given.keys())


def _checked(session: Session, fields: BookingForm, names: Collection[str]) -> dict[str, Any]:
    """Raises Invalid with all that is wrong, what does not exist included."""
    try:
        return fields.checked(names)
    except Invalid as invalid:
        readable = set(names) - {error.field for error in invalid.errors}
        raise Invalid([*invalid.errors, *place.unknown(session, fields.given, readable)]) from None


def _set(session: Session, booking: Booking, values: dict[str, Any], allow_overlap: bool) -> None:
    """Put the changed values into the booking, if its barber is free and it is no double."""
    chosen = shop_service.service(session, values.get("service_id", booking.service_id))
    is_priced = chosen and values.keys() & {"price", "service_id"}
    price = priced(session, values.get("price"), chosen) if chosen and is_priced else {}
    after = {name: getattr(booking, name) for name in _DISCOUNTED} | values | price
    off = discounted(**{name: after[name] for name in _DISCOUNTED})
    changed = {**values, **price, **off, "updated_at": clock.now()}
    if values.keys() & _PLACED:
        changed |= _placed(session, booking, values, allow_overlap)
    update_held(session, booking, **with_derived(changed))


def _placed(
    session: Session, booking: Booking, values: dict[str, Any], allow_overlap: bool
) -> dict[str, Any]:
    """The columns of its place with the changed values. Raises Conflict as `change` does."""
    after = vars(booking) | values
    service, barber = place.choices(session, after["service_id"], after["barber_id"], values.keys())
    need = Need.of_service(service) if "service_id" in values else Need.of_booking(booking)
    columns = need.columns(after["starts_at"])
    overlaps = allow_overlap or values.keys().isdisjoint({*place.CHOSEN, "starts_at"})
    other = place.find_same(session, barber, after | columns, overlaps, booking.id)
    place.refuse_double(other)
    return columns


def _change(
    session: Session,
    booking: Booking,
    values: dict[str, Any],
    allow_overlap: bool,
    actor: str,
    agreed: int | None,
    tell: bool | None,
) -> None:
    is_moved, was = "starts_at" in values, booking.starts_at
    _set(session, booking, values, allow_overlap)
    if is_moved:
        revoke_after_commit(session, plans.cancel_pending(session, booking.id, "rescheduled"))
    details: dict[str, Any] = {"fields": sorted(values)}
    if is_moved:
        details |= {"was": was.isoformat(), "starts_at": booking.starts_at.isoformat()}
    action = "booking.rescheduled" if is_moved else "booking.changed"
    audit.record(session, actor, action, booking.id, **details)
    if is_moved:
        times = _times(session, booking, agreed)
        enqueue_after_commit(session, materialize.make(session, booking.id, times))
        _tell(session, booking, "moved", tell)


def _times(session: Session, booking: Booking, agreed: int | None) -> ReminderTimes:
    """Raises Invalid for a time so far ahead that the policy makes too many reminders of it, and
    for many that nobody `agreed` to.
    """
    try:
        times = planned_from_now(session, booking.starts_at)
    except PlanTooLong as error:
        raise Invalid([FieldError("scheduled_time", str(error))]) from error
    number = times.going(0, times.count)
    if agreed is not None and number > max(MANY, agreed):
        message = f"These are {number} reminders to one customer. Tick “Yes, really” if so."
        raise Invalid([FieldError("sure", message)])
    return times


def _tell(
    session: Session,
    booking: Booking,
    kind: Literal["confirmation", "moved"],
    tell: bool | None = None,
) -> None:
    """Tell the customer at once what was done; `tell` None: if the shop has switched that on."""
    if getattr(shop(session), f"{kind}_on") if tell is None else tell:
        enqueue_after_commit(session, plans.add(session, booking.id, kind, clock.now()))


def _check_open(booking: Booking, *, may_have_begun: bool = False) -> None:
    if booking.status != "confirmed":
        is_missed = booking.status == "no_show"
        is_what = "marked as a no-show" if is_missed else booking.status
        raise Conflict("not_confirmed", f"The booking is {is_what}.")
    if booking.starts_at <= clock.now() and not may_have_begun:
        raise Conflict("appointment_passed", "The appointment has begun.")
