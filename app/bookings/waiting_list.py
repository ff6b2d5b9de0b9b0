"""The waiting list: who wants a day, or a barber, that was full; and whom a free time fits.

Nobody is told by themselves: staff see who fits, and book it by one press or write to them.
"""

from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, ScalarSelect, and_, exists, func, literal, select
from sqlalchemy.orm import Session, joinedload
from ulid import ULID

from app import clock, forms
from app.bookings import any_barber, availability, series, service
from app.bookings.availability import Calendar
from app.bookings.fields import FARTHEST, BookingForm
from app.bookings.need import Need
from app.customers import service as customers
from app.errors import Conflict, FieldError, Invalid, NotFound
from app.forms import Form, field
from app.models.booking import Booking
from app.models.identity import person_of
from app.models.message import Message
from app.models.shop import PARTS_JOIN, Barber
from app.models.waiting import Waiting
from app.rows import set_if
from app.shop import several
from app.shop.changes import locked
from app.shop.service import barber, barbers, services, shop, time_zone
from app.sql import local_day
from app.staff import audit

LONGEST = 31
"""Days that somebody may choose among."""
MOST = 200
"""People who wait."""
LOOKED_AT = 40
"""Of them, for free times: those whose days are the next."""
SHOWN = 6
"""Free times of each."""

_DAY = timedelta(days=1)
_OF_WISH = ("person", "service_id", "barber_id", "first_day", "last_day", "from_time", "until_time")
_OF_BOOKING = ("customer_phone", "customer_name", "service_id", "notes")


class WaitingForm(Form):
    """What somebody waits for. Fields of BookingForm are read by its rules.

    Without a barber it is any, without a last day the first alone, without times the whole day.
    """

    def __init__(self, given: Mapping[str, str], booking: BookingForm, today: date) -> None:
        super().__init__(given)
        self._booking, self._today = booking, today

    @field
    def customer_phone(self, _typed: str) -> str:
        return self._booking.customer_phone

    @field
    def customer_name(self, _typed: str) -> str:
        return self._booking.customer_name

    @field
    def service_id(self, _typed: str) -> str:
        return self._booking.service_id

    @field
    def barber_id(self, typed: str) -> str | None:
        return typed or None

    @field
    def first_day(self, typed: str) -> date:
        return self._to_come(typed)

    @field
    def last_day(self, typed: str) -> date | None:
        return self._to_come(typed) if typed else None

    @field
    def from_time(self, typed: str) -> time | None:
        return forms.time_of_day(typed) if typed.strip() else None

    @field
    def until_time(self, typed: str) -> time | None:
        return forms.time_of_day(typed) if typed.strip() else None

    @field
    def notes(self, _typed: str) -> str | None:
        return self._booking.notes

    def wrong_together(self, values: Mapping[str, Any]) -> Mapping[str, str]:
        first, last = values["first_day"], values["last_day"] or values["first_day"]
        if last < first:
            return {"last_day": "This must not be before the first day."}
        if (last - first).days >= LONGEST:
            return {"last_day": f"These are more than {LONGEST} days: choose fewer."}
        since, until = values["from_time"], values["until_time"]
        if since and until and until <= since:
            return {"until_time": "This must be after the time from which they can come."}
        return {}

    def _to_come(self, typed: str) -> date:
        day = forms.day(typed)
        if not self._today <= day <= self._today + FARTHEST:
            raise ValueError(f"This must be from today on, at most {FARTHEST.days} days ahead.")
        return day


@dataclass(frozen=True)
class FreeTime:
    """A time (UTC) at which a barber could take somebody."""

    at: datetime
    barber: Barber


@dataclass(frozen=True)
class Entry:
    """Somebody who waits, with service and barber, and the free times that `fit`, the first SHOWN.

    `write_to` is a booking of theirs under which WhatsApp takes an answer now; empty: call them.
    """

    waiting: Waiting
    fits: Sequence[FreeTime] = ()
    write_to: str = ""


def form_of(session: Session, typed: Mapping[str, str]) -> WaitingForm:
    """What was typed, to be read by this shop's rules."""
    given = {name: typed.get(name, "") for name in WaitingForm.names}
    today = clock.now().astimezone(time_zone(shop(session))).date()
    return WaitingForm(given, service.form(session, {n: given[n] for n in _OF_BOOKING}), today)


def add(session: Session, typed: Mapping[str, str], actor: str) -> Waiting:
    """Put somebody on the list. Raises Invalid, and Conflict `too_many` and `on_the_list`."""
    values = form_of(session, typed).checked()
    values["last_day"] = values["last_day"] or values["first_day"]
    if wrong := _unknown(session, values):
        raise Invalid(wrong)
    values["service_id"] = several.made(session, values["service_id"])
    row = locked(session)  # so that of two presses at once the second one sees the first
    values["person"] = person_of(values["customer_phone"])
    _check_new(session, values)
    new = Waiting(id=f"waiting_{ULID()}", shop_id=row.id, created_at=clock.now(), **values)
    session.add(new)
    session.flush()
    audit.record(session, actor, "waiting.added", new.id)
    return new


