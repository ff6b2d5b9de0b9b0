"""The table of replies."""

from datetime import datetime
from typing import get_args

from sqlalchemy import CheckConstraint, ForeignKey, Index, String, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from app.channel import IncomingKind
from app.db import Base, UtcDateTime

EFFECTS = (
    "cancelled",
    "already_cancelled",
    "too_late",  # the appointment had begun
    "no_booking",
    "which_booking",  # there are several: the customer was asked which
    "opted_out",
    "opted_in",
    "for_staff",
    "noted",  # kept, and no work for anybody
)
KINDS = get_args(IncomingKind)
_OPEN = text("needs_attention")


class Reply(Base):
    """A message from a customer, kept once for its SID, with what it did and what we answered.

    `sender` is the number or the id that it came from, `person` whose that is. `answer` is the
    text of the TwiML, the same for each delivery of the same message; empty if nothing is answered.
    `booking_id` is the booking it is about, or seems to be. While `needs_attention`, staff are
    shown it.
    """

    __tablename__ = "reply"
    __table_args__ = (
        CheckConstraint(f"effect IN {EFFECTS}", name="effect"),
        CheckConstraint(f"kind IN {KINDS}", name="kind"),
        CheckConstraint("(handled_at IS NULL) = (handled_by IS NULL)", name="handled"),
        Index(None, "person", "received_at"),
        Index(None, "booking_id", "received_at"),
        Index(None, "updated_at"),
        Index(
            "ix_reply_open",
            "received_at",
            postgresql_where=_OPEN,
            sqlite_where=_OPEN,
        ),
    )

    sid: Mapped[str] = mapped_column(String(34), primary_key=True)
    sender: Mapped[str] = mapped_column(String(64))
    person: Mapped[str] = mapped_column(String(64))
    profile_name: Mapped[str | None] = mapped_column(String(100))
    kind: Mapped[str] = mapped_column(String(20), default="text")
    body: Mapped[str] = mapped_column(Text)
    button_payload: Mapped[str | None] = mapped_column(String(256))
    replied_to: Mapped[str | None] = mapped_column(String(34))  # the SID of the quoted message
    media: Mapped[int]  # how many pictures and files came with it; they are not fetched
    media_types: Mapped[str | None] = mapped_column(String(160))  # each of them, by commas
    received_at: Mapped[datetime] = mapped_column(UtcDateTime)
    effect: Mapped[str] = mapped_column(String(20))
    booking_id: Mapped[str | None] = mapped_column(ForeignKey("booking.id"))
    answer: Mapped[str | None] = mapped_column(Text)
    needs_attention: Mapped[bool]
    handled_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    handled_by: Mapped[str | None] = mapped_column(String(120))
    updated_at: Mapped[datetime] = mapped_column(UtcDateTime)
