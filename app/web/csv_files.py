"""A CSV that a spreadsheet opens as it is meant, and its download."""

import csv
import io
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from litestar.response import Stream
from sqlalchemy.orm import Session

from app import clock, db

_FORMULA = re.compile(r"[=+\-@\t\r]")
_HARMLESS = re.compile(r"\+[0-9]+|-?[0-9]+(?:\.[0-9]+)?")
_AT_ONCE = 200


def written(names: Sequence[str], rows: Iterable[Sequence[Any]]) -> Iterator[str]:
    """The file in parts.

    What a spreadsheet would take for a formula gets a ' before it, which `app.imports.reading`
    takes off again.
    """
    out = io.StringIO("\ufeff")  # by this mark a spreadsheet knows that it is UTF-8
    out.seek(1)
    writer = csv.writer(out)
    writer.writerow(names)
    for number, row in enumerate(rows, start=1):
        writer.writerow([_harmless(value) for value in row])
        if number % _AT_ONCE == 0:
            yield out.getvalue()
            out.seek(0)
            out.truncate()
    yield out.getvalue()


def download(name: str, parts: Callable[[Session], Iterator[str]]) -> Stream:
    """A file that is sent as it is read; its name has the day."""

    def content() -> Iterator[bytes]:
        with db.database().read() as session:
            for part in parts(session):
                yield part.encode()

    day = f"{clock.now():%Y-%m-%d}"
    headers = {"Content-Disposition": f'attachment; filename="{name}-{day}.csv"'}
    return Stream(content, media_type="text/csv", headers=headers)


def _harmless(value: Any) -> str:
    """A cell that no spreadsheet computes."""
    text = "" if value is None else str(value)
    is_formula = _FORMULA.match(text) and not _HARMLESS.fullmatch(text)
    return f"'{text}" if is_formula else text