def wrong(session: Session, typed: Mapping[str, str]) -> list[FieldError]:
    """What is wrong with these fields of WaitingForm, each by itself."""
    try:
        form_of(session, typed).checked(typed.keys())
    except Invalid as invalid:
        return invalid.errors
    return []


def _check_new(session: Session, values: Mapping[str, Any]) -> None:
    if len(session.scalars(_OPEN.with_only_columns(Waiting.id).limit(MOST)).all()) >= MOST:
        raise Conflict("too_many", f"{MOST} people wait; remove some who do not any more.")
    same = [getattr(Waiting, name) == values[name] for name in _OF_WISH]
    if session.scalar(_OPEN.with_only_columns(Waiting.id).where(*same).limit(1)):
        raise Conflict("on_the_list", f"{values['customer_name']} waits for just that already.")


def entries(session: Session, most: int = MOST) -> list[Entry]:
    """Who waits for a day to come, the next first, with what fits the first LOOKED_AT of them."""
    today = clock.now().astimezone(time_zone(shop(session))).date()
    query = _OPEN.where(_waits(session)).options(*_NAMES).limit(most)
    rows = session.scalars(query).all()
    looked_at = rows[:LOOKED_AT]
    fits = _fits(session, looked_at, today) if looked_at else {}
    write_to = _open_conversations(session, rows)
    return [Entry(each, fits.get(each.id, ()), write_to.get(each.person, "")) for each in rows]


def get(session: Session, id: str) -> Waiting:
    """Who waits, or did. Raises NotFound."""
    waiting = session.get(Waiting, id, populate_existing=True)
    if waiting is None:
        raise NotFound("There is nobody of that id on the waiting list.")
    return waiting


def count(session: Session, most: int) -> ScalarSelect[int]:
    """How many wait for a day to come, for a statement that asks for more; `most` are counted."""
    some = select(literal(1)).select_from(Waiting).where(_waits(session)).limit(most)
    return select(func.count()).select_from(some.subquery()).scalar_subquery()


def _waits(session: Session) -> ColumnElement[bool]:
    """Whether they wait for a day to come, and have not been booked since for one of their days in
    some other way.
    """
    row = shop(session)
    now = clock.now().astimezone(time_zone(row))
    day = local_day(session, Booking.starts_at, now.utcoffset() or timedelta())
    served = exists().where(
        Booking.person == Waiting.person,
        Booking.status == "confirmed",
        Booking.created_at >= Waiting.created_at,
        day >= Waiting.first_day,
        day <= Waiting.last_day,
    )
    return and_(_IS_OPEN, Waiting.shop_id == row.id, Waiting.last_day >= now.date(), ~served)


def lately(session: Session, most: int) -> Sequence[Waiting]:
    """Those who were given a place, with it, or were removed; the last first."""
    ended = select(Waiting).where(Waiting.shop_id == shop(session).id)
    ended = ended.where(Waiting.ended_at.is_not(None)).order_by(Waiting.ended_at.desc())
    return session.scalars(ended.options(*_NAMES, joinedload(Waiting.booking)).limit(most)).all()


def book(session: Session, id: str, barber_id: str, at: datetime, actor: str) -> Booking:
    """Book what they wait for at that time (aware) with that barber; they wait no longer.

    Raises NotFound, Invalid, and Conflict `not_waiting`, `barber_taken` and `outside_hours`.
    """
    waiting = _open(session, id)
    fields = {name: getattr(waiting, name) for name in _OF_BOOKING}
    blank = dict.fromkeys(BookingForm.names)
    place = {"barber_id": barber_id, "scheduled_time": at, "allow_overlap": False}
    booking, _ = service.create(session, {**blank, **fields, **place}, actor)
    series.check_free(session, booking)
    _end(session, waiting, "booked", booking.id)
    audit.record(session, actor, "waiting.booked", id, booking=booking.id)
    return booking


def remove(session: Session, id: str, actor: str) -> Waiting:
    """They do not wait any more. Raises NotFound, and Conflict `not_waiting`."""
    waiting = _open(session, id)
    _end(session, waiting, "removed", None)
    audit.record(session, actor, "waiting.removed", id)
    return waiting


def reopen(session: Session, id: str, actor: str) -> Waiting:
    """They wait again. What they were given meanwhile is cancelled, and they are told of that only
    if any message of it was sent. Raises NotFound, and Conflict as `service.cancel`.
    """
    waiting = get(session, id)
    if waiting.booking_id:
        knows = session.scalar(_TRIED.where(Message.booking_id == waiting.booking_id))
        service.cancel(session, waiting.booking_id, actor, told=knows is None)
    open_again = {"ended_at": None, "reason": None, "booking_id": None}
    has_ended = (Waiting.id == id) & Waiting.ended_at.is_not(None)
    if set_if(session, Waiting, has_ended, **open_again):
        audit.record(session, actor, "waiting.reopened", id)
    return waiting


