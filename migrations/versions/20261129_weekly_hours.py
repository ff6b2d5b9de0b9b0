"""Each day of the week has hours of its own, with breaks; and so may each barber.

Back again, the shop has on each day the hours of the first day on which it opens.
"""

from datetime import time
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

SHOP = sa.table(
    "shop",
    sa.column("weekly_hours", sa.JSON()),
    sa.column("opens_at", sa.Time()),
    sa.column("closes_at", sa.Time()),
)


def upgrade() -> None:
    op.add_column("shop", sa.Column("weekly_hours", sa.JSON(none_as_null=True)))
    op.add_column("barber", sa.Column("weekly_hours", sa.JSON(none_as_null=True)))
    connection = op.get_bind()
    for row in connection.execute(sa.select(SHOP.c.opens_at, SHOP.c.closes_at)).all():
        hours = [f"{at:%H:%M}" for at in row]
        connection.execute(SHOP.update().values(weekly_hours=[[hours]] * 7))
    with op.batch_alter_table("shop") as shop:
        shop.alter_column("weekly_hours", nullable=False)
        shop.drop_column("opens_at")
        shop.drop_column("closes_at")


def downgrade() -> None:
    op.add_column("shop", sa.Column("opens_at", sa.Time()))
    op.add_column("shop", sa.Column("closes_at", sa.Time()))
    connection = op.get_bind()
    for [week] in connection.execute(sa.select(SHOP.c.weekly_hours)).all():
        opens, closes = _of_a_day(week)
        connection.execute(SHOP.update().values(opens_at=opens, closes_at=closes))
    with op.batch_alter_table("shop") as shop:
        shop.alter_column("opens_at", nullable=False)
        shop.alter_column("closes_at", nullable=False)
        shop.drop_column("weekly_hours")
    op.drop_column("barber", "weekly_hours")


def _of_a_day(week: list[Any]) -> tuple[time, time]:
    day = next(filter(None, week), [["09:00", "19:00"]])
    return time.fromisoformat(day[0][0]), time.fromisoformat(day[-1][1])
