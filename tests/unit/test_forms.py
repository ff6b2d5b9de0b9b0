"""A form: its fields, what is wrong with them, and the rules that many forms need."""

from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any

import pytest

from app import forms
from app.errors import Invalid
from app.forms import Form, field


class Lunch(Form):
    """When a shop has lunch."""

    asked = 0

    @field
    def begins(self, typed: str) -> time:
        self.asked += 1
        return forms.time_of_day(typed)

    @field
    def ends(self, typed: str) -> time | None:
        return forms.time_of_day(typed) if typed and self.begins else None

    def wrong_together(self, values: Mapping[str, Any]) -> Mapping[str, str]:
        is_wrong = values["ends"] == values["begins"]
        return {"ends": "This must be later."} if is_wrong else {}


class LongLunch(Lunch):
    """Of those who say why."""

    @field
    def why(self, typed: str) -> str:
        return forms.one_of(typed, ("hungry", "tired"))


def wrong(form: Form) -> dict[str, str]:
    with pytest.raises(Invalid) as refused:
        form.checked()
    return {error.field: error.message for error in refused.value.errors}


def test_a_form_says_what_each_field_means() -> None:
    form = LongLunch({"begins": " 12:30 ", "why": "hungry", "unknown": "left alone"})
    assert form.checked() == {"begins": time(12, 30), "ends": None, "why": "hungry"}
    assert (form.begins, form.ends, form.why) == (time(12, 30), None, "hungry")


def test_a_form_says_all_that_is_wrong_at_once() -> None:
    assert wrong(LongLunch({"begins": "noon"})) == {
        "begins": "This must be a time, such as 09:30.",
        "why": "This must be one of the list.",
    }


def test_what_is_wrong_together_is_said_of_fields_that_are_right_by_themselves() -> None:
    assert wrong(Lunch({"begins": "12:00", "ends": "12:00"})) == {"ends": "This must be later."}
    assert "ends" not in wrong(LongLunch({"begins": "12:00", "ends": "12:00"}))


def test_a_field_is_read_once_however_often_it_is_asked_for() -> None:
    form = Lunch({"begins": "12:00", "ends": "13:00"})
    form.checked()
    form.checked()
    assert form.begins == time(12)
    assert form.asked == 1


def test_some_fields_can_be_read_without_the_others() -> None:
    assert LongLunch({"why": "tired"}).checked(["why"]) == {"why": "tired"}


def test_a_form_shows_values_as_they_are_typed() -> None:
    class Kept:
        begins, ends = time(9, 5), None

    assert Lunch.shown(Kept) == {"begins": "09:05", "ends": ""}
    assert forms.as_typed(Decimal("0.0450")) == "0.045"
    assert forms.as_typed(Decimal("100")) == "100"
    assert forms.as_typed(Decimal("24.5")) == "24.50"


@pytest.mark.parametrize(
    ("rule", "typed", "meant"),
    [
        (forms.day, "2026-11-23", date(2026, 11, 23)),
        (forms.moment, "2026-11-23T14:00:00+02:00", datetime(2026, 11, 23, 12, tzinfo=UTC)),
        (forms.time_of_day, "09:30:00", time(9, 30)),
        (forms.number, "2,5", Decimal("2.5")),
        (forms.email, " Ana@Example.com", "Ana@example.com"),
    ],
)
def test_what_is_right_is_read(rule: Callable[[str], Any], typed: str, meant: Any) -> None:
    assert rule(typed) == meant


@pytest.mark.parametrize(
    ("rule", "typed", "says"),
    [
        *(
            (forms.day, typed, "This must be a day, such as 2026-11-23.")
            for typed in ("", "20261123", "2026-W48-1", "2026-02-30")
        ),
        *(
            (forms.moment, typed, "This must be a time such as 2026-11-23T14:00:00Z.")
            for typed in ("", "2026-11-23T14:00:00", "noon", "0001-01-01T00:00:00+10:00")
        ),
        *(
            (forms.time_of_day, typed, "This must be a time, such as 09:30.")
            for typed in ("", "24:00", "9:30", "٠٩:٣٠")
        ),
        *((forms.number, typed, "This must be a number") for typed in ("", "1e3", "-1", "٢")),
        (forms.email, "ana", "This is not an email address: "),
    ],
)
def test_what_is_wrong_is_refused_in_a_sentence(
    rule: Callable[[str], Any], typed: str, says: str
) -> None:
    with pytest.raises(ValueError, match=says):
        rule(typed)
