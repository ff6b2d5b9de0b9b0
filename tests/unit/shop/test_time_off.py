"""Absences: once and each week, on days on which the clock is changed; and what is refused."""

from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app import clock
from app.errors import Invalid
from app.models.time_off import Absence
from app.shop import time_off
from app.shop.time_off import AbsenceFields, AbsenceForm, ClosureForm
from tests.support.zones import days_near_a_change

BERLIN = ZoneInfo("Europe/Berlin")
ONE_DAY = {"name": "Day off", "first_day": "2026-12-24"}


def columns(**typed: str) -> dict[str, object]:
    return AbsenceForm({**ONE_DAY, **typed}, BERLIN).columns()


def wrong(**typed: str) -> dict[str, str]:
    with pytest.raises(Invalid) as refused:
        columns(**typed)
    return {error.field: error.message for error in refused.value.errors}


def span(**typed: str) -> str:
    values = columns(**typed)
    times = (values["starts_at"], values["ends_at"])
    return " ".join(f"{at.astimezone(BERLIN):%d %H:%M}" for at in times)  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("typed", "means"),
    [
        ({}, "24 00:00 25 00:00"),
        ({"last_day": "2026-12-26"}, "24 00:00 27 00:00"),
        ({"from_time": "13:00"}, "24 13:00 25 00:00"),
        ({"until_time": "13:00"}, "24 00:00 24 13:00"),
        ({"from_time": "13:00", "until_time": "14:00"}, "24 13:00 24 14:00"),
        (
            {"from_time": "22:00", "last_day": "2026-12-25", "until_time": "02:00"},
            "24 22:00 25 02:00",
        ),
    ],
)
def test_without_times_it_is_whole_days_and_without_a_last_day_one(
    typed: dict[str, str], means: str
) -> None:
    assert span(**typed) == means


@pytest.mark.parametrize(
    ("typed", "field", "words"),
    [
        ({"name": ""}, "name", "This must have letters"),
        ({"name": "a\x00b"}, "name", "no control characters"),
        ({"name": "x" * 101}, "name", "This has 101 characters"),
        ({"first_day": ""}, "first_day", "This must be a day, such as 2026-11-23."),
        ({"first_day": "0001-01-01"}, "first_day", "This must be between 2000 and 2100."),
        ({"last_day": "9999-12-31"}, "last_day", "This must be between 2000 and 2100."),
        ({"last_day": "2026-12-23"}, "last_day", "This must not be before the first day."),
        ({"last_day": "2099-12-23"}, "last_day", "This is more than 731 days later."),
        ({"from_time": "9"}, "from_time", "This must be a time, such as 09:30."),
        ({"from_time": "14:00", "until_time": "14:00"}, "until_time", "must be after it begins"),
        ({"from_time": "14:00", "until_time": "13:00"}, "until_time", "must be after it begins"),
        ({"repeats": "1", "repeats_until": "x"}, "repeats_until", "This must be a day"),
        (
            {"repeats": "1", "repeats_until": "2026-12-23"},
            *("repeats_until", "This must not be before it begins."),
        ),
        ({"repeats": "1", "last_day": "2026-12-31"}, "repeats", "lasts six days at the most"),
    ],
)
def test_what_is_wrong_with_an_absence_is_said_of_its_field(
    typed: dict[str, str], field: str, words: str
) -> None:
    problems = wrong(**typed)
    assert list(problems) == [field]
    assert words in problems[field]


def test_all_wrong_fields_of_an_absence_are_said_at_once() -> None:
    typed = {"name": "\x00", "first_day": "x", "from_time": "y", "until_time": "z"}
    assert set(wrong(**typed)) >= typed.keys()


def test_a_closure_without_a_last_day_is_one_day() -> None:
    values = ClosureForm({"name": "Christmas", "first_day": "2026-12-25"}).columns()
    assert values["last_day"] == values["first_day"] == date(2026, 12, 25)
    with pytest.raises(Invalid) as refused:
        ClosureForm({"name": "", "first_day": "2026-12-25", "last_day": "2026-12-24x"}).checked()
    assert {error.field for error in refused.value.errors} == {"name", "last_day"}


def test_moments_need_their_offset() -> None:
    given_ = {
        "name": "Sick",
        "starts_at": datetime(2026, 12, 24),  # noqa: DTZ001
        "ends_at": datetime(1, 1, 1, tzinfo=UTC),
    }
    with pytest.raises(Invalid) as refused:
        AbsenceFields(given_).checked()
    assert {error.field for error in refused.value.errors} == {"starts_at", "ends_at"}


def lunch(zone: ZoneInfo, day: date, begin: time, minutes: int, until: date | None) -> Absence:
    starts_at = clock.first_moment(day, begin, zone)
    return Absence(
        name="Lunch",
        starts_at=starts_at,
        ends_at=starts_at + timedelta(minutes=minutes),
        repeats=True,
        repeats_until=until,
    )


@given(
    days_near_a_change(since=date(2026, 1, 1)),
    st.integers(0, 95).map(lambda quarter: time(quarter // 4, quarter % 4 * 15)),
    st.integers(15, 300),
    st.integers(1, 60),
)
def test_what_repeats_is_at_the_same_time_of_the_clock_each_week(
    where: tuple[str, date], begin: time, minutes: int, weeks: int
) -> None:
    zone = ZoneInfo(where[0])
    first = where[1] - weeks * timedelta(days=7)
    absence = lunch(zone, first, begin, minutes, None)
    since = clock.midnight(first, zone)
    until = clock.midnight(where[1] + timedelta(days=8), zone)
    found = list(time_off.occurrences(absence, since, until, zone))
    assert found[0][:2] == (absence.starts_at, absence.ends_at)
    assert all(before.ends <= after.begins for before, after in pairwise(found))
    shown = absence.starts_at.astimezone(zone).time().replace(fold=0)
    for away in found:
        local = away.begins.astimezone(zone)
        assert local.time().replace(fold=0) == shown or clock.is_leapt_over(
            local.date(), shown, zone
        )
    middle = found[len(found) // 2]
    later = list(time_off.occurrences(absence, middle.begins, until, zone))
    assert later == found[len(found) // 2 :], "wherever one begins to look, it is the same"


def test_what_repeats_ends_after_its_last_day() -> None:
    absence = lunch(BERLIN, date(2026, 11, 23), time(13), 60, date(2026, 12, 7))
    year = datetime(2026, 1, 1, tzinfo=UTC), datetime(2027, 12, 31, tzinfo=UTC)
    days = [each.begins.day for each in time_off.occurrences(absence, *year, BERLIN)]
    assert days == [23, 30, 7]
