"""When the shop is open.

Its hours are times on its clock. Hours that end no later than they begin end on the next day
(18:00–02:00, 10:00–00:00). They begin and end when the clock first shows their time, or leaps
over it.
"""

from datetime import date, datetime, timedelta

from app import clock
from app.models.shop import Shop
from app.shop.service import time_zone

Span = tuple[datetime, datetime]
"""From when to when: UTC, the end not included."""

_DAY = timedelta(days=1)


def opening(row: Shop, day: date) -> Span:
    """The hours that begin that day (of the shop's zone)."""
    last = day + _DAY if row.closes_at <= row.opens_at else day
    zone = time_zone(row)
    return (
        clock.first_moment(day, row.opens_at, zone),
        clock.first_moment(last, row.closes_at, zone),
    )


def open_on(row: Shop, day: date) -> list[Span]:
    """What of all hours lies within that day, also of those that began the day before."""
    zone = time_zone(row)
    midnight, next_midnight = clock.midnight(day, zone), clock.midnight(day + _DAY, zone)
    clipped = (
        (max(opens, midnight), min(closes, next_midnight)) for opens, closes in around(row, day)
    )
    return [(opens, closes) for opens, closes in clipped if opens < closes]


def around(row: Shop, day: date) -> list[Span]:
    """The hours that begin the day before, that day and the day after; unbroken ones are one."""
    spans: list[Span] = []
    for opens, closes in (opening(row, day + away * _DAY) for away in (-1, 0, 1)):
        if spans and opens <= spans[-1][1]:
            spans[-1] = spans[-1][0], max(closes, spans[-1][1])
        else:
            spans.append((opens, closes))
    return spans


def outside(row: Shop, starts_at: datetime, ends_at: datetime) -> Span | None:
    """The hours of that day if some of the time (aware) lies outside all hours."""
    day = starts_at.astimezone(time_zone(row)).date()
    if any(opens <= starts_at and ends_at <= closes for opens, closes in around(row, day)):
        return None
    return opening(row, day)
