"""How far a new shop has been set up."""

import sqlalchemy as sa
from alembic import op

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("shop", sa.Column("setup_next", sa.String(length=10)))


def downgrade() -> None:
    op.drop_column("shop", "setup_next")
