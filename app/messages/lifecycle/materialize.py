"""Plans, and the messages that become of their reminders: the only writer of plans.

A plan's reminders become messages a few minutes before their time, in the order of time; the cursor
in the plan's row says how far. Whoever moves a cursor holds the row, or meets it as it was read, so
any number of workers may do it at once.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from types import SimpleNamespace
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, bindparam, delete, func, insert, select, update
from sqlalchemy.orm import Session

from app import clock, outbox
from app.messages.lifecycle.compare_and_set import ENQUEUE_WINDOW, job_id
from app.messages.quiet import QUIET_HOURS
from app.models.message import Message
from app.models.plan import Plan, ReminderTimes, times_of
from app.rows import change_rows, insert_rows, read_rows, table_of
from app.sql import constant

_AT_ONCE = 1_000
"""Plans that one transaction takes up."""
_ROWS_AT_ONCE = 500
"""Messages that one transaction makes of one plan; the next one makes more of it."""

_plan, _message = table_of(Plan).c, table_of(Message).c
# Made once, as every booking needs them.
_MOVE_CURSOR = (
    update(table_of(Plan))
    .where(
        Plan.booking_id == bindparam("of_booking"),
        Plan.first_number == bindparam("first"),
        Plan.next_number == bindparam("was"),
        Plan.ended_at.is_(None),
    )
    .values({each: bindparam(f"new_{each}") for each in ("next_number", "next_at", "to_come")})
)
_PLAN = insert(table_of(Plan))
_END = (
    update(table_of(Plan))
    .where(_plan.booking_id == bindparam("of_booking"), _plan.ended_at.is_(None))
    .values(ended_at=bindparam("now"), reason=bindparam("why"), next_at=None, to_come=0)
)
_END_OF = (
    update(table_of(Plan))
    .where(_plan.booking_id.in_(bindparam("of", expanding=True)), _plan.ended_at.is_(None))
    .values(ended_at=bindparam("now"), reason=bindparam("why"), next_at=None, to_come=0)
)
# What was tried, or is asked for by somebody, is no longer a matter of the plan.
_CANCEL_UNTRIED = (
    update(table_of(Message))
    .where(
        _message.booking_id.in_(bindparam("of", expanding=True)),
        _message.kind == constant("reminder"),
        _message.state == constant("pending"),
        _message.attempts == 0,
        ~_message.asked_for,
        _message.due_at > bindparam("now"),
    )
    .values(state=constant("cancelled"), reason=bindparam("why"), updated_at=bindparam("now"))
    .returning(_message.id, _message.enqueued_at)
)
_LAST_OF_PLANS, _LAST_OF_MESSAGES = (
    select(column.booking_id, func.max(last).label("number"))
    .where(column.booking_id.in_(bindparam("of", expanding=True)), *which)
    .group_by(column.booking_id)
    for column, last, which in (
        (_plan, _plan.first_number + _plan.count - 1, ()),
        (_message, _message.number, (_message.kind == constant("reminder"),)),
    )
)
_LAST_NUMBERS = select(
    select(func.max(_message.number))
    .where(_message.booking_id == bindparam("of_booking"), _message.kind == bindparam("of_kind"))
    .scalar_subquery(),
    select(func.max(_plan.first_number + _plan.count - 1))
    .where(_plan.booking_id == bindparam("of_booking"))
    .scalar_subquery(),
)


def make(session: Session, booking_id: str, times: ReminderTimes) -> list[str]:
    """Store a plan with the next numbers; returns the job ids that belong into Huey right now.

    The caller holds the booking's lock.
    """
    first = last_number(session, booking_id, "reminder") + 1 if times.count else 1
    return _make(session, [(booking_id, first, times)], clock.now())


def make_first(session: Session, plans: Iterable[tuple[str, ReminderTimes]]) -> list[str]:
    """Store the plans of bookings that have had none; else as `make`."""
    return _make(session, [(booking_id, 1, times) for booking_id, times in plans], clock.now())


def replace(
    session: Session, new: Mapping[str, ReminderTimes], reason: str
) -> tuple[list[str], list[str]]:
    """End these bookings' open plans for `reason`, and store others with the next numbers.

    What is being sent, was tried or is due already stays. Returns the job ids that Huey is to
    forget, and those that belong into it right now. The caller holds the bookings' locks.
    """
    now = clock.now()  # the same for those that end and those that take their place
    values = {"of": list(new), "now": now, "why": reason}
    change_rows(session, _END_OF, values)
    cancelled = change_rows(session, _CANCEL_UNTRIED, values).all()
    last = dict.fromkeys(new, 0)
    for statement in (_LAST_OF_PLANS, _LAST_OF_MESSAGES):
        for row in read_rows(session, statement, {"of": list(new)}):
            last[row.booking_id] = max(last[row.booking_id], row.number)
    plans = [(booking_id, last[booking_id] + 1, times) for booking_id, times in new.items()]
    gone = [row.id for row in cancelled if row.enqueued_at is not None]
    return gone, _make(session, plans, now)


def forget(session: Session, booking_ids: Sequence[str]) -> None:
    """Delete all plans and messages of bookings of which no message was ever tried.

    The caller holds the bookings' locks, and deletes them too.
    """
    for table in (Plan, Message):
        change_rows(session, delete(table_of(table)).where(table.booking_id.in_(booking_ids)))


def _make(
    session: Session, new: Iterable[tuple[str, int, ReminderTimes]], now: datetime
) -> list[str]:
    """Store plans, each with its booking and its first number; returns what is for Huey."""
    plans, rows = [], list[dict[str, Any]]()
    for booking_id, first, times in new:
        if times.count:
            done = times.until(now + ENQUEUE_WINDOW)
            plans.append(plan := _new(booking_id, first, times, done, now))
            rows += _rows(plan, times, range(done), enqueued_at=now)
    if plans:
        change_rows(session, _PLAN, [vars(each) for each in plans])
    return insert_messages(session, rows)


def _new(
    booking_id: str, first: int, times: ReminderTimes, done: int, now: datetime
) -> SimpleNamespace:
    """The columns of a plan of which the messages of the first `done` steps are made."""
    return SimpleNamespace(
        booking_id=booking_id,
        first_number=first,
        first_at=times.first_at,
        every=times.every.total_seconds(),
        count=times.count,
        own_after=times.own_after and [each.total_seconds() for each in times.own_after],
        quiet_from=times.quiet_hours and times.quiet_hours.begins,
        quiet_until=times.quiet_hours and times.quiet_hours.ends,
        time_zone=times.quiet_hours and times.quiet_hours.time_zone.key,
        next_number=first + done,
        next_at=times.next_at(done),
        to_come=times.going(done, times.count),
        made_at=now,
    )


def end(session: Session, booking_id: str, reason: str) -> None:
    """End a booking's open plans: its reminders to come are cancelled. It holds the lock."""
    values = {"of_booking": booking_id, "now": clock.now(), "why": reason}
    change_rows(session, _END, values)


