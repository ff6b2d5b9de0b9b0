"""Claiming what is due in a column of times: of the ticks of many processes one gets each row."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import select, update
from sqlalchemy.orm import InstrumentedAttribute

from app.db import database
from app.models.message import Message


def take(
    column: InstrumentedAttribute[datetime | None], now: datetime, lease: datetime, limit: int
) -> Sequence[str]:
    """Job ids of the messages whose `column` is due, which is put off until `lease`.

    So another process's tick does not find them, and they come up again if this one dies.
    """
    with database().write() as session:
        due = session.scalars(
            select(Message.id)
            .where(column.is_not(None), column <= now)
            .order_by(column)
            .limit(limit)
            .with_for_update(skip_locked=True)
        ).all()
        if due:
            session.execute(
                update(Message)
                .where(Message.id.in_(due))
                .values({column: lease})
                .execution_options(synchronize_session=False)
            )
    return due
