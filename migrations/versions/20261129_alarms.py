"""What is wrong, and owners are told of; when the heartbeat was last sent."""

import sqlalchemy as sa
from alembic import op

from app.db import UtcDateTime

revision = "0028"
down_revision = "0027"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "alarm",
        sa.Column("shop_id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("host", sa.String(length=100), nullable=False),
        sa.Column("words", sa.String(length=500), nullable=False),
        sa.Column("began_at", UtcDateTime(), nullable=False),
        sa.Column("seen_at", UtcDateTime(), nullable=False),
        sa.Column("told_at", UtcDateTime(), nullable=True),
        sa.Column("fine_since", UtcDateTime(), nullable=True),
        sa.CheckConstraint(
            "kind IN ('stopped', 'paused', 'budget', 'no_worker', 'disk', 'backlog')",
            name=op.f("ck_alarm_kind"),
        ),
        sa.ForeignKeyConstraint(["shop_id"], ["shop.id"], name=op.f("fk_alarm_shop_id")),
        sa.PrimaryKeyConstraint("shop_id", "kind", "host", name=op.f("pk_alarm")),
    )
    op.add_column("install", sa.Column("pinged_at", UtcDateTime(), nullable=True))


def downgrade() -> None:
    with op.batch_alter_table("install") as batch:
        batch.drop_column("pinged_at")
    op.drop_table("alarm")
