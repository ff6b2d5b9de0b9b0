"""Tables of imports: a file out of another program, and what became of each of its rows."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, CheckConstraint, ForeignKey, Index, LargeBinary, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from app.db import Base, UtcDateTime

KINDS = ("customers", "bookings")
UNDER_WAY = ("checking", "importing", "planning", "undoing")
"""The states of which a worker makes the next one."""
STATES = (*UNDER_WAY, "checked", "done", "undone")
FATES = ("new", "changes", "same", "wrong", "made", "undone", "kept")


class Import(Base):
    """A file, and how far it is.

    `matching` says how it is read (`app.imports.matching.Matching`), `summary` what the check of
    its rows found, `problem` why it could not be read at all. Of its `rows` those are through the
    present step that are `done`. `only_good` are rows to be left out that are wrong, else one of
    them stops all; with `messages`, bookings to come get their reminders. The `content` is kept
    until the import can no longer be undone.
    """

    __tablename__ = "data_import"
    __table_args__ = (
        CheckConstraint(f"kind IN {KINDS}", name="kind"),
        CheckConstraint(f"state IN {STATES}", name="state"),
        Index(None, "state"),
        Index(None, "shop_id", "created_at"),
    )

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    shop_id: Mapped[int] = mapped_column(ForeignKey("shop.id"))
    kind: Mapped[str] = mapped_column(String(10))
    file_name: Mapped[str] = mapped_column(String(100))
    content: Mapped[bytes | None] = mapped_column(LargeBinary, deferred=True)
    matching: Mapped[dict[str, Any]] = mapped_column(JSON)
    summary: Mapped[dict[str, Any]] = mapped_column(JSON)
    state: Mapped[str] = mapped_column(String(10))
    problem: Mapped[str | None] = mapped_column(Text)
    rows: Mapped[int] = mapped_column(default=0)
    done: Mapped[int] = mapped_column(default=0)
    only_good: Mapped[bool] = mapped_column(default=True)
    messages: Mapped[bool] = mapped_column(default=True)
    actor: Mapped[str] = mapped_column(String(120))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    started_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    finished_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    undone_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class ImportRow(Base):
    """A row of a file: what it says (`values`), what is wrong with it, and what became of it.

    `number` counts the rows from 1; `line` is where it begins in the file. `booking_id` is the
    booking that was made of it, `before` what was known of the customer until then.
    """

    __tablename__ = "data_import_row"
    __table_args__ = (
        CheckConstraint(f"fate IN {FATES}", name="fate"),
        Index(None, "import_id", "fate", "number"),
    )

    import_id: Mapped[str] = mapped_column(
        ForeignKey("data_import.id", ondelete="CASCADE"), primary_key=True
    )
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    shop_id: Mapped[int] = mapped_column(ForeignKey("shop.id"))
    line: Mapped[int]
    fate: Mapped[str] = mapped_column(String(10))
    values: Mapped[dict[str, Any]] = mapped_column(JSON)
    problems: Mapped[list[list[str]]] = mapped_column(JSON)
    booking_id: Mapped[str | None] = mapped_column(String(40))
    before: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
