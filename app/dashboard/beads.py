"""The reminders of many bookings at once, as their rows in a list show them: as beads."""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Mapping
from functools import lru_cache
from operator import attrgetter
from typing import Any, cast

from sqlalchemy import Select, bindparam, case, func, select
from sqlalchemy.orm import Session

from app import clock
from app.dashboard.labels import MOST_BEADS, Reminders
from app.db import is_one_of, read_rows
from app.messages import planned, quiet
from app.messages.planned import Remaining
from app.models.message import Message

_NUMBER = attrgetter("number")
_SAME_WORD = (Message.state, Message.delivery_status, Message.asks)
_ANY = (Message.reason, Message.error_code, Message.ask_at, Message.due_at, Message.attempts)


@lru_cache(maxsize=8)
def _query(nights: quiet.Rule | None) -> Select[Any]:
    """The last MOST_BEADS done and the next ones to come, and groups of the others: no number."""
    is_coming = is_one_of(Message.state, "pending") & ~quiet.is_left_out(nights)
    nearest = case((is_coming, Message.number), else_=-Message.number)
    place = func.row_number().over(partition_by=(Message.booking_id, is_coming), order_by=nearest)
    shown = (
        select(
            Message.booking_id,
            Message.number,
            *quiet.shown(nights, *_SAME_WORD, *_ANY),
            place.label("place"),
        )
        .where(
            Message.booking_id.in_(bindparam("ids", expanding=True)),
            is_one_of(Message.kind, "reminder"),
            Message.state != "cancelled",
        )
        .subquery()
    ).c
    number = case((shown.place <= MOST_BEADS, shown.number))
    same = [shown.booking_id, number.label("number"), *(shown[each.key] for each in _SAME_WORD)]
    differ = [
        shown.due_at <= bindparam("now"),
        shown.attempts > 0,
        shown.ask_at.is_(None),
    ]
    some = [func.min(shown[each.key]).label(each.key) for each in _ANY]
    query = select(*same, *some, func.count().label("alike")).group_by(*same, *differ)
    return query.order_by(func.min(shown.number))


def reminders_of(session: Session, booking_ids: Iterable[str]) -> Mapping[str, Reminders]:
    """By booking, its reminders that were not cancelled; one without any has an empty one.

    Two queries, of what a bead and a reason need, as plain rows: of hundreds of reminders the few
    that may be shown, and how many others there are of each kind.
    """
    ids, now = list(booking_ids), clock.now()
    near: dict[str, list[Message]] = defaultdict(list)
    rest: dict[str, list[tuple[Message, int]]] = defaultdict(list)
    nights = quiet.rule(session)
    for row in read_rows(session, _query(nights), {"ids": ids, "now": now}):
        message = cast(Message, row)
        if row.number is None:
            rest[row.booking_id].append((message, row.alike))
        else:
            near[row.booking_id].append(message)
    for left in planned.remaining_of(session, ids, nights):
        shown, others = _planned(left, left.times.until(now))
        near[left.plan.booking_id] += shown
        rest[left.plan.booking_id] += others
    return defaultdict(Reminders, {each: _nearest(near[each], rest[each]) for each in near})


@lru_cache(maxsize=1_024)
def _planned(left: Remaining, due: int) -> tuple[list[Message], list[tuple[Message, int]]]:
    """Of a plan those that may be shown, and of the others a sample of each kind with its number.

    Those that are due, those that are to come later, and those that quiet hours leave out. `due`
    is how many of all its reminders have had their time.
    """
    going = () if left.plan.ended_at else left.going
    late = bisect_left(going, due)
    shown = [*going[:MOST_BEADS], *left.quiet[-MOST_BEADS:]]
    others = (
        going[MOST_BEADS:late],
        going[max(late, MOST_BEADS) :],
        left.quiet[:-MOST_BEADS],
    )
    return (
        [left.reminder(step) for step in shown],
        [(left.reminder(steps[0]), len(steps)) for steps in others if steps],
    )


def _nearest(near: list[Message], rest: list[tuple[Message, int]]) -> Reminders:
    """Stored and planned ones together: MOST_BEADS of those done are near, and of those to come."""
    near = sorted(near, key=_NUMBER)
    coming = [each for each in near if each.state == "pending"]
    done = [each for each in near if each.state != "pending"]
    kept = [*done[-MOST_BEADS:], *coming[:MOST_BEADS]]
    far = [*done[:-MOST_BEADS], *coming[MOST_BEADS:]]
    return Reminders(sorted(kept, key=_NUMBER), [*rest, *((each, 1) for each in far)])
