"""The times at which a booking's reminders are due.

A pure function of the policy, when it was booked (or moved), and when the appointment is.
"""

from datetime import UTC, datetime, timedelta

from app.models.plan import ReminderTimes
from app.shop.policy import Policy

MAX_REMINDERS = 5_000
"""More than this for one booking is a mistake in the policy or the date, not a plan."""


class PlanTooLong(ValueError):
    """The policy asks for `number` reminders, more than MAX_REMINDERS."""

    def __init__(self, number: int) -> None:
        super().__init__(
            f"This would be {number} reminders; one booking can have {MAX_REMINDERS}. "
            "Choose a nearer day, or a longer interval or fewer reminders in the settings."
        )
        self.number = number


def reminder_times(policy: Policy, start: datetime, appointment: datetime) -> ReminderTimes:
    """The plan of a booking made at `start` for `appointment` (both aware).

    Each time is later than `start` and earlier than `appointment`. Intervals are real hours, so
    a change to or from summer time does not shift them. A time in quiet hours is left out rather
    than moved, as moved ones would pile up at the end of the night; so an appointment early in
    the morning may have none, and `ReminderTimes.quiet` says which are missing. With `at_most` the
    quiet ones do not count, and those that it would have dropped anyway are no part of the plan.

    Raises PlanTooLong (by arithmetic where there is no `at_most`, else after a search of at most
    MAX_REMINDERS steps) and ValueError for times without a zone.
    """
    appointment = _utc(appointment)
    if policy.own_times is not None:
        return _own(policy, appointment - _utc(start), appointment)
    lead, candidates = _grid(policy, appointment - _utc(start))
    count = candidates if policy.at_most is None else _kept(policy, appointment - lead, candidates)
    if count > MAX_REMINDERS:
        raise PlanTooLong(count)
    first_at = appointment - lead - (count - 1) * policy.every
    return ReminderTimes(first_at, policy.every, count, policy.quiet_hours)


def _own(policy: Policy, span: timedelta, appointment: datetime) -> ReminderTimes:
    """At times of the shop's own, those that are not over yet."""
    before = [each for each in policy.own_times or () if each < span]
    first = before[0] if before else timedelta()
    after = tuple(first - each for each in before)
    own = policy.quiet_hours, after
    return ReminderTimes(appointment - first, policy.every, len(before), *own)


def _kept(policy: Policy, last_at: datetime, candidates: int) -> int:
    """How many of the last ones up to `last_at` have `policy.at_most` that are not quiet.

    With quiet ones before them too where there are not so many. Raises PlanTooLong.
    """
    wanted = min(policy.at_most or 0, candidates)
    if wanted > MAX_REMINDERS:
        raise PlanTooLong(wanted)
    found = 0
    for step in range(min(candidates, MAX_REMINDERS)):
        if found == wanted:
            return step
        found += not policy.is_quiet(last_at - step * policy.every)
    if found < wanted and candidates > MAX_REMINDERS:
        raise PlanTooLong(candidates)
    return min(candidates, MAX_REMINDERS)


def _grid(policy: Policy, span: timedelta) -> tuple[timedelta, int]:
    """How long before the appointment the last reminder can be, and how many there are up to it.

    `span` is the time from the start to the appointment.
    """
    number = max(0, (span - timedelta.resolution) // policy.every)
    lead = policy.every if policy.count_from == "appointment" else span - number * policy.every
    if policy.within is not None:
        number = min(number, max(0, (policy.within - lead) // policy.every + 1))
    return lead, number


def _utc(at: datetime) -> datetime:
    if at.tzinfo is None:
        raise ValueError("a time without a time zone cannot be planned with")
    return at.astimezone(UTC)
