"""Opening hours: until midnight, past it, and on the days on which the clock is changed."""

from datetime import date, datetime, time, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app import clock
from app.models.shop import Shop
from app.shop import hours
from tests.support.zones import days_near_a_change

MONDAY = date(2026, 11, 23)
DAY = timedelta(days=1)
halves = st.integers(0, 47).map(lambda half: time(half // 2, half % 2 * 30))


def shop(opens: time, closes: time, zone: str = "UTC") -> Shop:
    return Shop(opens_at=opens, closes_at=closes, time_zone=zone)


def at(text: str) -> datetime:
    return datetime.fromisoformat(f"{text}Z")


@pytest.mark.parametrize(
    ("opens", "closes", "that_day"),
    [
        (9, 19, ["2026-11-23T09:00/2026-11-23T19:00"]),
        (10, 0, ["2026-11-23T10:00/2026-11-24T00:00"]),
        (
            *(18, 2),
            ["2026-11-23T00:00/2026-11-23T02:00", "2026-11-23T18:00/2026-11-24T00:00"],
        ),
        (0, 0, ["2026-11-23T00:00/2026-11-24T00:00"]),
    ],
)
def test_a_day_has_its_own_hours_and_what_is_left_of_the_night_before(
    opens: int, closes: int, that_day: list[str]
) -> None:
    spans = hours.open_on(shop(time(opens), time(closes)), MONDAY)
    assert [f"{begin:%Y-%m-%dT%H:%M}/{end:%Y-%m-%dT%H:%M}" for begin, end in spans] == that_day


@pytest.mark.parametrize(
    ("starts", "ends", "is_outside"),
    [
        ("2026-11-23T23:30", "2026-11-24T00:30", False),
        ("2026-11-24T01:30", "2026-11-24T02:00", False),
        ("2026-11-24T01:45", "2026-11-24T02:15", True),
        ("2026-11-24T17:45", "2026-11-24T18:15", True),
    ],
)
def test_the_hours_of_a_night_hold_past_midnight(starts: str, ends: str, is_outside: bool) -> None:
    night = shop(time(18), time(2))
    told = (at("2026-11-24T18:00"), at("2026-11-25T02:00")) if is_outside else None
    assert hours.outside(night, at(starts), at(ends)) == told


def test_a_shop_that_never_closes_has_no_edge_at_midnight() -> None:
    always = shop(time(), time(), "Europe/Berlin")
    assert hours.outside(always, at("2027-03-27T22:45"), at("2027-03-27T23:15")) is None


@settings(max_examples=200)
@given(days_near_a_change(), halves, halves)
def test_hours_begin_and_end_when_the_clock_says_so(
    where: tuple[str, date], opens: time, closes: time
) -> None:
    zone, day = ZoneInfo(where[0]), where[1]
    row = shop(opens, closes, where[0])
    begin, end = hours.opening(row, day)
    assert begin <= end
    for moment, shown in ((begin, opens), (end, closes)):
        local = moment.astimezone(zone)
        assert local.time() >= shown or clock.is_leapt_over(local.date(), shown, zone)
        if not clock.is_leapt_over(day if shown is opens else local.date(), shown, zone):
            assert local.time() == shown
            assert local.fold == 0
    nominal = (datetime.combine(day, closes) - datetime.combine(day, opens)) % DAY or DAY
    assert abs((end - begin) - nominal) <= timedelta(hours=1)


@settings(max_examples=100)
@given(days_near_a_change(), halves, halves)
def test_the_days_of_a_week_hold_all_hours_once(
    where: tuple[str, date], opens: time, closes: time
) -> None:
    row = shop(opens, closes, where[0])
    days = [where[1] + away * DAY for away in range(-2, 3)]
    by_day = [span for day in days for span in hours.open_on(row, day)]
    assert by_day == sorted(by_day)
    assert all(before[1] <= after[0] for before, after in pairwise(by_day))
    for begin, end in by_day:
        assert hours.outside(row, begin, end) is None
