"""A series: a booking that comes again every so many weeks, made after a look at what clashes.

Each of its bookings is one like any other, with its own plan of reminders; they have a series in
common. The first is a booking that is there.
"""

from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from itertools import groupby
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session
from ulid import ULID

from app import clock, forms
from app.bookings import availability, service
from app.bookings.availability import Outside
from app.bookings.fields import COLUMNS, FARTHEST, BookingForm
from app.bookings.need import Need
from app.errors import Conflict
from app.forms import Form, field
from app.models.booking import Booking
from app.models.series import Series
from app.models.shop import Barber
from app.reminders.plan import PlanTooLong
from app.shop import service as shop_service
from app.shop import several
from app.shop.service import shop, time_zone
from app.staff import audit

MOST = 52
"""Bookings of a series, when it is made; a last one can be repeated again."""
MOST_WEEKS = 52

_OF_ITS_PRICE = frozenset({"price", "discount", "discount_reason"})
_DAY = timedelta(days=1)
_AROUND = 3  # days before and after one that cannot be, which are offered instead


class SeriesForm(Form):
    """How a booking repeats: every so many weeks, so many `times` with itself, or `until` a day.

    `ends` says which of the two counts. `first` is the booking's own day, `today` the shop's.
    """

    def __init__(self, given: Mapping[str, Any], first: date, today: date) -> None:
        super().__init__(given)
        self._first, self._farthest = first, today + FARTHEST

    @field
    def weeks(self, typed: str) -> int:
        hint = f"This must be a number of weeks from 1 to {MOST_WEEKS}."
        return forms.whole_number(typed, 1, MOST_WEEKS, hint)

    @field
    def ends(self, typed: str) -> str:
        return forms.one_of(typed, ("times", "until"))

    @field
    def times(self, typed: str) -> int | None:
        if self.ends != "times":
            return None
        hint = f"This must be a number from 2 to {MOST}. To go on, repeat the last one later."
        return forms.whole_number(typed, 2, MOST, hint)

    @field
    def until(self, typed: str) -> date | None:
        if self.ends != "until":
            return None
        day = forms.day(typed)
        if day <= self._first:
            raise ValueError("This must be after the booking’s own day.")
        if day > self._farthest:
            raise ValueError(f"No booking is more than {FARTHEST.days} days ahead: {self._latest}.")
        return day

    @property
    def _latest(self) -> str:
        return f"{self._farthest.isoformat()} is the latest"

    def wrong_together(self, values: Mapping[str, Any]) -> Mapping[str, str]:
        weeks, times = values["weeks"], values["times"]
        most = 1 + (self._farthest - self._first).days // (7 * weeks)
        if times and times > most:
            what = f"{most} times at the most" if most > 1 else "choose fewer weeks"
            return {"times": f"No booking is more than {FARTHEST.days} days ahead: {what}."}
        if values["until"] and not 1 <= (values["until"] - self._first).days // (7 * weeks) < MOST:
            return {"until": f"There must be 2 to {MOST} bookings until then. {self._latest}."}
        return {}

    def days(self) -> list[date]:
        """The days after the first. Raises Invalid with all that is wrong."""
        values = self.checked()
        until = values["until"] or date.max
        most = values["times"] or MOST
        every = timedelta(weeks=values["weeks"])
        return [day for n in range(1, most) if (day := self._first + n * every) <= until]


@dataclass(frozen=True)
class Visit:
    """A booking of a series as it is wanted: `at` (UTC), with `barber`, and why nobody is booked
    then, if that is so: it is `outside`, or others are `taken` in. `free` are times around it.

    `key` names it in a form. `was` is the booking that it changes.
    """

    key: str
    at: datetime
    need: Need
    barber: Barber
    outside: Outside | None
    taken: Sequence[Booking]
    free: Sequence[datetime] = ()
    was: Booking | None = None

    @property
    def is_free(self) -> bool:
        return not (self.outside or self.taken)


def form_of(session: Session, booking: Booking, typed: Mapping[str, Any]) -> SeriesForm:
    """How it is to repeat, as it was typed."""
    zone = time_zone(shop(session))
    first, today = (at.astimezone(zone).date() for at in (booking.starts_at, clock.now()))
    return SeriesForm(typed, first, today)


def visits(session: Session, booking: Booking, days: Sequence[date]) -> list[Visit]:
    """What the booking would come to on these days, at its time of the clock.

    Days that are over are left out. Raises Conflict `no_phone` and `barber_left`.
    """
    service.phone_of(booking)
    zone = time_zone(shop(session))
    at = booking.starts_at.astimezone(zone).time()
    wanted = [(day.isoformat(), clock.first_moment(day, at, zone), None) for day in days]
    to_come = [each for each in wanted if each[1] > clock.now()]
    need = Need.of_booking(booking)
    return looked_at(session, barber_of(session, booking.barber_id), need, to_come)


def looked_at(
    session: Session,
    barber: Barber,
    need: Need,
    wanted: Sequence[tuple[str, datetime, Booking | None]],
    but: Set[str] = frozenset(),
) -> list[Visit]:
    """Visits with that barber: a key, when, and the booking that is moved there, if one is.

    The bookings with the ids `but` are in nobody's way.
    """
    places = [(barber, at, at + need.length) for _, at, _ in wanted]
    outside = availability.outside_of_each(session, places)
    return [
        _visit(session, Visit(key, at, need, barber, why, (), (), was), but)
        for (key, at, was), why in zip(wanted, outside, strict=True)
    ]


