"""The audit log: every change, with who made it."""

from typing import Any

from sqlalchemy import insert
from sqlalchemy.orm import Session

from app import clock, outbox
from app.models.staff import AuditEvent
from app.rows import change_rows, table_of

_EVENT = insert(table_of(AuditEvent))


def record(session: Session, actor: str, action: str, subject: str, **details: Any) -> None:
    """Add one event in the caller's transaction; other programs hear of what is one for them.

    `actor` is `token:<id>`, `user:<id>`, `customer:reply` or `system`; `details` holds no phone
    number and no customer's name.
    """
    what = {"actor": actor, "action": action, "subject": subject, "details": details}
    change_rows(session, _EVENT, {"at": clock.now(), **what})
    outbox.note_action(session, action, subject)
