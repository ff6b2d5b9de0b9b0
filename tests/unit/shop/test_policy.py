"""What a policy refuses, and which times are quiet."""

from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app import clock
from app.shop.policy import Policy
from tests.support.zones import days_near_a_change

LONDON = ZoneInfo("Europe/London")


def policy(**changes: Any) -> Policy:
    return Policy(**{"every": timedelta(hours=2), "time_zone": LONDON, **changes})


def test_the_default_counts_from_the_booking_without_limits_or_quiet_hours():
    default = policy()
    assert default.count_from == "booking"
    assert (default.within, default.at_most) == (None, None)
    assert (default.quiet_from, default.quiet_until) == (None, None)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"every": timedelta(0)}, "every must be"),
        ({"every": timedelta(hours=-2)}, "every must be"),
        ({"every": timedelta(milliseconds=999)}, "every must be"),
        ({"count_from": "birth"}, "count_from must be"),
        ({"within": timedelta(0)}, "within must be"),
        ({"within": timedelta(hours=-1)}, "within must be"),
        ({"at_most": 0}, "at_most must be"),
        ({"at_most": -1}, "at_most must be"),
        ({"quiet_from": time(22)}, "both"),
        ({"quiet_until": time(8)}, "both"),
        ({"quiet_from": time(8), "quiet_until": time(8)}, "must differ"),
        ({"quiet_from": time(22, tzinfo=UTC), "quiet_until": time(8)}, "no time zone"),
        ({"quiet_from": time(22), "quiet_until": time(8, tzinfo=UTC)}, "no time zone"),
    ],
)
def test_a_policy_that_contradicts_itself_is_refused_in_words(changes: dict[str, Any], words: str):
    with pytest.raises(ValueError, match=words):
        policy(**changes)


@pytest.mark.parametrize(
    "changes",
    [
        {"every": timedelta(seconds=1)},
        {"within": timedelta(seconds=1)},
        {"at_most": 1},
        {"quiet_from": time(0), "quiet_until": time(6)},
    ],
)
def test_the_smallest_values_are_accepted(changes: dict[str, Any]):
    assert policy(**changes)


def test_nothing_is_quiet_without_quiet_hours():
    assert not policy().is_quiet(datetime(2026, 1, 1, 3, tzinfo=UTC))


@pytest.mark.parametrize(
    ("hour", "minute", "quiet"),
    [
        (21, 59, False),
        (22, 0, True),
        (23, 59, True),
        (0, 0, True),
        (7, 59, True),
        (8, 0, False),
        (12, 0, False),
    ],
)
def test_quiet_hours_may_span_midnight_and_end_just_before_their_end(
    hour: int, minute: int, quiet: bool
):
    night = policy(quiet_from=time(22), quiet_until=time(8))
    assert night.is_quiet(datetime(2026, 1, 15, hour, minute, tzinfo=UTC)) is quiet


@pytest.mark.parametrize(("hour", "quiet"), [(11, False), (12, True), (13, True), (14, False)])
def test_quiet_hours_within_a_day(hour: int, quiet: bool):
    lunch = policy(quiet_from=time(12), quiet_until=time(14))
    assert lunch.is_quiet(datetime(2026, 1, 15, hour, tzinfo=UTC)) is quiet


def test_quiet_hours_follow_the_clock_of_the_shop_in_summer_and_winter():
    night = policy(quiet_from=time(22), quiet_until=time(8))
    assert night.is_quiet(datetime(2026, 1, 15, 7, 30, tzinfo=UTC))
    assert not night.is_quiet(datetime(2026, 7, 15, 7, 30, tzinfo=UTC))


@pytest.mark.parametrize(
    ("quiet", "at", "ends"),
    [
        ((22, 8), "2026-11-23T21:59Z", None),
        ((22, 8), "2026-11-23T22:00Z", "2026-11-24T08:00Z"),
        ((22, 8), "2026-11-24T07:59Z", "2026-11-24T08:00Z"),
        ((22, 8), "2026-11-24T08:00Z", None),
        ((13, 15), "2026-11-23T14:00Z", "2026-11-23T15:00Z"),
        ((22, 8), "2026-10-24T21:30Z", "2026-10-25T08:00Z"),  # the clocks go back in that night
        ((22, 8), "2026-03-28T23:00Z", "2026-03-29T07:00Z"),  # and forward in that one
    ],
)
def test_what_falls_into_quiet_hours_can_go_on_when_they_end(
    quiet: tuple[int, int], at: str, ends: str | None
):
    rule = policy(quiet_from=time(quiet[0]), quiet_until=time(quiet[1]))
    expected = datetime.fromisoformat(ends) if ends else None
    assert rule.quiet_until_after(datetime.fromisoformat(at)) == expected


@settings(max_examples=150)
@given(
    days_near_a_change(),
    st.integers(0, 1439),
    st.lists(st.integers(0, 95), min_size=2, max_size=2, unique=True),
)
def test_quiet_hours_end_later_when_nothing_is_quiet_also_where_the_clock_is_changed(
    where: tuple[str, date], minute: int, quiet: list[int]
):
    begin, end = (time(quarter // 4, quarter % 4 * 15) for quarter in quiet)
    rule = policy(quiet_from=begin, quiet_until=end, time_zone=ZoneInfo(where[0]))
    at = clock.midnight(where[1], ZoneInfo(where[0])) + timedelta(minutes=minute)
    until = rule.quiet_until_after(at)
    assert (until is not None) == rule.is_quiet(at)
    if until:
        assert at < until
        assert not rule.is_quiet(until)
        assert rule.is_quiet(until - timedelta(seconds=1))


def test_without_quiet_hours_nothing_waits():
    assert policy().quiet_until_after(datetime(2026, 11, 23, tzinfo=UTC)) is None
