"""Bookings: creating, changing and cancelling them, with what follows for their messages."""

from collections.abc import Collection, Mapping, Set
from datetime import datetime, timedelta
from typing import Any, Literal

from sqlalchemy import select
from sqlalchemy.orm import Session
from ulid import ULID

from app import clock
from app.bookings.availability import overlapping
from app.bookings.fields import BookingForm
from app.customers import consent
from app.errors import Conflict, FieldError, Invalid, NotFound
from app.messages.enqueue import enqueue_after_commit, revoke_after_commit
from app.messages.lifecycle import materialize, plans
from app.messages.lifecycle.compare_and_set import lock_booking
from app.models.booking import Booking
from app.models.identity import person_of
from app.models.plan import ReminderTimes
from app.models.shop import Barber, Service
from app.reminders.plan import PlanTooLong, reminder_times
from app.settings import settings
from app.shop.policy import of_shop
from app.shop.service import shop
from app.staff import audit

_CHOSEN = frozenset({"service_id", "barber_id"})
_ANY_TIME = frozenset({"notes"})  # fields that can be changed when the appointment is over, too

MANY = 100
"""More reminders than this staff are asked about before they are planned."""

Fields = Mapping[str, Any] | BookingForm
"""Of a booking, by the names of BookingForm's fields; as they were given."""


def form(session: Session, given: Fields) -> BookingForm:
    """The fields, to be read by this shop's rules; a form stays as it is."""
    if isinstance(given, BookingForm):
        return given
    return BookingForm(
        given,
        country=shop(session).country,
        own_number=settings().whatsapp_from_number,
        now=clock.now(),
    )


def create(
    session: Session, new: Fields, actor: str, agreed: int | None = None
) -> tuple[Booking, bool]:
    """Make a booking and its plan of reminders, and enqueue what is due soon.

    A confirmation goes out at once if the shop sends those. The same booking again (phone, service,
    barber and time, still confirmed) is returned with False. Raises Invalid, and Conflict
    `barber_taken` unless `allow_overlap`. `agreed` is how many reminders staff have agreed to,
    None if nobody is asked.
    """
    values = _checked(session, form(session, new), BookingForm.names)
    allow_overlap, is_agreed = values.pop("allow_overlap"), values.pop("whatsapp_consent")
    service, barber = _choices(session, values["service_id"], values["barber_id"])
    starts_at = values.pop("scheduled_time")
    same = _same(session, {**values, "starts_at": starts_at})
    if same is not None:
        consent.note(session, same, is_agreed, actor)
        return same, False
    ends_at = starts_at + timedelta(minutes=service.minutes)
    if not allow_overlap:
        _check_free(session, barber, starts_at, ends_at)
    now = clock.now()
    booking = Booking(
        id=f"booking_{ULID()}",
        **values,
        starts_at=starts_at,
        ends_at=ends_at,
        status="confirmed",
        created_at=now,
        updated_at=now,
    )
    session.add(booking)
    session.flush()
    audit.record(session, actor, "booking.created", booking.id)  # before what it sends
    _plan(session, booking, agreed)
    _tell(session, booking, "confirmation")
    consent.note(session, booking, is_agreed, actor)
    return booking, True


def change(
    session: Session, booking_id: str, changes: Fields, actor: str, agreed: int | None = None
) -> Booking:
    """Change any of BookingForm's fields; another time cancels the old plan and makes a new one.

    A booking keeps its length until its service is changed, and a service or barber who is switched
    off until it gets another. The customer is told of another time if the shop does that. Changes
    that change nothing are fine; notes alone can be changed whatever has become of the booking.
    Raises NotFound, Invalid, and Conflict: `not_confirmed`, `appointment_passed`, `barber_taken`,
    `same_booking`. `agreed` is as in `create`.
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
    values = {name: value for name, value in values.items() if getattr(booking, name) != value}
    if values:
        _change(session, booking, values, allow_overlap, actor, agreed)
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
    message. Raises NotFound, and Conflict `appointment_passed` or `not_confirmed` (it took place).
    """
    booking = locked(session, booking_id)
    if booking.status == "cancelled":
        return booking
    _check_open(booking)
    now = clock.now()
    booking.status, booking.updated_at = "cancelled", now
    session.flush()
    revoke_after_commit(session, plans.cancel_pending(session, booking.id, "booking_cancelled"))
    if not told:
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


def check_place(session: Session, booking: Booking, since: datetime) -> None:
    """Whether a cancelled booking's place was not taken since then.

    Raises Conflict `same_booking` or `barber_taken`.
    """
    _, barber = _choices(session, booking.service_id, booking.barber_id, new=set())
    check_no_double(session, booking)
    _check_free(session, barber, booking.starts_at, booking.ends_at, since=since)


def check_no_double(session: Session, booking: Booking) -> None:
    """Raises Conflict `same_booking` if another confirmed booking is the same as this one."""
    same = _same(session, vars(booking), but=booking.id)
    if same is not None:
        raise Conflict("same_booking", f"This customer has this very booking: {same.id}.")


def wrong(session: Session, given: Mapping[str, Any]) -> list[FieldError]:
    """All that is wrong with these fields, what does not exist included."""
    try:
        _checked(session, form(session, given), given)
    except Invalid as invalid:
        return invalid.errors
    return _unknown(session, given, given.keys())


def _checked(session: Session, fields: BookingForm, names: Collection[str]) -> dict[str, Any]:
    """Raises Invalid with all that is wrong, what does not exist included."""
    try:
        return fields.checked(names)
    except Invalid as invalid:
        readable = set(names) - {error.field for error in invalid.errors}
        raise Invalid([*invalid.errors, *_unknown(session, fields.given, readable)]) from None


