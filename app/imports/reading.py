"""An uploaded file as a table: which letters its bytes are, what separates its columns, its rows.

Nothing in a cell is ever computed: a formula is text like any other.
"""

import csv
import io
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from app.forms import visible

MOST_BYTES = 5_000_000
MOST_ROWS = 20_000
MOST_COLUMNS = 100
MOST_LETTERS = 2_000
"""Of a cell."""

CHARSETS: Mapping[str, str] = {
    "utf-8": "UTF-8",
    "utf-16": "UTF-16",
    "cp1252": "Windows-1252 (Western Europe)",
    "cp1250": "Windows-1250 (Central Europe)",
    "cp1251": "Windows-1251 (Cyrillic)",
    "cp1253": "Windows-1253 (Greek)",
    "cp1254": "Windows-1254 (Turkish)",
}
"""What the letters of a file may be written in, as Python calls it, and in words."""

DELIMITERS: Mapping[str, str] = {
    ",": "comma ,",
    ";": "semicolon ;",
    "\t": "tab",
    "|": "bar |",
}

_NO_TABLES = (
    (b"PK\x03\x04", "This is a zip or an Excel file. Save it there as CSV, and upload that."),
    (b"PK\x05\x06", "This is an empty zip file. Upload a CSV."),
    (b"\xd0\xcf\x11\xe0", "This is an Excel file. Save it there as CSV, and upload that."),
    (b"%PDF", "This is a PDF. Export a CSV from your other program, and upload that."),
    (b"\x1f\x8b", "This file is compressed. Unpack it, and upload the CSV in it."),
)
_NO_TEXT = "This is not a text file. Export a CSV from your other program."
_MARKS = ((b"\xef\xbb\xbf", "utf-8"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"))
_SAMPLE = 50  # rows by which a separator is told
_AS_TEXT = re.compile('="(.*)"', re.DOTALL)  # how a spreadsheet is made to keep 07700 as it is
_KEPT_FROM_IT = re.compile("'([=+@\t\r-].*)", re.DOTALL)


@dataclass(frozen=True)
class Row:
    """The cells of a row, as many as there are columns, and its `line` in the file, from 1."""

    line: int
    cells: Sequence[str]


@dataclass(frozen=True)
class Table:
    """A file that was read: its `columns` by name, and its rows without the empty ones."""

    charset: str
    delimiter: str
    columns: Sequence[str]
    rows: Sequence[Row]


def read(content: bytes, charset: str = "", delimiter: str = "") -> Table:
    """The table in a CSV; what is not said, of CHARSETS and DELIMITERS, is told by the file.

    Its first row names the columns. Raises ValueError with a sentence for who uploaded it.
    """
    _check(content)
    charset = charset or _charset_of(content)
    text = _decoded(content, charset)
    separator = delimiter or _delimiter_of(text)
    lines = _lines(text, separator)
    if not lines:
        raise ValueError("This file is empty.")
    names, *rows = lines
    columns = _named(names.cells)
    if not rows:
        raise ValueError("There is only one row. The first one names the columns.")
    width = len(columns)
    return Table(charset, separator, columns, [_wide(row, width) for row in rows])


def _check(content: bytes) -> None:
    if len(content) > MOST_BYTES:
        most = MOST_BYTES // 1_000_000
        raise ValueError(f"This file is larger than {most} MB. Split it, and upload the parts.")
    for mark, says in _NO_TABLES:
        if content.startswith(mark):
            raise ValueError(says)


def _charset_of(content: bytes) -> str:
    """By its mark; else by the zeros that UTF-16 has in each plain letter; else UTF-8 if it is.

    What is neither is most often Windows-1252, in which nearly all bytes mean something; the page
    shows what came of it, and lets one choose another.
    """
    for mark, charset in _MARKS:
        if content.startswith(mark):
            return charset
    if content[:1000].count(0) > len(content[:1000]) // 4:
        return "utf-16"
    try:
        content.decode()
    except UnicodeDecodeError:
        return "cp1252"
    return "utf-8"


def _decoded(content: bytes, charset: str) -> str:
    name = charset
    if charset == "utf-8":
        name = "utf-8-sig"
    elif charset == "utf-16" and not content.startswith((b"\xff\xfe", b"\xfe\xff")):
        name = "utf-16-be" if content[:1] == b"\0" else "utf-16-le"
    try:
        text = content.decode(name)
    except UnicodeDecodeError:
        is_text = charset == "utf-16" or 0 not in content
        says = f"This file is not written in {CHARSETS[charset]}." if is_text else _NO_TEXT
        raise ValueError(says) from None
    if "\0" in text:
        raise ValueError(_NO_TEXT)
    return text


def _delimiter_of(text: str) -> str:
    """The one that cuts the first rows into as many columns each, and into most."""
    sample = "".join(text.splitlines(keepends=True)[:_SAMPLE])

    def fits(delimiter: str) -> tuple[float, int]:
        widths = [len(row.cells) for row in _lines(sample, delimiter)]
        if not widths or widths[0] < 2:
            return 0, 0
        return widths.count(widths[0]) / len(widths), widths[0]

    return max(DELIMITERS, key=fits)


def _lines(text: str, delimiter: str) -> list[Row]:
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    rows, line = [], 1
    try:
        for cells in reader:
            if any(cell.strip() for cell in cells):
                rows.append(Row(line, [_plain(cell) for cell in cells]))
            if len(rows) > MOST_ROWS + 1:
                raise ValueError(f"These are more than {MOST_ROWS:,} rows. Split the file.")
            line = reader.line_num + 1
    except csv.Error:
        raise ValueError(f"Line {line} cannot be read: a quotation mark may be missing.") from None
    return rows


def _plain(cell: str) -> str:
    """What is meant by a cell, without what keeps a spreadsheet from computing it."""
    text = visible(cell).strip()
    for pattern in (_AS_TEXT, _KEPT_FROM_IT):
        if match := pattern.fullmatch(text):
            text = match[1]
    return text[:MOST_LETTERS]


def _named(cells: Sequence[str]) -> list[str]:
    """The columns, each with a name of its own. Raises ValueError."""
    if len(cells) > MOST_COLUMNS:
        raise ValueError(f"These are {len(cells)} columns; {MOST_COLUMNS} can be read.")
    names: list[str] = []
    for place, cell in enumerate(cells, start=1):
        name = " ".join(cell.split())[:60] or f"Column {place}"
        names.append(name if name not in names else f"{name} ({place})")
    return names


def _wide(row: Row, width: int) -> Row:
    cells = [*row.cells[:width], *[""] * (width - len(row.cells))]
    return Row(row.line, cells)
