"""The few plain rules that a new shop chooses from, and what a rule means for one booking."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from itertools import groupby

from app import clock
from app.forms import as_typed
from app.models.plan import QuietHours
from app.models.shop import Shop
from app.reminders.changes import OWN, PolicyForm
from app.reminders.plan import PlanTooLong, reminder_times
from app.shop.first_steps import NIGHT
from app.shop.policy import of_shop

CHOICES: Mapping[str, tuple[str, str]] = {
    "every": ("Every few hours", "From when it was booked until the visit."),
    "last_day": (
        "Every few hours on the last day",
        "In the 24 hours before the visit.",
    ),
    "two": ("The day before and 2 hours before", "Two messages a booking. What most shops use."),
    "once": ("Once, the day before", "One message, 24 hours before the visit."),
    "own": ("My own times", "For example 3 days, 1 day and 90 minutes before."),
}
"""What can be chosen, its name and what it means."""

MOST_SHOWN = 400
"""Dots that a picture has."""

_TWO = "1 day, 2 hours"
_TUESDAY, _WEEK, _SOME_DAYS = 1, 7, 5
_AT = time(14)


@dataclass(frozen=True)
class Dot:
    """A message of a day: its minute on the shop's clock, and whether that is at night."""

    minute: int
    is_night: bool


@dataclass(frozen=True)
class Look:
    """What a booking made now for `visit` gets: its messages by day, or a `problem` in words.

    Of each of the `days` it has the time of the first message. `quiet` counts those that quiet
    hours leave out, `left` what would be left with them.
    """

    visit: datetime
    days: Sequence[tuple[datetime, Sequence[Dot]]] = ()
    number: int = 0
    at_night: int = 0
    quiet: int = 0
    problem: str = ""

    @property
    def left(self) -> int:
        return self.number - self.at_night


def shown(shop: Shop) -> dict[str, str]:
    """The fields of the step as the shop's rule says them."""
    fields = PolicyForm.shown(shop)
    quiet = {
        "quiet": "1" if shop.quiet_from else "",
        "quiet_from": fields["quiet_from"] or as_typed(NIGHT[0]),
        "quiet_until": fields["quiet_until"] or as_typed(NIGHT[1]),
    }
    often = {name: fields[name] for name in ("every", "unit", "own_times")}
    return {"choice": _choice(shop), **often, **quiet}


def _choice(shop: Shop) -> str:
    if shop.own_times:
        return "two" if shop.own_times == _TWO else "own"
    return "once" if shop.at_most == 1 else "last_day" if shop.within else "every"


def policy_of(typed: Mapping[str, str]) -> dict[str, str]:
    """The fields of PolicyForm that the step's mean."""
    rules: Mapping[str, dict[str, str]] = {
        "every": {"count_from": "booking"},
        "last_day": {"count_from": "appointment", "within": "24"},
        "two": {"count_from": OWN, "own_times": _TWO},
        "own": {"count_from": OWN, "own_times": typed.get("own_times", "")},
        "once": {"count_from": "appointment", "every": "24", "unit": "hours", "at_most": "1"},
    }
    every = {"every": typed.get("every", ""), "unit": typed.get("unit", "")}
    quiet = {name: typed.get(name, "") for name in ("quiet_from", "quiet_until")}
    rule = rules.get(typed.get("choice", ""), rules["every"])
    return {**every, **rule, **(quiet if typed.get("quiet") else {})}


def look(shop: Shop, typed: Mapping[str, str], now: datetime) -> Look:
    """What it comes to for next Tuesday. Raises Invalid."""
    columns = PolicyForm(policy_of(typed), shop).columns()
    policy = of_shop(Shop(time_zone=shop.time_zone, **columns))
    visit = next_tuesday(now.astimezone(policy.time_zone).date())
    at = clock.first_moment(visit, _AT, policy.time_zone)
    try:
        plan = reminder_times(policy, now, at)
    except PlanTooLong as error:
        return Look(at, problem=str(error))
    night = QuietHours(*NIGHT, policy.time_zone)
    local = [each.astimezone(policy.time_zone) for each in plan.times]
    days = [
        (first, [Dot(each.hour * 60 + each.minute, night.has(each)) for each in (first, *rest)])
        for first, *rest in (list(of_day) for _, of_day in groupby(local, datetime.date))
    ]
    at_night = sum(night.has(each) for each in local)
    is_shown = len(local) <= MOST_SHOWN
    return Look(at, days if is_shown else (), len(local), at_night, len(plan.quiet))


def next_tuesday(today: date) -> date:
    """The next Tuesday that is at least some days off."""
    ahead = (_TUESDAY - today.weekday()) % _WEEK
    return today + timedelta(days=ahead if ahead >= _SOME_DAYS else ahead + _WEEK)
