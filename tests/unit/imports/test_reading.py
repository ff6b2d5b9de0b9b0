"""A CSV as other programs write it, and what is none."""

import csv
import io

import pytest

from app.imports import reading

ROWS = [["Name", "Phone", "Notes"], ["Zoë Ångström", "+447700900001", "fade; 1,5"]]


def written(delimiter: str = ",", ends: str = "\r\n") -> str:
    out = io.StringIO()
    csv.writer(out, delimiter=delimiter, lineterminator=ends).writerows(ROWS)
    return out.getvalue()


@pytest.mark.parametrize("delimiter", reading.DELIMITERS)
@pytest.mark.parametrize(
    ("codec", "charset"),
    [
        ("utf-8", "utf-8"),
        ("utf-8-sig", "utf-8"),
        ("utf-16", "utf-16"),
        ("utf-16-le", "utf-16"),
        ("utf-16-be", "utf-16"),
        ("cp1252", "cp1252"),
    ],
)
def test_letters_and_separator_are_told_by_the_file(
    codec: str, charset: str, delimiter: str
) -> None:
    table = reading.read(written(delimiter).encode(codec))
    assert (table.charset, table.delimiter) == (charset, delimiter)
    assert [table.columns, table.rows[0].cells] == ROWS


def test_one_may_say_both_oneself() -> None:
    table = reading.read("Имя;a,b\nИван;c,d".encode("cp1251"), "cp1251", ";")
    assert [table.columns, table.rows[0].cells] == [["Имя", "a,b"], ["Иван", "c,d"]]


def test_lines_are_counted_as_an_editor_does_and_empty_rows_are_left_out() -> None:
    table = reading.read(b'a,b\r\n"x\r\ny",1\r\n\r\n , \r\nz\r\n')
    assert [(row.line, row.cells) for row in table.rows] == [(2, ["x\r\ny", "1"]), (6, ["z", ""])]


def test_a_formula_is_text_and_what_kept_it_from_being_one_is_taken_off() -> None:
    cells = ["=1+1", '="07700"', "'=1+1", "'+44", "'tis", "@x"]
    table = reading.read(b"a,b,c,d,e,f\n" + ",".join(
        '"' + each.replace('"', '""') + '"' for each in cells
    ).encode())  # fmt: skip
    assert table.rows[0].cells == ["=1+1", "07700", "=1+1", "+44", "'tis", "@x"]


def test_a_column_without_a_name_or_with_a_double_gets_one() -> None:
    assert reading.read(b"Name,,Name\n1,2,3").columns == ["Name", "Column 2", "Name (3)"]


def test_a_file_of_one_column_is_a_table_too() -> None:
    assert reading.read(b"Phone\n+447700900001\n").rows[0].cells == ["+447700900001"]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "empty"),
        (b"\n\n", "empty"),
        (b"Name,Phone\n", "only one row"),
        (b"PK\x03\x04rest", "zip or an Excel file"),
        (b"\xd0\xcf\x11\xe0", "Excel file"),
        (b"%PDF-1.7", "PDF"),
        (b"\x1f\x8b\x08", "compressed"),
        (b"a,b\n" + b"x\0y," * 2, "not a text file"),
        (b"a,b\n" * (reading.MOST_ROWS + 2), "more than 20,000 rows"),
        (b"x" * (reading.MOST_BYTES + 1), "larger than 5 MB"),
        (b",".join([b"a"] * 101) + b"\n1", "101 columns"),
        (b'a,b\n"' + b"x" * 200_000, "quotation mark"),
    ],
)
def test_what_is_no_table_is_refused_with_what_to_do(content: bytes, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        reading.read(content)


def test_a_file_that_is_not_in_what_was_chosen_says_so() -> None:
    with pytest.raises(ValueError, match="not written in UTF-8"):
        reading.read(written().encode("cp1252"), "utf-8")
