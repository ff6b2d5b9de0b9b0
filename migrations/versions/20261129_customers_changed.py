"""When what is known of a customer last changed, for programs that keep a copy."""

import sqlalchemy as sa
from alembic import op

from app.db import UtcDateTime

revision = "0035"
down_revision = "0034"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("customer", sa.Column("updated_at", UtcDateTime()))
    op.create_index(op.f("ix_customer_updated_at"), "customer", ["updated_at"])


def downgrade() -> None:
    op.drop_index(op.f("ix_customer_updated_at"), "customer")
    op.drop_column("customer", "updated_at")
