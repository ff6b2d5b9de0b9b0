"""Several services in one visit are a service of its own, with the ids of its parts.

Back again it is one like any other, which is switched off.
"""

import sqlalchemy as sa
from alembic import op

revision = "0036"
down_revision = "0035"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("service", sa.Column("parts", sa.Text()))


def downgrade() -> None:
    op.drop_column("service", "parts")
