"""What a clock on the wall shows, and when, on the days on which it is changed."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app import clock
from tests.support.zones import CHANGES, days_near_a_change

MINUTE = timedelta(minutes=1)
minutes = st.integers(0, 1439).map(lambda minute: time(minute // 60, minute % 60))


def wall(at: datetime, zone: ZoneInfo) -> datetime:
    return at.astimezone(zone).replace(tzinfo=None)


def moments_of(day: date, at: time, zone: ZoneInfo) -> list[datetime]:
    """The minutes in which the clock shows it, found by watching the clock for two days."""
    start = datetime.combine(day, time(), UTC) - timedelta(hours=15)
    shown = datetime.combine(day, at)
    watched = (start + minute * MINUTE for minute in range(3 * 1440))
    return [moment for moment in watched if wall(moment, zone) == shown]


@settings(max_examples=60)
@given(days_near_a_change(), minutes)
def test_a_time_is_when_the_clock_shows_it(where: tuple[str, date], at: time) -> None:
    zone, day = ZoneInfo(where[0]), where[1]
    moments = moments_of(day, at, zone)
    assert clock.is_leapt_over(day, at, zone) == (not moments)
    if moments:
        assert clock.first_moment(day, at, zone) == moments[0]
        assert clock.last_moment(day, at, zone) == moments[-1]
        assert all(clock.comes_twice(each, zone) == (len(moments) == 2) for each in moments)
        assert len(moments) <= 2


@settings(max_examples=100)
@given(days_near_a_change(), minutes)
def test_what_the_clock_leaps_over_is_when_it_leaps(where: tuple[str, date], at: time) -> None:
    zone, day = ZoneInfo(where[0]), where[1]
    moment, shown = clock.first_moment(day, at, zone), datetime.combine(day, at)
    assert wall(moment, zone) >= shown
    assert wall(moment - timedelta(seconds=1), zone) < shown
    assert moment.tzinfo is UTC


@pytest.mark.parametrize(
    ("zone", "day", "at", "leap"),
    [
        ("Europe/Berlin", date(2027, 3, 28), time(2, 30), "2027-03-28T01:00Z"),
        ("Australia/Lord_Howe", date(2027, 10, 3), time(2, 15), "2027-10-02T15:30Z"),
        ("Africa/Cairo", date(2027, 4, 30), time(0, 0), "2027-04-29T22:00Z"),
        ("Pacific/Apia", date(2011, 12, 30), time(12, 0), "2011-12-30T10:00Z"),  # a whole day
    ],
)
def test_it_leaps_to_the_second(zone: str, day: date, at: time, leap: str) -> None:
    for find in (clock.first_moment, clock.last_moment):
        assert find(day, at, ZoneInfo(zone)) == datetime.fromisoformat(leap)


@pytest.mark.parametrize(("zone", "day"), CHANGES)
def test_days_follow_each_other_and_begin_with_their_first_moment(zone: str, day: date) -> None:
    begins, ends = (clock.midnight(each, ZoneInfo(zone)) for each in (day, day + timedelta(days=1)))
    assert wall(begins, ZoneInfo(zone)).date() == day
    assert wall(begins - MINUTE, ZoneInfo(zone)).date() < day
    assert timedelta(hours=23) <= ends - begins <= timedelta(hours=25)


def test_a_zone_is_named_by_its_letters_or_its_distance_from_utc() -> None:
    at = datetime(2027, 10, 31, 1, 30, tzinfo=UTC)
    assert clock.zone_name(at, ZoneInfo("Europe/London")) == "GMT"
    assert clock.zone_name(at, ZoneInfo("America/Santiago")) == "UTC-03"


def test_beyond_the_calendar_is_an_error_of_the_calendar() -> None:
    with pytest.raises(OverflowError):
        clock.first_moment(date.min, time(), ZoneInfo("Asia/Tokyo"))


def test_in_a_block_it_is_another_time_and_for_no_other_thread() -> None:
    """`chairtime demo` tells a past while a web app or a worker in the same process goes on."""
    then = clock.now() - timedelta(days=1)
    with ThreadPoolExecutor(1) as others:
        with clock.at(then):
            with clock.at(then + timedelta(hours=1)):
                assert clock.now() == then + timedelta(hours=1)
            assert clock.now() == then
            assert others.submit(clock.now).result() > then
        with pytest.raises(ZeroDivisionError), clock.at(then):
            raise ZeroDivisionError
    assert clock.now() > then
