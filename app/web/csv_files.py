"""A CSV that a spreadsheet opens as it is meant, and its download."""

import csv
import io
import re
from collections.abc import AsyncIterator, Callable, Generator, Iterable, Iterator, Sequence
from typing import Any

from anyio import CancelScope, to_thread
from litestar.response.streaming import ASGIStreamingResponse
from litestar.types import Receive, Send
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


class Download(ASGIStreamingResponse):
    """A file that is sent as it is read; its session ends with it, whoever hangs up."""

    __slots__ = ("_parts",)

    def __init__(self, name: str, parts: Callable[[Session], Iterator[str]]) -> None:
        """`name` is what the file is called, with the day after it."""
        self._parts = _read(parts)
        file = f"{name}-{clock.now():%Y-%m-%d}.csv"
        headers = {"Content-Disposition": f'attachment; filename="{file}"'}
        super().__init__(iterator=self._content(), media_type="text/csv", headers=headers)

    async def _content(self) -> AsyncIterator[bytes]:
        """In a thread that is waited for: Litestar would leave it at a part that nobody takes."""
        while (part := await to_thread.run_sync(next, self._parts, None)) is not None:
            yield part

    async def send_body(self, send: Send, receive: Receive) -> None:
        try:
            await super().send_body(send, receive)
        finally:
            with CancelScope(shield=True):
                await to_thread.run_sync(self._parts.close)


def _read(parts: Callable[[Session], Iterator[str]]) -> Generator[bytes, None, None]:
    with db.database().read() as session:
        for part in parts(session):
            yield part.encode()


def _harmless(value: Any) -> str:
    """A cell that no spreadsheet computes."""
    text = "" if value is None else str(value)
    is_formula = _FORMULA.match(text) and not _HARMLESS.fullmatch(text)
    return f"'{text}" if is_formula else text
