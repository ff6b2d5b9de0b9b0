"""Times of a shop's own at which it reminds."""

import sqlalchemy as sa
from alembic import op

revision = "0037"
down_revision = "0036"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("shop", sa.Column("own_times", sa.Text()))
    op.add_column("plan", sa.Column("own_after", sa.JSON()))


def downgrade() -> None:
    op.drop_column("plan", "own_after")
    op.drop_column("shop", "own_times")
