"""Notes of staff, on a booking and on a customer."""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for table in ("booking", "customer"):
        op.add_column(table, sa.Column("notes", sa.Text()))


def downgrade() -> None:
    for table in ("customer", "booking"):
        op.drop_column(table, "notes")
