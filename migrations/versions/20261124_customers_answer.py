"""Replies, customers' consent and opt-outs, budgets, and further kinds of messages."""

import sqlalchemy as sa
from alembic import op

from app.db import UtcDateTime

revision = "0005"
down_revision = "0003"
branch_labels = None
depends_on = None

KINDS = "kind IN ('reminder', 'cancellation', 'confirmation', 'moved', 'answer')"
FORMER_KINDS = "kind IN ('reminder', 'cancellation')"
MESSAGE_CHECKS = {
    "kind": KINDS,
    "text": "(kind = 'answer') = (text IS NOT NULL)",
    "ask": "ask_at IS NULL OR state = 'sent'",
}
SHOP_CHECKS = {
    "budget": "budget_per_customer > 0 AND budget_per_month > 0",
    "price": "(message_price IS NULL) = (currency IS NULL)",
}


def _message_columns() -> tuple[sa.Column[object], ...]:
    return (
        sa.Column("text", sa.Text(), nullable=True),
        sa.Column("ask_at", UtcDateTime(), nullable=True),
        sa.Column("asks", sa.Integer(), nullable=False, server_default="0"),
    )


def _shop_columns() -> tuple[sa.Column[object], ...]:
    return (
        sa.Column("confirmation_text", sa.Text(), nullable=True),
        sa.Column("moved_text", sa.Text(), nullable=True),
        sa.Column("confirmation_on", sa.Boolean(), nullable=False, server_default=sa.false()),
        sa.Column("moved_on", sa.Boolean(), nullable=False, server_default=sa.false()),
        sa.Column("cancel_words", sa.Text(), nullable=True),
        sa.Column("budget_per_customer", sa.Integer(), nullable=True),
        sa.Column("budget_per_month", sa.Integer(), nullable=True),
        sa.Column("message_price", sa.Numeric(10, 4), nullable=True),
        sa.Column("currency", sa.String(length=3), nullable=True),
    )


