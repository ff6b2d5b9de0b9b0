"""An index of the attempts without a SID of one phone, among which a look-up at Twilio chooses."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    is_open = sa.text("sid IS NULL")
    op.create_index(
        "ix_attempt_open",
        "attempt",
        ["sent_to", "started_at"],
        postgresql_where=is_open,
        sqlite_where=is_open,
    )


def downgrade() -> None:
    op.drop_index("ix_attempt_open", "attempt")
