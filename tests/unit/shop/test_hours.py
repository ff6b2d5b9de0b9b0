"""Weekly hours: breaks, until midnight, past it, and on the days on which the clock is changed."""

from datetime import date, datetime, time, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app import clock
from app.models.week import Hours, Week, every_day
from app.shop import hours
from tests.support.zones import days_near_a_change

MONDAY = date(2026, 11, 23)
DAY = timedelta(days=1)
UTC = ZoneInfo("UTC")
halves = st.integers(0, 47).map(lambda half: time(half // 2, half % 2 * 30))


def on(week: Week, day: date) -> list[str]:
    spans = hours.within(hours.around(week, day, day, UTC), hours.of_calendar_day(day, UTC))
    return [f"{begin:%Y-%m-%dT%H:%M}/{end:%Y-%m-%dT%H:%M}" for begin, end in spans]


def with_break(opens: int, begins: int, ends: int, closes: int) -> Week:
    return ((Hours(time(opens), time(begins)), Hours(time(ends), time(closes))),) * 7


@pytest.mark.parametrize(
    ("week", "that_day"),
    [
        (every_day(time(9), time(19)), ["2026-11-23T09:00/2026-11-23T19:00"]),
        (every_day(time(10), time(0)), ["2026-11-23T10:00/2026-11-24T00:00"]),
        (
            every_day(time(18), time(2)),
            ["2026-11-23T00:00/2026-11-23T02:00", "2026-11-23T18:00/2026-11-24T00:00"],
        ),
        (every_day(time(0), time(0)), ["2026-11-23T00:00/2026-11-24T00:00"]),
        (
            with_break(9, 13, 14, 19),
            ["2026-11-23T09:00/2026-11-23T13:00", "2026-11-23T14:00/2026-11-23T19:00"],
        ),
        (((),) * 7, []),
        (
            ((), *every_day(time(18), time(2))[1:]),
            ["2026-11-23T00:00/2026-11-23T02:00"],
        ),
    ],
)
def test_a_day_has_its_own_hours_and_what_is_left_of_the_night_before(
    week: Week, that_day: list[str]
) -> None:
    assert on(week, MONDAY) == that_day


def test_each_day_of_the_week_has_its_own_hours() -> None:
    week = tuple((Hours(time(8 + day), time(12 + day)),) for day in range(7))
    shown = [on(week, MONDAY + day * DAY)[0][11:16] for day in range(7)]
    assert shown == [f"{8 + day:02}:00" for day in range(7)]


def test_a_shop_that_never_closes_has_no_edge_at_midnight() -> None:
    zone = ZoneInfo("Europe/Berlin")
    [span] = hours.around(every_day(time(), time()), MONDAY, MONDAY, zone)
    assert span[1] - span[0] == 3 * DAY


def test_a_closed_day_keeps_the_end_of_the_night_before() -> None:
    night = every_day(time(18), time(2))
    spans = hours.around(night, MONDAY, MONDAY, UTC, {MONDAY})
    assert [f"{begin:%a %H}-{end:%a %H}" for begin, end in spans] == [
        "Sun 18-Mon 02",
        "Tue 18-Wed 02",
    ]


def test_what_is_taken_from_spans_is_cut_out_of_them() -> None:
    day = datetime(2026, 11, 23, tzinfo=UTC)

    def spans(*edges: int) -> list[tuple[datetime, datetime]]:
        times = [day + timedelta(hours=each) for each in edges]
        return list(zip(times[::2], times[1::2], strict=True))

    assert hours.less(spans(9, 13, 14, 19), spans(12, 15, 17, 18)) == spans(9, 12, 15, 17, 18, 19)
    assert hours.less(spans(9, 19), spans(8, 20)) == []
    assert hours.less(spans(9, 19), spans(10, 14, 11, 12)) == spans(9, 10, 14, 19)
    assert hours.less(spans(9, 19), []) == spans(9, 19)


@pytest.mark.parametrize(
    ("week", "usual"),
    [
        (((),) * 7, (9, 19)),
        (with_break(10, 13, 14, 20), (10, 20)),
        (every_day(time(18), time(2)), (18, 0)),
    ],
)
def test_a_day_without_hours_is_shown_as_the_others_are(week: Week, usual: tuple[int, int]) -> None:
    assert hours.usual(week) == (time(usual[0]), time(usual[1]))


@settings(max_examples=200)
@given(days_near_a_change(), halves, halves)
def test_hours_begin_and_end_when_the_clock_says_so(
    where: tuple[str, date], opens: time, closes: time
) -> None:
    zone, day = ZoneInfo(where[0]), where[1]
    spans = hours.of_day(every_day(opens, closes), day, zone)
    nominal = (datetime.combine(day, closes) - datetime.combine(day, opens)) % DAY or DAY
    if not spans:
        assert nominal <= timedelta(hours=1), "only an hour can be leapt over"
        return
    [(begin, end)] = spans
    for moment, shown in ((begin, opens), (end, closes)):
        local = moment.astimezone(zone)
        assert local.time() >= shown or clock.is_leapt_over(local.date(), shown, zone)
        if not clock.is_leapt_over(day if shown is opens else local.date(), shown, zone):
            assert local.time() == shown
            assert local.fold == 0
    assert abs((end - begin) - nominal) <= timedelta(hours=1)


@settings(max_examples=100)
@given(days_near_a_change(), st.lists(halves, min_size=4, max_size=4, unique=True))
def test_the_days_of_a_week_hold_all_hours_once(where: tuple[str, date], times: list[time]) -> None:
    first, *breaks, last = sorted(times)
    week = ((Hours(first, breaks[0]), Hours(breaks[1], last)),) * 7
    zone = ZoneInfo(where[0])
    days = [where[1] + away * DAY for away in range(-2, 3)]
    by_day = [
        span
        for day in days
        for span in hours.within(
            hours.around(week, day, day, zone), hours.of_calendar_day(day, zone)
        )
    ]
    assert by_day == sorted(by_day)
    assert all(before[1] <= after[0] for before, after in pairwise(by_day))
    assert by_day == hours.within(
        hours.around(week, days[0], days[-1], zone),
        (clock.midnight(days[0], zone), clock.midnight(days[-1] + DAY, zone)),
    )
