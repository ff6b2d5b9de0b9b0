"""Signing in and the first run, over HTTP and below it."""

import contextlib
import re
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from argon2 import PasswordHasher
from httpx import Response
from sqlalchemy import func, select

import app.db
from app.db import Database
from app.errors import Conflict
from app.models.staff import LoginAttempt, StaffSession, User
from app.settings import settings
from app.staff import activity, devices, first_run, login, sessions, throttle
from tests.conftest import Configure
from tests.integration.conftest import Client
from tests.support.frozen import FrozenClock
from tests.support.staff import add_user
from tests.support.web import web_client

PASSWORD = "correct horse battery"
TOO_LONG = "x" * 201  # to be a password, so it takes no time to find that it is wrong
CHEAP = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash(PASSWORD)
"""For where it does not matter how long it takes to try a password."""


@pytest.fixture
def owner(sqlite_api: Client, sqlite_db: Database) -> User:
    """An owner with the password; `sqlite_api` is then a browser that nobody is signed in with."""
    as_browser(sqlite_api)
    return add_user(sqlite_db, password_hash=CHEAP)


@pytest.fixture
def state(configure: Configure, sqlite_db: Database, tmp_path: Path) -> Path:
    """A state folder of this test's own, beside its database."""
    configure(STATE_DIR=str(tmp_path), DATABASE_URL=str(sqlite_db.engine.url))
    return tmp_path


@pytest.fixture
def browser(state: Path, clock: FrozenClock) -> Iterator[Client]:
    """A browser at an install that has no owner yet."""
    with web_client() as client:
        as_browser(client)
        yield client


def as_browser(client: Client) -> None:
    client.follow_redirects = False
    client.headers.pop("Authorization", None)
    client.headers["Accept"] = "text/html"
    client.get("/setup")
    client.get("/login")


def submit(
    client: Client, path: str, headers: dict[str, str] | None = None, **form: str
) -> Response:
    return client.post(path, data=form, headers=headers)


def code(state: Path) -> str:
    with app.db.database().read() as session:
        return first_run.setup_code(session, state) or ""


# --- logging in ---


def test_the_right_password_begins_a_session_and_leads_on(sqlite_api: Client, owner: User) -> None:
    answer = submit(
        sqlite_api, "/login", email=f" {owner.email.upper()} ", password=PASSWORD, next="/failed"
    )
    assert (answer.status_code, answer.headers["Location"]) == (303, "/failed")
    session = next(
        each for each in answer.headers.get_list("Set-Cookie") if each.startswith("chairtime=")
    )
    flags = {part.strip().lower() for part in session.split(";")[1:]}
    assert {"httponly", "path=/", "samesite=lax", "max-age=72000"} <= flags
    sqlite_api.get("/login")
    assert submit(sqlite_api, "/look").status_code == 303


def test_a_session_id_that_somebody_planted_is_not_kept_at_login(
    sqlite_api: Client, sqlite_db: Database, owner: User
) -> None:
    sqlite_api.cookies.set("chairtime", "planted", domain="testserver.local")
    submit(sqlite_api, "/login", email=owner.email, password=PASSWORD)
    with sqlite_db.read() as session:
        assert sessions.find(session, "planted") is None
        assert session.scalar(select(func.count()).select_from(StaffSession)) == 1
    assert sqlite_api.cookies["chairtime"] != "planted"


def test_a_new_login_ends_the_session_that_the_browser_had(
    sqlite_api: Client, sqlite_db: Database, owner: User
) -> None:
    submit(sqlite_api, "/login", email=owner.email, password=PASSWORD)
    first = sqlite_api.cookies["chairtime"]
    sqlite_api.get("/login")
    submit(sqlite_api, "/login", email=owner.email, password=PASSWORD)
    assert sqlite_api.cookies["chairtime"] != first
    with sqlite_db.read() as session:
        assert sessions.find(session, first) is None


