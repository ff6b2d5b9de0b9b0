"""A booking of somebody who walked in has no phone number.

Back again, each gets one that nobody has: `+` and the end of its id.
"""

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None

COLUMNS = ("customer_phone", "person")


def upgrade() -> None:
    _let_be_null(True)


def downgrade() -> None:
    op.execute(
        "UPDATE booking SET customer_phone = '+' || substr(id, length(id) - 17),"
        " person = '+' || substr(id, length(id) - 17) WHERE customer_phone IS NULL"
    )
    _let_be_null(False)


def _let_be_null(nullable: bool) -> None:
    with op.batch_alter_table("booking") as booking:
        for name in COLUMNS:
            booking.alter_column(name, existing_type=sa.String(20), nullable=nullable)
