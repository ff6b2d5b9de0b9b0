"""The shop's policy as its owner types it: read, and tried out before it is kept."""

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime, time, timedelta
from typing import Any, Self, get_args

from app import clock
from app.errors import FieldError, Invalid, each_right
from app.models.plan import Plan
from app.models.shop import Shop
from app.reminders.plan import MAX_REMINDERS, PlanTooLong, reminder_times
from app.shop.changes import time_of_day
from app.shop.policy import CountFrom, Policy, of_shop

UNITS = {"seconds": 1, "minutes": 60, "hours": 3600}
"""Seconds of each unit of an interval."""

_LONGEST = 366 * 86400  # seconds: as REMINDER_EVERY
_HOUR = 3600
_NUMBER = re.compile(r"[0-9]{1,8}(?:[.,][0-9]{1,3})?")
_EXAMPLES = (timedelta(days=1), timedelta(days=7))
_AT = time(15)


@dataclass(frozen=True)
class Draft:
    """The form's fields as they were typed; `within` is in hours, times are 21:00.

    `seen` is what the form showed at first (`app.web.seen`).
    """

    every: str = ""
    unit: str = ""
    count_from: str = ""
    within: str = ""
    at_most: str = ""
    quiet_from: str = ""
    quiet_until: str = ""
    seen: str = ""

    @classmethod
    def of_form(cls, typed: Mapping[str, str]) -> Self:
        """What a form sent."""
        return cls(**{name: typed.get(name, "").strip() for name in cls.__dataclass_fields__})

    @classmethod
    def of_shop(cls, shop: Shop) -> Self:
        """What the form shows at first."""
        policy = of_shop(shop)
        seconds = policy.every.total_seconds()
        fitting = (unit for unit in ("hours", "minutes") if seconds % UNITS[unit] == 0)
        unit = next(fitting, "seconds")
        return cls(
            every=f"{seconds / UNITS[unit]:g}",
            unit=unit,
            count_from=policy.count_from,
            within="" if policy.within is None else f"{policy.within.total_seconds() / _HOUR:g}",
            at_most="" if policy.at_most is None else str(policy.at_most),
            quiet_from=f"{policy.quiet_from:%H:%M}" if policy.quiet_from else "",
            quiet_until=f"{policy.quiet_until:%H:%M}" if policy.quiet_until else "",
        )

    @property
    def fields(self) -> dict[str, str]:
        """All that is typed, by field."""
        found = asdict(self)
        del found["seen"]
        return found


@dataclass(frozen=True)
class Example:
    """What a booking made now for `appointment` gets: a plan, or a `problem` in words."""

    appointment: datetime
    plan: Plan | None
    problem: str = ""


def read(shop: Shop, draft: Draft) -> dict[str, Any]:
    """The columns of the shop's row that the draft means. Raises Invalid.

    An interval that was left alone stays what the environment says, if it was that.
    """
    found = each_right(
        {
            "unit": lambda: _unit(draft.unit),
            "every": lambda: _interval(draft.every, draft.unit),
            "count_from": lambda: _count_from(draft.count_from),
            "within": lambda: _within(draft.within) if draft.within else None,
            "at_most": lambda: _at_most(draft.at_most) if draft.at_most else None,
            "quiet_from": lambda: _quiet(draft.quiet_from, draft.quiet_until),
            "quiet_until": lambda: _quiet(draft.quiet_until, draft.quiet_from),
        }
    )
    if found["quiet_from"] is not None and found["quiet_from"] == found["quiet_until"]:
        raise Invalid([FieldError("quiet_until", "This must differ from when quiet hours begin.")])
    every, unit, shown = found.pop("every"), found.pop("unit"), Draft.of_shop(shop)
    is_as_it_was = (draft.every, unit) == (shown.every, shown.unit)
    return {"reminder_every": shop.reminder_every if is_as_it_was else every, **found}


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


def _unit(text: str) -> str:
    if text not in UNITS:
        raise ValueError("This must be one of the list.")
    return text


def _interval(text: str, unit: str) -> int:
    seconds = round(_number(text) * UNITS.get(unit, 1))
    if not 1 <= seconds <= _LONGEST:
        raise ValueError("This must be from 1 second to 366 days.")
    return seconds


def _count_from(text: str) -> str:
    if text not in get_args(CountFrom):
        raise ValueError("This must be from the booking or from the appointment.")
    return text


def _within(text: str) -> int:
    seconds = round(_number(text) * _HOUR)
    if not 1 <= seconds <= _LONGEST:
        raise ValueError("This must be more than nothing, and at most 8784 hours: a year.")
    return seconds


def _at_most(text: str) -> int:
    if not re.fullmatch("[0-9]{1,4}", text) or not 1 <= int(text) <= MAX_REMINDERS:
        raise ValueError(f"This must be a whole number from 1 to {MAX_REMINDERS:,}, or empty.")
    return int(text)


def _number(text: str) -> float:
    if not _NUMBER.fullmatch(text):
        raise ValueError("This must be a number, such as 2.")
    return float(text.replace(",", "."))


def _quiet(text: str, other: str) -> time | None:
    """One end of the quiet hours, which need both or none."""
    if not text and other:
        raise ValueError("This is missing: quiet hours need both times, or none.")
    return time_of_day(text) if text else None