@pytest.mark.parametrize(
    "form",
    [
        {"password": "wrong horse battery"},
        {"email": "nobody@example.com"},
        {"password": PASSWORD + " "},
        {"password": ""},
        {"email": ""},
        {"email": "x" * 5000},
        {"password": "x" * 5000},
        {"password": "\ud800".encode("utf-8", "surrogatepass").decode("latin-1")},
    ],
)
def test_whatever_is_wrong_the_answer_is_the_same(
    sqlite_api: Client, sqlite_db: Database, owner: User, form: dict[str, str]
) -> None:
    given = {"email": owner.email, "password": PASSWORD, **form}
    answer = submit(sqlite_api, "/login", **given)
    assert answer.status_code == 401
    assert "Email or password is wrong." in answer.text
    assert given["password"] not in answer.text or not given["password"]
    assert "chairtime" not in sqlite_api.cookies
    with sqlite_db.read() as session:
        assert session.scalar(select(func.count()).select_from(StaffSession)) == 0


def test_who_is_disabled_cannot_log_in(
    sqlite_api: Client, sqlite_db: Database, owner: User, clock: FrozenClock
) -> None:
    with sqlite_db.write() as session:
        session.get_one(User, owner.id).disabled_at = clock.now()
    add_user(sqlite_db)  # or this would be a first run
    answer = submit(sqlite_api, "/login", email=owner.email, password=PASSWORD)
    assert answer.status_code == 401


@pytest.mark.parametrize(
    "target", ["https://evil.example", "//evil.example", "/\\evil.example", "/a\r\nb", "today"]
)
def test_the_login_leads_nowhere_but_to_our_own_pages(
    sqlite_api: Client, owner: User, target: str
) -> None:
    answer = submit(sqlite_api, "/login", email=owner.email, password=PASSWORD, next=target)
    assert answer.headers["Location"] == "/"


def test_the_login_page_keeps_what_was_typed_and_where_one_wanted_to(
    sqlite_api: Client, owner: User
) -> None:
    page = sqlite_api.get("/login", params={"next": "/failed?a=1&b=2"})
    assert 'value="/failed?a=1&amp;b=2"' in page.text
    answer = submit(
        sqlite_api, "/login", email='"><script>alert(1)</script>', password="x" * 12, next="/failed"
    )
    assert "<script>alert" not in answer.text
    assert 'value="/failed"' in answer.text


def test_nobody_can_tell_by_the_time_it_takes_whether_there_is_such_a_person(
    sqlite_db: Database, clock: FrozenClock
) -> None:
    owner = add_user(sqlite_db, password_hash=PasswordHasher().hash(PASSWORD))

    def seconds(email: str) -> float:
        start = time.perf_counter()
        login.log_in(sqlite_db, email, "wrong horse battery", f"{time.perf_counter_ns()}", None)
        return time.perf_counter() - start

    seconds("warm@example.com")
    there, absent = [], []
    for turn in range(5):
        there.append(seconds(owner.email))
        absent.append(seconds(f"nobody{turn}@example.com"))
    assert abs(min(there) - min(absent)) < 0.5 * min(there)


# --- throttling ---


def test_an_account_gets_ten_tries_an_hour_and_one_may_try_again_later(
    sqlite_api: Client, owner: User, clock: FrozenClock
) -> None:
    for _ in range(10):
        clock.move(minutes=1)
        answer = submit(sqlite_api, "/login", email=owner.email, password="wrong horse battery")
        assert answer.status_code == 401
    for _ in range(3):  # those that are refused do not count
        answer = submit(sqlite_api, "/login", email=owner.email, password=PASSWORD)
        assert answer.status_code == 429
        assert int(answer.headers["Retry-After"]) == 51 * 60 + 1
        assert "Wait 52 minutes" in answer.text
    clock.move(minutes=51)
    answer = submit(sqlite_api, "/login", email=owner.email, password=PASSWORD)
    assert answer.status_code == 303


