"""Days on which the shop is closed, and when barbers are away."""

import sqlalchemy as sa
from alembic import op

from app.db import UtcDateTime

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "closure",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("shop_id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("first_day", sa.Date(), nullable=False),
        sa.Column("last_day", sa.Date(), nullable=False),
        sa.CheckConstraint("last_day >= first_day", name=op.f("ck_closure_days")),
        sa.ForeignKeyConstraint(["shop_id"], ["shop.id"], name=op.f("fk_closure_shop_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_closure")),
    )
    op.create_index("ix_closure_shop_id_last_day", "closure", ["shop_id", "last_day"])
    op.create_table(
        "absence",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("shop_id", sa.Integer(), nullable=False),
        sa.Column("barber_id", sa.String(length=40), nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("starts_at", UtcDateTime(), nullable=False),
        sa.Column("ends_at", UtcDateTime(), nullable=False),
        sa.Column("repeats", sa.Boolean(), nullable=False),
        sa.Column("repeats_until", sa.Date(), nullable=True),
        sa.CheckConstraint("ends_at > starts_at", name=op.f("ck_absence_length")),
        sa.CheckConstraint("repeats OR repeats_until IS NULL", name=op.f("ck_absence_repeats")),
        sa.ForeignKeyConstraint(["barber_id"], ["barber.id"], name=op.f("fk_absence_barber_id")),
        sa.ForeignKeyConstraint(["shop_id"], ["shop.id"], name=op.f("fk_absence_shop_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_absence")),
    )
    op.create_index("ix_absence_shop_id_starts_at", "absence", ["shop_id", "starts_at"])
    op.create_index("ix_absence_barber_id_starts_at", "absence", ["barber_id", "starts_at"])


def downgrade() -> None:
    op.drop_table("absence")
    op.drop_table("closure")
