"""When a barber can be booked: their hours, or the shop's, less closed days, what they are away
for, and what is booked.

This is the one place that knows. Board, form, API and warnings ask here.
"""

from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, Select, and_, select
from sqlalchemy.orm import Session, joinedload

from app import clock
from app.bookings.fields import FARTHEST
from app.bookings.need import Need
from app.models.booking import Booking
from app.models.shop import Barber
from app.models.time_off import Absence
from app.models.week import Week, every_day
from app.shop import catalogue, hours, time_off
from app.shop.hours import Span
from app.shop.service import barber, shop, time_zone
from app.shop.time_off import Away, Closed

LONGEST = timedelta(hours=12)
"""Of a service: how far back a booking may begin and still go on."""
LONGEST_BUFFER = timedelta(minutes=catalogue.LONGEST_BUFFER)
"""How long before it, or after it, a booking may keep its barber busy."""

_STEP = timedelta(minutes=15)
_DAY = timedelta(days=1)
_LOOK_AHEAD = 21  # days
_AT_ONCE = 1_000


@dataclass(frozen=True)
class Outside:
    """Why nobody is booked then as a rule: the shop is `closed` (the name of that), else the barber
    is `away`, else it is not within the `hours` that begin that day, of which there may be none.
    """

    hours: Sequence[Span]
    is_own: bool
    closed: str = ""
    away: Away | None = None


@dataclass(frozen=True)
class Calendar:
    """When barbers take bookings on the days from `first` to `last`, whatever is booked.

    All of it takes a barber, or None for the shop.
    """

    first: date
    last: date
    zone: ZoneInfo
    week: Week
    closed: Mapping[date, str] = field(default_factory=dict)
    away: Mapping[str, Sequence[Away]] = field(default_factory=dict)
    _open: dict[str, list[Span]] = field(default_factory=dict, repr=False, compare=False)
    _open_on: dict[tuple[str, date], list[Span]] = field(
        default_factory=dict, repr=False, compare=False
    )

    def open(self, barber: Barber | None) -> list[Span]:
        """From when to when, in order; what lies at the edges is whole."""
        key = self.whose_hours(barber)
        if key not in self._open:
            taken = [(each.begins, each.ends) for each in self.away.get(key, ())]
            self._open[key] = hours.less(self._spans(barber), taken)
        return self._open[key]

    def whose_hours(self, barber: Barber | None) -> str:
        """The same for all who are open at the same times: most barbers have the shop's hours,
        which are worked out once.
        """
        if barber is None or (barber.weekly_hours is None and barber.id not in self.away):
            return ""
        return barber.id

    def _spans(self, barber: Barber | None) -> list[Span]:
        """Whoever is away."""
        if barber is not None and barber.weekly_hours is None:
            return self.open(None)
        return hours.around(self._week(barber), self.first, self.last, self.zone, self.closed)

    def open_on(self, barber: Barber | None, day: date) -> list[Span]:
        """What of it is on that day, of hours that began the day before too."""
        key = self.whose_hours(barber), day
        if key not in self._open_on:
            limits = hours.of_calendar_day(day, self.zone)
            self._open_on[key] = hours.within(self.open(barber), limits)
        return self._open_on[key]

    def outside(
        self, barber: Barber | None, starts_at: datetime, ends_at: datetime
    ) -> Outside | None:
        """Why not, if some of the time lies outside of it."""
        spans = self.open(barber)
        last = bisect_right(spans, starts_at, key=lambda span: span[0]) - 1
        if last >= 0 and ends_at <= spans[last][1]:
            return None
        day = starts_at.astimezone(self.zone).date()
        is_own = barber is not None and barber.weekly_hours is not None
        away = self.away.get(barber.id, ()) if barber else ()
        return Outside(
            hours.of_day(self._week(barber), day, self.zone),
            is_own,
            self.closed.get(day, ""),
            next((each for each in away if each.begins < ends_at and starts_at < each.ends), None),
        )

    def day_off(self, barber: Barber | None, day: date) -> Outside | None:
        """Why they take no bookings on that day at all, if they do not."""
        if self.open_on(barber, day):
            return None
        return self.outside(barber, *hours.of_calendar_day(day, self.zone))

    def usual_on(self, day: date) -> Span:
        """What of a day on which nobody works would be their hours: from when to when."""
        opens, closes = hours.usual(self.week)
        [span] = hours.of_day(every_day(opens, closes), day, self.zone) or [
            hours.of_calendar_day(day, self.zone)
        ]
        return span

    def _week(self, barber: Barber | None) -> Week:
        return self.week if barber is None or barber.weekly_hours is None else barber.weekly_hours


