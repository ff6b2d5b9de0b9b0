"""The plan: which times a policy makes of a booking and its appointment."""

from datetime import UTC, datetime, time, timedelta
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.models.plan import ReminderTimes
from app.reminders.plan import MAX_REMINDERS, PlanTooLong, reminder_times
from app.shop.policy import Policy

MIDNIGHT = datetime(2026, 11, 23, tzinfo=UTC)
ZONES = [
    "Europe/London",
    "America/New_York",
    "Australia/Lord_Howe",
    "Pacific/Kiritimati",
    "Africa/Casablanca",
]
# In UTC, a moment just before the clocks of each zone change in 2026 (Kiritimati's never do).
CLOCK_CHANGES = [
    ("Europe/London", datetime(2026, 3, 29, 0, 59, tzinfo=UTC)),
    ("Europe/London", datetime(2026, 10, 25, 0, 59, tzinfo=UTC)),
    ("America/New_York", datetime(2026, 3, 8, 6, 59, tzinfo=UTC)),
    ("America/New_York", datetime(2026, 11, 1, 5, 59, tzinfo=UTC)),
    ("Australia/Lord_Howe", datetime(2026, 4, 4, 14, 59, tzinfo=UTC)),
    ("Australia/Lord_Howe", datetime(2026, 10, 3, 15, 29, tzinfo=UTC)),
    ("Africa/Casablanca", datetime(2026, 2, 15, 1, 59, tzinfo=UTC)),
    ("Africa/Casablanca", datetime(2026, 3, 22, 1, 59, tzinfo=UTC)),
]


def policy(**changes: Any) -> Policy:
    return Policy(**{"every": timedelta(hours=2), "time_zone": ZoneInfo("UTC"), **changes})


def hours(plan: ReminderTimes) -> list[str]:
    return [at.strftime("%H:%M") for at in plan.times]


def at(hour: int, minute: int = 0, *, day: int = 0) -> datetime:
    return MIDNIGHT + timedelta(days=day, hours=hour, minutes=minute)


# --- the rule, example by example ---


def test_booked_at_midnight_for_ten_is_reminded_at_two_four_six_and_eight():
    plan = reminder_times(policy(), at(0), at(10))
    assert hours(plan) == ["02:00", "04:00", "06:00", "08:00"]
    assert plan.quiet == ()


def test_times_of_a_shops_own_are_those_that_are_still_to_come():
    own = policy(own_times=(timedelta(days=3), timedelta(hours=5), timedelta(minutes=90)))
    plan = reminder_times(own, at(0), at(10))
    assert hours(plan) == ["05:00", "08:30"]
    assert [plan.until(at(hour, 30)) for hour in (4, 5, 8, 9)] == [0, 1, 2, 2]
    assert hours(reminder_times(own, at(0), at(10, day=3))) == ["10:00", "05:00", "08:30"]
    assert reminder_times(own, at(9), at(10)).times == ()


def test_quiet_hours_leave_out_times_of_a_shops_own_too():
    own = policy(own_times=(timedelta(hours=9), timedelta(hours=1)), quiet_from=time(22),
                 quiet_until=time(8))  # fmt: skip
    plan = reminder_times(own, at(0), at(10))
    assert (hours(plan), [f"{each:%H:%M}" for each in plan.quiet]) == (["09:00"], ["01:00"])


def test_an_odd_lead_time_ends_with_a_shorter_wait():
    assert hours(reminder_times(policy(), at(0, 20), at(7))) == ["02:20", "04:20", "06:20"]


@pytest.mark.parametrize(
    ("lead", "number"), [(24, 11), (48, 23), (7 * 24, 83), (30 * 24, 359)], ids=str
)
def test_a_lead_time_has_as_many_reminders_as_whole_intervals_less_one(lead: int, number: int):
    for count_from in ("booking", "appointment"):
        plan = reminder_times(policy(count_from=count_from), at(0), at(lead))
        assert len(plan.times) == number


