"""The reminders of many bookings at once, as their rows in a list show them: as beads."""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any, cast

from sqlalchemy import Select, bindparam, case, func, select
from sqlalchemy.orm import Session

from app import clock
from app.dashboard.labels import MOST_BEADS, Reminders
from app.messages import planned, quiet
from app.messages.planned import Remaining
from app.models.message import Message
from app.rows import read_rows
from app.sql import is_among, is_one_of

_SAME_WORD = (Message.state, Message.delivery_status, Message.asks)
_ANY = (Message.reason, Message.error_code, Message.ask_at, Message.due_at, Message.attempts)
_Runs = list[tuple[Message, int]]
"""Samples, each with how many there are like it."""


@lru_cache(maxsize=8)
def _query(nights: quiet.Rule | None) -> Select[Any]:
    """The last MOST_BEADS done and the next ones to come, in runs of those that look the same, and
    groups of the others, which have no run. What failed is a run of its own: its reason is told.
    """
    is_coming = is_one_of(Message.state, "pending") & ~quiet.is_left_out(nights)
    nearest = case((is_coming, Message.number), else_=-Message.number)
    place = func.row_number().over(partition_by=(Message.booking_id, is_coming), order_by=nearest)
    looks = [
        *quiet.shown(nights, *_SAME_WORD),
        (Message.due_at <= bindparam("now")).label("is_due"),
        (Message.attempts > 0).label("was_tried"),
        Message.ask_at.is_(None).label("is_asked"),
    ]
    turn = func.row_number().over(
        partition_by=(Message.booking_id, *looks), order_by=Message.number
    )
    some = quiet.shown(nights, *_ANY)
    shown = (
        select(
            Message.booking_id,
            Message.number,
            *looks,
            *some,
            place.label("place"),
            turn.label("turn"),
        )
        .where(
            is_among(Message.booking_id, "ids"),
            is_one_of(Message.kind, "reminder"),
            Message.state != "cancelled",
        )
        .subquery()
    ).c
    run = case(
        (shown.place > MOST_BEADS, None),
        (shown.state == "failed", shown.number),
        else_=shown.number - shown.turn,
    )
    same = [shown.booking_id, run.label("run"), *(shown[f"{each.key}"] for each in looks)]
    number, alike = func.min(shown.number).label("number"), func.count().label("alike")
    least = [func.min(shown[each.key]).label(each.key) for each in _ANY]
    return select(*same, number, *least, alike).group_by(*same).order_by(number)


def reminders_of(session: Session, booking_ids: Iterable[str]) -> Mapping[str, Reminders]:
    """By booking, its reminders that were not cancelled; one without any has an empty one.

    Two queries, of what a bead and a reason need, as plain rows: of hundreds of reminders the few
    that may be shown, and how many others there are of each kind.
    """
    ids, now = list(booking_ids), clock.now()
    near: dict[str, _Runs] = defaultdict(list)
    rest: dict[str, _Runs] = defaultdict(list)
    nights = quiet.rule(session)
    for row in read_rows(session, _query(nights), {"ids": ids, "now": now}).all():
        runs = near if row.run is not None else rest
        runs[row.booking_id].append((cast(Message, row), row.alike))
    found = {each: Reminders(near[each], rest[each]) for each in near}
    for left in planned.remaining_of(session, ids, nights):
        shown, others = _planned(left, left.times.until(now))
        id = left.plan.booking_id
        near[id] += shown
        rest[id] += others
        found[id] = _nearest(near[id], rest[id])
    return defaultdict(Reminders, found)


@lru_cache(maxsize=1_024)
def _planned(left: Remaining, due: int) -> tuple[_Runs, _Runs]:
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
        [(left.reminder(step), 1) for step in shown],
        [(left.reminder(steps[0]), len(steps)) for steps in others if steps],
    )


def _nearest(near: _Runs, rest: _Runs) -> Reminders:
    """Stored and planned ones together: MOST_BEADS of those done are near, and of those to come."""
    near = sorted(near, key=_number)
    done, before = _first([each for each in reversed(near) if each[0].state != "pending"])
    coming, after = _first([each for each in near if each[0].state == "pending"])
    return Reminders([*reversed(done), *coming], [*rest, *reversed(before), *after])


def _number(run: tuple[Message, int]) -> int:
    return run[0].number


def _first(runs: _Runs) -> tuple[_Runs, _Runs]:
    """MOST_BEADS of them, and the others."""
    shown, others, room = [], [], MOST_BEADS
    for sample, count in runs:
        fits = min(count, room)
        room -= fits
        shown += [(sample, fits)] if fits else []
        others += [(sample, count - fits)] if count > fits else []
    return shown, others
