"""What a worker does of an import: it checks rows, makes what they say, plans reminders, undoes.

A step is one transaction of some rows, so that nobody waits long for it; a cursor in the import's
row says how far it is, so any worker may take the next step, and one that dies loses none.
"""

import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from sqlalchemy import delete, insert, select, update
from sqlalchemy.orm import Session, undefer

from app import clock
from app.db import database
from app.imports import facts, fates, making, matching, reading, rows, service, undoing
from app.imports.fates import Fate
from app.imports.matching import Kind, Matching
from app.imports.reading import Table
from app.imports.rows import Known
from app.models.imports import UNDER_WAY, Import, ImportRow
from app.queue.one_thread import OneThread
from app.rows import change_rows, read_rows, table_of
from app.sql import is_one_of

T = TypeVar("T")

_log = logging.getLogger(__name__)

AT_ONCE = 250
"""Rows of a step."""

_MOST_REASONS = 12
_LOOK_EVERY = 1.0  # seconds
_FORGET_EVERY = 3600.0  # seconds
_imports = table_of(Import).c
# Made once, as it is asked each second.
_OLDEST = (
    select(_imports.id, _imports.state)
    .where(is_one_of(_imports.state, *UNDER_WAY))
    .order_by(_imports.created_at)
    .limit(1)
)


class Importer(OneThread):
    """The thread that takes steps."""

    name = "import"

    def run(self, stopping: threading.Event) -> None:
        looked, forgot = 0.0, -_FORGET_EVERY
        while not stopping.is_set():
            if looked - forgot >= _FORGET_EVERY:
                forgot = looked
                _do(forget_old)
            while not stopping.is_set() and _do(take_step):
                pass
            stopping.wait(_LOOK_EVERY)
            looked += _LOOK_EVERY


def take_step() -> bool:
    """Take the next step of the oldest import under way; False if there is none to take here."""
    with database().read() as session:
        next_one = read_rows(session, _OLDEST).one_or_none()
    if next_one is None:
        return False
    return _STEPS[next_one.state](next_one.id)


def forget_old() -> None:
    """Forget files and rows of imports that can no longer be undone, or were never begun."""
    before = clock.now() - service.UNDO_FOR
    is_old = (Import.created_at < before) & Import.state.not_in(UNDER_WAY)
    with database().write() as session:
        old = select(Import.id).where(is_old, Import.content.is_not(None))
        ids = list(session.scalars(old))
        session.execute(delete(ImportRow).where(ImportRow.import_id.in_(ids)))
        session.execute(update(Import).where(Import.id.in_(ids)).values(content=None))


def _check(import_id: str) -> bool:
    """The fate of each row, by a pure function of all of them; then it is stored."""
    with database().read() as session:
        row = session.get_one(Import, import_id, options=[undefer(Import.content)])
        kind: Kind = "customers" if row.kind == "customers" else "bookings"
        found = _checked(session, row.content or b"", kind, Matching.of_json(row.matching))
    with database().write() as session:
        held = _held(session, import_id, "checking", 0)
        if held is None:
            return False
        change_rows(session, delete(table_of(ImportRow)).where(ImportRow.import_id == import_id))
        if found.rows:
            of_import = {"import_id": import_id, "shop_id": held.shop_id}
            change_rows(session, _ROWS, [{**of_import, **each} for each in found.rows])
        held.matching, held.summary, held.problem = found.matching, found.summary, found.problem
        held.state, held.rows, held.done = "checked", len(found.rows), 0
    return True


class _Checked:
    """What came of a check, as it is stored."""

    def __init__(self, matching: Matching) -> None:
        self.matching = matching.to_json()
        self.problem: str | None = None
        self.summary: dict[str, Any] = {}
        self.rows: list[dict[str, Any]] = []


def _checked(session: Session, content: bytes, kind: Kind, said: Matching) -> _Checked:
    try:
        table = reading.read(content, said.charset, said.delimiter)
    except ValueError as error:
        found = _Checked(said)
        found.problem = str(error)
        return found
    known = facts.of_shop_alone(session)
    how = _with_names(matching.guess(table, kind, said, known.locale), table, known)
    found = _Checked(how)
    found.summary = _summary(table, how)
    if wrong := matching.wrong(how, kind):
        found.problem = " ".join(wrong.values())
        return found
    readings = rows.read(table, kind, how, known)
    right = [each.values for each in readings if not each.problems]
    with_them = facts.with_customers if kind == "customers" else facts.with_bookings
    judged = fates.fates(readings, kind, how, with_them(session, known, right))
    found.rows = [_row(number, each) for number, each in enumerate(judged, start=1)]
    found.summary |= _reminders(judged, known) | {"reasons": _reasons(judged)}
    return found


