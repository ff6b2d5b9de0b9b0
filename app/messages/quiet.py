"""Which reminders the shop's quiet hours leave out, by the quiet hours as they are now.

They hold for everybody from the moment they are set, also for who booked before: nothing is
rewritten for it. A reminder that they leave out is `pending` in its row until its time comes, is
shown as `skipped` wherever reminders are shown, and is skipped by whoever takes it up (ADR 26).
"""

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Dialect, Time, and_, case, cast, false, func, literal, or_
from sqlalchemy.orm import Session

from app import clock
from app.models.message import Message
from app.models.plan import QuietHours
from app.models.shop import Shop
from app.shop.policy import Policy, of_shop
from app.shop.service import shop
from app.sql import is_one_of

QUIET_HOURS = "quiet_hours"

_YEARS = range(-1, 3)
"""The years around the present whose changes of clocks are known; beyond, nothing changes."""


class Rule(NamedTuple):
    """The shop's quiet hours, and what SQL must know to apply them."""

    policy: Policy
    year: int
    is_sqlite: bool

    @property
    def hours(self) -> QuietHours | None:
        """The quiet hours alone."""
        return self.policy.quiet_hours


class _Span(NamedTuple):
    """From `begins` until `ends` (UTC; None: always), quiet hours are the same hours of UTC."""

    begins: datetime | None
    ends: datetime | None
    ahead: timedelta


def policy_of(row: Shop) -> Policy | None:
    """The shop's policy; None in a time zone that nobody knows, whose texts cannot be made."""
    try:
        return of_shop(row)
    except LookupError:
        return None


def rule(session: Session) -> Rule | None:
    """The quiet hours as they are now; None if there are none."""
    return rule_of(session.get_bind().dialect, policy_of(shop(session)))


def rule_of(dialect: Dialect, policy: Policy | None) -> Rule | None:
    """The quiet hours of a policy; None if there are none."""
    if policy is None or policy.quiet_from is None:
        return None
    return Rule(policy, clock.now().year, dialect.name == "sqlite")


def is_left_out(rule: Rule | None, message: Any = Message) -> ColumnElement[bool]:
    """Whether a Message (or an alias of it) is a plan's reminder whose time is quiet.

    Not one that staff asked for, nor one that was tried already: that one waits (`claims.claim`).
    """
    if rule is None:
        return false()
    return and_(
        is_one_of(message.kind, "reminder"),
        is_one_of(message.state, "pending", "sending"),
        message.attempts == 0,
        ~message.asked_for,
        is_quiet(rule, message.planned_for),
    )


def shown(rule: Rule | None, *columns: Any) -> list[ColumnElement[Any]]:
    """These columns of Message, or else all, as staff and clients see them."""
    is_hidden = and_(Message.state == "pending", is_left_out(rule))
    replaced = {"state": "skipped", "reason": QUIET_HOURS}
    return [
        case((is_hidden, replaced[each.key]), else_=each).label(each.key)
        if rule and each.key in replaced
        else each
        for each in columns or Message.__table__.columns
    ]


def is_quiet(rule: Rule, at: Any) -> ColumnElement[bool]:
    """`Policy.is_quiet` in SQL."""
    time_of_day = _clock(rule, at)
    return or_(
        *(
            and_(*_within(span, at), _is_between(rule, time_of_day, span.ahead))
            for span in _spans(rule.policy, rule.year)
        )
    )


def _within(span: _Span, at: Any) -> list[ColumnElement[bool]]:
    limits = [at >= span.begins] if span.begins else []
    return limits + ([at < span.ends] if span.ends else [])


def _is_between(
    rule: Rule, time_of_day: ColumnElement[Any], ahead: timedelta
) -> ColumnElement[bool]:
    """`ahead` is how far the shop's clock is ahead of UTC's."""
    ends = (rule.policy.quiet_from, rule.policy.quiet_until)
    day = datetime(2000, 1, 2, tzinfo=UTC)
    begin, end = ((datetime.combine(day, each) - ahead).time() for each in ends if each)
    sides = (time_of_day >= _bound(rule, begin), time_of_day < _bound(rule, end))
    return and_(*sides) if begin < end else or_(*sides)


def _clock(rule: Rule, at: Any) -> ColumnElement[Any]:
    """The time of day in UTC. SQLite has times as text: 2026-11-23 22:00:00.000000."""
    return func.substr(at, 12) if rule.is_sqlite else cast(func.timezone("UTC", at), Time)


def _bound(rule: Rule, at: Any) -> ColumnElement[Any]:
    return literal(at.isoformat("microseconds")) if rule.is_sqlite else literal(at, Time)


@lru_cache(maxsize=16)
def _spans(policy: Policy, year: int) -> list[_Span]:
    """The times between two changes of the shop's clock, from the first to the last."""
    first = datetime(year + _YEARS.start, 1, 1, tzinfo=UTC)
    last = datetime(year + _YEARS.stop, 1, 1, tzinfo=UTC)
    changes = [
        _change(policy, first + timedelta(days=day))
        for day in range((last - first).days)
        if _ahead(policy, first + timedelta(days=day))
        != _ahead(policy, first + timedelta(days=day + 1))
    ]
    begins = [None, *changes]
    ends = [*changes, None]
    return [
        _Span(begin, end, _ahead(policy, begin or first))
        for begin, end in zip(begins, ends, strict=True)
    ]


def _change(policy: Policy, day: datetime) -> datetime:
    """When the clock changes in the 24 hours from `day`, to the second."""
    low, high = 0, 86_400
    before = _ahead(policy, day)
    while high - low > 1:
        middle = (low + high) // 2
        is_before = _ahead(policy, day + timedelta(seconds=middle)) == before
        low, high = (middle, high) if is_before else (low, middle)
    return day + timedelta(seconds=high)


def _ahead(policy: Policy, at: datetime) -> timedelta:
    return at.astimezone(policy.time_zone).utcoffset() or timedelta(0)
