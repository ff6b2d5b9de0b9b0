"""What the steps of a first run mean, before anything is kept."""

from datetime import time

import pytest

from app.errors import Invalid
from app.models.week import Hours, every_day
from app.shop import changes, first_steps

DAY = {"opens": "09:00", "closes": "18:00", "break_from": "", "break_until": ""}


def test_hours_hold_for_the_days_that_are_ticked() -> None:
    week = first_steps.hours_typed(
        {**DAY, "break_from": "13:00", "break_until": "14:00", "tuesday": "1"}
    )
    assert week[1] == (Hours(time(9), time(13)), Hours(time(14), time(18)))
    assert all(day == () for number, day in enumerate(week) if number != 1)
    assert first_steps.hours_typed(first_steps.hours_shown(week)) == week
    assert first_steps.is_simple(week)


@pytest.mark.parametrize(
    ("typed", "field"),
    [
        (DAY, "monday"),
        ({**DAY, "monday": "1", "opens": ""}, "opens"),
        ({**DAY, "monday": "1", "closes": ""}, "closes"),
        ({**DAY, "monday": "1", "opens": "9 o’clock"}, "opens"),
        ({**DAY, "monday": "1", "break_from": "13:00"}, "break_until"),
        ({**DAY, "monday": "1", "break_from": "20:00", "break_until": "21:00"}, "break_from"),
    ],
)
def test_hours_that_cannot_be_are_refused_by_the_names_of_the_step(
    typed: dict[str, str], field: str
) -> None:
    with pytest.raises(Invalid) as refused:
        first_steps.hours_typed(typed)
    assert field in {error.field for error in refused.value.errors}


def test_a_week_that_says_more_than_the_step_is_told_apart() -> None:
    week = list(every_day(time(9), time(18)))
    assert first_steps.is_simple(tuple(week))
    week[5] = (Hours(time(9), time(14)),)
    assert not first_steps.is_simple(tuple(week))


@pytest.mark.parametrize(
    ("country", "locale"),
    [("GB", "en_GB"), ("US", "en_US"), ("DE", "de_DE"), ("AT", "de_AT"), ("CH", "de_CH"),
     ("BR", "pt_BR"), ("IE", "en_IE"), ("", ""), ("XX", "")],
)  # fmt: skip
def test_the_language_follows_from_the_country(country: str, locale: str) -> None:
    assert first_steps.locale_of(country) == locale


def test_each_country_has_a_language_of_the_list_or_none() -> None:
    for country in changes.countries():
        assert first_steps.locale_of(country) in {"", *changes.locales()}


def test_the_country_follows_from_the_time_zone() -> None:
    assert first_steps.country_of("Europe/London") == "GB"
    assert first_steps.country_of("America/Chicago") == "US"
    assert first_steps.country_of("UTC") == ""
