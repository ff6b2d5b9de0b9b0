"""Where other programs listen, what happened, and each delivery of it."""

import sqlalchemy as sa
from alembic import op

from app.db import UtcDateTime

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _endpoints()
    _events()
    _deliveries()


def _endpoints() -> None:
    op.create_table(
        "webhook_endpoint",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("shop_id", sa.Integer(), nullable=False),
        sa.Column("url", sa.String(length=500), nullable=False),
        sa.Column("events", sa.JSON(), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("secret_number", sa.Integer(), nullable=False),
        sa.Column("rotated_at", UtcDateTime(), nullable=True),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("failing_since", UtcDateTime(), nullable=True),
        sa.Column("retry_at", UtcDateTime(), nullable=True),
        sa.Column("switched_off_at", UtcDateTime(), nullable=True),
        sa.CheckConstraint(
            "switched_off_at IS NULL OR NOT active",
            name=op.f("ck_webhook_endpoint_switched_off"),
        ),
        sa.ForeignKeyConstraint(["shop_id"], ["shop.id"], name=op.f("fk_webhook_endpoint_shop_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_webhook_endpoint")),
    )
    op.create_index("ix_webhook_endpoint_shop_id", "webhook_endpoint", ["shop_id"])


def _events() -> None:
    is_untold = sa.text("body IS NULL")
    op.create_table(
        "webhook_event",
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("shop_id", sa.Integer(), nullable=False),
        sa.Column("type", sa.String(length=40), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("subject", sa.String(length=80), nullable=False),
        sa.Column("facts", sa.Text(), nullable=True),
        sa.Column("body", sa.Text(), nullable=True),
        sa.Column("endpoint_id", sa.String(length=40), nullable=True),
        sa.CheckConstraint("(facts IS NULL) <> (body IS NULL)", name=op.f("ck_webhook_event_told")),
        sa.ForeignKeyConstraint(["shop_id"], ["shop.id"], name=op.f("fk_webhook_event_shop_id")),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_webhook_event")),
        sa.UniqueConstraint("id", name=op.f("uq_webhook_event_id")),
    )
    op.create_index(
        "ix_webhook_event_untold",
        "webhook_event",
        ["number"],
        postgresql_where=is_untold,
        sqlite_where=is_untold,
    )
    op.create_index("ix_webhook_event_at", "webhook_event", ["at"])


def _deliveries() -> None:
    is_pending = sa.text("state = 'pending'")
    op.create_table(
        "webhook_delivery",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("shop_id", sa.Integer(), nullable=False),
        sa.Column("endpoint_id", sa.String(length=40), nullable=False),
        sa.Column("event_number", sa.Integer(), nullable=False),
        sa.Column("subject", sa.String(length=80), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("next_at", UtcDateTime(), nullable=False),
        sa.Column("give_up_at", UtcDateTime(), nullable=False),
        sa.Column("lease_until", UtcDateTime(), nullable=True),
        sa.Column("tried_at", UtcDateTime(), nullable=True),
        sa.Column("took", sa.Integer(), nullable=True),
        sa.Column("status_code", sa.Integer(), nullable=True),
        sa.Column("problem", sa.String(length=200), nullable=True),
        sa.Column("answer", sa.String(length=1000), nullable=True),
        sa.CheckConstraint(
            "state IN ('pending', 'delivered', 'failed')", name=op.f("ck_webhook_delivery_state")
        ),
        sa.CheckConstraint(
            "lease_until IS NULL OR state = 'pending'", name=op.f("ck_webhook_delivery_lease")
        ),
        sa.ForeignKeyConstraint(
            ["endpoint_id"], ["webhook_endpoint.id"], name=op.f("fk_webhook_delivery_endpoint_id")
        ),
        sa.ForeignKeyConstraint(
            ["event_number"],
            ["webhook_event.number"],
            name=op.f("fk_webhook_delivery_event_number"),
        ),
        sa.ForeignKeyConstraint(["shop_id"], ["shop.id"], name=op.f("fk_webhook_delivery_shop_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_webhook_delivery")),
        sa.UniqueConstraint(
            "endpoint_id",
            "event_number",
            name=op.f("uq_webhook_delivery_endpoint_id_event_number"),
        ),
    )
    for name, columns in (
        ("ix_webhook_delivery_pending", ["endpoint_id", "subject", "event_number"]),
        ("ix_webhook_delivery_due", ["endpoint_id", "event_number"]),
    ):
        op.create_index(
            name,
            "webhook_delivery",
            columns,
            postgresql_where=is_pending,
            sqlite_where=is_pending,
        )
    op.create_index("ix_webhook_delivery_event_number", "webhook_delivery", ["event_number"])


def downgrade() -> None:
    op.drop_table("webhook_delivery")
    op.drop_table("webhook_event")
    op.drop_table("webhook_endpoint")