def make(
    session: Session,
    booking_id: str,
    weeks: int,
    chosen: Sequence[datetime],
    actor: str,
    agreed: int | None = None,
) -> list[Booking]:
    """Book the same again at these times (aware): all of them or, when one fails, none.

    With the booking they are a series; one that is of a series already makes that longer. `agreed`
    is as in `service.create`. Raises NotFound, Conflict `no_phone`, `barber_taken`,
    `outside_hours` and `none_chosen`, and Invalid.
    """
    booking = service.locked(session, booking_id)
    service.phone_of(booking)
    if not chosen:
        raise Conflict("none_chosen", "Every day is left out: choose a time for one of them.")
    if len(chosen) >= MOST:
        raise Conflict("too_many", f"A series has {MOST} bookings at the most.")
    if booking.series_id is None:
        booking.series_id = _new(session, weeks)
        booking.updated_at = clock.now()
    made = [_again(session, booking, at, actor, agreed) for at in sorted(set(chosen))]
    details = {"series": booking.series_id, "bookings": len(made)}
    audit.record(session, actor, "booking.repeated", booking.id, **details)
    return made


def most_reminders(session: Session, times: Sequence[datetime]) -> tuple[int, int]:
    """How many reminders bookings at these times get: the most of one, and all together.

    What the policy makes too many of counts as none; `make` refuses it.
    """
    numbers = [_reminders(session, at) for at in times]
    return max(numbers, default=0), sum(numbers)


def place_of(session: Session, booking: Booking) -> tuple[int, int, int] | None:
    """Which of how many it is, and every how many weeks; None for one that is of no series.

    Those that were cancelled do not count.
    """
    if booking.series_id is None:
        return None
    is_there = Booking.series_id == booking.series_id, Booking.status != "cancelled"
    before = func.count().filter(Booking.starts_at <= booking.starts_at)
    number, place = session.execute(select(func.count(), before).where(*is_there)).one()
    return place, number, session.get_one(Series, booking.series_id).weeks


def check_free(session: Session, booking: Booking) -> None:
    """Raises Conflict `outside_hours` if nobody is booked at its time as a rule."""
    barber = shop_service.barber(session, booking.barber_id)
    if availability.outside(session, barber, booking.starts_at, booking.ends_at):
        day = f"{booking.starts_at.astimezone(time_zone(shop(session))):%Y-%m-%d %H:%M}"
        raise Conflict("outside_hours", f"{day} is closed by now: look at the days again.")


def barber_of(session: Session, barber_id: str) -> Barber:
    """One who takes bookings. Raises Conflict `barber_left`."""
    barber = shop_service.barber(session, barber_id)
    if barber is None or not barber.active:
        name = barber.name if barber else barber_id
        raise Conflict("barber_left", f"{name} cannot be booked any more: choose another barber.")
    return barber


def _visit(session: Session, bare: Visit, but: Set[str]) -> Visit:
    """The visit with what is in its way, and what is free around it."""
    others = availability.overlapping(bare.barber.id, *bare.need.busy(bare.at))
    taken = [each for each in session.scalars(others) if each.id not in but]
    seen = replace(bare, taken=taken)
    return seen if seen.is_free else replace(seen, free=list(_around(session, seen)))


def _around(session: Session, visit: Visit) -> Iterator[datetime]:
    """All free times of that day, and of those around it the nearest to its hour."""
    zone, who = time_zone(shop(session)), visit.barber
    local = visit.at.astimezone(zone)
    since, until = (clock.midnight(local.date() + n * _DAY, zone) for n in (-_AROUND, _AROUND + 1))
    but = visit.was.id if visit.was else ""
    free = availability.free_between(session, [who], visit.need, since, until, but)[who.id]
    for on, times in groupby(free, key=lambda each: each.astimezone(zone).date()):
        wanted = clock.first_moment(on, local.time(), zone)
        if on == local.date():
            yield from times
        else:
            yield min(times, key=lambda each: abs(each - wanted))


def _new(session: Session, weeks: int) -> str:
    row = Series(
        id=f"series_{ULID()}", shop_id=shop(session).id, weeks=weeks, created_at=clock.now()
    )
    session.add(row)
    session.flush()
    return row.id


def _again(
    session: Session, booking: Booking, at: datetime, actor: str, agreed: int | None
) -> Booking:
    """All that staff typed of the first, but for its price: at what the services cost now."""
    fields: dict[str, Any] = dict.fromkeys(BookingForm.names)
    fields |= {name: getattr(booking, name) for name in COLUMNS if name not in _OF_ITS_PRICE}
    services = several.key_of(session, booking.service_id)
    fields |= {"service_id": services, "scheduled_time": at, "allow_overlap": False}
    made, _ = service.create(session, fields, actor, agreed)
    check_free(session, made)
    made.series_id = booking.series_id
    session.flush()
    return made


def _reminders(session: Session, at: datetime) -> int:
    try:
        times = service.planned_from_now(session, at)
    except PlanTooLong:
        return 0
    return times.going(0, times.count)
