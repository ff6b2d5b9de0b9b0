"""What is rendered once for all who were told of the same snapshot, and what is in it of whom."""

import re
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from httpx import Response
from litestar.testing import TestClient

from app.asgi import create_app
from app.db import Database
from app.web import rendered_once
from app.web.rendered_once import SNAPSHOT, Parts
from tests import factories
from tests.integration.conftest import Client
from tests.support.frozen import FrozenClock
from tests.support.lifecycle import book
from tests.support.staff import HTMX, sign_in
from tests.support.statements import counted

ADDRESSES = ["/today", "/queue", "/failed"]


@pytest.fixture
def client(
    sqlite_api: Client, sqlite_db: Database, clock: FrozenClock, monkeypatch: pytest.MonkeyPatch
) -> Client:
    """A browser of a member of staff; there is a booking, and a message that failed."""
    monkeypatch.setattr(rendered_once, "FRESH", 60.0)  # however slow the machine is
    sign_in(sqlite_api, sqlite_db, "staff", "Ann Lee")
    with sqlite_db.write() as session:
        factories.message(session, factories.booking(session), "failed", error_code="63003")
    begin(sqlite_api, "1.000")
    return sqlite_api


@pytest.fixture
def other(client: Client, sqlite_db: Database) -> Iterator[Client]:
    """Another browser, of the same web process."""
    with TestClient(create_app()) as process:
        sign_in(process, sqlite_db, "staff", "Bo Ek")
        process.app.state.parts = client.app.state.parts
        yield process


def begin(client: Client, snapshot: str) -> None:
    """What the watcher does before it tells anybody of a snapshot."""
    client.app.state.parts.begin(snapshot)


def told(client: Client, address: str = "/today", snapshot: str = "1.000") -> Response:
    """What a page gets that asks again because this snapshot told it."""
    answer = client.get(address, headers={**HTMX, SNAPSHOT: snapshot})
    assert answer.status_code == 200
    return answer


def is_shown(db: Database, client: Client, snapshot: str | None, address: str = "/today") -> bool:
    """Whether a booking that was made just now is in what the page gets."""
    told(client, address)
    booking = book(db, customer_phone=factories.phone())
    headers = HTMX if snapshot is None else {**HTMX, SNAPSHOT: snapshot}
    return booking in client.get(address, headers=headers).text


@pytest.mark.parametrize("address", ADDRESSES)
def test_all_who_were_told_of_a_snapshot_get_what_was_rendered_for_the_first(
    client: Client, other: Client, sqlite_db: Database, address: str
) -> None:
    first = told(client, address)
    with counted(sqlite_db) as statements:
        again = [told(client, address), told(other, address)]
    assert len(statements) <= 4  # whose session it is
    assert {each.text for each in [first, *again]} == {first.text}
    whole = client.get(address).text
    assert all(f'id="{name}"' in whole for name in re.findall(r'id="([^"]+)"', first.text))


def test_what_was_rendered_before_a_snapshot_is_not_for_those_whom_it_told(
    client: Client, sqlite_db: Database
) -> None:
    told(client)
    booking = book(sqlite_db)
    begin(client, "2.000")
    assert booking in told(client, snapshot="2.000").text
    assert booking in told(client, snapshot="1.000").text


@pytest.mark.parametrize("snapshot", [None, "", "0.999", "2.000"])
def test_who_names_no_snapshot_of_this_process_gets_what_is_there_now(
    client: Client, sqlite_db: Database, snapshot: str | None
) -> None:
    assert is_shown(sqlite_db, client, snapshot)


def test_nothing_is_kept_when_no_snapshot_is_taken_any_more(
    client: Client, sqlite_db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rendered_once, "FRESH", 0.0)
    assert is_shown(sqlite_db, client, "1.000")


def test_a_whole_page_is_never_shared(client: Client, sqlite_db: Database) -> None:
    told(client)
    booking = book(sqlite_db)
    for more in ({}, {**HTMX, "HX-Request-Type": "full"}):
        assert booking in client.get("/today", headers={SNAPSHOT: "1.000", **more}).text


def test_each_role_and_each_address_has_its_own(client: Client, sqlite_db: Database) -> None:
    assert "/retry" in told(client).text
    assert "barber_2" in told(client).text
    assert "column-barber_2" not in told(client, "/today?barber=barber_1").text
    sign_in(client, sqlite_db, "viewer")
    assert "/retry" not in told(client).text
    sign_in(client, sqlite_db, "owner")
    assert "Pause sending" in told(client, "/queue").text


@pytest.mark.parametrize("address", ADDRESSES)
def test_all_of_a_role_get_the_same_and_nothing_of_anothers_session(
    client: Client, other: Client, address: str
) -> None:
    answers = [told(each, address).text for each in (client, other)]
    assert "Ann Lee" not in answers[0]
    assert answers[0] == answers[1]


def test_an_address_that_is_wrong_says_so_each_time(client: Client) -> None:
    for _ in range(2):
        answer = client.get("/today?barber=nobody", headers={**HTMX, SNAPSHOT: "1.000"})
        assert answer.status_code == 404


def test_of_many_at_once_the_first_makes_it_and_the_others_wait_for_it() -> None:
    parts, made = Parts(), []
    parts.begin("1")

    def make() -> str:
        made.append(threading.get_ident())
        time.sleep(0.05)
        return "html"

    with ThreadPoolExecutor(20) as threads:
        answers = list(threads.map(lambda _: parts.get("1", "/today", make), range(20)))
    assert (set(answers), len(made)) == ({"html"}, 1)


def test_what_could_not_be_made_is_tried_again() -> None:
    parts = Parts()
    parts.begin("1")
    with pytest.raises(ZeroDivisionError):
        parts.get("1", "/today", lambda: str(1 // 0))
    assert parts.get("1", "/today", lambda: "html") == "html"


def test_only_the_last_snapshots_are_remembered() -> None:
    parts = Parts()
    for number in range(100):
        parts.begin(str(number))
    assert parts.get("99", "/today", lambda: "new") == "new"
    assert parts.get("98", "/today", lambda: "newer") == "new"
    assert parts.get("50", "/today", lambda: "newer") == "newer"
