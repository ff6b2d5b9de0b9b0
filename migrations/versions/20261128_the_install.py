"""What belongs to this install: its queue's name, and a row that shows whether one can write."""

import uuid

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    install = op.create_table(
        "install",
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("queue_id", sa.String(32), nullable=False),
        sa.Column("written_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("number", name="pk_install"),
        sa.CheckConstraint("number = 1", name=op.f("ck_install_single_row")),
    )
    op.bulk_insert(install, [{"number": 1, "queue_id": uuid.uuid4().hex[:12]}])
    op.add_column("worker", sa.Column("queue_away_since", sa.DateTime(timezone=True)))
    # They are in the queue of the old name; the first tick puts them into the new one.
    op.execute("UPDATE message SET fed_at = NULL WHERE state = 'pending' AND fed_at IS NOT NULL")


def downgrade() -> None:
    op.drop_column("worker", "queue_away_since")
    op.drop_table("install")
