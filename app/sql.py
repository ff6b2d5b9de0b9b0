"""SQL that is not the same on SQLite and PostgreSQL, and lists of values in it."""

import json
from collections.abc import Iterator, Sequence
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import (
    ARRAY,
    ColumnElement,
    Date,
    Dialect,
    SQLColumnExpression,
    String,
    bindparam,
    cast,
    func,
    literal,
    literal_column,
    select,
    text,
)
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.orm import InstrumentedAttribute, Session
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.types import TypeDecorator, TypeEngine

from app.db import is_sqlite

_OF_AN_IN = 500


class _Texts(TypeDecorator[list[str]]):
    """Texts as one value: an array, on SQLite as JSON."""

    impl = String
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        return dialect.type_descriptor(String() if dialect.name == "sqlite" else ARRAY(String()))

    def process_bind_param(self, value: Sequence[str] | None, dialect: Dialect) -> Any:
        texts = list(value or ())
        return json.dumps(texts) if dialect.name == "sqlite" else texts


class _IsAmong(FunctionElement[bool]):
    """What `is_among` returns. Not of type Boolean, or SQLite compares it with 1, by no index."""

    inherit_cache = True


@compiles(_IsAmong)
def _any_of_array(element: _IsAmong, compiler: SQLCompiler, **how: Any) -> str:
    column, texts = (compiler.process(each, **how) for each in element.clauses)
    return f"{column} = ANY ({texts})"


@compiles(_IsAmong, "sqlite")
def _any_of_json(element: _IsAmong, compiler: SQLCompiler, **how: Any) -> str:
    column, texts = element.clauses
    one = func.json_each(texts).table_valued("value")
    return compiler.process(column.in_(select(one.c.value)), **how)


def in_parts(values: Sequence[Any]) -> Iterator[Sequence[Any]]:
    """Values of an IN, as many at a time as one statement takes well."""
    return (values[at : at + _OF_AN_IN] for at in range(0, len(values), _OF_AN_IN))


def constant(word: str) -> ColumnElement[str]:
    """A word of our own as it stands in the SQL. Raises ValueError for what is more than a word.

    PostgreSQL and SQLite use a partial index for no parameter, and one is dearer to pass.
    """
    if not word.isidentifier():
        raise ValueError(f"{word!r} is not a word")
    return literal_column(f"'{word}'", String)


def is_one_of(
    column: InstrumentedAttribute[str] | ColumnElement[str], *words: str
) -> ColumnElement[bool]:
    """`column IN (words)`, each a `constant`.

    A single one becomes an `=`, as in the indexes: SQLite does not see that they are the same.
    """
    if len(words) == 1:
        return column == constant(words[0])
    return column.in_([constant(word) for word in words])


def is_among(
    column: InstrumentedAttribute[Any] | ColumnElement[Any], name: str
) -> ColumnElement[bool]:
    """Whether a column of texts has one of those that the parameter `name` lists.

    They are one value, however many: an IN of a hundred is written out and read again each time,
    which takes a millisecond.
    """
    return _IsAmong(column, bindparam(name, type_=_Texts()))


def seconds_between(
    session: Session, begin: SQLColumnExpression[Any], end: SQLColumnExpression[Any]
) -> ColumnElement[float]:
    """How long it is from one column of times to another, in SQL."""
    if is_sqlite(session):
        return 86_400 * (func.julianday(end) - func.julianday(begin))
    return func.date_part("epoch", end - begin)


def local_day(
    session: Session, at: SQLColumnExpression[datetime], ahead: timedelta
) -> ColumnElement[date]:
    """The day of a column's time, in SQL, where clocks are so far ahead of UTC."""
    if is_sqlite(session):
        return func.date(at, f"{ahead.total_seconds():+.0f} seconds")
    return cast(func.timezone("UTC", at) + literal(ahead), Date)


def without_jit(session: Session) -> None:
    """Let PostgreSQL compile no statement of this transaction: one that reads much less than it
    fears spends most of its time on that.
    """
    if not is_sqlite(session):
        session.execute(text("SET LOCAL jit = off"))
