"""Weekly hours as they are typed: what is read, and what is refused with which words."""

from datetime import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.errors import Invalid
from app.models.week import DAYS, Hours, Week, every_day
from app.shop import weekly_hours

NINE_TO_SEVEN = weekly_hours.shown(every_day(time(9), time(19)))


def typed(**fields: str) -> dict[str, str]:
    return {**NINE_TO_SEVEN, **fields}


def wrong(**fields: str) -> dict[str, str]:
    with pytest.raises(Invalid) as refused:
        weekly_hours.of_form(typed(**fields))
    return {error.field: error.message for error in refused.value.errors}


def test_a_day_has_breaks_and_may_be_closed() -> None:
    week = weekly_hours.of_form(
        typed(
            monday_break_1_from="13:00",
            monday_break_1_until="14:00",
            monday_break_3_from="16:00",
            monday_break_3_until="16:15",
            sunday_opens="",
            sunday_closes="",
        )
    )
    assert week[0] == (
        *(Hours(time(9), time(13)), Hours(time(14), time(16)), Hours(time(16, 15), time(19))),
    )
    assert week[1] == (Hours(time(9), time(19)),)
    assert week[6] == ()


@pytest.mark.parametrize(
    ("fields", "field", "words"),
    [
        ({"monday_opens": "25:00"}, "monday_opens", "This must be a time, such as 09:30."),
        ({"monday_opens": "9\x00"}, "monday_opens", "This must be a time, such as 09:30."),
        ({"monday_opens": "x" * 10_000}, "monday_opens", "This must be a time"),
        ({"monday_closes": ""}, "monday_closes", "a day has both times, or none"),
        ({"monday_opens": ""}, "monday_opens", "a day has both times, or none"),
        ({"monday_closes": "09:00"}, "monday_closes", "This must differ from when it opens"),
        (
            {"monday_break_1_from": "13:00"},
            *("monday_break_1_until", "This is missing: a break has both times."),
        ),
        (
            {"monday_break_1_from": "13:00", "monday_break_1_until": "12:00"},
            *("monday_break_1_until", "This must be after the break begins"),
        ),
        (
            {"monday_break_1_from": "08:00", "monday_break_1_until": "10:00"},
            *("monday_break_1_from", "A break lies between opening and closing"),
        ),
        (
            {"monday_break_1_from": "18:00", "monday_break_1_until": "19:00"},
            *("monday_break_1_until", "before the day closes"),
        ),
        (
            {
                "monday_break_1_from": "12:00",
                "monday_break_1_until": "13:00",
                "monday_break_2_from": "12:30",
                "monday_break_2_until": "14:00",
            },
            *("monday_break_2_from", "This break begins before the one above it ends."),
        ),
        (
            {
                "monday_opens": "",
                "monday_closes": "",
                "monday_break_1_from": "12:00",
                "monday_break_1_until": "13:00",
            },
            *("monday_break_1_from", "A closed day has no break."),
        ),
        (
            {"monday_opens": "18:00", "monday_closes": "09:30"},
            *("tuesday_opens", "Monday’s hours go on until 09:30 then."),
        ),
        (
            {"sunday_opens": "18:00", "sunday_closes": "09:30"},
            *("monday_opens", "Sunday’s hours go on until 09:30 then."),
        ),
    ],
)
def test_what_is_wrong_is_said_of_its_field(fields: dict[str, str], field: str, words: str) -> None:
    problems = wrong(**fields)
    assert list(problems) == [field]
    assert words in problems[field]


def test_all_wrong_fields_are_said_at_once() -> None:
    assert set(wrong(monday_opens="x", friday_closes="y", sunday_break_2_from="z")) == {
        *("monday_opens", "friday_closes", "sunday_break_2_from"),
    }
    assert set(wrong(monday_opens="", tuesday_break_1_from="12:00")) == {
        *("monday_opens", "tuesday_break_1_until"),
    }


quarters = st.integers(0, 95).map(lambda quarter: time(quarter // 4, quarter % 4 * 15))


@st.composite
def days(draw: st.DrawFn) -> tuple[Hours, ...]:
    times = sorted(draw(st.lists(quarters, max_size=8, unique=True)))
    edges = times[: len(times) // 2 * 2]
    return tuple(Hours(*pair) for pair in zip(edges[::2], edges[1::2], strict=True))


@given(st.tuples(*[days()] * 7))
def test_the_form_and_json_mean_the_week_that_they_show(week: Week) -> None:
    assert weekly_hours.of_form(weekly_hours.shown(week)) == week
    given_ = {
        day: [(f"{opens:%H:%M}", f"{closes:%H:%M}") for opens, closes in spans]
        for day, spans in zip(DAYS, week, strict=True)
    }
    assert weekly_hours.of_json(given_) == week


@pytest.mark.parametrize(
    ("day", "field", "words"),
    [
        ([("09:00", "13:00"), ("12:00", "15:00")], "[1].from", "must begin after those before"),
        ([("14:00", "15:00"), ("09:00", "10:00")], "[1].from", "must begin after those before"),
        ([("18:00", "02:00"), ("19:00", "20:00")], "[1].from", "must begin after those before"),
        ([("09:00", "09:00")], "[0].to", "This must differ from “from”"),
        ([("9", "13:00")], "[0].from", "This must be a time, such as 09:30."),
        ([("", "13:00")], "[0].from", "This must be a time, such as 09:30."),
        ([("09:00", "10:00")] * 5, "", "A day has 3 breaks at the most."),
    ],
)
def test_json_that_is_no_week_is_refused_by_its_place(
    day: list[tuple[str, str]], field: str, words: str
) -> None:
    with pytest.raises(Invalid) as refused:
        weekly_hours.of_json({"monday": day})
    [error] = refused.value.errors
    assert (error.field, words in error.message) == (f"week.monday{field}", True)