def reopen(session: Session, booking_id: str, reason: str) -> list[str]:
    """Take back that a booking's plans ended for this reason; returns what belongs into Huey now.

    The reminders to come have their numbers again. Those whose time came meanwhile stay cancelled,
    as messages. The caller holds the booking's lock.
    """
    now = clock.now()
    is_it = (Plan.booking_id == booking_id) & (Plan.reason == reason)
    ended = select(Plan).where(is_it).execution_options(populate_existing=True)
    for plan in session.scalars(ended).all():
        times = times_of(plan)
        first = plan.next_number - plan.first_number
        done = max(first, times.until(now))
        cancelled = {"state": "cancelled", "reason": reason, "updated_at": plan.ended_at}
        insert_messages(session, _rows(plan, times, range(first, done), **cancelled))
        plan.next_number = plan.first_number + done
        plan.next_at, plan.to_come = times.next_at(done), times.going(done, times.count)
        plan.ended_at = plan.reason = None
    session.flush()
    return _take_up(session, _due_of(session, booking_id, now), now, enqueued_at=now)


def materialize_due(session: Session) -> int:
    """Make messages of the reminders that are due soon, for the tick to enqueue.

    Returns how many plans it took up: at most what one transaction should, so call it again.
    """
    now = clock.now()
    due = session.execute(_due(now).limit(_AT_ONCE).with_for_update(skip_locked=True)).all()
    _take_up(session, due, now)
    return len(due)


