"""Opening hours may go on until midnight, and past it."""

from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("shop") as shop:
        shop.drop_constraint(op.f("ck_shop_opening_hours"), type_="check")


def downgrade() -> None:
    """Hours that go past midnight end before it."""
    op.execute("UPDATE shop SET closes_at = '23:59:00.000000' WHERE closes_at <= opens_at")
    op.execute("UPDATE shop SET opens_at = '00:00:00.000000' WHERE closes_at <= opens_at")
    with op.batch_alter_table("shop") as shop:
        shop.create_check_constraint(op.f("ck_shop_opening_hours"), "opens_at < closes_at")
