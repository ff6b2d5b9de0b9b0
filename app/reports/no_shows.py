"""Who stays away: by how many reminders they were sent, and by how long ahead they had booked.

Of bookings with a phone number that were made ahead: who walked in, and what was entered when it
had begun, cannot stay away.
"""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import Select, bindparam, case, func, select
from sqlalchemy.orm import Session

from app import clock
from app.messages import statistics
from app.models.booking import Booking
from app.reports.periods import AT_ONCE, Period
from app.rows import read_rows
from app.shop.service import shop, time_zone
from app.sql import seconds_between, without_jit

REMINDERS = (0, 1, 3, 6)
"""The most reminders of each group but the last."""

AHEAD = (24, 72, 168)
"""Up to how many hours ahead each group had booked, but the last."""

_DAY = timedelta(days=1)


@dataclass(frozen=True)
class Group:
    """Bookings that are alike, and how many of them stayed away."""

    bookings: int = 0
    no_shows: int = 0

    def __add__(self, other: "Group") -> "Group":
        return Group(self.bookings + other.bookings, self.no_shows + other.no_shows)

    @property
    def rate(self) -> float | None:
        """Which part stayed away; None without bookings."""
        return self.no_shows / self.bookings if self.bookings else None


@dataclass(frozen=True)
class NoShows:
    """The groups of REMINDERS and of AHEAD, each with one more for the rest."""

    by_reminders: Sequence[Group]
    by_ahead: Sequence[Group]


def of(session: Session, period: Period, barber_id: str = "") -> NoShows:
    """Of the period's bookings that were not cancelled, of all barbers or of one."""
    reminders = [Group() for _ in range(len(REMINDERS) + 1)]
    ahead = [Group() for _ in range(len(AHEAD) + 1)]
    without_jit(session)
    columns = period.columns[-period.count :]
    query, zone = _bookings(session, barber_id), time_zone(shop(session))
    for begin in range(0, len(columns), AT_ONCE):
        some = columns[begin : begin + AT_ONCE]
        limits = {
            "begin": clock.midnight(some[0].first, zone),
            "end": clock.midnight(some[-1].last + _DAY, zone),
        }
        for row in read_rows(session, query, limits):
            group = Group(row.number, row.no_shows)
            reminders[bisect_left(REMINDERS, row.sent)] += group
            ahead[row.ahead] += group
    return NoShows(reminders, ahead)


def _bookings(session: Session, barber_id: str) -> Select[*tuple[Any, ...]]:
    """One row for each number of reminders and group of AHEAD, however many bookings there are."""
    each = _each(session, barber_id).subquery()
    return select(
        each.c.sent,
        each.c.ahead,
        func.count().label("number"),
        func.sum(each.c.missed).label("no_shows"),
    ).group_by(each.c.sent, each.c.ahead)


def _each(session: Session, barber_id: str) -> Select[*tuple[Any, ...]]:
    """The reminders of a booking are counted here only if nobody has marked it yet."""
    sent = func.coalesce(Booking.reminders_sent, statistics.reminders_sent(Booking.id))
    seconds = seconds_between(session, Booking.created_at, Booking.starts_at)
    groups = ((seconds < 3600 * most, turn) for turn, most in enumerate(AHEAD))
    query = select(
        sent.label("sent"),
        case(*groups, else_=len(AHEAD)).label("ahead"),
        case((Booking.status == "no_show", 1), else_=0).label("missed"),
    ).where(
        Booking.starts_at >= bindparam("begin"),
        Booking.starts_at < bindparam("end"),
        Booking.status != "cancelled",
        Booking.person.is_not(None),
        Booking.created_at < Booking.starts_at,
    )
    return query.where(Booking.barber_id == barber_id) if barber_id else query
