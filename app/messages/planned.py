"""A booking's messages as if each reminder of its plans were stored already.

Whatever shows reminders to come reads them here: same job ids, numbers, times, states and reasons,
whether a reminder has its row yet or is still arithmetic.
"""

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any, NamedTuple, cast

from sqlalchemy import Integer, Row, Select, bindparam, select
from sqlalchemy.orm import Session

from app.messages import quiet
from app.messages.lifecycle.compare_and_set import booking_of, job_id
from app.messages.quiet import QUIET_HOURS
from app.models.booking import Booking
from app.models.message import Message
from app.models.plan import Plan, QuietHours, ReminderTimes, times_of
from app.rows import read_rows, table_of
from app.sql import is_among

_PAGE = 100  # plans that are read at a time
_PLANS = select(*table_of(Plan).c).where(table_of(Plan).c.booking_id == bindparam("of_booking"))
_SOONEST = (
    select(Booking, *table_of(Plan).c)
    .join(Booking, Booking.id == Plan.booking_id)
    .where(Plan.next_at.is_not(None))
    .order_by(Plan.next_at, Plan.booking_id)
    .limit(bindparam("size", type_=Integer))
    .offset(bindparam("read", type_=Integer))
)
_PLANS_OF = (
    select(*table_of(Plan).c)
    .where(
        is_among(table_of(Plan).c.booking_id, "booking_ids"),
        table_of(Plan).c.next_number < table_of(Plan).c.first_number + table_of(Plan).c.count,
    )
    .order_by(table_of(Plan).c.booking_id, table_of(Plan).c.first_number)
)


class PlannedReminder(NamedTuple):
    """A reminder that has no row yet, with what a Message has.

    `reason` is as in the row that it would have; `updated_at` is when that became so.
    """

    id: str
    booking_id: str
    number: int
    state: str
    reason: str | None
    planned_for: datetime
    due_at: datetime
    updated_at: datetime
    booking: Booking | None = None
    kind: str = "reminder"
    attempts: int = 0
    tries: int = 0
    asked_for: bool = False
    enqueued_at: datetime | None = None
    attempt_id: str | None = None
    sending_to: str | None = None
    check_at: datetime | None = None
    cancel_reason: str | None = None
    sid: str | None = None
    sent_at: datetime | None = None
    delivery_status: str | None = None
    error_code: str | None = None
    text: str | None = None
    dismissed_at: datetime | None = None
    ask_at: datetime | None = None
    asks: int = 0


@dataclass(frozen=True, eq=False)
class Remaining:
    """A plan's reminders that have no row yet, by their steps: those that go out, and the others.

    Of a plan that ended, `going` are those that were cancelled. There is one of each plan's row, as
    long as many others are not asked for.
    """

    plan: Any
    times: ReminderTimes
    going: Sequence[int]
    quiet: Sequence[int]

    def reminder(self, step: int, booking: Booking | None = None) -> Message:
        """The reminder of one of these steps."""
        plan, number, at = self.plan, self.plan.first_number + step, self.times.at(step)
        state, reason, since = "pending", None, plan.made_at
        if step in self.quiet:
            state, reason = "skipped", QUIET_HOURS
        elif plan.ended_at is not None:
            state, reason, since = "cancelled", plan.reason, plan.ended_at
        name = job_id(plan.booking_id, "reminder", number)
        planned = PlannedReminder(
            name, plan.booking_id, number, state, reason, at, at, since, booking
        )
        return cast(Message, planned)


def messages_of(
    session: Session, booking_id: str, kind: str | None = None, *, moot: bool = True
) -> list[Message]:
    """A booking's messages, or those of a kind, by number, as plain rows: as staff see them.

    What quiet hours would have left out later of a plan that has ended is `moot`.
    """
    nights = quiet.rule(session)
    values = {"of_booking": booking_id, "of_kind": kind}
    rows = read_rows(session, _rows(nights, kind is None), values)
    found = [cast(Message, row) for row in rows]
    if kind in {None, "reminder"}:
        found += _reminders(session, booking_id, nights, moot)
    return sorted(found, key=lambda message: message.number)