@pytest.mark.parametrize("count_from", ["booking", "appointment"])
@pytest.mark.parametrize("lead", [timedelta(days=-1), timedelta(0), timedelta(hours=2)])
def test_no_time_for_a_reminder_is_an_empty_plan(lead: timedelta, count_from: str):
    late = policy(count_from=count_from, within=timedelta(hours=4))
    assert reminder_times(late, at(0), at(0) + lead).count == 0


def test_a_microsecond_more_than_the_interval_is_time_for_one():
    appointment = at(2) + timedelta(microseconds=1)
    assert reminder_times(policy(), at(0), appointment).times == (at(2),)
    from_appointment = reminder_times(policy(count_from="appointment"), at(0), appointment)
    assert from_appointment.times == (at(0) + timedelta(microseconds=1),)


def test_counted_from_the_appointment_the_last_is_one_interval_before_it():
    plan = reminder_times(policy(count_from="appointment"), at(0, 20), at(7))
    assert hours(plan) == ["01:00", "03:00", "05:00"]


def test_only_those_within_the_last_hours_are_kept_and_the_first_of_them_may_be_on_the_hour():
    plan = reminder_times(policy(within=timedelta(hours=6)), at(0, day=-3), at(10))
    assert hours(plan) == ["04:00", "06:00", "08:00"]


def test_within_less_than_the_last_wait_leaves_nothing():
    assert reminder_times(policy(within=timedelta(hours=1)), at(0), at(10)).times == ()
    far = policy(within=timedelta(minutes=1), count_from="appointment")
    assert reminder_times(far, at(0), at(10)).times == ()


def test_at_most_keeps_those_nearest_to_the_appointment():
    assert hours(reminder_times(policy(at_most=2), at(0), at(10))) == ["06:00", "08:00"]
    assert len(reminder_times(policy(at_most=9), at(0), at(10)).times) == 4


def test_a_reminder_in_quiet_hours_is_left_out_and_not_moved():
    night = policy(quiet_from=time(22), quiet_until=time(8))
    plan = reminder_times(night, at(17), at(12, day=1))
    assert hours(plan) == ["19:00", "21:00", "09:00", "11:00"]
    assert [f"{moment:%H:%M}" for moment in plan.quiet] == [
        "23:00", "01:00", "03:00", "05:00", "07:00",
    ]  # fmt: skip


def test_those_left_out_for_quiet_hours_do_not_count_towards_at_most():
    night = policy(quiet_from=time(22), quiet_until=time(8), at_most=3)
    plan = reminder_times(night, at(17), at(12, day=1))
    assert hours(plan) == ["21:00", "09:00", "11:00"]
    assert len(plan.quiet) == 5


def test_quiet_ones_earlier_than_those_kept_are_not_said_to_be_left_out():
    night = policy(quiet_from=time(22), quiet_until=time(8), at_most=2)
    assert reminder_times(night, at(17), at(12, day=1)).quiet == ()


def test_an_appointment_early_in_the_morning_can_lose_all_its_reminders_to_the_night():
    night = policy(quiet_from=time(22), quiet_until=time(8))
    plan = reminder_times(night, at(22, day=-1), at(7))
    assert plan.times == ()
    assert len(plan.quiet) == 4


def test_times_given_in_another_zone_are_planned_in_utc():
    tokyo = ZoneInfo("Asia/Tokyo")
    plan = reminder_times(policy(), at(0).astimezone(tokyo), at(10).astimezone(tokyo))
    assert hours(plan) == ["02:00", "04:00", "06:00", "08:00"]
    assert all(moment.tzinfo is UTC for moment in plan.times)


def test_times_without_a_zone_are_refused():
    for start, appointment in [(at(0).replace(tzinfo=None), at(10)), (at(0), datetime(2027, 1, 1))]:  # noqa: DTZ001
        with pytest.raises(ValueError, match="time zone"):
            reminder_times(policy(), start, appointment)


# --- plans that are too long ---


