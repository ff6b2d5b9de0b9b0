"""Whether a message is still worth sending: one rule, in SQL, for a claim, the tick and a retry.

"Newest only" (design.md §4): of the reminders of one booking that are due, the last one is sent.
"""

from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, and_, bindparam, case, exists, func, select
from sqlalchemy.orm import InstrumentedAttribute, Session, aliased

from app.customers.service import WINDOW, month_of
from app.messages import quiet
from app.messages.quiet import QUIET_HOURS
from app.models.booking import Booking
from app.models.customer import Customer, MonthlySent
from app.models.message import DailySent, Message
from app.models.shop import Shop

APPOINTMENT_PASSED = "appointment_passed"
NOT_CONFIRMED = "not_confirmed"
SUPERSEDED = "superseded"
OPTED_OUT = "opted_out"
NO_CONSENT = "no_consent"
WINDOW_CLOSED = "window_closed"
BUDGET_OF_CUSTOMER = "budget_customer"
BUDGET_OF_SHOP = "budget_shop"

UNCOUNTED = ("cancellation", "answer")
"""Kinds that are sent whatever the budget, and at any hour: they are few, and missed."""

_OCCUPY_THEIR_SLOT = ("pending", "sending", "uncertain", "sent")


def is_one_of(column: InstrumentedAttribute[str], *values: str) -> ColumnElement[bool]:
    """`column IN (values)` with the values in the SQL: a partial index is used for no parameter.

    A single value becomes an `=`, as in the indexes: SQLite does not see that they are the same.
    """
    if len(values) == 1:
        return column == bindparam(None, values[0], literal_execute=True)
    return column.in_(bindparam(None, values, expanding=True, literal_execute=True))


def is_pending() -> ColumnElement[bool]:
    """The condition of the index of what is due."""
    return is_one_of(Message.state, "pending")


def skip_reason(session: Session, now: datetime) -> ColumnElement[Any]:
    """Why a Message joined with its Booking is not worth sending any more; NULL if it is."""
    nights = quiet.rule(session)
    is_answer = Message.kind == "answer"
    is_counted = Message.kind.not_in(UNCOUNTED)
    return case(
        (and_(~is_answer, Booking.starts_at <= now), APPOINTMENT_PASSED),
        (and_(is_counted, Booking.status != "confirmed"), NOT_CONFIRMED),
        (quiet.is_left_out(nights), QUIET_HOURS),
        (and_(Message.kind == "reminder", _newer_is_due(nights, now)), SUPERSEDED),
        (_customer(Customer.opted_out_at.is_not(None)), OPTED_OUT),
        (_customer(Customer.consent.is_(False)), NO_CONSENT),
        (and_(is_answer, ~_customer(Customer.written_at > now - WINDOW)), WINDOW_CLOSED),
        (and_(is_counted, _customer_had_enough(now)), BUDGET_OF_CUSTOMER),
        (and_(is_counted, _shop_had_enough(now)), BUDGET_OF_SHOP),
        else_=None,
    )


def _newer_is_due(nights: quiet.Rule | None, now: datetime) -> ColumnElement[bool]:
    newer = aliased(Message)
    newer_is_due = exists().where(
        newer.booking_id == Message.booking_id,
        is_one_of(newer.kind, "reminder"),
        is_one_of(newer.state, *_OCCUPY_THEIR_SLOT),
        newer.planned_for > Message.planned_for,
        newer.planned_for <= now,
        ~quiet.is_left_out(nights, newer),
    )
    return newer_is_due.correlate(Message)


def _customer(condition: ColumnElement[bool]) -> ColumnElement[bool]:
    customer = exists().where(Customer.person == Booking.person, condition)
    return customer.correlate(Booking)


def _customer_had_enough(now: datetime) -> ColumnElement[bool]:
    has_had_enough = exists().where(
        MonthlySent.month == month_of(now),
        MonthlySent.person == Booking.person,
        Shop.budget_per_customer <= MonthlySent.messages,
    )
    return has_had_enough.correlate(Booking)


def _shop_had_enough(now: datetime) -> ColumnElement[bool]:
    sent = select(func.sum(DailySent.messages)).where(DailySent.day >= month_of(now))
    return exists().where(Shop.budget_per_month <= sent.scalar_subquery())
