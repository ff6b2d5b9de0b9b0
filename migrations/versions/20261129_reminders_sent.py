"""How many reminders a customer had been sent, of whom staff have said whether they came."""

import sqlalchemy as sa
from alembic import op

revision = "0031"
down_revision = "0030"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("booking", sa.Column("reminders_sent", sa.Integer()))
    op.execute(
        """
        UPDATE booking SET reminders_sent = (
          SELECT count(*) FROM message
          WHERE message.booking_id = booking.id AND kind = 'reminder' AND state = 'sent'
        ) WHERE status IN ('completed', 'no_show')
        """
    )


def downgrade() -> None:
    op.drop_column("booking", "reminders_sent")