def _fits(session: Session, rows: Sequence[Waiting], today: date) -> dict[str, Sequence[FreeTime]]:
    """What fits each, by its id: the free times of a service are looked for once."""
    first = max(today, min(each.first_day for each in rows))
    days = availability.calendar(session, first, max(each.last_day for each in rows) + _DAY)
    by_service: dict[str, list[Waiting]] = {}
    for each in rows:
        by_service.setdefault(each.service_id, []).append(each)
    fits: dict[str, Sequence[FreeTime]] = {}
    for wanting in by_service.values():
        free = _free(session, wanting, days)
        fits |= {each.id: list(_fitting(each, free, days.zone)) for each in wanting}
    return fits


def _free(session: Session, wanting: Sequence[Waiting], days: Calendar) -> list[FreeTime]:
    """When somebody could do the service that they all want, from the first of their days to the
    last: by time, and of one time in the shop's order.
    """
    who = any_barber.doers(session, wanting[0].service_id)
    since = clock.midnight(max(days.first, min(each.first_day for each in wanting)), days.zone)
    until = clock.midnight(max(each.last_day for each in wanting) + _DAY, days.zone)
    need = Need.of_service(wanting[0].service)
    free = availability.free_between(session, who, need, since, until, days=days)
    times = sorted((at, place) for place, each in enumerate(who) for at in free[each.id])
    return [FreeTime(at, who[place]) for at, place in times]


def _fitting(waiting: Waiting, free: Sequence[FreeTime], zone: ZoneInfo) -> Iterator[FreeTime]:
    """The first SHOWN of them that fit, each time once."""
    since = clock.midnight(waiting.first_day, zone)
    until = clock.midnight(waiting.last_day + _DAY, zone)
    seen: set[datetime] = set()
    for each in free[bisect_left(free, since, key=lambda one: one.at) :]:
        if each.at >= until or len(seen) == SHOWN:
            return
        is_theirs = waiting.barber_id in {None, each.barber.id}
        if is_theirs and each.at not in seen and _suits(waiting, each.at.astimezone(zone).time()):
            seen.add(each.at)
            yield each


def _suits(waiting: Waiting, at: time) -> bool:
    return (waiting.from_time or time.min) <= at and at <= (waiting.until_time or time.max)


def _open_conversations(session: Session, rows: Sequence[Waiting]) -> dict[str, str]:
    """A booking of each of them to whom WhatsApp takes free text now, by person."""
    known = customers.find_all(session, [each.customer_phone for each in rows]) if rows else {}
    now = clock.now()
    people = [
        person
        for person, each in known.items()
        if (closes := customers.window_closes(each)) and closes > now and not each.opted_out_at
    ]
    if not people:
        return {}
    newest = (
        select(Booking.person, Booking.id)
        .where(Booking.person.in_(people))
        .order_by(Booking.starts_at)
    )
    return {person: id for person, id in session.execute(newest) if person}


def _open(session: Session, id: str) -> Waiting:
    """Raises NotFound, and Conflict `not_waiting`."""
    waiting = get(session, id)
    if waiting.ended_at is not None:
        raise Conflict("not_waiting", f"{waiting.customer_name} does not wait any more.")
    return waiting


def _end(session: Session, waiting: Waiting, reason: str, booking_id: str | None) -> None:
    """Raises Conflict `not_waiting` if somebody else was first."""
    ended = {"ended_at": clock.now(), "reason": reason, "booking_id": booking_id}
    is_open = (Waiting.id == waiting.id) & Waiting.ended_at.is_(None)
    if not set_if(session, Waiting, is_open, **ended):
        raise Conflict("not_waiting", f"{waiting.customer_name} does not wait any more.")


def _unknown(session: Session, values: Mapping[str, Any]) -> list[FieldError]:
    """What is not offered, or not by that barber."""
    wanted = set(values["service_id"].split(PARTS_JOIN))
    offered = {each.id for each in services(session)}
    doers = any_barber.doers(session, values["service_id"])
    if wanted - offered or not doers:
        return [FieldError("service_id", "Choose a service that somebody does.")]
    if values["barber_id"] and values["barber_id"] not in {each.id for each in doers}:
        there = barber(session, values["barber_id"])
        name = there.name if there in barbers(session) and there else "This barber"
        return [FieldError("barber_id", f"{name} does not do that: choose another.")]
    return []


_IS_OPEN = Waiting.ended_at.is_(None)
_OPEN = select(Waiting).where(_IS_OPEN).order_by(Waiting.first_day, Waiting.created_at, Waiting.id)
_TRIED = select(Message.id).where(Message.attempts > 0).limit(1)
_NAMES = (joinedload(Waiting.service), joinedload(Waiting.barber))
