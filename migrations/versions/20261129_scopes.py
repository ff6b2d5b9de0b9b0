"""A token may do less than read, or more than write: it reads the metrics, or makes tokens."""

from alembic import op

revision = "0029"
down_revision = "0028"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _allow("'metrics', 'read', 'write', 'manage'")


def downgrade() -> None:
    """What an earlier version cannot limit so far may read; who managed may write."""
    op.execute("UPDATE api_token SET scope = 'write' WHERE scope = 'manage'")
    op.execute("UPDATE api_token SET scope = 'read' WHERE scope = 'metrics'")
    _allow("'read', 'write'")


def _allow(scopes: str) -> None:
    with op.batch_alter_table("api_token") as token:
        token.drop_constraint(op.f("ck_api_token_scope"), type_="check")
        token.create_check_constraint(op.f("ck_api_token_scope"), f"scope IN ({scopes})")
