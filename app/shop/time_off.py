"""Closed days of the shop, and when barbers are away: entered, listed, removed.

An absence is kept as two moments, as a booking is. One that repeats is at the same times of the
shop's clock each week, however the clock is changed meanwhile.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from itertools import count
from typing import Any, NamedTuple, cast
from zoneinfo import ZoneInfo

from sqlalchemy import or_, select
from sqlalchemy.orm import Session
from ulid import ULID

from app import clock, forms
from app.errors import Conflict, NotFound
from app.forms import Form, field
from app.kept import Kept
from app.models.shop import Barber
from app.models.time_off import Absence, Closure
from app.rows import table_of
from app.shop.changes import locked
from app.shop.service import shop, time_zone
from app.staff import audit
from app.staff.accounts import clean_name

LONGEST = 731
"""Days of a closure, and of an absence."""
MOST = 200
"""Closures of a shop that are to come, and absences of a barber."""

_YEARS = range(2000, 2101)
_WEEK = timedelta(days=7)
_DAY = timedelta(days=1)


class Away(NamedTuple):
    """From when to when a barber is away, in UTC, and what it is called."""

    begins: datetime
    ends: datetime
    name: str


class Closed(NamedTuple):
    """What the shop is closed for, from one day to another."""

    name: str
    first_day: date
    last_day: date


class ClosureForm(Form):
    """Closed days; without a last day it is a single one."""

    @field
    def name(self, typed: str) -> str:
        return clean_name(typed)

    @field
    def first_day(self, typed: str) -> date:
        return _day(typed)

    @field
    def last_day(self, typed: str) -> date | None:
        return _day(typed) if typed else None

    def wrong_together(self, values: Mapping[str, Any]) -> Mapping[str, str]:
        return _wrong_days(values)

    def columns(self) -> dict[str, Any]:
        """The values of a Closure. Raises Invalid with all that is wrong."""
        values = self.checked()
        return {**values, "last_day": values["last_day"] or values["first_day"]}


class AbsenceForm(Form):
    """An absence as it is typed: days, and times on the shop's clock.

    Without times it is whole days, without a last day a single one.
    """

    def __init__(self, given: Mapping[str, str], zone: ZoneInfo) -> None:
        super().__init__(given)
        self._zone = zone

    @field
    def name(self, typed: str) -> str:
        return clean_name(typed)

    @field
    def first_day(self, typed: str) -> date:
        return _day(typed)

    @field
    def from_time(self, typed: str) -> time | None:
        return forms.time_of_day(typed) if typed.strip() else None

    @field
    def last_day(self, typed: str) -> date | None:
        return _day(typed) if typed else None

    @field
    def until_time(self, typed: str) -> time | None:
        return forms.time_of_day(typed) if typed.strip() else None

    @field
    def repeats(self, typed: str) -> bool:
        return typed == "1"

    @field
    def repeats_until(self, typed: str) -> date | None:
        return _day(typed) if typed and self.repeats else None

    def wrong_together(self, values: Mapping[str, Any]) -> Mapping[str, str]:
        return _wrong_days(values) or _wrong_span(*self._span(values), values, "until_time")

    def columns(self) -> dict[str, Any]:
        """The values of an Absence. Raises Invalid with all that is wrong."""
        values = self.checked()
        starts_at, ends_at = self._span(values)
        kept = {name: values[name] for name in ("name", "repeats", "repeats_until")}
        return {**kept, "starts_at": starts_at, "ends_at": ends_at}

    def _span(self, values: Mapping[str, Any]) -> tuple[datetime, datetime]:
        first, last = values["first_day"], values["last_day"] or values["first_day"]
        starts_at = clock.first_moment(first, values["from_time"] or time(), self._zone)
        if values["until_time"] is None:
            return starts_at, clock.midnight(last + _DAY, self._zone)
        return starts_at, clock.last_moment(last, values["until_time"], self._zone)


class AbsenceFields(Form):
    """The same with moments (aware), as the API has them; `repeats` is "weekly" or None."""

    @field
    def name(self, given: str) -> str:
        return clean_name(given)

    @field
    def starts_at(self, given: datetime) -> datetime:
        return _moment(given)

    @field
    def ends_at(self, given: datetime) -> datetime:
        return _moment(given)

    @field
    def repeats(self, given: str | None) -> bool:
        if given not in {None, "", "weekly"}:
            raise ValueError("This must be “weekly”, or null.")
        return given == "weekly"

    @field
    def repeats_until(self, given: str | None) -> date | None:
        until = _day(given) if given else None
        if until and not self.repeats:
            raise ValueError("Only what repeats has this.")
        return until

    def wrong_together(self, values: Mapping[str, Any]) -> Mapping[str, str]:
        return _wrong_span(values["starts_at"], values["ends_at"], values, "ends_at")


def closures(session: Session, since: date, until: date | None = None) -> Sequence[Closure]:
    """Those that have a day from `since` to `until`, by their first day."""
    query = select(Closure).where(
        Closure.shop_id == shop(session).id,
        Closure.last_day >= since,
        *([Closure.first_day <= until] if until else []),
    )
    return session.scalars(query.order_by(Closure.first_day, Closure.id)).all()


def closed(session: Session, since: date, until: date) -> Sequence[Closed]:
    """The same as plain rows, which are kept (`app.kept`)."""
    return _CLOSED.of(session, (since, until))


def absences(session: Session, barber_id: str) -> list[Absence]:
    """A barber's that are not over, by their beginning. Raises NotFound."""
    _barber(session, barber_id)
    rows = session.scalars(
        select(Absence)
        .where(Absence.barber_id == barber_id)
        .order_by(Absence.starts_at, Absence.id)
    )
    now, zone = clock.now(), time_zone(shop(session))
    return [each for each in rows if not _is_over(each, now, zone)]