def _unknown(session: Session, values: Mapping[str, Any], names: Set[str]) -> list[FieldError]:
    """An error for each service and barber among `names` that there is not."""
    tables: tuple[tuple[str, type[Service | Barber]], ...] = (
        ("service", Service),
        ("barber", Barber),
    )
    return [
        _no_such(kind, values[f"{kind}_id"])
        for kind, table in tables
        if f"{kind}_id" in names and session.get(table, values[f"{kind}_id"]) is None
    ]


def _no_such(kind: str, given: str) -> FieldError:
    return FieldError(f"{kind}_id", f"There is no {kind} {given!r}.")


def _choices(
    session: Session, service_id: str, barber_id: str, new: Set[str] = _CHOSEN
) -> tuple[Service, Barber]:
    """The service and the barber; the barber is held, so that two cannot take one time at once.

    Raises Invalid for what does not exist, and for what is not offered any more if its field is
    `new`: what a booking has, it keeps.
    """
    service = session.get(Service, service_id)
    barber = session.get(Barber, barber_id, with_for_update={"key_share": True})
    problems = []
    if service is None:
        problems.append(_no_such("service", service_id))
    elif "service_id" in new and not service.active:
        problems.append(_switched_off("service_id", service))
    if barber is None:
        problems.append(_no_such("barber", barber_id))
    elif "barber_id" in new and not barber.active:
        problems.append(_switched_off("barber_id", barber))
    if problems or service is None or barber is None:
        raise Invalid(problems)
    return service, barber


def _switched_off(field: str, item: Service | Barber) -> FieldError:
    return FieldError(field, f"{item.name} cannot be booked any more: choose another.")


def _same(session: Session, values: Mapping[str, Any], but: str = "") -> Booking | None:
    """The same booking, other than `but`; the barber is held, so that no other is being made."""
    return session.scalars(
        select(Booking)
        .where(
            Booking.person == person_of(values["customer_phone"]),
            Booking.service_id == values["service_id"],
            Booking.barber_id == values["barber_id"],
            Booking.starts_at == values["starts_at"],
            Booking.status == "confirmed",
            Booking.id != but,
        )
        .order_by(Booking.id)
        .limit(1)
    ).one_or_none()


def _check_free(
    session: Session,
    barber: Barber,
    starts_at: datetime,
    ends_at: datetime,
    *,
    but: str = "",
    since: datetime | None = None,
) -> None:
    """Raises Conflict if the barber has another booking then, made or moved since then.

    `but` is not another.
    """
    query = overlapping(barber.id, starts_at, ends_at, but)
    if since is not None:
        query = query.where(Booking.updated_at >= since)
    other = session.scalars(query.limit(1)).one_or_none()
    if other is not None:
        taken = f"{other.starts_at:%Y-%m-%dT%H:%M:%SZ} to {other.ends_at:%H:%M:%SZ}"
        raise Conflict("barber_taken", f"{barber.name} has another booking from {taken}.")


def _place(session: Session, booking: Booking, values: dict[str, Any], allow_overlap: bool) -> None:
    """Put the changed values into the booking, if its barber is free and it is no double."""
    length = booking.ends_at - booking.starts_at
    for name, value in values.items():
        setattr(booking, name, value)
    is_placed = bool(values.keys() & {*_CHOSEN, "starts_at"})
    if not is_placed and "customer_phone" not in values:
        return
    with session.no_autoflush:
        service, barber = _choices(session, booking.service_id, booking.barber_id, values.keys())
        if "service_id" in values:
            length = timedelta(minutes=service.minutes)
        booking.ends_at = booking.starts_at + length
        check_no_double(session, booking)
        if is_placed and not allow_overlap:
            _check_free(session, barber, booking.starts_at, booking.ends_at, but=booking.id)


def _change(
    session: Session,
    booking: Booking,
    values: dict[str, Any],
    allow_overlap: bool,
    actor: str,
    agreed: int | None,
) -> None:
    is_moved, was = "starts_at" in values, booking.starts_at
    _place(session, booking, values, allow_overlap)
    booking.updated_at = clock.now()
    session.flush()
    if is_moved:
        revoke_after_commit(session, plans.cancel_pending(session, booking.id, "rescheduled"))
    details: dict[str, Any] = {"fields": sorted(values)}
    if is_moved:
        details |= {"was": was.isoformat(), "starts_at": booking.starts_at.isoformat()}
    action = "booking.rescheduled" if is_moved else "booking.changed"
    audit.record(session, actor, action, booking.id, **details)
    if is_moved:
        _plan(session, booking, agreed)
        _tell(session, booking, "moved")


def _plan(session: Session, booking: Booking, agreed: int | None) -> None:
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
    enqueue_after_commit(session, materialize.make(session, booking.id, times))


def _tell(session: Session, booking: Booking, kind: Literal["confirmation", "moved"]) -> None:
    """Tell the customer at once what was done, if the shop has switched that on."""
    if getattr(shop(session), f"{kind}_on"):
        enqueue_after_commit(session, plans.add(session, booking.id, kind, clock.now()))


def _check_open(booking: Booking) -> None:
    if booking.status != "confirmed":
        is_missed = booking.status == "no_show"
        is_what = "marked as a no-show" if is_missed else booking.status
        raise Conflict("not_confirmed", f"The booking is {is_what}.")
    if booking.starts_at <= clock.now():
        raise Conflict("appointment_passed", "The appointment has begun.")
