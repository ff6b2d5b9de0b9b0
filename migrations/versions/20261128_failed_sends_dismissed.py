"""A failed send that nobody needs to see any more can be dismissed."""

import sqlalchemy as sa
from alembic import op

from app.db import UtcDateTime

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

INDEX = "ix_message_failed_of_booking"


def upgrade() -> None:
    op.drop_index(INDEX, "message")
    with op.batch_alter_table("message") as message:
        message.add_column(sa.Column("dismissed_at", UtcDateTime(), nullable=True))
        message.create_check_constraint(
            op.f("ck_message_dismissed"), "dismissed_at IS NULL OR state = 'failed'"
        )
    _create_index("state = 'failed' AND dismissed_at IS NULL")


def downgrade() -> None:
    op.drop_index(INDEX, "message")
    with op.batch_alter_table("message") as message:
        message.drop_constraint(op.f("ck_message_dismissed"), type_="check")
        message.drop_column("dismissed_at")
    _create_index("state = 'failed'")


def _create_index(where: str) -> None:
    condition = sa.text(where)
    op.create_index(
        INDEX, "message", ["booking_id"], postgresql_where=condition, sqlite_where=condition
    )