def test_an_address_gets_twenty_tries_an_hour_and_a_forged_header_does_not_help(
    sqlite_api: Client, owner: User
) -> None:
    statuses = [
        submit(
            sqlite_api,
            "/login",
            {"X-Forwarded-For": f"203.0.113.{turn}", "Forwarded": f"for=203.0.113.{turn}"},
            email=f"nobody{turn}@example.com",
            password=TOO_LONG,
        ).status_code
        for turn in range(22)
    ]
    assert statuses == [401] * 20 + [429] * 2


def test_guesses_of_others_do_not_shut_out_a_browser_that_has_logged_in_before(
    sqlite_api: Client, owner: User
) -> None:
    right = {"email": owner.email, "password": PASSWORD}
    assert submit(sqlite_api, "/login", **right).status_code == 303
    name = devices.cookie_name(owner.email)
    device = sqlite_api.cookies[name]
    sqlite_api.cookies.delete(name)
    sqlite_api.get("/login")
    for turn in range(20):  # ten for the account, and twenty for the shop's own address
        email = owner.email if turn < 10 else f"nobody{turn}@example.com"
        submit(sqlite_api, "/login", email=email, password=TOO_LONG)
    assert submit(sqlite_api, "/login", **right).status_code == 429

    forged = device.replace(device[0], "0" if device[0] != "0" else "1", 1)
    for value in (forged, "x", devices.made("bo@example.com")):
        sqlite_api.cookies.set(name, value, domain="testserver.local")
        assert submit(sqlite_api, "/login", **right).status_code == 429
        sqlite_api.cookies.delete(name)
    sqlite_api.cookies.set(name, device, domain="testserver.local")
    assert submit(sqlite_api, "/login", **right).status_code == 303


def test_a_known_browser_has_ten_tries_of_its_own(sqlite_api: Client, owner: User) -> None:
    assert submit(sqlite_api, "/login", email=owner.email, password=PASSWORD).status_code == 303
    sqlite_api.get("/login")
    wrong = {"email": owner.email, "password": TOO_LONG}
    statuses = [submit(sqlite_api, "/login", **wrong).status_code for _ in range(11)]
    assert statuses == [401] * 10 + [429]


def test_failed_logins_are_in_the_activity_log_without_what_was_typed(
    db: Database, clock: FrozenClock
) -> None:
    ann = add_user(db, name="Ann Lee", password_hash=CHEAP)
    for email in (ann.email, "nobody@example.com"):
        assert login.log_in(db, email, "wrong horse", "203.0.113.7", None) is None
    with db.read() as session:
        lines = activity.page(session, "", "", "").lines
    assert [line.about.label for line in lines] == ["Nobody who is known here", "Ann Lee"]
    assert {line.event.action for line in lines} == {"session.refused"}
    assert {tuple(line.notes) for line in lines} == {("address: 203.0.113.7",)}
    assert "nobody@example.com" not in str([line.event.details for line in lines])


def test_successes_are_not_counted(sqlite_api: Client, owner: User) -> None:
    for _ in range(25):
        sqlite_api.get("/login")
        answer = submit(sqlite_api, "/login", email=owner.email, password=PASSWORD)
        assert answer.status_code == 303