def _sending_columns() -> tuple[sa.Column[object], ...]:
    return (
        sa.Column("slowed", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("replies_at", UtcDateTime(), nullable=True),
    )


def upgrade() -> None:
    _create_customer()
    _create_reply()
    with op.batch_alter_table("message") as message:
        message.drop_constraint(op.f("ck_message_kind"), type_="check")
    _extend("message", _message_columns(), MESSAGE_CHECKS)
    is_asked = sa.text("ask_at IS NOT NULL")
    op.create_index(
        "ix_message_ask",
        "message",
        ["ask_at"],
        postgresql_where=is_asked,
        sqlite_where=is_asked,
    )
    _extend("shop", _shop_columns(), SHOP_CHECKS)
    _extend("sending", _sending_columns(), {})


def downgrade() -> None:
    """Messages of the new kinds go: the tables before know no place for them."""
    op.drop_table("reply")
    op.drop_table("monthly_sent")
    op.drop_table("customer")
    op.drop_index("ix_message_ask", "message")
    of_new_kinds = "kind NOT IN ('reminder', 'cancellation')"
    theirs = f"SELECT id FROM message WHERE {of_new_kinds}"  # noqa: S608
    attempts = f"SELECT id FROM attempt WHERE message_id IN ({theirs})"  # noqa: S608
    op.execute(f"DELETE FROM receipt WHERE attempt_id IN ({attempts})")  # noqa: S608
    op.execute(f"DELETE FROM attempt WHERE message_id IN ({theirs})")  # noqa: S608
    op.execute(f"DELETE FROM message WHERE {of_new_kinds}")  # noqa: S608
    _reduce("sending", _sending_columns(), {})
    _reduce("shop", _shop_columns(), SHOP_CHECKS)
    _reduce("message", _message_columns(), MESSAGE_CHECKS)
    with op.batch_alter_table("message") as message:
        message.create_check_constraint(op.f("ck_message_kind"), FORMER_KINDS)


def _create_customer() -> None:
    op.create_table(
        "customer",
        sa.Column("address", sa.String(length=64), nullable=False),
        sa.Column("profile_name", sa.String(length=100), nullable=True),
        sa.Column("consent", sa.Boolean(), nullable=True),
        sa.Column("consent_at", UtcDateTime(), nullable=True),
        sa.Column("consent_how", sa.String(length=10), nullable=True),
        sa.Column("opted_out_at", UtcDateTime(), nullable=True),
        sa.Column("opted_out_how", sa.String(length=10), nullable=True),
        sa.Column("written_at", UtcDateTime(), nullable=True),
        sa.CheckConstraint(
            "consent_how IN ('form', 'api', 'reply')", name=op.f("ck_customer_consent_how")
        ),
        sa.CheckConstraint(
            "opted_out_how IN ('reply', 'twilio', 'staff')",
            name=op.f("ck_customer_opted_out_how"),
        ),
        sa.CheckConstraint(
            "(consent IS NULL) = (consent_at IS NULL)"
            " AND (consent IS NULL) = (consent_how IS NULL)",
            name=op.f("ck_customer_consent"),
        ),
        sa.CheckConstraint(
            "(opted_out_at IS NULL) = (opted_out_how IS NULL)", name=op.f("ck_customer_opted_out")
        ),
        sa.PrimaryKeyConstraint("address", name=op.f("pk_customer")),
    )
    op.create_table(
        "monthly_sent",
        sa.Column("month", sa.Date(), nullable=False),
        sa.Column("address", sa.String(length=64), nullable=False),
        sa.Column("messages", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("month", "address", name=op.f("pk_monthly_sent")),
    )


def _create_reply() -> None:
    op.create_table(
        "reply",
        sa.Column("sid", sa.String(length=34), nullable=False),
        sa.Column("sender", sa.String(length=64), nullable=False),
        sa.Column("profile_name", sa.String(length=100), nullable=True),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("button_payload", sa.String(length=256), nullable=True),
        sa.Column("replied_to", sa.String(length=34), nullable=True),
        sa.Column("media", sa.Integer(), nullable=False),
        sa.Column("received_at", UtcDateTime(), nullable=False),
        sa.Column("effect", sa.String(length=20), nullable=False),
        sa.Column("booking_id", sa.String(length=40), nullable=True),
        sa.Column("answer", sa.Text(), nullable=True),
        sa.Column("needs_attention", sa.Boolean(), nullable=False),
        sa.Column("handled_at", UtcDateTime(), nullable=True),
        sa.Column("handled_by", sa.String(length=120), nullable=True),
        sa.Column("updated_at", UtcDateTime(), nullable=False),
        sa.CheckConstraint(
            "effect IN ('cancelled', 'already_cancelled', 'too_late', 'no_booking',"
            " 'which_booking', 'opted_out', 'opted_in', 'for_staff')",
            name=op.f("ck_reply_effect"),
        ),
        sa.CheckConstraint(
            "(handled_at IS NULL) = (handled_by IS NULL)", name=op.f("ck_reply_handled")
        ),
        sa.ForeignKeyConstraint(["booking_id"], ["booking.id"], name=op.f("fk_reply_booking_id")),
        sa.PrimaryKeyConstraint("sid", name=op.f("pk_reply")),
    )
    for columns in (["sender", "received_at"], ["booking_id", "received_at"], ["updated_at"]):
        op.create_index(op.f(f"ix_reply_{'_'.join(columns)}"), "reply", columns)
    is_open = sa.text("needs_attention")
    op.create_index(
        "ix_reply_open", "reply", ["received_at"], postgresql_where=is_open, sqlite_where=is_open
    )


def _extend(table: str, columns: tuple[sa.Column[object], ...], checks: dict[str, str]) -> None:
    """Add columns and then what they must keep to; a default is only for the rows there are."""
    with op.batch_alter_table(table) as batch:
        for column in columns:
            batch.add_column(column)
        for name, condition in checks.items():
            batch.create_check_constraint(op.f(f"ck_{table}_{name}"), condition)
    with op.batch_alter_table(table) as batch:
        for column in columns:
            if column.server_default is not None:
                batch.alter_column(column.name, server_default=None)


def _reduce(table: str, columns: tuple[sa.Column[object], ...], checks: dict[str, str]) -> None:
    with op.batch_alter_table(table) as batch:
        for name in checks:
            batch.drop_constraint(op.f(f"ck_{table}_{name}"), type_="check")
        for column in columns:
            batch.drop_column(column.name)
