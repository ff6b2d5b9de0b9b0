"""When a customer paid."""

import sqlalchemy as sa
from alembic import op

from app.db import UtcDateTime

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("booking", sa.Column("paid_at", UtcDateTime()))


def downgrade() -> None:
    op.drop_column("booking", "paid_at")
