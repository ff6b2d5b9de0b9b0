"""Whether a message is still worth sending: one rule, in SQL, for a claim, the tick and a retry.

"Newest only" (design.md §4): of the reminders of one booking that are due, the last one is sent.
"""

from datetime import datetime
from functools import lru_cache
from typing import Any

from sqlalchemy import (
    BindParameter,
    ColumnElement,
    Date,
    and_,
    bindparam,
    case,
    exists,
    func,
    or_,
    select,
    true,
)
from sqlalchemy.orm import aliased

from app.customers.service import WINDOW, month_of
from app.db import UtcDateTime
from app.messages import quiet
from app.messages.quiet import QUIET_HOURS
from app.models.booking import Booking
from app.models.customer import Customer, MonthlySent
from app.models.message import DailySent, Message
from app.models.plan import Plan
from app.models.shop import Shop
from app.sql import constant, is_one_of

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


def is_pending() -> ColumnElement[bool]:
    """The condition of the index of what is due."""
    return is_one_of(Message.state, "pending")


@lru_cache(maxsize=16)
def skip_reason(nights: quiet.Rule | None) -> ColumnElement[Any]:
    """Why a Message joined with its Booking is not worth sending any more; NULL if it is.

    At a time that `as_of` says: the expression is as large as any statement of ours, so it is made
    once for the quiet hours (`quiet.rule`), and so are the statements that hold it.
    """
    now = _at("now")
    is_answer = is_one_of(Message.kind, "answer")
    is_counted = ~is_one_of(Message.kind, *UNCOUNTED)
    newer_is_due = or_(_newer_is_due(nights), _newer_is_planned(nights))
    is_superseded = and_(is_one_of(Message.kind, "reminder"), newer_is_due)
    reasons = (
        (and_(~is_answer, Booking.starts_at <= now), APPOINTMENT_PASSED),
        (and_(is_counted, ~is_one_of(Booking.status, "confirmed")), NOT_CONFIRMED),
        (quiet.is_left_out(nights), QUIET_HOURS),
        (is_superseded, SUPERSEDED),
        (_customer(Customer.opted_out_at.is_not(None)), OPTED_OUT),
        (_customer(Customer.consent.is_(False)), NO_CONSENT),
        (and_(is_answer, ~_customer(Customer.written_at > _at("window_began"))), WINDOW_CLOSED),
        (and_(is_counted, _customer_had_enough()), BUDGET_OF_CUSTOMER),
        (and_(is_counted, _shop_had_enough()), BUDGET_OF_SHOP),
    )
    return case(*((condition, constant(reason)) for condition, reason in reasons), else_=None)


def as_of(now: datetime) -> dict[str, Any]:
    """The parameters of a statement that holds `skip_reason`."""
    return {"now": now, "window_began": now - WINDOW, "month": month_of(now)}


def _at(name: str) -> BindParameter[datetime]:
    return bindparam(name, type_=UtcDateTime)


def _newer_is_due(nights: quiet.Rule | None) -> ColumnElement[bool]:
    newer = aliased(Message)
    newer_is_due = exists().where(
        newer.booking_id == Message.booking_id,
        is_one_of(newer.kind, "reminder"),
        is_one_of(newer.state, *_OCCUPY_THEIR_SLOT),
        newer.planned_for > Message.planned_for,
        newer.planned_for <= _at("now"),
        ~quiet.is_left_out(nights, newer),
    )
    return newer_is_due.correlate(Message)


def _newer_is_planned(nights: quiet.Rule | None) -> ColumnElement[bool]:
    """Whether a newer reminder is due that no tick has made a message of yet."""
    newer_is_due = exists().where(
        Plan.booking_id == Message.booking_id,
        Plan.next_at > Message.planned_for,
        Plan.next_at <= _at("now"),
        ~quiet.is_quiet(nights, Plan.next_at) if nights else true(),
    )
    return newer_is_due.correlate(Message)


def _customer(condition: ColumnElement[bool]) -> ColumnElement[bool]:
    customer = exists().where(Customer.person == Booking.person, condition)
    return customer.correlate(Booking)


def _customer_had_enough() -> ColumnElement[bool]:
    has_had_enough = exists().where(
        MonthlySent.month == bindparam("month", type_=Date),
        MonthlySent.person == Booking.person,
        Shop.budget_per_customer <= MonthlySent.messages,
    )
    return has_had_enough.correlate(Booking)


def _shop_had_enough() -> ColumnElement[bool]:
    month = bindparam("month", type_=Date)
    sent = select(func.sum(DailySent.messages)).where(DailySent.day >= month)
    return exists().where(Shop.budget_per_month <= sent.scalar_subquery())
