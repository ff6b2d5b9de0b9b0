"""Who waits for a place."""

import sqlalchemy as sa
from alembic import op

from app.db import UtcDateTime

revision = "0032"
down_revision = "0031"
branch_labels = None
depends_on = None

IS_OPEN = sa.text("ended_at IS NULL")


def upgrade() -> None:
    op.create_table(
        "waiting",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("shop_id", sa.Integer(), nullable=False),
        sa.Column("customer_name", sa.String(length=100), nullable=False),
        sa.Column("customer_phone", sa.String(length=20), nullable=False),
        sa.Column("person", sa.String(length=20), nullable=False),
        sa.Column("service_id", sa.String(length=40), nullable=False),
        sa.Column("barber_id", sa.String(length=40), nullable=True),
        sa.Column("first_day", sa.Date(), nullable=False),
        sa.Column("last_day", sa.Date(), nullable=False),
        sa.Column("from_time", sa.Time(), nullable=True),
        sa.Column("until_time", sa.Time(), nullable=True),
        sa.Column("notes", sa.Text(), nullable=True),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("ended_at", UtcDateTime(), nullable=True),
        sa.Column("reason", sa.String(length=10), nullable=True),
        sa.Column("booking_id", sa.String(length=40), nullable=True),
        sa.CheckConstraint("last_day >= first_day", name=op.f("ck_waiting_days")),
        sa.CheckConstraint("reason IN ('booked', 'removed')", name=op.f("ck_waiting_reason")),
        sa.CheckConstraint("(ended_at IS NULL) = (reason IS NULL)", name=op.f("ck_waiting_ended")),
        sa.CheckConstraint("customer_phone LIKE '+%'", name=op.f("ck_waiting_phone_e164")),
        sa.ForeignKeyConstraint(["shop_id"], ["shop.id"], name=op.f("fk_waiting_shop_id")),
        sa.ForeignKeyConstraint(["service_id"], ["service.id"], name=op.f("fk_waiting_service_id")),
        sa.ForeignKeyConstraint(["barber_id"], ["barber.id"], name=op.f("fk_waiting_barber_id")),
        sa.ForeignKeyConstraint(["booking_id"], ["booking.id"], name=op.f("fk_waiting_booking_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_waiting")),
    )
    op.create_index(
        "ix_waiting_open",
        "waiting",
        ["shop_id", "last_day"],
        postgresql_where=IS_OPEN,
        sqlite_where=IS_OPEN,
    )
    op.create_index("ix_waiting_person", "waiting", ["person"])


def downgrade() -> None:
    op.drop_table("waiting")
