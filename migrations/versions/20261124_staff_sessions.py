"""Sessions of staff, throttling of logins, and what the live view looks for."""

import sqlalchemy as sa
from alembic import op

from app.db import UtcDateTime

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "staff_session",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("user_id", sa.String(length=40), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("seen_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["user_id"], ["staff_user.id"], name=op.f("fk_staff_session_user_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_staff_session")),
    )
    for column in ("user_id", "created_at", "seen_at"):
        op.create_index(op.f(f"ix_staff_session_{column}"), "staff_session", [column])
    op.create_table(
        "login_attempt",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("bucket", sa.String(length=80), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_login_attempt")),
    )
    op.create_index(op.f("ix_login_attempt_bucket_at"), "login_attempt", ["bucket", "at"])
    op.create_index(op.f("ix_login_attempt_at"), "login_attempt", ["at"])
    for table in ("message", "booking"):
        op.create_index(op.f(f"ix_{table}_updated_at"), table, ["updated_at"])


def downgrade() -> None:
    for table in ("message", "booking"):
        op.drop_index(op.f(f"ix_{table}_updated_at"), table)
    for table in ("login_attempt", "staff_session"):
        op.drop_table(table)
