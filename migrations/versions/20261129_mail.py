"""Mails on their way to staff."""

import sqlalchemy as sa
from alembic import op

from app.db import UtcDateTime

revision = "0027"
down_revision = "0026"
branch_labels = None
depends_on = None

_PENDING = sa.text("state = 'pending'")


def upgrade() -> None:
    op.create_table(
        "mail",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("shop_id", sa.Integer(), nullable=False),
        sa.Column("recipient", sa.String(length=320), nullable=False),
        sa.Column("subject", sa.String(length=200), nullable=False),
        sa.Column("text", sa.Text(), nullable=True),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("next_at", UtcDateTime(), nullable=False),
        sa.Column("made_at", UtcDateTime(), nullable=False),
        sa.Column("ended_at", UtcDateTime(), nullable=True),
        sa.Column("problem", sa.String(length=300), nullable=True),
        sa.CheckConstraint("state IN ('pending', 'sent', 'failed')", name=op.f("ck_mail_state")),
        sa.CheckConstraint("(text IS NOT NULL) = (state = 'pending')", name=op.f("ck_mail_text")),
        sa.ForeignKeyConstraint(["shop_id"], ["shop.id"], name=op.f("fk_mail_shop_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_mail")),
    )
    op.create_index(
        "ix_mail_pending",
        "mail",
        ["next_at"],
        postgresql_where=_PENDING,
        sqlite_where=_PENDING,
    )
    op.create_index(op.f("ix_mail_made_at"), "mail", ["made_at"])


def downgrade() -> None:
    op.drop_table("mail")
