"""Table of what is wrong with this install and owners are told of."""

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from app.db import Base, UtcDateTime

ALARM_KINDS = ("stopped", "paused", "budget", "no_worker", "disk", "backlog")


class Alarm(Base):
    """A row for as long as it is wrong: `told_at` is when owners were told, if they were.

    `fine_since` is set while it seems to be over. `host` is empty for what is of the whole shop; of
    a disk it is whose, and `seen_at` when that host last said so.
    """

    __tablename__ = "alarm"
    __table_args__ = (CheckConstraint(f"kind IN {ALARM_KINDS}", name="kind"),)

    shop_id: Mapped[int] = mapped_column(ForeignKey("shop.id"), primary_key=True)
    kind: Mapped[str] = mapped_column(String(20), primary_key=True)
    host: Mapped[str] = mapped_column(String(100), primary_key=True)
    words: Mapped[str] = mapped_column(String(500))
    began_at: Mapped[datetime] = mapped_column(UtcDateTime)
    seen_at: Mapped[datetime] = mapped_column(UtcDateTime)
    told_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    fine_since: Mapped[datetime | None] = mapped_column(UtcDateTime)
