"""Calendars that others read by a link."""

import sqlalchemy as sa
from alembic import op

from app.db import UtcDateTime

revision = "0025"
down_revision = "0024"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "calendar_feed",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("shop_id", sa.Integer(), nullable=False),
        sa.Column("subject", sa.String(length=40), nullable=False),
        sa.Column("barber_id", sa.String(length=40), nullable=True),
        sa.Column("secret_number", sa.Integer(), nullable=False),
        sa.Column("made_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["barber_id"], ["barber.id"], name=op.f("fk_calendar_feed_barber_id")
        ),
        sa.ForeignKeyConstraint(["shop_id"], ["shop.id"], name=op.f("fk_calendar_feed_shop_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_calendar_feed")),
        sa.UniqueConstraint("shop_id", "subject", name=op.f("uq_calendar_feed_shop_id_subject")),
    )


def downgrade() -> None:
    op.drop_table("calendar_feed")