def test_the_longest_plan_is_made_and_one_more_is_refused():
    every_minute = policy(every=timedelta(minutes=1))
    longest = at(0) + timedelta(minutes=MAX_REMINDERS + 1)
    assert len(reminder_times(every_minute, at(0), longest).times) == MAX_REMINDERS
    with pytest.raises(PlanTooLong) as refused:
        reminder_times(every_minute, at(0), longest + timedelta(seconds=1))
    assert refused.value.number == MAX_REMINDERS + 1


def test_an_absurd_plan_is_counted_and_never_made():
    every_two_seconds = policy(every=timedelta(seconds=2))
    with pytest.raises(PlanTooLong, match="17279999 reminders") as refused:
        reminder_times(every_two_seconds, at(0), at(0, day=400))
    assert refused.value.number == 400 * 86400 // 2 - 1


@pytest.mark.parametrize("limit", [{"at_most": 3}, {"within": timedelta(seconds=7)}], ids=str)
def test_a_limit_makes_a_short_plan_of_a_short_interval(limit: dict[str, Any]):
    limited = policy(every=timedelta(seconds=2), count_from="appointment", **limit)
    plan = reminder_times(limited, at(0), at(0, day=400))
    assert [at(0, day=400) - moment for moment in plan.times] == [
        timedelta(seconds=6),
        timedelta(seconds=4),
        timedelta(seconds=2),
    ]


def test_a_limit_beyond_the_longest_plan_is_refused():
    with pytest.raises(PlanTooLong):
        reminder_times(policy(every=timedelta(seconds=2), at_most=5_001), at(0), at(0, day=400))


def test_the_search_for_a_time_that_is_not_quiet_is_given_up_when_it_gets_long():
    nearly_always = policy(
        every=timedelta(seconds=2), at_most=3, quiet_from=time(0, 1), quiet_until=time(0)
    )
    with pytest.raises(PlanTooLong):
        reminder_times(nearly_always, at(0), at(23, day=400))


# --- the rule, for any policy ---

moments = st.one_of(
    st.datetimes(
        min_value=datetime(2026, 1, 1),  # noqa: DTZ001
        max_value=datetime(2027, 12, 31),  # noqa: DTZ001
        timezones=st.just(UTC),
    ),
    st.sampled_from([moment for _, moment in CLOCK_CHANGES]),
)
quiet_hours = st.one_of(
    st.just((None, None)),
    st.tuples(st.times(), st.times()).filter(lambda both: both[0] != both[1]),
)


@st.composite
def policies(draw: st.DrawFn) -> Policy:
    quiet_from, quiet_until = draw(quiet_hours)
    return Policy(
        every=draw(st.timedeltas(timedelta(minutes=40), timedelta(days=2))),
        count_from=draw(st.sampled_from(["booking", "appointment"])),
        within=draw(st.none() | st.timedeltas(timedelta(seconds=1), timedelta(days=20))),
        at_most=draw(st.none() | st.integers(1, 50)),
        quiet_from=quiet_from,
        quiet_until=quiet_until,
        time_zone=ZoneInfo(draw(st.sampled_from(ZONES))),
    )


def by_hand(rule: Policy, start: datetime, appointment: datetime) -> list[datetime]:
    """The rule once more, the slow way: walk in real time, then leave out."""
    step = rule.every if rule.count_from == "booking" else -rule.every
    times, moment = [], (start if rule.count_from == "booking" else appointment) + step
    while start < moment < appointment:
        local = moment.astimezone(rule.time_zone).time()
        if not in_quiet_hours(rule, local) and not (
            rule.within and moment < appointment - rule.within
        ):
            times.append(moment)
        moment += step
    return sorted(times)[-rule.at_most :] if rule.at_most else sorted(times)


def in_quiet_hours(rule: Policy, local: time) -> bool:
    if rule.quiet_from is None or rule.quiet_until is None:
        return False
    if rule.quiet_from < rule.quiet_until:
        return rule.quiet_from <= local < rule.quiet_until
    return not rule.quiet_until <= local < rule.quiet_from


