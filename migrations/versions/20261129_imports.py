"""Files of other programs, what became of their rows, and customers who have no booking yet."""

import sqlalchemy as sa
from alembic import op

from app.db import UtcDateTime

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None

KINDS = "('customers', 'bookings')"
STATES = "('checking', 'importing', 'planning', 'undoing', 'checked', 'done', 'undone')"
FATES = "('new', 'changes', 'same', 'wrong', 'made', 'undone', 'kept')"
IMPORTED = (
    "(id IS NULL) = (name IS NULL) AND (id IS NULL) = (phone IS NULL)"
    " AND (id IS NULL) = (name_folded IS NULL)"
)


def upgrade() -> None:
    op.create_table(
        "data_import",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("shop_id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(length=10), nullable=False),
        sa.Column("file_name", sa.String(length=100), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=True),
        sa.Column("matching", sa.JSON(), nullable=False),
        sa.Column("summary", sa.JSON(), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("problem", sa.Text(), nullable=True),
        sa.Column("rows", sa.Integer(), nullable=False),
        sa.Column("done", sa.Integer(), nullable=False),
        sa.Column("only_good", sa.Boolean(), nullable=False),
        sa.Column("messages", sa.Boolean(), nullable=False),
        sa.Column("actor", sa.String(length=120), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("started_at", UtcDateTime(), nullable=True),
        sa.Column("finished_at", UtcDateTime(), nullable=True),
        sa.Column("undone_at", UtcDateTime(), nullable=True),
        sa.CheckConstraint(f"kind IN {KINDS}", name=op.f("ck_data_import_kind")),
        sa.CheckConstraint(f"state IN {STATES}", name=op.f("ck_data_import_state")),
        sa.ForeignKeyConstraint(["shop_id"], ["shop.id"], name=op.f("fk_data_import_shop_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_data_import")),
    )
    op.create_index("ix_data_import_state", "data_import", ["state"])
    op.create_index("ix_data_import_shop_id_created_at", "data_import", ["shop_id", "created_at"])
    op.create_table(
        "data_import_row",
        sa.Column("import_id", sa.String(length=40), nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("shop_id", sa.Integer(), nullable=False),
        sa.Column("line", sa.Integer(), nullable=False),
        sa.Column("fate", sa.String(length=10), nullable=False),
        sa.Column("values", sa.JSON(), nullable=False),
        sa.Column("problems", sa.JSON(), nullable=False),
        sa.Column("booking_id", sa.String(length=40), nullable=True),
        sa.Column("before", sa.JSON(none_as_null=True), nullable=True),
        sa.CheckConstraint(f"fate IN {FATES}", name=op.f("ck_data_import_row_fate")),
        sa.ForeignKeyConstraint(
            ["import_id"],
            ["data_import.id"],
            name=op.f("fk_data_import_row_import_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(["shop_id"], ["shop.id"], name=op.f("fk_data_import_row_shop_id")),
        sa.PrimaryKeyConstraint("import_id", "number", name=op.f("pk_data_import_row")),
    )
    op.create_index(
        "ix_data_import_row_import_id_fate_number",
        "data_import_row",
        ["import_id", "fate", "number"],
    )
    with op.batch_alter_table("customer") as customer:
        customer.add_column(sa.Column("id", sa.String(length=40)))
        customer.add_column(sa.Column("name", sa.String(length=100)))
        customer.add_column(sa.Column("name_folded", sa.Text()))
        customer.add_column(sa.Column("phone", sa.String(length=20)))
        customer.add_column(sa.Column("email", sa.String(length=254)))
        customer.create_unique_constraint("uq_customer_id", ["id"])
        customer.create_check_constraint(op.f("ck_customer_imported"), IMPORTED)


def downgrade() -> None:
    with op.batch_alter_table("customer") as customer:
        customer.drop_constraint(op.f("ck_customer_imported"), type_="check")
        customer.drop_constraint("uq_customer_id", type_="unique")
        for name in ("id", "name", "name_folded", "phone", "email"):
            customer.drop_column(name)
    op.drop_table("data_import_row")
    op.drop_table("data_import")
