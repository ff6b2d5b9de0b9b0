"""A reminder that staff asked for is told apart from a plan's: it goes out in quiet hours too."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    column = sa.Column("asked_for", sa.Boolean(), nullable=False, server_default=sa.false())
    op.add_column("message", column)
    with op.batch_alter_table("message") as message:
        message.alter_column("asked_for", server_default=None)


def downgrade() -> None:
    with op.batch_alter_table("message") as message:
        message.drop_column("asked_for")
