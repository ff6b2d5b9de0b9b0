"""An index that finds what failed of the appointments to come, however much failed before."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    has_failed = sa.text("state = 'failed'")
    op.create_index(
        "ix_message_failed_of_booking",
        "message",
        ["booking_id"],
        postgresql_where=has_failed,
        sqlite_where=has_failed,
    )


def downgrade() -> None:
    op.drop_index("ix_message_failed_of_booking", "message")
