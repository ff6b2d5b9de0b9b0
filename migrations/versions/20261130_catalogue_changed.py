"""When a service and a barber last changed; empty if that was before it was noted."""

import sqlalchemy as sa
from alembic import op

from app.db import UtcDateTime

revision = "0039"
down_revision = "0038"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for table in ("service", "barber"):
        op.add_column(table, sa.Column("updated_at", UtcDateTime()))


def downgrade() -> None:
    for table in ("barber", "service"):
        op.drop_column(table, "updated_at")