def materialize_booking(session: Session, booking_id: str) -> None:
    """Make messages of a booking's reminders that are due, before the tick comes to it."""
    now = clock.now()
    _take_up(session, _due_of(session, booking_id, now), now)


def last_number(session: Session, booking_id: str, kind: str) -> int:
    """The highest number that a message of this kind has, or is to have; 0 if there is none."""
    values = {"of_booking": booking_id, "of_kind": kind}
    numbers = read_rows(session, _LAST_NUMBERS, values).one()
    return max(number or 0 for number in (numbers if kind == "reminder" else numbers[:1]))


def insert_messages(session: Session, rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Store messages, unless they or others for their slot are there; returns what is for Huey."""
    if rows:
        insert_rows(session, Message, rows)
        outbox.note_messages(
            session, "skipped", [row["id"] for row in rows if row["state"] == "skipped"]
        )
    return [row["id"] for row in rows if row["enqueued_at"] is not None]


def new_message(
    booking_id: str, kind: str, number: int, at: datetime, **values: Any
) -> dict[str, Any]:
    """The row of a pending message that is due `at`, with these values."""
    return {
        "id": job_id(booking_id, kind, number),
        "booking_id": booking_id,
        "kind": kind,
        "number": number,
        "state": "pending",
        "reason": None,
        "planned_for": at,
        "due_at": at,
        "enqueued_at": None,
        **values,
    }


def _due(now: datetime, *where: ColumnElement[bool]) -> Select[Any]:
    """Plans of which something is due soon, as plain rows, the most urgent first."""
    is_due = Plan.next_at <= now + ENQUEUE_WINDOW
    return select(*Plan.__table__.c).where(is_due, *where).order_by(Plan.next_at)


def _due_of(session: Session, booking_id: str, now: datetime) -> Sequence[Row[Any]]:
    """A booking's, which it waits for if a tick has them in hand."""
    statement = _due(now, Plan.booking_id == booking_id).with_for_update()
    return session.execute(statement).all()


def _take_up(
    session: Session, due: Sequence[Any], now: datetime, enqueued_at: datetime | None = None
) -> list[str]:
    """Make the messages of these plans that are due soon, and move their cursors behind them.

    Returns the job ids of those that are `enqueued_at` that time.
    """
    rows: list[dict[str, Any]] = []
    cursors = []
    for plan in due:
        times = times_of(plan)
        first = plan.next_number - plan.first_number
        done = min(times.until(now + ENQUEUE_WINDOW), first + _ROWS_AT_ONCE)
        rows += _rows(plan, times, range(first, done), enqueued_at=enqueued_at)
        cursors.append(_cursor(plan, times, first, done))
    job_ids = insert_messages(session, rows)
    if cursors:
        session.execute(_MOVE_CURSOR, cursors)
    return job_ids


def _cursor(plan: Any, times: ReminderTimes, first: int, done: int) -> dict[str, Any]:
    """The parameters of _MOVE_CURSOR, from step `first` to step `done`."""
    return {
        "of_booking": plan.booking_id,
        "first": plan.first_number,
        "was": plan.next_number,
        "new_next_number": plan.first_number + done,
        "new_next_at": times.next_at(done),
        "new_to_come": plan.to_come - times.going(first, done),
    }


def _rows(plan: Any, times: ReminderTimes, steps: range, **going: Any) -> list[dict[str, Any]]:
    """The messages of these steps of a plan, as of when it was made; quiet ones are skipped.

    `going` are values of those that are not quiet.
    """
    quiet = {"state": "skipped", "reason": QUIET_HOURS}
    return [
        new_message(
            plan.booking_id,
            "reminder",
            plan.first_number + step,
            times.at(step),
            **{"updated_at": plan.made_at, **(quiet if times.is_quiet(step) else going)},
        )
        for step in steps
    ]
