"""What came of the bookings of some weeks, by barber, and how full their open hours were."""

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from functools import partial, reduce
from itertools import chain
from operator import add
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Select, bindparam, case, func, select
from sqlalchemy.orm import Session

from app import clock
from app.bookings import availability
from app.db import UtcDateTime
from app.models.booking import Booking
from app.models.shop import Barber
from app.reports import side_by_side
from app.reports.periods import AT_ONCE, Column, Period
from app.rows import read_rows
from app.shop import hours
from app.shop.money import currency_of
from app.shop.service import shop, time_zone
from app.sql import seconds_between

_DAY = timedelta(days=1)


@dataclass(frozen=True)
class Tally:
    """How many bookings came to what. `unmarked`: they were to come, and nobody has said whether.

    `takings` and `booked` are of the visits; how long these were, and what they cost in the shop's
    currency.
    """

    came: int = 0
    unmarked: int = 0
    no_shows: int = 0
    cancelled: int = 0
    takings: Decimal = Decimal(0)
    booked: timedelta = timedelta()

    def __add__(self, other: "Tally") -> "Tally":
        return Tally(
            self.came + other.came,
            self.unmarked + other.unmarked,
            self.no_shows + other.no_shows,
            self.cancelled + other.cancelled,
            self.takings + other.takings,
            self.booked + other.booked,
        )

    @property
    def visits(self) -> int:
        """Who came, as far as anybody has said."""
        return self.came + self.unmarked

    @property
    def bookings(self) -> int:
        """All but what was cancelled."""
        return self.visits + self.no_shows

    @property
    def no_show_rate(self) -> float | None:
        """Which part of the bookings stayed away; None without any."""
        return self.no_shows / self.bookings if self.bookings else None


@dataclass(frozen=True)
class Weeks:
    """By column of the period and barber: what came of it, and for how long they were open.

    `all` is of all barbers, by column.
    """

    period: Period
    barbers: Sequence[Barber]
    tallies: Mapping[tuple[int, str], Tally]
    all: Mapping[int, Tally]
    open: Mapping[tuple[int, str], timedelta]

    def tally(self, columns: Iterable[int]) -> Tally:
        """Of these columns, all barbers."""
        return reduce(add, (self.all.get(at, Tally()) for at in columns), Tally())

    def occupancy(
        self, columns: Collection[int], barbers: Iterable[Barber] | None = None
    ) -> float | None:
        """Which part of the open hours was booked, at most 1; None if nobody worked.

        Of the barbers who take bookings today: of others it is not known when they were open.
        """
        keys = [(at, each.id) for each in barbers or self.barbers for at in columns]
        open = sum((self.open[key] for key in keys), timedelta())
        booked = sum((self.tallies[key].booked for key in keys if key in self.tallies), timedelta())
        return min(booked / open, 1.0) if open else None


def of(session: Session, period: Period, barbers: Sequence[Barber], barber_id: str = "") -> Weeks:
    """Of all bookings, or of one barber's. `barbers` are those whose open hours are known."""
    every: dict[int, Tally] = defaultdict(Tally)
    tallies = _tallies(session, period, barber_id)
    for (at, _), each in tallies.items():
        every[at] += each
    return Weeks(period, barbers, tallies, every, _open(session, period, barbers))


def _tallies(session: Session, period: Period, barber_id: str) -> dict[tuple[int, str], Tally]:
    """By column and barber, of those that had bookings."""
    query, zone = _bookings(session, barber_id), time_zone(shop(session))
    found: dict[tuple[int, str], dict[str, Any]] = defaultdict(dict)
    for begin, rows in _rows(session, query, period.columns, zone):
        for row in rows:
            found[begin + row.at, row.barber_id][row.status] = row
    return {key: _tally(by_status) for key, by_status in found.items()}


