"""The language that a customer is written to in; empty: the shop's."""

import sqlalchemy as sa
from alembic import op

revision = "0040"
down_revision = "0039"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("customer", sa.Column("language", sa.String(10)))


def downgrade() -> None:
    op.drop_column("customer", "language")
