"""A booking may have a discount beside its price, with a reason."""

import sqlalchemy as sa
from alembic import op

revision = "0038"
down_revision = "0037"
branch_labels = None
depends_on = None

DISCOUNT = "(discount IS NULL) = (discount_reason IS NULL)"


def upgrade() -> None:
    with op.batch_alter_table("booking") as booking:
        booking.add_column(sa.Column("discount", sa.Numeric(11, 3)))
        booking.add_column(sa.Column("discount_reason", sa.String(100)))
        booking.create_check_constraint(op.f("ck_booking_discount"), DISCOUNT)


def downgrade() -> None:
    with op.batch_alter_table("booking") as booking:
        booking.drop_constraint(op.f("ck_booking_discount"), type_="check")
        booking.drop_column("discount_reason")
        booking.drop_column("discount")
