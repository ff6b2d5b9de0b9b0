"""Series of bookings, and which of them a booking is of."""

import sqlalchemy as sa
from alembic import op

from app.db import UtcDateTime

revision = "0030"
down_revision = "0029"
branch_labels = None
depends_on = None

IN_A_SERIES = sa.text("series_id IS NOT NULL")


def upgrade() -> None:
    op.create_table(
        "series",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("shop_id", sa.Integer(), nullable=False),
        sa.Column("weeks", sa.Integer(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.CheckConstraint("weeks BETWEEN 1 AND 52", name=op.f("ck_series_weeks")),
        sa.ForeignKeyConstraint(["shop_id"], ["shop.id"], name=op.f("fk_series_shop_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_series")),
    )
    with op.batch_alter_table("booking") as booking:
        booking.add_column(sa.Column("series_id", sa.String(length=40), nullable=True))
        booking.create_foreign_key(op.f("fk_booking_series_id"), "series", ["series_id"], ["id"])
    op.create_index(
        "ix_booking_series_id_starts_at",
        "booking",
        ["series_id", "starts_at"],
        postgresql_where=IN_A_SERIES,
        sqlite_where=IN_A_SERIES,
    )


def downgrade() -> None:
    op.drop_index("ix_booking_series_id_starts_at", table_name="booking")
    with op.batch_alter_table("booking") as booking:
        booking.drop_constraint(op.f("fk_booking_series_id"), type_="foreignkey")
        booking.drop_column("series_id")
    op.drop_table("series")
