"""The shop's policy as its owner types it: read, and tried out before it is kept."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import Any, get_args

from app import clock
from app.forms import Form, as_typed, field, number, one_of, time_of_day, whole_number
from app.models.plan import ReminderTimes
from app.models.shop import Shop
from app.reminders.plan import MAX_REMINDERS, PlanTooLong, reminder_times
from app.shop import own_times
from app.shop.policy import CountFrom, Policy, of_shop

UNITS = {"seconds": 1, "minutes": 60, "hours": 3600}
"""Seconds of each unit of an interval."""

OWN = "own"
"""Counted from nothing: at times of the shop's own."""

_LONGEST = 366 * 86400  # seconds: as REMINDER_EVERY
_HOUR = 3600
_EXAMPLES = (timedelta(days=1), timedelta(days=7))
_AT = time(15)


class PolicyForm(Form):
    """The form “Reminders”; `within` is in hours, and empty is no limit.

    `shop` is as it is: an interval that was left alone stays what the environment says, if it was
    that.
    """

    def __init__(self, given: Mapping[str, str], shop: Shop) -> None:
        super().__init__({name: given.get(name, "").strip() for name in self.names})
        self._shop = shop

    @field
    def every(self, typed: str) -> int:
        return _seconds(typed, UNITS.get(self.given["unit"], 1), "from 1 second to 366 days.")

    @field
    def unit(self, typed: str) -> str:
        return one_of(typed, UNITS)

    @field
    def count_from(self, typed: str) -> str:
        if typed not in {*get_args(CountFrom), OWN}:
            raise ValueError("This must be one of the list.")
        return typed

    @field
    def own_times(self, typed: str) -> str | None:
        """Looked at only if they are what is chosen."""
        is_chosen = self.given["count_from"] == OWN
        return own_times.words(own_times.read(typed)) if is_chosen else None

    @field
    def within(self, typed: str) -> int | None:
        hint = "more than nothing, and at most 8784 hours: a year."
        return _seconds(typed, _HOUR, hint) if typed else None

    @field
    def at_most(self, typed: str) -> int | None:
        hint = f"This must be a whole number from 1 to {MAX_REMINDERS}, or empty."
        return whole_number(typed, 1, MAX_REMINDERS, hint) if typed else None

    @field
    def quiet_from(self, typed: str) -> time | None:
        return _quiet(typed, self.given["quiet_until"])

    @field
    def quiet_until(self, typed: str) -> time | None:
        return _quiet(typed, self.given["quiet_from"])

    def wrong_together(self, values: Mapping[str, Any]) -> Mapping[str, str]:
        if values["quiet_from"] is not None and values["quiet_from"] == values["quiet_until"]:
            return {"quiet_until": "This must differ from when quiet hours begin."}
        return {}

    def columns(self) -> dict[str, Any]:
        """The columns of the shop's row that it means. Raises Invalid."""
        values = self.checked()
        every = values.pop("every")
        del values["unit"]
        if values["count_from"] == OWN:
            values["count_from"] = self._shop.count_from
        shown = self.shown(self._shop)
        is_as_it_was = all(self.given[name] == shown[name] for name in ("every", "unit"))
        return {"reminder_every": self._shop.reminder_every if is_as_it_was else every, **values}

    @classmethod
    def shown(cls, of: Shop) -> dict[str, str]:
        """What the form shows at first."""
        policy = of_shop(of)
        seconds = policy.every.total_seconds()
        fitting = (unit for unit in ("hours", "minutes") if seconds % UNITS[unit] == 0)
        unit = next(fitting, "seconds")
        return {
            "every": f"{seconds / UNITS[unit]:g}",
            "unit": unit,
            "count_from": OWN if of.own_times else policy.count_from,
            "own_times": as_typed(of.own_times),
            "within": "" if policy.within is None else f"{policy.within.total_seconds() / _HOUR:g}",
            "at_most": as_typed(policy.at_most),
            "quiet_from": as_typed(policy.quiet_from),
            "quiet_until": as_typed(policy.quiet_until),
        }


@dataclass(frozen=True)
class Example:
    """What a booking made now for `appointment` gets: a plan, or a `problem` in words."""

    appointment: datetime
    plan: ReminderTimes | None
    problem: str = ""


def examples(shop: Shop, columns: Mapping[str, Any], now: datetime) -> list[Example]:
    """What bookings made `now` would get by these columns: one for tomorrow, one in a week."""
    policy = of_shop(Shop(time_zone=shop.time_zone, **columns))
    today = now.astimezone(policy.time_zone).date()
    return [
        _example(policy, now, clock.first_moment(today + away, _AT, policy.time_zone))
        for away in _EXAMPLES
    ]


def _example(policy: Policy, now: datetime, appointment: datetime) -> Example:
    try:
        return Example(appointment, reminder_times(policy, now, appointment))
    except PlanTooLong as error:
        return Example(appointment, None, str(error))


def _seconds(typed: str, unit: int, range_in_words: str) -> int:
    seconds = round(number(typed) * unit)
    if not 1 <= seconds <= _LONGEST:
        raise ValueError(f"This must be {range_in_words}")
    return seconds


def _quiet(text: str, other: str) -> time | None:
    """One end of the quiet hours, which need both or none."""
    if not text and other:
        raise ValueError("This is missing: quiet hours need both times, or none.")
    return time_of_day(text) if text else None
