"""What each picture shows, as a sentence; too few bookings say nothing."""

from collections.abc import Sequence
from itertools import dropwhile

from app.dashboard.numbers.pictures import Load, Stack
from app.reports.no_shows import Group
from app.web import times

_ENOUGH = 20
"""Bookings of a group of which a rate can be told."""

TOO_FEW = "Too few bookings yet to say."


def of_reminders(groups: Sequence[Group]) -> str:
    """What two reminders or more bring, beside none."""
    none, most = groups[0], sum(groups[2:], Group())
    if min(none.bookings, most.bookings) < _ENOUGH:
        return TOO_FEW
    return (
        f"With 2 or more reminders, {_of_hundred(most)} in 100 stay away. "
        f"With none, {_of_hundred(none)}."
    )


def of_ahead(groups: Sequence[Group]) -> str:
    """Who books early, beside who books late."""
    late, early = groups[0], groups[-1]
    if min(late.bookings, early.bookings) < _ENOUGH:
        return TOO_FEW
    return (
        f"Booked over a week ahead, {_of_hundred(early)} in 100 stay away. "
        f"Less than a day ahead, {_of_hundred(late)}."
    )


def of_weeks(stacks: Sequence[Stack]) -> str:
    """How many bookings a column has, and which has the most; those before the first count not."""
    booked = dropwhile(lambda number: not number, (each.tally.bookings for each in stacks))
    numbers = list(booked)
    if not numbers:
        return "No bookings in these weeks."
    busiest = max(stacks, key=lambda each: each.tally.bookings)
    mean = times.amount(round(sum(numbers) / len(numbers)))
    most = times.amount(busiest.tally.bookings)
    since = times.date_text(busiest.column.first)
    if len(numbers) == 1:
        return f"{most} from {since}, the first so far."
    return f"About {mean} each, most from {since}: {most}."


def of_occupancy(loads: Sequence[Load]) -> str:
    """Who is busiest, and who has the most room."""
    known = sorted(
        ((each.whole, each.barber.name) for each in loads if each.whole is not None), reverse=True
    )
    if not known or not known[0][0]:
        return TOO_FEW
    (most, busiest), (least, quietest) = known[0], known[-1]
    if most == least:
        return f"Booked {_percent(most)} of the open hours."
    return f"{busiest} is busiest at {_percent(most)}, {quietest} has the most room."


def _of_hundred(group: Group) -> int:
    return round(100 * (group.rate or 0))


def _percent(part: float) -> str:
    return times.share(round(part, 2))
