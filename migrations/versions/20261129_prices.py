"""What services cost, and what bookings were made at; who does which service, and its colour."""

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None

PRICE = "(price IS NULL) = (currency IS NULL)"


def upgrade() -> None:
    op.add_column("shop", sa.Column("prices_in", sa.String(3)))
    op.add_column("service", sa.Column("price", sa.Numeric(11, 3)))
    op.add_column("service", sa.Column("colour", sa.String(10)))
    op.create_table(
        "service_barber",
        sa.Column("service_id", sa.String(40), nullable=False),
        sa.Column("barber_id", sa.String(40), nullable=False),
        sa.ForeignKeyConstraint(
            ["service_id"], ["service.id"], name=op.f("fk_service_barber_service_id_service")
        ),
        sa.ForeignKeyConstraint(
            ["barber_id"], ["barber.id"], name=op.f("fk_service_barber_barber_id_barber")
        ),
        sa.PrimaryKeyConstraint("service_id", "barber_id", name=op.f("pk_service_barber")),
    )
    with op.batch_alter_table("booking") as booking:
        booking.add_column(sa.Column("price", sa.Numeric(11, 3)))
        booking.add_column(sa.Column("currency", sa.String(3)))
        booking.create_check_constraint(op.f("ck_booking_price"), PRICE)


def downgrade() -> None:
    with op.batch_alter_table("booking") as booking:
        booking.drop_constraint(op.f("ck_booking_price"), type_="check")
        booking.drop_column("currency")
        booking.drop_column("price")
    op.drop_table("service_barber")
    for table, column in (("service", "colour"), ("service", "price"), ("shop", "prices_in")):
        op.drop_column(table, column)
