"""Two questions that are asked of the database at the same time."""

from threading import Barrier

import pytest
from sqlalchemy.orm import Session

from app.db import Database
from app.reports import side_by_side
from app.shop.service import barbers, shop


def test_both_are_asked_at_the_same_time_each_in_its_own_session(db: Database) -> None:
    met = Barrier(2, timeout=60)
    sessions = set()

    def ask(session: Session) -> int:
        sessions.add(session)
        met.wait()  # for the other, which would not come if it were asked afterwards
        return len(barbers(session))

    with db.read() as session:
        here, apart = side_by_side.both(session, ask, ask)

        assert here == apart == len(barbers(session))
    assert len(sessions) == 2


@pytest.mark.parametrize("is_apart", [False, True])
def test_what_one_of_them_raises_is_raised(sqlite_db: Database, is_apart: bool) -> None:
    def fail(_: Session) -> None:
        raise ValueError("no answer")

    questions = (shop, fail) if is_apart else (fail, shop)
    with sqlite_db.read() as session, pytest.raises(ValueError, match="no answer"):
        side_by_side.both(session, *questions)
