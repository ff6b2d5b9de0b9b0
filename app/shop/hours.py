"""When a week's hours are: times on the shop's clock become moments.

Hours that end no later than they begin end on the next day (18:00–02:00, 10:00–00:00). They begin
and end when the clock first shows their time, or leaps over it.
"""

from bisect import bisect_right
from collections.abc import Container, Iterable
from datetime import date, datetime, time, timedelta
from functools import lru_cache
from itertools import islice
from zoneinfo import ZoneInfo

from app import clock
from app.models.week import Week

Span = tuple[datetime, datetime]
"""From when to when: UTC, the end not included."""

_DAY = timedelta(days=1)


def of_day(week: Week, day: date, zone: ZoneInfo) -> list[Span]:
    """The hours that begin that day, but for those that the clock leaps over."""
    spans = []
    for opens, closes in week[day.weekday()]:
        last = day + _DAY if closes <= opens else day
        begin, end = clock.first_moment(day, opens, zone), clock.first_moment(last, closes, zone)
        if begin < end:
            spans.append((begin, end))
    return spans


def around(
    week: Week, first: date, last: date, zone: ZoneInfo, closed: Container[date] = ()
) -> list[Span]:
    """All hours that begin from the day before the first to the day after the last, in order;
    unbroken ones are one. Those that would begin on a `closed` day are left out.
    """
    days = (first + away * _DAY for away in range(-1, (last - first).days + 2))
    return merged(span for day in days if day not in closed for span in of_day(week, day, zone))


def merged(spans: Iterable[Span]) -> list[Span]:
    """The spans (in the order of their beginnings) with those that touch or overlap as one."""
    unbroken: list[Span] = []
    for begin, end in spans:
        if unbroken and begin <= unbroken[-1][1]:
            unbroken[-1] = unbroken[-1][0], max(end, unbroken[-1][1])
        else:
            unbroken.append((begin, end))
    return unbroken


def within(spans: Iterable[Span], limits: Span) -> list[Span]:
    """What of the spans lies within the limits."""
    first, last = limits
    clipped = ((max(begin, first), min(end, last)) for begin, end in spans)
    return [(begin, end) for begin, end in clipped if begin < end]


def less(spans: Iterable[Span], taken: Iterable[Span]) -> list[Span]:
    """What is left of the spans without what is taken (both in the order of their beginnings)."""
    gaps, left = merged(taken), list[Span]()
    for begin, end in spans:
        after = bisect_right(gaps, begin, key=lambda gap: gap[1])
        for gap_begin, gap_end in islice(gaps, after, None):
            if gap_begin >= end:
                break
            if begin < gap_begin:
                left.append((begin, gap_begin))
            begin = max(begin, gap_end)
        if begin < end:
            left.append((begin, end))
    return left


@lru_cache(maxsize=1_024)
def of_calendar_day(day: date, zone: ZoneInfo) -> Span:
    """From midnight to midnight."""
    return clock.midnight(day, zone), clock.midnight(day + _DAY, zone)


def usual(week: Week) -> tuple[time, time]:
    """From when to when a board goes on a day without hours: as on the days that have some."""
    hours = [each for day in week for each in day]
    if not hours:
        return time(9), time(19)
    is_past_midnight = any(closes <= opens for opens, closes in hours)
    closes = time() if is_past_midnight else max(each.closes for each in hours)
    return min(each.opens for each in hours), closes