def to_go(session: Session, booking_id: str) -> list[Message]:
    """A booking's reminders that wait for their time, the next first."""
    messages = messages_of(session, booking_id, "reminder")
    pending = [message for message in messages if message.state == "pending"]
    return sorted(pending, key=lambda message: message.due_at)


def find(session: Session, message_id: str) -> Message | None:
    """The planned reminder with this job id, as its row would be; None if there is none."""
    planned = _reminders(session, booking_of(message_id), None)
    return next((each for each in planned if each.id == message_id), None)


def remaining_of(
    session: Session, booking_ids: Iterable[str], nights: quiet.Rule | None
) -> list[Remaining]:
    """What has no row yet of the plans of these bookings; `nights` are quiet now."""
    found = read_rows(session, _PLANS_OF, {"booking_ids": list(booking_ids)})
    return [_remaining(plan, nights) for plan in found]


def overdue(session: Session, now: datetime) -> list[list[Message]]:
    """By plan, what is due of it and no worker has seen: while one works, there is no such plan."""
    late = session.execute(select(*Plan.__table__.c).where(Plan.next_at <= now))
    found = []
    for left in (_remaining(plan, None) for plan in late):
        end = left.times.until(now)
        found.append([left.reminder(step) for step in left.going if step < end])
    return found


def next_due(session: Session, limit: int, nights: quiet.Rule | None) -> list[Message]:
    """Of all that has no row yet what goes out next, each with its booking."""
    found: list[Message] = []
    for plan in _soonest(session, 2 * limit):
        if len(found) == limit and found[-1].due_at <= plan.next_at:
            break
        left = _remaining(plan, nights)
        found += [left.reminder(step, plan.Booking) for step in left.going[:limit]]
        found = sorted(found, key=lambda message: message.due_at)[:limit]
    return found


def _soonest(session: Session, first: int) -> Iterator[Row[Any]]:
    """The open plans with their bookings, the next due first: `first` of them, and more only if
    they are needed.
    """
    size, read = first, 0
    while True:
        some = session.execute(_SOONEST, {"size": size, "read": read}).all()
        yield from some
        if len(some) < size:
            return
        size, read = _PAGE, read + size


def _reminders(
    session: Session, booking_id: str, nights: quiet.Rule | None, moot: bool = True
) -> list[Message]:
    plans = read_rows(session, _PLANS, {"of_booking": booking_id})
    left = [_remaining(plan, nights) for plan in plans]
    found = [each.reminder(step) for each in left for step in each.going]
    shown = [each for each in left if moot or each.plan.ended_at is None]
    return found + [each.reminder(step) for each in shown for step in each.quiet]


@lru_cache(maxsize=16)
def _rows(nights: quiet.Rule | None, are_all: bool) -> Select[Any]:
    """A booking's messages as they are shown, all or those of a kind."""
    is_of = [] if are_all else [Message.kind == bindparam("of_kind")]
    return select(*quiet.shown(nights)).where(Message.booking_id == bindparam("of_booking"), *is_of)


def _remaining(plan: Any, nights: quiet.Rule | None) -> Remaining:
    if plan.own_after is not None:  # a list, by which nothing is found again
        return _worked_out(plan, nights)
    return _known(plan, nights)


def _worked_out(plan: Any, nights: quiet.Rule | None) -> Remaining:
    """What is quiet now holds for an open plan beside its own quiet hours."""
    times = times_of(plan)
    first = plan.next_number - plan.first_number
    going, silent = _split(times, nights.hours if nights and not plan.ended_at else None)
    return Remaining(
        plan, times, going[bisect_left(going, first) :], silent[bisect_left(silent, first) :]
    )


_known = lru_cache(maxsize=1_024)(_worked_out)


@lru_cache(maxsize=512)
def _split(times: ReminderTimes, hours: QuietHours | None) -> tuple[Sequence[int], Sequence[int]]:
    """The steps that go out, and those that are quiet by the plan's own hours or by these."""
    steps = range(times.count)
    if times.quiet_hours is None and hours is None:
        return steps, ()
    is_quiet = [times.is_quiet(each) or _has(hours, times.at(each)) for each in steps]
    going = tuple(each for each in steps if not is_quiet[each])
    return going, tuple(each for each in steps if is_quiet[each])


def _has(hours: QuietHours | None, at: datetime) -> bool:
    return hours is not None and hours.has(at)
