"""The table of plans: when a booking's reminders are due, in one row whatever their number.

A reminder has a row of its own in `message` from a few minutes before its time on; until then it
is arithmetic (`ReminderTimes`). Only `app.messages.lifecycle.materialize` writes plans.
"""

from bisect import bisect_right
from dataclasses import dataclass, replace
from datetime import datetime, time, timedelta
from functools import cached_property
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import JSON, CheckConstraint, Double, ForeignKey, Index, String, text
from sqlalchemy.orm import Mapped, mapped_column

from app.db import Base, UtcDateTime

_IS_OPEN = text("next_at IS NOT NULL")


@dataclass(frozen=True)
class QuietHours:
    """From `begins` until just before `ends`, on the clock of `time_zone`, nothing is sent.

    The two may span midnight.
    """

    begins: time
    ends: time
    time_zone: ZoneInfo

    def has(self, at: datetime) -> bool:
        """Whether `at` (aware) falls in them."""
        local = at.astimezone(self.time_zone).time()
        if self.begins < self.ends:
            return self.begins <= local < self.ends
        return local >= self.begins or local < self.ends


@dataclass(frozen=True)
class ReminderTimes:
    """`count` times, `every` so often from `first_at` (UTC) on, some of them in quiet hours.

    Of times of a shop's own, `own_after` has how long after the first each is, in order.
    A time is known by its step: the first has step 0.
    """

    first_at: datetime
    every: timedelta
    count: int
    quiet_hours: QuietHours | None = None
    own_after: tuple[timedelta, ...] | None = None

    def at(self, step: int) -> datetime:
        """When it is."""
        if self.own_after is not None:
            return self.first_at + self.own_after[step]
        return self.first_at + step * self.every

    def is_quiet(self, step: int) -> bool:
        """Whether quiet hours leave it out."""
        return self.quiet_hours is not None and self.quiet_hours.has(self.at(step))

    def until(self, moment: datetime) -> int:
        """How many are at `moment` (aware) or earlier, the quiet ones too."""
        if self.own_after is not None:
            return bisect_right(self.own_after, moment - self.first_at)
        return max(0, min(self.count, (moment - self.first_at) // self.every + 1))

    def after(self, moment: datetime) -> "ReminderTimes":
        """Those that are later than `moment` (aware) alone."""
        gone = self.until(moment)
        if gone == self.count:
            return replace(self, count=0, own_after=None)
        own = self.own_after and tuple(
            each - self.own_after[gone] for each in self.own_after[gone:]
        )
        return replace(self, first_at=self.at(gone), count=self.count - gone, own_after=own)

    def going(self, first: int, end: int) -> int:
        """How many from step `first` until before step `end` are not quiet."""
        if self.quiet_hours is None:
            return max(0, end - first)
        return sum(not self.is_quiet(step) for step in range(first, end))

    def next_at(self, first: int) -> datetime | None:
        """When the first one is, from step `first` on, that is not quiet; None if there is none."""
        steps = (step for step in range(first, self.count) if not self.is_quiet(step))
        step = next(steps, None)
        return None if step is None else self.at(step)

    @cached_property
    def times(self) -> tuple[datetime, ...]:
        """Those that are not quiet, the earliest first."""
        return tuple(self.at(step) for step in range(self.count) if not self.is_quiet(step))

    @cached_property
    def quiet(self) -> tuple[datetime, ...]:
        """Those that quiet hours leave out, the earliest first."""
        return tuple(self.at(step) for step in range(self.count) if self.is_quiet(step))


class Plan(Base):
    """When a booking's reminders are due, by the rule as it was then, and how far they are made.

    Reminder `first_number` is due at `first_at`, each further one `every` seconds later, or all of
    them `own_after` the first (seconds). Those
    before `next_number` are rows of `message`. Of the others `to_come` are still to be made, the
    first of them at `next_at`; the rest is in the quiet hours of then, and is never made. A plan
    that ended, for `reason`, has none to come.
    """

    __tablename__ = "plan"
    __table_args__ = (
        CheckConstraint("first_number > 0 AND count > 0 AND every > 0", name="numbers"),
        CheckConstraint(
            "next_number >= first_number AND next_number <= first_number + count", name="cursor"
        ),
        CheckConstraint(
            "(quiet_from IS NULL) = (quiet_until IS NULL)"
            " AND (quiet_from IS NULL) = (time_zone IS NULL)",
            name="quiet_hours",
        ),
        CheckConstraint("(next_at IS NOT NULL) = (to_come > 0)", name="to_come"),
        CheckConstraint("(ended_at IS NULL) = (reason IS NULL)", name="reason"),
        CheckConstraint("ended_at IS NULL OR next_at IS NULL", name="ended"),
        Index(
            "ix_plan_next",
            "next_at",
            "to_come",
            postgresql_where=_IS_OPEN,
            sqlite_where=_IS_OPEN,
        ),
    )

    booking_id: Mapped[str] = mapped_column(ForeignKey("booking.id"), primary_key=True)
    first_number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    first_at: Mapped[datetime] = mapped_column(UtcDateTime)
    every: Mapped[float] = mapped_column(Double)  # seconds
    count: Mapped[int]
    own_after: Mapped[list[float] | None] = mapped_column(JSON(none_as_null=True))
    quiet_from: Mapped[time | None]
    quiet_until: Mapped[time | None]
    time_zone: Mapped[str | None] = mapped_column(String(64))  # of the quiet hours
    next_number: Mapped[int]
    next_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    to_come: Mapped[int]
    made_at: Mapped[datetime] = mapped_column(UtcDateTime)
    ended_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    reason: Mapped[str | None] = mapped_column(String(40))


def times_of(plan: Any) -> ReminderTimes:
    """The times of a Plan, or of a row with its columns."""
    quiet_hours = None
    if plan.quiet_from is not None:
        quiet_hours = QuietHours(plan.quiet_from, plan.quiet_until, ZoneInfo(plan.time_zone))
    every = timedelta(seconds=plan.every)
    own = plan.own_after
    own_after = None if own is None else tuple(timedelta(seconds=each) for each in own)
    return ReminderTimes(plan.first_at, every, plan.count, quiet_hours, own_after)
