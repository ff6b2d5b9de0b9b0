"""Indexes for a part of a customer's name or number, by PostgreSQL's own extension pg_trgm."""

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

COLUMNS = ("customer_name", "customer_phone")


def upgrade() -> None:
    if op.get_bind().dialect.name != "postgresql":
        return
    op.execute("CREATE EXTENSION IF NOT EXISTS pg_trgm")
    for column in COLUMNS:
        op.create_index(
            f"ix_booking_{column}_parts",
            "booking",
            [column],
            postgresql_using="gin",
            postgresql_ops={column: "gin_trgm_ops"},
        )


def downgrade() -> None:
    """The extension stays: others may use it by now."""
    if op.get_bind().dialect.name == "postgresql":
        for column in COLUMNS:
            op.drop_index(f"ix_booking_{column}_parts", "booking")
