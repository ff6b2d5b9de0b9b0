"""A plan is one row: reminders that wait at even distances are arithmetic until their time comes.

Back again, each reminder that a plan has still to come becomes a row, as do those that were
cancelled with a plan.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from alembic import op
from sqlalchemy import Connection

from app.db import UtcDateTime

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

IS_OPEN = sa.text("next_at IS NOT NULL")
AT_ONCE = 1_000
ANY_INTERVAL = timedelta(hours=2)  # of a plan of one

TIMES = ("first_at", "next_at", "made_at", "ended_at")
PLAN = sa.table(
    "plan",
    *(sa.column(name) for name in ("booking_id", "first_number", "every", "count")),
    *(sa.column(name, sa.Time()) for name in ("quiet_from", "quiet_until")),
    *(sa.column(name) for name in ("time_zone", "next_number", "to_come", "reason")),
    *(sa.column(name, UtcDateTime()) for name in TIMES),
)
ZEROS = ("attempts", "tries", "checks", "delivery_rank", "asks")
FLAGS = ("verify_first", "doubled", "asked_for")
MESSAGE = sa.table(
    "message",
    *(sa.column(name) for name in ("id", "booking_id", "kind", "number", "state", "reason")),
    *(sa.column(name, UtcDateTime()) for name in ("planned_for", "due_at", "updated_at")),
    *(sa.column(name) for name in ("enqueued_at", "cancel_reason", "error_code", *ZEROS)),
    *(sa.column(name, sa.Boolean()) for name in FLAGS),
)


def upgrade() -> None:
    op.create_table(
        "plan",
        sa.Column("booking_id", sa.String(length=40), nullable=False),
        sa.Column("first_number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("first_at", UtcDateTime(), nullable=False),
        sa.Column("every", sa.Double(), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("quiet_from", sa.Time(), nullable=True),
        sa.Column("quiet_until", sa.Time(), nullable=True),
        sa.Column("time_zone", sa.String(length=64), nullable=True),
        sa.Column("next_number", sa.Integer(), nullable=False),
        sa.Column("next_at", UtcDateTime(), nullable=True),
        sa.Column("to_come", sa.Integer(), nullable=False),
        sa.Column("made_at", UtcDateTime(), nullable=False),
        sa.Column("ended_at", UtcDateTime(), nullable=True),
        sa.Column("reason", sa.String(length=40), nullable=True),
        sa.CheckConstraint(
            "first_number > 0 AND count > 0 AND every > 0", name=op.f("ck_plan_numbers")
        ),
        sa.CheckConstraint(
            "next_number >= first_number AND next_number <= first_number + count",
            name=op.f("ck_plan_cursor"),
        ),
        sa.CheckConstraint(
            "(quiet_from IS NULL) = (quiet_until IS NULL)"
            " AND (quiet_from IS NULL) = (time_zone IS NULL)",
            name=op.f("ck_plan_quiet_hours"),
        ),
        sa.CheckConstraint("(next_at IS NOT NULL) = (to_come > 0)", name=op.f("ck_plan_to_come")),
        sa.CheckConstraint("(ended_at IS NULL) = (reason IS NULL)", name=op.f("ck_plan_reason")),
        sa.CheckConstraint("ended_at IS NULL OR next_at IS NULL", name=op.f("ck_plan_ended")),
        sa.ForeignKeyConstraint(
            ["booking_id"], ["booking.id"], name=op.f("fk_plan_booking_id_booking")
        ),
        sa.PrimaryKeyConstraint("booking_id", "first_number", name=op.f("pk_plan")),
    )
    op.create_index(
        "ix_plan_next",
        "plan",
        ["next_at", "to_come"],
        postgresql_where=IS_OPEN,
        sqlite_where=IS_OPEN,
    )
    _make_plans(op.get_bind())


def downgrade() -> None:
    _make_messages(op.get_bind())
    op.drop_table("plan")


def _make_plans(connection: Connection) -> None:
    """Of what waits, was never tried and is not in the queue."""
    untouched = sa.select(
        *(MESSAGE.c[name] for name in ("booking_id", "number", "planned_for", "updated_at"))
    ).where(
        MESSAGE.c.kind == "reminder",
        MESSAGE.c.state == "pending",
        MESSAGE.c.due_at == MESSAGE.c.planned_for,
        MESSAGE.c.attempts == 0,
        MESSAGE.c.tries == 0,
        MESSAGE.c.asked_for.is_(sa.false()),
        MESSAGE.c.verify_first.is_(sa.false()),
        *(MESSAGE.c[name].is_(None) for name in ("enqueued_at", "cancel_reason", "error_code")),
    )
    in_order = untouched.order_by(MESSAGE.c.booking_id, MESSAGE.c.number)
    for some in _in_parts(_evenly_spaced(connection.execute(in_order).all())):
        connection.execute(sa.insert(PLAN), some)
    is_planned = sa.exists().where(
        PLAN.c.booking_id == MESSAGE.c.booking_id,
        MESSAGE.c.number >= PLAN.c.first_number,
        MESSAGE.c.number < PLAN.c.first_number + PLAN.c.count,
    )
    connection.execute(
        sa.delete(MESSAGE).where(MESSAGE.c.kind == "reminder", is_planned.correlate(MESSAGE))
    )


def _evenly_spaced(rows: Sequence[sa.Row[Any]]) -> Iterator[dict[str, Any]]:
    """A plan for each stretch of rows that one plan can have made."""
    stretch: list[sa.Row[Any]] = []
    for row in rows:
        if stretch and not _goes_on(stretch, row):
            yield _plan(stretch)
            stretch = []
        stretch.append(row)
    if stretch:
        yield _plan(stretch)


def _goes_on(stretch: Sequence[sa.Row[Any]], row: sa.Row[Any]) -> bool:
    last = stretch[-1]
    every = row.planned_for - last.planned_for
    is_next = row.number == last.number + 1 and every > timedelta(0)
    is_same = (row.booking_id, row.updated_at) == (last.booking_id, last.updated_at)
    return is_next and is_same and every == _interval(stretch, every)


def _interval(stretch: Sequence[sa.Row[Any]], of_one: timedelta) -> timedelta:
    return stretch[1].planned_for - stretch[0].planned_for if len(stretch) > 1 else of_one


def _plan(stretch: Sequence[sa.Row[Any]]) -> dict[str, Any]:
    first = stretch[0]
    return {
        "booking_id": first.booking_id,
        "first_number": first.number,
        "first_at": first.planned_for,
        "every": _interval(stretch, ANY_INTERVAL).total_seconds(),
        "count": len(stretch),
        "next_number": first.number,
        "next_at": first.planned_for,
        "to_come": len(stretch),
        "made_at": first.updated_at,
    }


def _make_messages(connection: Connection) -> None:
    plans = connection.execute(sa.select(PLAN)).all()
    for some in _in_parts(row for plan in plans for row in _messages(plan)):
        connection.execute(sa.insert(MESSAGE), some)


def _messages(plan: sa.Row[Any]) -> Iterator[dict[str, Any]]:
    """What a plan has no rows of."""
    for number in range(plan.next_number, plan.first_number + plan.count):
        at = plan.first_at + (number - plan.first_number) * timedelta(seconds=plan.every)
        state, reason, since = "pending", None, plan.made_at
        if _is_quiet(plan, at):
            state, reason = "skipped", "quiet_hours"
        elif plan.ended_at is not None:
            state, reason, since = "cancelled", plan.reason, plan.ended_at
        yield {
            "id": f"{plan.booking_id}-reminder-{number}",
            "booking_id": plan.booking_id,
            "kind": "reminder",
            "number": number,
            "state": state,
            "reason": reason,
            "planned_for": at,
            "due_at": at,
            "updated_at": since,
            **dict.fromkeys(ZEROS, 0),
            **dict.fromkeys(FLAGS, False),
        }


def _is_quiet(plan: sa.Row[Any], at: datetime) -> bool:
    if plan.quiet_from is None:
        return False
    local = at.astimezone(ZoneInfo(plan.time_zone)).time()
    if plan.quiet_from < plan.quiet_until:
        return bool(plan.quiet_from <= local < plan.quiet_until)
    return bool(local >= plan.quiet_from or local < plan.quiet_until)


def _in_parts(rows: Iterator[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    part: list[dict[str, Any]] = []
    for row in rows:
        part.append(row)
        if len(part) == AT_ONCE:
            yield part
            part = []
    if part:
        yield part
