"""This install, as against others that use the same Redis."""

from datetime import datetime

from sqlalchemy import CheckConstraint, String
from sqlalchemy.orm import Mapped, mapped_column

from app.db import Base, UtcDateTime


class Install(Base):
    """A single row: the id that its queue is named after, when /health last wrote, and
    when HEARTBEAT_URL was last pinged.
    """

    __tablename__ = "install"
    __table_args__ = (CheckConstraint("number = 1", name="single_row"),)

    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    queue_id: Mapped[str] = mapped_column(String(32))
    written_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    pinged_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
