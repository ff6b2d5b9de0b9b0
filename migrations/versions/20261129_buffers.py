"""A service may keep its barber free before and after it, and a booking what it was made with."""

import sqlalchemy as sa
from alembic import op

from app.db import UtcDateTime

revision = "0033"
down_revision = "0032"
branch_labels = None
depends_on = None

BUFFERS = "buffer_minutes BETWEEN 1 AND 120 AND buffer_minutes_before BETWEEN 1 AND 120"
BUSY = "busy_from <= starts_at AND busy_until >= ends_at"


def upgrade() -> None:
    with op.batch_alter_table("service") as service:
        service.add_column(sa.Column("buffer_minutes", sa.Integer()))
        service.add_column(sa.Column("buffer_minutes_before", sa.Integer()))
        service.create_check_constraint(op.f("ck_service_buffers"), BUFFERS)
    for name in ("busy_from", "busy_until"):
        op.add_column("booking", sa.Column(name, UtcDateTime()))
    op.execute("UPDATE booking SET busy_from = starts_at, busy_until = ends_at")
    with op.batch_alter_table("booking") as booking:
        for name in ("busy_from", "busy_until"):
            booking.alter_column(name, existing_type=UtcDateTime(), nullable=False)
        booking.create_check_constraint(op.f("ck_booking_busy"), BUSY)


def downgrade() -> None:
    with op.batch_alter_table("booking") as booking:
        booking.drop_constraint(op.f("ck_booking_busy"), type_="check")
        booking.drop_column("busy_until")
        booking.drop_column("busy_from")
    with op.batch_alter_table("service") as service:
        service.drop_constraint(op.f("ck_service_buffers"), type_="check")
        service.drop_column("buffer_minutes_before")
        service.drop_column("buffer_minutes")
