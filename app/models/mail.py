"""Table of the mails on their way to staff."""

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, String, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from app.db import Base, UtcDateTime

MAIL_STATES = ("pending", "sent", "failed")

_PENDING = text("state = 'pending'")


class Mail(Base):
    """One mail to one address, written in the transaction that it is about.

    Whoever tries it raises `attempts` by one and puts `next_at` behind the end of that try, so that
    it is due again if they die. `text` is forgotten with the last try: it may hold a link that sets
    a password. `problem` is what the last try met.
    """

    __tablename__ = "mail"
    __table_args__ = (
        CheckConstraint(f"state IN {MAIL_STATES}", name="state"),
        CheckConstraint("(text IS NOT NULL) = (state = 'pending')", name="text"),
        Index("ix_mail_pending", "next_at", postgresql_where=_PENDING, sqlite_where=_PENDING),
        Index(None, "made_at"),
    )

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    shop_id: Mapped[int] = mapped_column(ForeignKey("shop.id"))
    recipient: Mapped[str] = mapped_column(String(320))
    subject: Mapped[str] = mapped_column(String(200))
    text: Mapped[str | None] = mapped_column(Text)
    state: Mapped[str] = mapped_column(String(10))
    attempts: Mapped[int] = mapped_column(default=0)
    next_at: Mapped[datetime] = mapped_column(UtcDateTime)
    made_at: Mapped[datetime] = mapped_column(UtcDateTime)
    ended_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    problem: Mapped[str | None] = mapped_column(String(300))