def calendar(session: Session, first: date, last: date) -> Calendar:
    """The calendar of these days of the shop's."""
    row = shop(session)
    zone, edges = time_zone(row), (first - _DAY, last + _DAY)
    closed = {
        day: closure.name
        for closure in time_off.closed(session, *edges)
        for day in _days_of(closure, *edges)
    }
    limits = clock.midnight(edges[0], zone), clock.midnight(edges[1] + 2 * _DAY, zone)
    away = time_off.away(session, *limits)
    return Calendar(first, last, zone, row.weekly_hours, closed, away)


def _days_of(closure: Closed, first: date, last: date) -> Iterator[date]:
    day = max(closure.first_day, first)
    while day <= min(closure.last_day, last):
        yield day
        day += _DAY


Place = tuple[Barber | None, datetime, datetime]
"""A barber (None: the shop), from when and to when."""


def outside(
    session: Session, barber: Barber | None, starts_at: datetime, ends_at: datetime
) -> Outside | None:
    """Why a booking then is outside of what the barber (None: the shop) takes, if it is."""
    return outside_of_each(session, [(barber, starts_at, ends_at)])[0]


def outside_of_each(session: Session, places: Sequence[Place]) -> list[Outside | None]:
    """The same of several, in as many statements as of one."""
    if not places:
        return []
    zone = time_zone(shop(session))
    first = min(starts_at for _, starts_at, _ in places).astimezone(zone).date()
    last = max(ends_at for _, _, ends_at in places).astimezone(zone).date()
    days = calendar(session, first, last)
    return [days.outside(*place) for place in places]


def free_times(
    session: Session,
    barber_id: str,
    need: Need,
    day: date,
    but: str = "",
    days: Calendar | None = None,
) -> list[datetime]:
    """When the barber has time for it that day (of the shop's zone): UTC, every 15 minutes.

    Within their hours, in the future, and clear of their bookings other than `but`, with what is
    kept free around those and around this. What begins that day may end after midnight, if their
    hours go on then. `days` is a calendar that has it.
    """
    limits = hours.of_calendar_day(day, time_zone(shop(session)))
    who = barber(session, barber_id)
    return free_between(session, [who], need, *limits, but, days)[barber_id] if who else []


def free_between(
    session: Session,
    barbers: Sequence[Barber],
    need: Need,
    since: datetime,
    until: datetime,
    but: str = "",
    days: Calendar | None = None,
) -> dict[str, list[datetime]]:
    """The same for several barbers, by their ids: all that begins from `since` until before
    `until` (aware).
    """
    now = clock.now()
    first, until = max(since, now + timedelta.resolution), min(until, now + FARTHEST)
    ids = [each.id for each in barbers]
    if first >= until:
        return {id: [] for id in ids}
    if days is None:
        zone = time_zone(shop(session))
        days = calendar(session, *(at.astimezone(zone).date() for at in (first, until)))
    around = need.busy(first)[0], need.busy(until)[1]
    taken = {
        id: [(begin - need.after, end + need.before) for begin, end in its]
        for id, its in taken_by(session, ids, *around, but).items()
    }
    return {
        each.id: [
            start
            for span in days.open(each)
            for start in _starts(span, taken[each.id], need.length)
            if first <= start < until
        ]
        for each in barbers
    }


def next_day(session: Session) -> date:
    """The first day on which the shop is still open, or opens: today, tomorrow after closing.

    Today if it is closed for weeks.
    """
    now = clock.now()
    today = now.astimezone(time_zone(shop(session))).date()
    days = [today + away * _DAY for away in range(_LOOK_AHEAD)]
    ahead = calendar(session, days[0], days[-1])
    return next(
        (day for day in days if any(now < end for _, end in ahead.open_on(None, day))), today
    )


@dataclass(frozen=True)
class Stray:
    """A booking to come that is outside of what its barber takes, with service and barber."""

    booking: Booking
    day: date
    why: Outside