@settings(max_examples=150)
@given(policies(), moments, st.timedeltas(timedelta(days=-1), timedelta(days=40)))
def test_every_plan_is_the_rule_done_by_hand(rule: Policy, start: datetime, lead: timedelta):
    plan = reminder_times(rule, start, start + lead)
    assert list(plan.times) == by_hand(rule, start, start + lead)


@settings(max_examples=150)
@given(policies(), moments, st.timedeltas(timedelta(0), timedelta(days=40)))
def test_every_time_lies_between_booking_and_appointment_in_whole_intervals(
    rule: Policy, start: datetime, lead: timedelta
):
    appointment = start + lead
    plan = reminder_times(rule, start, appointment)
    everything = sorted(plan.times + plan.quiet)
    assert list(plan.times) == sorted(set(plan.times))
    assert list(plan.quiet) == sorted(set(plan.quiet))
    origin = start if rule.count_from == "booking" else appointment
    assert all(start < moment < appointment for moment in everything)
    assert all((moment - origin) % rule.every == timedelta(0) for moment in everything)
    gaps = {later - earlier for earlier, later in pairwise(everything)}
    assert gaps <= {rule.every}, "what is neither planned nor quiet would be a hole"


@settings(max_examples=100)
@given(policies(), moments, st.timedeltas(timedelta(0), timedelta(days=40)))
def test_limits_and_quiet_hours_hold(rule: Policy, start: datetime, lead: timedelta):
    appointment = start + lead
    plan = reminder_times(rule, start, appointment)
    assert rule.at_most is None or len(plan.times) <= rule.at_most
    for moment in plan.times + plan.quiet:
        assert rule.within is None or appointment - moment <= rule.within
    assert not any(rule.is_quiet(moment) for moment in plan.times)
    assert all(rule.is_quiet(moment) for moment in plan.quiet)


@settings(max_examples=60)
@given(
    st.sampled_from(CLOCK_CHANGES),
    st.timedeltas(timedelta(minutes=20), timedelta(hours=5)),
    st.timedeltas(timedelta(0), timedelta(hours=12)),
)
def test_a_change_of_clocks_does_not_shift_the_interval(
    change: tuple[str, datetime], every: timedelta, before: timedelta
):
    zone = ZoneInfo(change[0])
    start = (change[1] - before).astimezone(zone)
    appointment = (change[1] + timedelta(days=1)).astimezone(zone)
    assert start.utcoffset() != appointment.utcoffset()
    plan = reminder_times(policy(every=every, time_zone=zone), start, appointment)
    first = start.astimezone(UTC) + every
    assert plan.times == tuple(first + step * every for step in range(len(plan.times)))
    assert appointment - plan.times[-1] <= every


# --- the arithmetic that a plan's row is read by ---


@settings(max_examples=150)
@given(policies(), moments, st.timedeltas(timedelta(0), timedelta(days=40)), st.integers(0, 99))
def test_a_cursor_anywhere_in_a_plan_parts_its_times_in_two(
    rule: Policy, start: datetime, lead: timedelta, percent: int
):
    plan = reminder_times(rule, start, start + lead)
    done = plan.count * percent // 100
    made = {plan.at(step) for step in range(done)}
    to_come = [moment for moment in plan.times if moment not in made]
    assert plan.going(done, plan.count) == len(to_come)
    assert plan.next_at(done) == (to_come[0] if to_come else None)
    assert plan.going(0, done) + len(to_come) == len(plan.times)


@settings(max_examples=100)
@given(policies(), moments, st.timedeltas(timedelta(0), timedelta(days=40)))
def test_as_many_are_until_a_moment_as_are_no_later(rule: Policy, start: datetime, lead: timedelta):
    plan = reminder_times(rule, start, start + lead)
    everything = plan.times + plan.quiet
    for moment in (start, start + lead / 3, *everything[:3], *everything[-1:], start + lead):
        assert plan.until(moment) == sum(each <= moment for each in everything)
