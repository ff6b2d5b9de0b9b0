"""Another rule for reminders, for those who are booked already."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app import clock
from app.errors import FieldError, Invalid
from app.messages.enqueue import enqueue_after_commit, revoke_after_commit
from app.messages.lifecycle import materialize
from app.models.booking import Booking
from app.models.plan import Plan, ReminderTimes
from app.reminders.plan import PlanTooLong, reminder_times
from app.rows import read_rows, table_of
from app.shop.policy import Policy
from app.sql import in_parts, is_one_of
from app.staff import audit

REASON = "rule_changed"
"""Why the reminders of a plan that was replaced are cancelled."""

COUNTED_AT_MOST = 300
"""Bookings whose reminders are counted while somebody types."""

_booking, _plan = table_of(Booking).c, table_of(Plan).c


@dataclass(frozen=True)
class Outlook:
    """What a rule would mean for those already booked.

    `bookings` are to come, with `now` reminders still to send. `then` is how many it would be by
    the rule: None where there are too many bookings to count while somebody waits.
    """

    bookings: int
    now: int
    then: int | None


def outlook(session: Session, policy: Policy) -> Outlook:
    """Of all that is booked. Raises Invalid for a booking that would get too many."""
    bookings = session.scalar(select(func.count()).where(*_is_to_come()))
    planned = select(func.coalesce(func.sum(_plan.to_come), 0)).where(_plan.next_at.is_not(None))
    number = bookings or 0
    then = _going(_new_plans(session, policy)) if number <= COUNTED_AT_MOST else None
    return Outlook(number, session.scalar(planned) or 0, then)


def apply(session: Session, policy: Policy, actor: str) -> int:
    """Plan the reminders of all that is booked anew by this rule; returns how many bookings.

    They are counted from when each was booked or moved, and those to come from now on are made: of
    what was planned before, all that was not tried is cancelled. Raises Invalid for a booking that
    would get too many.
    """
    query = select(_booking.id).where(*_is_to_come()).order_by(_booking.id)
    read_rows(session, query.with_for_update())  # who changes one meanwhile comes before or after
    new = _new_plans(session, policy)
    for part in in_parts(list(new)):
        gone, due = materialize.replace(session, {each: new[each] for each in part}, REASON)
        revoke_after_commit(session, gone)
        enqueue_after_commit(session, due)
    for booking_id in new:
        audit.record(session, actor, "booking.replanned", booking_id)
    return len(new)


def _new_plans(session: Session, policy: Policy) -> dict[str, ReminderTimes]:
    now = clock.now()
    rows = read_rows(session, select(_booking.id, _booking.starts_at).where(*_is_to_come()))
    starts = {row.id: row.starts_at for row in rows}
    begun = _counted_from(session)
    try:
        return {
            booking_id: reminder_times(policy, begun[booking_id], at).after(now)
            for booking_id, at in starts.items()
        }
    except PlanTooLong as error:
        message = f"One of those already booked would get {error.number} reminders."
        raise Invalid([FieldError("also", message)]) from error


def _counted_from(session: Session) -> Mapping[str, datetime]:
    """When each booking to come was booked, or moved last.

    A plan that took another's place counts from where that one did.
    """
    query = (
        select(_booking.id, _booking.created_at, _plan.made_at, _plan.ended_at, _plan.reason)
        .outerjoin_from(table_of(Booking), table_of(Plan), _plan.booking_id == _booking.id)
        .where(*_is_to_come())
        .order_by(_booking.id, _plan.first_number)
    )
    begun, replaced_at = dict[str, datetime](), dict[str, datetime]()
    for row in read_rows(session, query):
        if row.id not in begun or row.made_at != replaced_at.get(row.id):
            begun[row.id] = row.made_at or row.created_at
        if row.reason == REASON:
            replaced_at[row.id] = row.ended_at
    return begun


def _is_to_come() -> Sequence[Any]:
    is_confirmed = is_one_of(_booking.status, "confirmed")
    return is_confirmed, _booking.starts_at > clock.now(), _booking.customer_phone.is_not(None)


def _going(plans: Mapping[str, ReminderTimes]) -> int:
    return sum(times.going(0, times.count) for times in plans.values())