def strays(session: Session, barber_id: str | None = None, most: int | None = None) -> list[Stray]:
    """The bookings to come, of a barber or of all, that are outside, by time.

    `most` is how many are looked at, the soonest.
    """
    row = shop(session)  # held, it is read once
    rows = session.execute(
        select(Booking.id, Booking.barber_id, Booking.starts_at, Booking.ends_at)
        .where(
            Booking.status == "confirmed",
            Booking.starts_at > clock.now(),
            *([Booking.barber_id == barber_id] if barber_id else []),
        )
        .order_by(Booking.starts_at, Booking.id)
        .limit(most)
    ).all()
    if not rows:
        return []
    barbers = {each.id: each for each in session.scalars(select(Barber))}
    places = [(barbers[each.barber_id], each.starts_at, each.ends_at) for each in rows]
    why = outside_of_each(session, places)
    found = {each.id: its for each, its in zip(rows, why, strict=True) if its}
    zone = time_zone(row)
    return [
        Stray(each, each.starts_at.astimezone(zone).date(), found[each.id])
        for each in _with_names(session, [*found])
    ]


def is_in(session: Session, absence: Absence, booking: Booking) -> bool:
    """Whether the barber is away for that during some of the booking."""
    zone = time_zone(shop(session))
    return any(time_off.occurrences(absence, booking.starts_at, booking.ends_at, zone))


def _with_names(session: Session, ids: Sequence[str]) -> Iterator[Booking]:
    """In parts: SQLite takes 32,766 parameters."""
    for start in range(0, len(ids), _AT_ONCE):
        yield from session.scalars(
            select(Booking)
            .where(Booking.id.in_(ids[start : start + _AT_ONCE]))
            .order_by(Booking.starts_at, Booking.id)
            .options(joinedload(Booking.service), joinedload(Booking.barber))
        )


def overlapping(
    barber_id: str, busy_from: datetime, busy_until: datetime, but: str = ""
) -> Select[Booking]:
    """The bookings with which the barber is busy then, other than `but`, the earliest first.

    A customer who is marked as having come still has the chair until the end. A cancelled booking
    and a no-show leave it free.
    """
    is_there = in_the_way(barber_id, **reach(busy_from, busy_until))
    query = select(Booking).where(is_there, Booking.id != but)
    return query.order_by(Booking.starts_at, Booking.id)


def in_the_way(
    barber_id: Any, earliest: Any, latest: Any, busy_from: Any, busy_until: Any
) -> ColumnElement[bool]:
    """Whether a Booking keeps the barber busy at that time: values, or parameters of a statement.

    The others are `reach` of the last two.
    """
    is_at = _is_at(earliest, latest, busy_from, busy_until)
    return and_(Booking.barber_id == barber_id, is_at)


def reach(busy_from: datetime, busy_until: datetime) -> dict[str, datetime]:
    """What `in_the_way` asks of a time. A booking that keeps its barber busy then begins after
    `earliest` and before `latest`, by which an index finds it.
    """
    return {
        "earliest": busy_from - LONGEST - LONGEST_BUFFER,
        "latest": busy_until + LONGEST_BUFFER,
        "busy_from": busy_from,
        "busy_until": busy_until,
    }


def _is_at(earliest: Any, latest: Any, busy_from: Any, busy_until: Any) -> ColumnElement[bool]:
    return and_(
        Booking.starts_at > earliest,
        Booking.starts_at < latest,
        Booking.busy_from < busy_until,
        Booking.busy_until > busy_from,
        Booking.status.in_(("confirmed", "completed")),
    )


def taken_by(
    session: Session, barber_ids: Sequence[str], since: datetime, until: datetime, but: str = ""
) -> dict[str, list[Span]]:
    """When each barber is busy with what is booked at that time, other than `but`; in order."""
    rows = session.execute(
        select(Booking.barber_id, Booking.busy_from, Booking.busy_until)
        .where(
            Booking.barber_id.in_(barber_ids),
            _is_at(**reach(since, until)),
            Booking.id != but,
        )
        .order_by(Booking.busy_from, Booking.id)
    )
    taken: dict[str, list[Span]] = {id: [] for id in barber_ids}
    for row in rows:
        taken[row.barber_id].append((row.busy_from, row.busy_until))
    return taken


def _starts(span: Span, taken: Sequence[Span], length: timedelta) -> Iterator[datetime]:
    """Every 15 minutes from when the span begins, wherever so much time is left."""
    for begin, end in hours.less([span], taken):
        at = span[0] - (span[0] - begin) // _STEP * _STEP
        while at + length <= end:
            yield at
            at += _STEP