def _rows(
    session: Session, query: Select[*tuple[Any, ...]], columns: Sequence[Column], zone: ZoneInfo
) -> Iterator[tuple[int, Sequence[Any]]]:
    """The number of the first column of each AT_ONCE, and what was read of them."""
    begins = range(0, len(columns), AT_ONCE)
    limits = [_limits_of(columns[begin : begin + AT_ONCE], zone) for begin in begins]
    middle = len(limits) // 2
    halves = (partial(_read, query, some) for some in (limits[:middle], limits[middle:]))
    read = chain.from_iterable(side_by_side.both(session, *halves))
    return zip(begins, read, strict=True)


def _read(
    query: Select[*tuple[Any, ...]], limits: Sequence[dict[str, datetime]], session: Session
) -> list[Sequence[Any]]:
    return [read_rows(session, query, each).all() for each in limits]


def _tally(by_status: Mapping[str, Any]) -> Tally:
    """Of the rows of a barber in a column, one for each status that there is."""
    numbers = {status: row.number for status, row in by_status.items()}
    visits = [by_status[each] for each in ("completed", "confirmed") if each in by_status]
    return Tally(
        came=numbers.get("completed", 0),
        unmarked=numbers.get("confirmed", 0),
        no_shows=numbers.get("no_show", 0),
        cancelled=numbers.get("cancelled", 0),
        takings=sum((row.takings for row in visits if row.takings), Decimal(0)),
        booked=timedelta(seconds=sum(round(row.seconds) for row in visits)),
    )


def _limits_of(columns: Sequence[Column], zone: ZoneInfo) -> dict[str, datetime]:
    """What `_bookings` is to be given for some columns, of which the last may stand for more."""
    ends = [clock.midnight(each.last + _DAY, zone) for each in columns]
    ends += ends[-1:] * (AT_ONCE - len(ends))
    begin = clock.midnight(columns[0].first, zone)
    return {"begin": begin} | {f"end_{at}": end for at, end in enumerate(ends)}


def _bookings(session: Session, barber_id: str) -> Select[*tuple[Any, ...]]:
    """One row for each of AT_ONCE columns, barber and status, however many bookings there are."""
    price = case((Booking.currency == currency_of(shop(session)), Booking.due))
    ends = [bindparam(f"end_{at}", type_=UtcDateTime()) for at in range(AT_ONCE)]
    inner = select(
        case(*((Booking.starts_at < end, at) for at, end in enumerate(ends))).label("at"),
        Booking.barber_id,
        Booking.status,
        price.label("price"),
        seconds_between(session, Booking.starts_at, Booking.ends_at).label("length"),
    ).where(Booking.starts_at >= bindparam("begin"), Booking.starts_at < ends[-1])
    each = (inner.where(Booking.barber_id == barber_id) if barber_id else inner).subquery()
    return select(
        each.c.at,
        each.c.barber_id,
        each.c.status,
        func.count().label("number"),
        func.sum(each.c.price).label("takings"),
        func.sum(each.c.length).label("seconds"),
    ).group_by(each.c.at, each.c.barber_id, each.c.status)


def _open(
    session: Session, period: Period, barbers: Sequence[Barber]
) -> dict[tuple[int, str], timedelta]:
    """For how long they take bookings, by the hours as they are now."""
    first, last = period.columns[0].first, period.columns[-1].last
    calendar = availability.calendar(session, first, last)
    limits = [_limits(each, calendar) for each in period.columns]
    by_hours = {calendar.whose_hours(each): calendar.open(each) for each in barbers}
    lengths = {
        whose: [_within(spans, each) for each in limits] for whose, spans in by_hours.items()
    }
    return {
        (at, barber.id): length
        for barber in barbers
        for at, length in enumerate(lengths[calendar.whose_hours(barber)])
    }


def _limits(column: Column, calendar: availability.Calendar) -> hours.Span:
    begin, end = column.first, column.last + _DAY
    return clock.midnight(begin, calendar.zone), clock.midnight(end, calendar.zone)


def _within(spans: Sequence[hours.Span], limits: hours.Span) -> timedelta:
    """How long those of them are, which follow each other, within the limits."""
    first = bisect_right(spans, limits[0], key=lambda span: span[1])
    last = bisect_left(spans, limits[1], key=lambda span: span[0])
    there = hours.within(spans[first:last], limits)
    return sum((end - begin for begin, end in there), timedelta())
