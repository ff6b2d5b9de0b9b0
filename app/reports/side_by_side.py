"""Two questions that have nothing to do with each other, asked of the database at the same time."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import TypeVar

from sqlalchemy.orm import Session

from app.db import database

A = TypeVar("A")
B = TypeVar("B")


def both(
    session: Session, here: Callable[[Session], A], apart: Callable[[Session], B]
) -> tuple[A, B]:
    """What each of them answers; `apart` has a thread and a session of its own.

    Of a question that reads much nearly all of the time is the database's, which has more than one
    processor. Raises what one of them raises, once both have ended.
    """
    with ThreadPoolExecutor(1) as thread:
        later = thread.submit(copy_context().run, _ask, apart)
        return here(session), later.result()


def _ask(question: Callable[[Session], B]) -> B:
    with database().read() as session:
        return question(session)