def test_of_many_tries_at_the_same_time_no_more_than_ten_look_at_the_password(
    db: Database, clock: FrozenClock
) -> None:
    looked: list[str | None] = []

    def attempt(turn: int) -> None:
        with contextlib.suppress(login.TooManyTries):
            looked.append(login.log_in(db, "ann@example.com", "x", f"192.0.2.{turn}", None))

    threads = [threading.Thread(target=attempt, args=(turn,)) for turn in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert 0 < len(looked) <= 10


@pytest.mark.parametrize(
    ("one", "other", "is_same"),
    [
        ("2001:db8:1:2::1", "2001:db8:1:2:ffff::9", True),
        ("2001:db8:1:2::1", "2001:db8:1:3::1", False),
        ("::ffff:192.0.2.1", "192.0.2.1", True),
        ("192.0.2.1", "192.0.2.2", False),
    ],
)
def test_who_has_one_ipv6_address_has_a_whole_network(one: str, other: str, is_same: bool) -> None:
    assert (throttle.buckets("a", one) == throttle.buckets("a", other)) is is_same


def test_old_tries_are_forgotten(db: Database, clock: FrozenClock) -> None:
    for _ in range(2):
        with db.write() as session:
            throttle.note(session, throttle.buckets("a", "192.0.2.1"))
        clock.move(hours=1)
    with db.read() as session:
        assert session.scalar(select(func.count()).select_from(LoginAttempt)) == 2


# --- the first run ---


def test_the_first_owner_is_made_with_the_code_and_is_signed_in(
    browser: Client, sqlite_db: Database, state: Path
) -> None:
    assert browser.get("/login").headers["Location"] == "/setup"
    with sqlite_db.read() as session:
        shown = first_run.setup_code(session, settings().state_dir)
    assert shown is not None
    assert re.fullmatch(r"([A-Z2-7]{4}-){3}[A-Z2-7]{4}", shown)
    assert (state / "setup-code").stat().st_mode & 0o077 == 0

    answer = submit(
        browser, "/setup", code=shown.lower().replace("-", " "), name="Ann", email="a@example.com",
        password=PASSWORD,
    )  # fmt: skip

    assert (answer.status_code, answer.headers["Location"]) == (303, "/welcome")
    with sqlite_db.read() as session:
        signed_in = sessions.find(session, browser.cookies["chairtime"])
        assert first_run.setup_code(session, state) is None
    assert signed_in is not None
    assert signed_in.role == "owner"
    assert not (state / "setup-code").exists()
    assert browser.get("/setup").headers["Location"] == "/login"


def test_a_wrong_code_or_field_is_explained_and_makes_nobody(
    browser: Client, sqlite_db: Database, state: Path
) -> None:
    form = {"name": "Ann", "email": "a@example.com", "password": PASSWORD}
    answer = submit(browser, "/setup", code="AAAA-AAAA-AAAA-AAAA", **form)
    assert answer.status_code == 422
    assert "This is not the one that Chairtime printed" in answer.text
    answer = submit(browser, "/setup", code=code(state), **{**form, "password": "short"})
    assert answer.status_code == 422
    assert "This has 5 characters: it needs 12 to 200." in answer.text
    assert 'aria-describedby="password-hint password-problem"' in answer.text
    assert 'value="a@example.com"' in answer.text
    with sqlite_db.read() as session:
        assert session.scalar(select(func.count()).select_from(User)) == 0
    assert (state / "setup-code").exists()


def test_the_code_cannot_be_guessed_often(browser: Client, state: Path) -> None:
    statuses = [submit(browser, "/setup", code=f"{turn}").status_code for turn in range(12)]
    assert statuses == [422] * 10 + [429] * 2


def test_a_second_owner_cannot_be_made_by_the_first_run(browser: Client, state: Path) -> None:
    browser.get("/setup")
    form = {"name": "Ann", "email": "a@example.com", "password": PASSWORD}
    shown = code(state)
    submit(browser, "/setup", code=shown, **form)
    browser.get("/login")
    answer = submit(browser, "/setup", code=shown, **{**form, "email": "b@example.com"})
    assert (answer.status_code, answer.headers["Location"]) == (303, "/login")


def test_two_who_set_up_at_the_same_time_make_one_owner(db: Database, tmp_path: Path) -> None:
    with db.read() as session:
        shown = first_run.setup_code(session, tmp_path) or ""
    refused: list[str] = []

    def set_up(email: str) -> None:
        try:
            with db.write() as session:
                first_run.set_up(session, tmp_path, shown, email, "Ann", PASSWORD)
        except Conflict as conflict:
            refused.append(conflict.reason)

    threads = [threading.Thread(target=set_up, args=(f"{name}@example.com",)) for name in "ab"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert refused == ["set_up"]
    with db.read() as session:
        assert session.scalar(select(func.count()).select_from(User)) == 1
