"""An import from its upload to its end: what somebody may do with it.

Everything that takes long, a worker does (`app.imports.work`); the state says what is next.
"""

from collections.abc import Mapping, Sequence
from datetime import timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import Session
from ulid import ULID

from app import clock
from app.errors import Conflict, FieldError, Invalid, NotFound
from app.forms import visible
from app.imports import reading
from app.imports.matching import Kind, Matching
from app.models.imports import Import, ImportRow
from app.shop.service import shop
from app.staff import audit

UNDO_FOR = timedelta(days=30)
"""How long an import can be undone, and its file is kept."""

_SHOWN = 20
_LONGEST_NAME = 100


def upload(session: Session, kind: Kind, file_name: str, content: bytes, actor: str) -> Import:
    """Take a file in, for a worker to check. Raises Invalid, with the field `file`."""
    try:
        reading.read(content)
    except ValueError as error:
        raise Invalid([FieldError("file", str(error))]) from None
    new = Import(
        id=f"import_{ULID()}",
        shop_id=shop(session).id,
        kind=kind,
        file_name=" ".join(visible(file_name).split())[-_LONGEST_NAME:] or "file.csv",
        content=content,
        matching=Matching().to_json(),
        summary={},
        state="checking",
        actor=actor,
        created_at=clock.now(),
    )
    session.add(new)
    session.flush()
    return new


def match(session: Session, import_id: str, sent: Mapping[str, str]) -> Import:
    """Read the file as the form says, and check it again. Raises NotFound and Conflict."""
    row = _in_state(session, import_id, "checked")
    texts = row.summary.get("texts", {})
    kind: Kind = "customers" if row.kind == "customers" else "bookings"
    row.matching = Matching.of_form(sent, kind, texts).to_json()
    row.state, row.problem, row.done = "checking", None, 0
    return row


def start(
    session: Session, import_id: str, *, only_good: bool, messages: bool, actor: str
) -> Import:
    """Import what was checked. Raises NotFound and Conflict."""
    row = _in_state(session, import_id, "checked")
    found = counts(session, import_id)
    if row.problem or not found.get("new", 0) + found.get("changes", 0):
        raise Conflict("nothing_new", "There is nothing in this file to import.")
    if found.get("wrong") and not only_good:
        wrong = found["wrong"]
        says = f"{wrong} row{'s are' if wrong > 1 else ' is'} wrong, so nothing was imported."
        raise Conflict("rows_wrong", says)
    row.state, row.done, row.actor = "importing", 0, actor
    row.only_good, row.messages, row.started_at = only_good, messages, clock.now()
    audit.record(session, actor, "import.started", row.id, kind=row.kind, messages=messages)
    return row


def undo(session: Session, import_id: str, actor: str) -> Import:
    """Take back what it made. Raises NotFound and Conflict."""
    row = _in_state(session, import_id, "done")
    if not can_be_undone(row):
        says = f"It was more than {UNDO_FOR.days} days ago: it cannot be undone any more."
        raise Conflict("too_late", says)
    row.state, row.done, row.actor = "undoing", 0, actor
    audit.record(session, actor, "import.undone", row.id, kind=row.kind)
    return row


def discard(session: Session, import_id: str) -> None:
    """Forget a file of which nothing was imported. Raises NotFound and Conflict."""
    session.delete(_in_state(session, import_id, "checked"))


def can_be_undone(row: Import) -> bool:
    """Whether it is not too long ago, and there is something to take back."""
    at = row.finished_at
    return row.state == "done" and at is not None and at > clock.now() - UNDO_FOR


def get(session: Session, import_id: str) -> Import:
    """Raises NotFound."""
    row = session.get(Import, import_id)
    if row is None:
        raise NotFound("There is no such import.")
    return row


def recent(session: Session) -> Sequence[Import]:
    """The last imports, the newest first."""
    query = select(Import).where(Import.shop_id == shop(session).id)
    return session.scalars(query.order_by(Import.created_at.desc()).limit(_SHOWN)).all()


def counts(session: Session, import_id: str) -> dict[str, int]:
    """How many rows have which fate."""
    query = select(ImportRow.fate, func.count()).where(ImportRow.import_id == import_id)
    return dict(session.execute(query.group_by(ImportRow.fate)).all())


def rows(
    session: Session, import_id: str, fate: str, after: int = 0, *, most: int = 50
) -> Sequence[ImportRow]:
    """Rows of that fate, in the order of the file."""
    query = select(ImportRow).where(
        ImportRow.import_id == import_id, ImportRow.fate == fate, ImportRow.number > after
    )
    return session.scalars(query.order_by(ImportRow.number).limit(most)).all()


def _in_state(session: Session, import_id: str, state: str) -> Import:
    """The import, held. Raises NotFound, and Conflict `changed_meanwhile` in another state."""
    row = session.get(Import, import_id, with_for_update=True, populate_existing=True)
    if row is None:
        raise NotFound("There is no such import.")
    if row.state != state:
        raise Conflict("changed_meanwhile", "This import has gone on meanwhile: look again.")
    return row
