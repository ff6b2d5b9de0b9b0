"""A second factor: apps, passkeys, recovery codes, and the step of a login that asks for it."""

import sqlalchemy as sa
from alembic import op

from app.db import UtcDateTime

revision = "0034"
down_revision = "0033"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("staff_session", sa.Column("confirmed_at", UtcDateTime()))
    _create("login_step", 64, sa.Column("ends_at", UtcDateTime(), nullable=False))
    op.create_index(op.f("ix_login_step_ends_at"), "login_step", ["ends_at"])
    _create(
        "authenticator",
        40,
        sa.Column("confirmed_at", UtcDateTime()),
        sa.Column("last_step", sa.Integer()),
        sa.UniqueConstraint("user_id", name=op.f("uq_authenticator_user_id")),
    )
    _create("recovery_code", 64)
    _create(
        "passkey",
        40,
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("credential_id", sa.Text(), nullable=False),
        sa.Column("public_key", sa.LargeBinary(), nullable=False),
        sa.Column("sign_count", sa.Integer(), nullable=False),
        sa.Column("made_at", UtcDateTime(), nullable=False),
        sa.Column("used_at", UtcDateTime()),
        sa.UniqueConstraint("credential_id", name=op.f("uq_passkey_credential_id")),
    )
    for name in ("login_step", "recovery_code", "passkey"):
        op.create_index(op.f(f"ix_{name}_user_id"), name, ["user_id"])


def _create(name: str, length: int, *others: sa.schema.SchemaItem) -> None:
    """A table of what belongs to a member of staff."""
    op.create_table(
        name,
        sa.Column("id", sa.String(length=length), nullable=False),
        sa.Column("shop_id", sa.Integer(), nullable=False),
        sa.Column("user_id", sa.String(length=40), nullable=False),
        sa.ForeignKeyConstraint(["shop_id"], ["shop.id"], name=op.f(f"fk_{name}_shop_id")),
        sa.ForeignKeyConstraint(["user_id"], ["staff_user.id"], name=op.f(f"fk_{name}_user_id")),
        sa.PrimaryKeyConstraint("id", name=op.f(f"pk_{name}")),
        *others,
    )


def downgrade() -> None:
    for name in ("passkey", "recovery_code", "authenticator", "login_step"):
        op.drop_table(name)
    op.drop_column("staff_session", "confirmed_at")
