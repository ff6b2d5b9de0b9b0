"""What a rule means for one booking, in numbers that a new shop is shown."""

from datetime import UTC, date, datetime, time
from typing import Any

import pytest

from app.models.shop import Shop
from app.models.week import every_day
from app.reminders import choices
from app.reminders.changes import PolicyForm

NOW = datetime(2026, 11, 24, 17, 22, tzinfo=UTC)  # a Tuesday


def shop(**values: Any) -> Shop:
    given = {"time_zone": "UTC", "count_from": "booking", "reminder_every": 7200}
    return Shop(
        name="A", locale="en_GB", weekly_hours=every_day(time(9), time(18)), **given | values
    )


def look(**typed: str) -> choices.Look:
    row = shop()
    return choices.look(row, {**choices.shown(row), **typed}, NOW)


def test_every_two_hours_for_next_tuesday_are_82_messages_35_of_them_at_night() -> None:
    found = look()
    assert found.visit == datetime(2026, 12, 1, 14, tzinfo=UTC)
    assert (found.number, found.at_night, found.quiet, found.left) == (82, 35, 0, 47)
    assert found.days[0][0].date() == date(2026, 11, 24)
    assert sum(len(dots) for _, dots in found.days) == 82


def test_quiet_hours_leave_those_of_the_day() -> None:
    found = look(quiet="1")
    assert (found.number, found.at_night, found.quiet) == (47, 0, 35)


@pytest.mark.parametrize(
    ("choice", "number"),
    [("once", 1), ("two", 2), ("own", 3), ("last_day", 12), ("every", 82), ("strange", 82)],
)
def test_each_choice_is_a_rule(choice: str, number: int) -> None:
    assert look(choice=choice, own_times="3 days, 1 day, 90 minutes").number == number


def test_what_is_too_much_for_dots_or_for_a_plan_is_said_in_words() -> None:
    assert look(every="5", unit="minutes").days == ()
    assert "one booking can have" in look(every="1", unit="minutes").problem


@pytest.mark.parametrize("choice", choices.CHOICES)
def test_a_rule_that_was_kept_is_shown_as_it_was_chosen(choice: str) -> None:
    typed = {"choice": choice, "every": "3", "unit": "hours", "own_times": "3 days, 5 hours"}
    row = shop(**PolicyForm(choices.policy_of(typed), shop()).columns() | {"reminder_every": 3})
    assert choices.shown(row)["choice"] == choice


@pytest.mark.parametrize("today", [date(2026, 11, day) for day in range(23, 30)])
def test_next_tuesday_is_some_days_off(today: date) -> None:
    found = choices.next_tuesday(today)
    assert found.weekday() == 1
    assert 5 <= (found - today).days <= 11