def away(session: Session, since: datetime, until: datetime) -> dict[str, list[Away]]:
    """When barbers are away between the two, by their ids, in order."""
    row = shop(session)
    by_barber: dict[str, list[Away]] = {}
    for each in _ABSENT.of(session, (since, until)):
        found = occurrences(each, since, until, time_zone(row))
        by_barber.setdefault(each.barber_id, []).extend(found)
    return {barber_id: sorted(found) for barber_id, found in by_barber.items()}


def occurrences(of: Absence, since: datetime, until: datetime, zone: ZoneInfo) -> Iterator[Away]:
    """When an absence is, as far as that lies between the two, in order."""
    if not of.repeats:
        if of.starts_at < until and since < of.ends_at:
            yield Away(of.starts_at, of.ends_at, of.name)
        return
    begin, end = of.starts_at.astimezone(zone), of.ends_at.astimezone(zone)
    for weeks in count(max(0, (since - of.ends_at) // _WEEK)):
        first, last = begin.date() + weeks * _WEEK, end.date() + weeks * _WEEK
        starts_at = clock.first_moment(first, begin.time(), zone) if weeks else of.starts_at
        ends_at = clock.last_moment(last, end.time(), zone) if weeks else of.ends_at
        if starts_at >= until or (of.repeats_until and first > of.repeats_until):
            return
        if since < ends_at and starts_at < ends_at:
            yield Away(starts_at, ends_at, of.name)


def add_closures(
    session: Session, of: Sequence[Mapping[str, Any]], actor: str
) -> Sequence[Closure]:
    """Close the shop on days that a ClosureForm has checked; what is there already stays one.

    Raises Conflict `too_many`.
    """
    row = locked(session)
    there = closures(session, clock.now().date() - _DAY)
    if len(there) + len(of) > MOST:
        raise Conflict("too_many", f"There are {len(there)} closed days to come; {MOST} at most.")
    return [_close(session, row.id, values, actor) for values in of]


def add_absence(session: Session, barber_id: str, values: Mapping[str, Any], actor: str) -> Absence:
    """Note when a barber is away, by checked values; what is there already stays one.

    Raises NotFound, and Conflict `too_many`.
    """
    row = locked(session)
    barber = _barber(session, barber_id)
    there = absences(session, barber_id)
    for each in there:
        if all(getattr(each, name) == value for name, value in values.items()):
            return each
    if len(there) >= MOST:
        raise Conflict("too_many", f"{barber.name} is away {len(there)} times; {MOST} at most.")
    new = Absence(id=f"absence_{ULID()}", shop_id=row.id, barber_id=barber_id, **values)
    session.add(new)
    session.flush()
    details = {"name": new.name, "starts_at": new.starts_at.isoformat()}
    audit.record(session, actor, "barber.away", f"barber:{barber_id}", **details)
    return new


def remove_closure(session: Session, closure_id: str, actor: str) -> Closure:
    """Open the shop again on these days. Raises NotFound."""
    locked(session)
    closure = session.get(Closure, closure_id)
    if closure is None:
        raise NotFound("There is no such closed day.")
    session.delete(closure)
    audit.record(session, actor, "shop.opened", "shop", days=_days(closure), name=closure.name)
    return closure


def remove_absence(session: Session, barber_id: str, absence_id: str, actor: str) -> Absence:
    """Take an absence back. Raises NotFound."""
    locked(session)
    absence = session.get(Absence, absence_id)
    if absence is None or absence.barber_id != barber_id:
        raise NotFound("There is no such absence of this barber.")
    session.delete(absence)
    details = {"name": absence.name, "starts_at": absence.starts_at.isoformat()}
    audit.record(session, actor, "barber.back", f"barber:{barber_id}", **details)
    return absence


def _close(session: Session, shop_id: int, values: Mapping[str, Any], actor: str) -> Closure:
    same = select(Closure).where(
        Closure.shop_id == shop_id, *(getattr(Closure, name) == values[name] for name in values)
    )
    there = session.scalars(same.limit(1)).one_or_none()
    if there is not None:
        return there
    new = Closure(id=f"closure_{ULID()}", shop_id=shop_id, **values)
    session.add(new)
    session.flush()
    audit.record(session, actor, "shop.closed", "shop", days=_days(new), name=new.name)
    return new


def _is_over(absence: Absence, now: datetime, zone: ZoneInfo) -> bool:
    if not absence.repeats:
        return absence.ends_at <= now
    until = absence.repeats_until
    return until is not None and clock.midnight(until + _DAY, zone) <= now


def _barber(session: Session, barber_id: str) -> Barber:
    barber = session.get(Barber, barber_id)
    if barber is None:
        raise NotFound("There is no such barber.")
    return barber


def _days(closure: Closure) -> str:
    if closure.first_day == closure.last_day:
        return f"{closure.first_day}"
    return f"{closure.first_day} – {closure.last_day}"


# --- what is right ---


def _day(text: str) -> date:
    """Raises ValueError."""
    day = forms.day(text)
    if day.year not in _YEARS:
        raise ValueError(f"This must be between {_YEARS[0]} and {_YEARS[-1]}.")
    return day


def _moment(given: datetime) -> datetime:
    """Raises ValueError."""
    if given.tzinfo is None:
        raise ValueError(clock.OFFSET_HINT)
    if given.year not in _YEARS:
        raise ValueError(f"This must be between {_YEARS[0]} and {_YEARS[-1]}.")
    return given.astimezone(UTC).replace(second=0, microsecond=0)


def _wrong_days(values: Mapping[str, Any]) -> dict[str, str]:
    first, last = values["first_day"], values["last_day"] or values["first_day"]
    if last < first:
        return {"last_day": "This must not be before the first day."}
    if (last - first).days >= LONGEST:
        return {"last_day": f"This is more than {LONGEST} days later."}
    return {}


def _wrong_span(
    starts_at: datetime, ends_at: datetime, values: Mapping[str, Any], name: str
) -> dict[str, str]:
    if ends_at <= starts_at:
        return {name: "This must be after it begins."}
    if ends_at - starts_at > timedelta(days=LONGEST):
        return {name: f"This is more than {LONGEST} days later."}
    if values["repeats"] and ends_at - starts_at > _WEEK - _DAY:
        return {"repeats": "What repeats each week lasts six days at the most."}
    until = values["repeats_until"]
    if until and until < (starts_at.date() if "first_day" not in values else values["first_day"]):
        return {"repeats_until": "This must not be before it begins."}
    return {}


def _read_closed(session: Session, days: tuple[date, date]) -> tuple[Closed, ...]:
    found = closures(session, *days)
    return tuple(Closed(each.name, each.first_day, each.last_day) for each in found)


def _read_absent(session: Session, limits: tuple[datetime, datetime]) -> tuple[Absence, ...]:
    since, until = limits
    query = select(*table_of(Absence).c).where(
        Absence.shop_id == shop(session).id,
        Absence.starts_at < until,
        or_(Absence.repeats, Absence.ends_at > since),
    )
    return cast(tuple[Absence, ...], tuple(session.execute(query)))


_CLOSED = Kept(_read_closed, Closure)
_ABSENT = Kept(_read_absent, Absence)
