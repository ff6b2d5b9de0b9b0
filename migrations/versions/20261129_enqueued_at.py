"""`message.fed_at` is called `enqueued_at`, as everything around it."""

from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Indexes follow by themselves, on both databases.
    op.execute("ALTER TABLE message RENAME COLUMN fed_at TO enqueued_at")


def downgrade() -> None:
    op.execute("ALTER TABLE message RENAME COLUMN enqueued_at TO fed_at")
