"""How often, and when, a shop reminds its customers.

A Policy is plain values, so that a form can ask what it would do before it is saved.
"""

from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import Literal, cast, get_args
from zoneinfo import ZoneInfo

from app import clock
from app.models.plan import QuietHours
from app.models.shop import Shop
from app.settings import settings
from app.shop import own_times
from app.shop.service import time_zone

CountFrom = Literal["booking", "appointment"]

SHORTEST_INTERVAL = timedelta(seconds=1)


@dataclass(frozen=True, kw_only=True)
class Policy:
    """A shop's rule for reminders. Raises ValueError when it contradicts itself.

    `every` is the time between two reminders, counted on from the booking or back from the
    appointment (`count_from`). `within` keeps only those in the last such time before the
    appointment; `at_most` keeps only so many, the nearest to the appointment.
    `own_times` before the appointment take the place of all of that, the longest first.
    From `quiet_from` until just before `quiet_until`, on the clock of `time_zone`, nothing is
    sent; the two may span midnight.
    """

    every: timedelta
    time_zone: ZoneInfo
    count_from: CountFrom = "booking"
    within: timedelta | None = None
    at_most: int | None = None
    own_times: tuple[timedelta, ...] | None = None
    quiet_from: time | None = None
    quiet_until: time | None = None

    def __post_init__(self) -> None:
        if self.every < SHORTEST_INTERVAL:
            raise ValueError("every must be at least one second")
        if self.count_from not in get_args(CountFrom):
            raise ValueError("count_from must be 'booking' or 'appointment'")
        if self.within is not None and self.within <= timedelta(0):
            raise ValueError("within must be more than nothing")
        if self.at_most is not None and self.at_most < 1:
            raise ValueError("at_most must be at least 1")
        self._check_quiet_hours()

    @property
    def least(self) -> timedelta:
        """Who books later than that before the appointment gets no reminder."""
        return self.own_times[-1] if self.own_times else self.every

    @property
    def quiet_hours(self) -> QuietHours | None:
        """They alone; None if there are none."""
        if self.quiet_from is None or self.quiet_until is None:
            return None
        return QuietHours(self.quiet_from, self.quiet_until, self.time_zone)

    def is_quiet(self, at: datetime) -> bool:
        """Whether `at` (aware) falls in the quiet hours, by the shop's clock."""
        return self.quiet_hours is not None and self.quiet_hours.has(at)

    def quiet_until_after(self, at: datetime) -> datetime | None:
        """When the quiet hours end that `at` (aware) falls in, in UTC; None if it is in none.

        Where the clock is put back, an end that it shows twice is the next of both.
        """
        if self.quiet_until is None or not self.is_quiet(at):
            return None
        local = at.astimezone(self.time_zone)
        day = local.date() + timedelta(days=local.time() >= self.quiet_until)
        first = clock.first_moment(day, self.quiet_until, self.time_zone)
        return first if first > at else clock.last_moment(day, self.quiet_until, self.time_zone)

    def _check_quiet_hours(self) -> None:
        if (self.quiet_from is None) != (self.quiet_until is None):
            raise ValueError("quiet hours need both quiet_from and quiet_until")
        if self.quiet_from is None or self.quiet_until is None:
            return
        if self.quiet_from.tzinfo or self.quiet_until.tzinfo:
            raise ValueError("quiet_from and quiet_until are shop time and have no time zone")
        if self.quiet_from == self.quiet_until:
            raise ValueError("quiet_from and quiet_until must differ")


def of_shop(shop: Shop) -> Policy:
    """The policy in the shop's row; where it says nothing, REMINDER_EVERY and no limits."""
    every = settings().reminder_every if shop.reminder_every is None else shop.reminder_every
    return Policy(
        every=timedelta(seconds=every),
        time_zone=time_zone(shop),
        count_from=cast(CountFrom, shop.count_from),
        within=None if shop.within is None else timedelta(seconds=shop.within),
        at_most=shop.at_most,
        own_times=own_times.read(shop.own_times) if shop.own_times else None,
        quiet_from=shop.quiet_from,
        quiet_until=shop.quiet_until,
    )
