"""How many statements a request costs: whoever adds one has to say so here.

Each is a way to the database and back: on PostgreSQL that is most of what a request takes.
"""

import re
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import select

from app.db import Database
from app.models.staff import ApiToken
from app.queue import hand_over
from app.staff import guards
from tests.integration.conftest import body
from tests.support.processes import wait_until
from tests.support.statements import counted
from tests.support.web import Client

Call = Callable[[Client, str], Any]

PLACE = {"scheduledTime": "2026-11-23T20:00:00Z"}
AT_MOST: dict[str, tuple[int, Call]] = {
    "a booking": (1, lambda api, path: api.get(path)),
    "its reminders": (2, lambda api, path: api.get(f"{path}/reminders")),
    "the list": (1, lambda api, _: api.get("/api/bookings")),
    "the queue": (1, lambda api, _: api.get("/api/queue/stats")),
    # The barber is held on PostgreSQL; a look, the booking, what was done, and the plan by two.
    "booking": (6, lambda api, _: api.post("/api/bookings", json=body(**PLACE))),
    "booking, whatever is there": (
        6,
        lambda api, _: api.post("/api/bookings", json=body(**PLACE, allowOverlap=True)),
    ),
    "the same booking again": (3, lambda api, _: api.post("/api/bookings", json=body())),
    "another name": (3, lambda api, path: api.patch(path, json={"customerName": "Bo"})),
    "another time": (10, lambda api, path: api.patch(path, json=PLACE)),
    # One of them is of the thread that hands its message over to the queue, after the answer.
    "cancelling": (9, lambda api, path: api.delete(path)),
    "cancelling what is cancelled": (1, lambda api, path: api.delete(path)),
}


def is_token_noted(db: Database) -> bool:
    """And this process knows that, so that the token is read for the last time after it."""
    with db.read() as session:
        is_there = session.scalar(select(ApiToken.last_used_at)) is not None
    return is_there and not guards.noting


@pytest.mark.parametrize("what", AT_MOST)
def test_a_request_costs_no_more_statements_than_these(
    api: Client, shop: Database, what: str
) -> None:
    most, call = AT_MOST[what]
    path = f"/api/bookings/{api.post('/api/bookings', json=body()).json()['id']}"
    wait_until(lambda: is_token_noted(shop), what="the note that the token is used")
    api.get(path)
    hand_over.finish()
    if what == "cancelling what is cancelled":
        api.delete(path)
        hand_over.finish()
    with counted(shop) as statements:
        answer = call(api, path)
        hand_over.finish()
    assert answer.status_code < 300, answer.text
    ours = [
        each for each in statements if not re.match("BEGIN|UPDATE api_token|SELECT queue_id", each)
    ]
    assert len(ours) <= most, "\n".join(ours)


def test_no_statement_is_sent_twice_by_one_request(api: Client, shop: Database) -> None:
    path = f"/api/bookings/{api.post('/api/bookings', json=body()).json()['id']}"
    with counted(shop) as statements:
        assert api.patch(path, json=PLACE).status_code == 200
    selects = Counter(each for each in statements if each.startswith("SELECT"))
    assert [each for each, times in selects.items() if times > 1] == []
