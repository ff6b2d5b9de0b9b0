"""Downloads: what they hold of the database while they are sent, and afterwards."""

import gc
from collections.abc import Iterator

import pytest
from sqlalchemy import QueuePool

from app.asgi import create_app
from app.db import Database
from app.staff import sessions
from tests.support.fuzz import Caller
from tests.support.staff import add_user

FILES = ("/settings/export/bookings.csv", "/settings/export/customers.csv", "/numbers/bookings.csv")


@pytest.fixture
def _as_nothing_is_collected() -> Iterator[None]:
    gc.disable()
    yield
    gc.enable()


@pytest.mark.usefixtures("_as_nothing_is_collected")
@pytest.mark.parametrize("path", FILES)
def test_a_download_that_is_given_up_gives_its_connection_back(shop: Database, path: str) -> None:
    owner = add_user(shop, role="owner")
    with shop.write() as session:
        secret = sessions.start(session, owner)
    with Caller(create_app()) as caller:  # hangs up as soon as it has asked
        answer = caller.call(
            "GET", path.encode(), headers={"Cookie": b"chairtime=" + secret.encode()}
        )
    assert answer.status == 200
    assert isinstance(shop.engine.pool, QueuePool)
    assert shop.engine.pool.checkedout() == 0