def _with_names(how: Matching, table: Table, known: Known) -> Matching:
    """With what the file's names of services and barbers mean, where nobody has said it."""
    offered: Mapping[str, Mapping[str, Any]] = {
        "service": known.services, "barber": known.barbers,
    }  # fmt: skip
    names = {}
    for of, items in offered.items():
        texts = matching.texts_of(table, how.columns.get(of, ""))
        one = {id: item.name for id, item in items.items() if not getattr(item, "parts", None)}
        whole = {item.name: id for id, item in items.items() if id not in one}  # of one visit
        guessed = matching.meaning(texts, one) | {t: whole[t] for t in texts if t in whole}
        names[of] = guessed | dict(how.names.get(of, {}))
    return Matching(**{**how.to_json(), "names": names})


def _summary(table: Table, how: Matching) -> dict[str, Any]:
    """What the page of an import shows without its file."""
    first = [row.cells for row in table.rows[:3]]
    return {
        "columns": list(table.columns),
        "samples": {
            column: [cells[place] for cells in first if cells[place]]
            for place, column in enumerate(table.columns)
        },
        "texts": {
            of: matching.texts_of(table, how.columns.get(of, ""))[: matching.MOST_NAMES]
            for of in matching.NAMED
        },
    }


def _reminders(judged: Sequence[Fate], known: Known) -> dict[str, Any]:
    """How many messages the import means, and to how many people."""
    told = [each for each in judged if each.fate == "new" and each.reminders]
    return {
        "reminders": sum(each.reminders for each in told),
        "people": len(facts.people_of(each.reading.values for each in told)),
        "to_come": sum(
            each.fate == "new"
            and "starts_at" in each.reading.values
            and fates.is_to_come(each.reading.values, known.now)
            for each in judged
        ),
    }


def _reasons(judged: Sequence[Fate]) -> list[list[Any]]:
    """What is wrong most often: field, sentence, how often, and the first line with it."""
    lines: dict[tuple[str, str], list[int]] = {}
    for each in judged:
        for problem in each.reading.problems:
            lines.setdefault((problem[0], problem[1]), []).append(each.reading.line)
    by_number = sorted(lines.items(), key=lambda each: -len(each[1]))
    return [[*problem, len(of_it), of_it[0]] for problem, of_it in by_number[:_MOST_REASONS]]


def _row(number: int, each: Fate) -> dict[str, Any]:
    return {
        "number": number,
        "line": each.reading.line,
        "fate": each.fate,
        "values": dict(each.reading.values),
        "problems": [list(problem) for problem in each.reading.problems],
        "booking_id": None,
        "before": None,
    }


def _import(import_id: str) -> bool:
    """Make what the next rows say; after the last one, plan the reminders."""
    with database().write() as session:
        row, some = _next(session, import_id, "importing", ("new", "changes"))
        if row is None:
            return False
        if not some:
            row.state, row.done = "planning", 0
            return True
        making.make(session, row, some)
        row.done = some[-1].number
        wrong = next((each for each in some if each.fate == "wrong"), None)
        if wrong is not None and not row.only_good:
            says = f"Line {wrong.line}: {wrong.problems[0][1]} So all of it was taken back."
            row.state, row.done, row.problem = "undoing", 0, says
    return True


def _plan(import_id: str) -> bool:
    """Give the next bookings their reminders; after the last one it is done."""
    with database().write() as session:
        row, some = _next(session, import_id, "planning", ("made",))
        if row is None:
            return False
        if some and row.kind == "bookings" and row.messages:
            making.plan(session, some)
            row.done = some[-1].number
        else:
            row.state, row.done, row.finished_at = "done", row.rows, clock.now()
    return True


def _undo(import_id: str) -> bool:
    """Take back what was made of the next rows."""
    with database().write() as session:
        row, some = _next(session, import_id, "undoing", ("made",))
        if row is None:
            return False
        if some:
            undoing.undo(session, row, some)
            row.done = some[-1].number
        else:
            row.state, row.done, row.undone_at = "undone", row.rows, clock.now()
    return True


def _next(
    session: Session, import_id: str, state: str, fates: Sequence[str]
) -> tuple[Import | None, Sequence[ImportRow]]:
    """The import, held, and its next rows of these fates; None if another worker was first."""
    row = _held(session, import_id, state)
    if row is None:
        return None, ()
    query = select(ImportRow).where(
        ImportRow.import_id == import_id,
        ImportRow.fate.in_(fates),
        ImportRow.number > row.done,
    )
    return row, session.scalars(query.order_by(ImportRow.number).limit(AT_ONCE)).all()


def _held(session: Session, import_id: str, state: str, done: int | None = None) -> Import | None:
    query = select(Import).where(Import.id == import_id, Import.state == state)
    if done is not None:
        query = query.where(Import.done == done)
    return session.scalars(query.with_for_update(skip_locked=True)).one_or_none()


def _do(step: Callable[[], T]) -> T | None:
    """What fails must not end the thread; it is tried again at the next look."""
    try:
        return step()
    except Exception:
        _log.exception("a step of an import failed; the next look tries again")
        return None


_ROWS = insert(table_of(ImportRow))
_STEPS: Mapping[str, Callable[[str], bool]] = {
    "checking": _check,
    "importing": _import,
    "planning": _plan,
    "undoing": _undo,
}
