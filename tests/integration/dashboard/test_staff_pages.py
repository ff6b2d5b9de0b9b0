"""The owner's page of staff, and everybody's own password."""

import re
from collections.abc import Iterator
from html import unescape

import pytest
from argon2 import PasswordHasher
from httpx import Response
from sqlalchemy import select

from app.db import Database
from app.errors import Conflict
from app.models.staff import AuditEvent, User
from app.staff import members, sessions
from tests.integration.conftest import Client, fill
from tests.support.frozen import FrozenClock
from tests.support.lifecycle import at_once
from tests.support.staff import add_user, sign_in
from tests.support.valkey import Valkey
from tests.support.web import web_client

PASSWORD = "correct horse battery"
ANOTHER = "seven green umbrellas"
HASH = PasswordHasher().hash(PASSWORD)


@pytest.fixture
def client(shop: Database, valkey: Valkey) -> Iterator[Client]:
    """A browser, once on SQLite, once on PostgreSQL."""
    with web_client() as browser:
        yield browser


@pytest.fixture
def desk(sqlite_db: Database, clock: FrozenClock, valkey: Valkey) -> Iterator[Client]:
    """The same on SQLite alone, for what no database decides."""
    fill(sqlite_db)
    with web_client() as browser:
        yield browser


def text_of(html: str) -> str:
    return unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", html)))


def user_of(db: Database, user: User) -> User:
    with db.read() as session:
        return session.get_one(User, user.id)


def events(db: Database, action: str) -> list[AuditEvent]:
    with db.read() as session:
        query = select(AuditEvent).where(AuditEvent.action == action).order_by(AuditEvent.id)
        return list(session.scalars(query))


def session_of(db: Database, user: User) -> str:
    """The secret of a session that they have open somewhere else."""
    with db.write() as session:
        return sessions.start(session, user)


def is_open(db: Database, secret: str) -> bool:
    with db.read() as session:
        return sessions.find(session, secret) is not None


def said(client: Client, answer: Response) -> str:
    """The toast of the page that the answer leads to."""
    assert answer.status_code == 303, answer.text
    page = client.get(answer.headers["Location"]).text
    match = re.search(r'class="toast-text">([^<]*)<', page)
    assert match, page
    return unescape(match[1])


# --- the list ---


def test_the_list_says_who_may_sign_in_as_what_and_when_they_were_seen(
    client: Client, shop: Database, clock: FrozenClock
) -> None:
    sam = add_user(shop, "staff", "Sam <b>Nasty</b>")
    session_of(shop, sam)
    add_user(shop, "viewer", "Vera Never")
    gone = add_user(shop, "staff", "Gus Gone")
    with shop.write() as session:
        session.get_one(User, gone.id).disabled_at = clock.now()
    clock.move(hours=2)
    sign_in(client, shop)
    page = client.get("/staff").text
    rows = [text_of(f"<tr{row}").strip() for row in page.split("<tr")[2:]]
    assert [row.split()[0] for row in rows] == ["Ann", "Sam", "Vera", "Gus"]
    assert f"{sam.email} Staff 2 hours ago Active" in rows[1]
    assert "Viewer never Active" in rows[2]
    assert "never Disabled" in rows[3]
    assert "<b>Nasty" not in page


def test_who_was_signed_out_long_ago_is_still_known_to_have_been_here(
    client: Client, shop: Database, clock: FrozenClock
) -> None:
    sam = add_user(shop, "staff", "Sam")
    session_of(shop, sam)
    clock.move(days=3)
    sign_in(client, shop)
    with shop.read() as session:
        by_id = {each.id: each for each in members.listed(session)}
    assert by_id[sam.id].sessions == 0
    assert "3 days ago" in text_of(client.get("/staff").text)


# --- adding and changing ---


def test_the_owner_adds_somebody_who_then_signs_in(client: Client, shop: Database) -> None:
    owner = sign_in(client, shop)
    form = {"name": "Sam", "email": "Sam@Example.com", "role": "staff", "password": PASSWORD}
    answer = client.post("/staff", data=form)
    assert said(client, answer) == "Sam may sign in now, as sam@example.com."
    [event] = [each for each in events(shop, "user.added") if each.actor == owner_of(owner)]
    assert event.details == {"role": "staff"}
    client.cookies.delete("chairtime")
    signed_in = client.post("/login", data={"email": "sam@example.com", "password": PASSWORD})
    assert signed_in.status_code == 303


def owner_of(owner: User) -> str:
    return f"user:{owner.id}"


def test_what_is_wrong_with_somebody_new_stands_beside_each_field_and_the_rest_stays(
    desk: Client, sqlite_db: Database
) -> None:
    sign_in(desk, sqlite_db)
    form = {"name": "Zoë <i>", "email": "zoe@", "role": "boss", "password": "short"}
    answer = desk.post("/staff", data=form)
    assert answer.status_code == 422
    for field in ("email", "role", "password"):
        assert f'id="{field}-problem"' in answer.text
    assert 'value="Zoë &lt;i&gt;"' in answer.text
    assert 'value="zoe@"' in answer.text
    assert "short" not in answer.text
    taken = desk.post("/staff", data={**form, "email": add_user(sqlite_db).email})
    assert taken.status_code == 422
    again = {**form, "role": "staff", "password": PASSWORD, "email": add_user(sqlite_db).email}
    assert "belongs to a user already" in desk.post("/staff", data=again).text


def test_a_changed_role_holds_from_the_next_request_on(client: Client, shop: Database) -> None:
    sam = add_user(shop, "staff", "Sam")
    secret = session_of(shop, sam)
    owner = sign_in(client, shop)
    answer = client.post(f"/staff/{sam.id}", data={"name": "Sam Lee", "role": "viewer"})
    assert said(client, answer) == "Changed."
    [event] = events(shop, "user.changed")
    assert (event.actor, event.subject) == (owner_of(owner), sam.id)
    assert event.details == {"name": ["Sam", "Sam Lee"], "role": ["staff", "viewer"]}
    client.cookies.set("chairtime", secret, domain="testserver.local")
    assert client.get("/today").status_code == 200
    assert client.get("/bookings/new").status_code == 403


def test_a_change_to_what_is_there_is_none(desk: Client, sqlite_db: Database) -> None:
    sam = add_user(sqlite_db, "staff", "Sam")
    sign_in(desk, sqlite_db)
    answer = desk.post(f"/staff/{sam.id}", data={"name": " Sam ", "role": "staff"})
    assert said(desk, answer) == "There was nothing to change."
    assert not events(sqlite_db, "user.changed")


def test_an_owner_who_gives_away_the_role_is_led_out_of_the_owners_pages(
    desk: Client, sqlite_db: Database
) -> None:
    add_user(sqlite_db, name="Olga")
    owner = sign_in(desk, sqlite_db)
    answer = desk.post(f"/staff/{owner.id}", data={"name": "Ann Lee", "role": "staff"})
    assert answer.headers["Location"] == "/"
    assert desk.get("/staff").status_code == 403


# --- the last owner ---


@pytest.mark.parametrize("role", ["staff", "viewer"])
def test_the_last_active_owner_cannot_lose_the_role(
    client: Client, shop: Database, clock: FrozenClock, role: str
) -> None:
    disabled = add_user(shop, name="Olga")
    with shop.write() as session:
        session.get_one(User, disabled.id).disabled_at = clock.now()
    owner = sign_in(client, shop)
    answer = client.post(f"/staff/{owner.id}", data={"name": "Anna", "role": role})
    assert answer.status_code == 409
    assert "Ann Lee is the only owner who can sign in." in text_of(answer.text)
    assert 'value="Anna"' in answer.text
    kept = user_of(shop, owner)
    assert (kept.role, kept.name) == ("owner", "Ann Lee")


def test_the_last_active_owner_cannot_be_disabled(client: Client, shop: Database) -> None:
    owner = sign_in(client, shop)
    answer = client.post(f"/staff/{owner.id}/disable")
    assert said(client, answer).startswith("Ann Lee is the only owner who can sign in.")
    assert user_of(shop, owner).disabled_at is None
    assert client.get("/staff").status_code == 200


def test_two_owners_who_disable_each_other_at_once_leave_one(db: Database) -> None:
    owners = [add_user(db, name=name) for name in ("Ann", "Olga")]

    def disable(other: User) -> bool:
        try:
            with db.write() as session:
                members.disable(session, other.id, "user:somebody")
        except Conflict:
            return False
        return True

    done = at_once(*(lambda other=other: disable(other) for other in owners))
    assert sorted(done) == [False, True]


# --- disabling, passwords, sessions ---


def test_whoever_is_disabled_is_out_at_once_and_enabling_revives_no_session(
    client: Client, shop: Database
) -> None:
    sam = add_user(shop, "staff", "Sam", HASH)
    secret = session_of(shop, sam)
    sign_in(client, shop)
    assert said(client, client.post(f"/staff/{sam.id}/disable")) == "Sam is disabled."
    assert not is_open(shop, secret)
    page = client.get(f"/staff?member={sam.id}").text
    assert "Sam cannot sign in" in text_of(page)
    assert said(client, client.post(f"/staff/{sam.id}/enable")) == "Sam may sign in again."
    assert not is_open(shop, secret)
    assert [len(events(shop, f"user.{name}")) for name in ("disabled", "enabled")] == [1, 1]
    client.post(f"/staff/{sam.id}/enable")
    assert len(events(shop, "user.enabled")) == 1


def test_a_reset_password_is_the_only_one_that_works_and_ends_all_sessions(
    client: Client, shop: Database
) -> None:
    sam = add_user(shop, "staff", "Sam", HASH)
    secret = session_of(shop, sam)
    sign_in(client, shop)
    wrong = client.post(f"/staff/{sam.id}/password", data={"password": "short"})
    assert (wrong.status_code, 'id="password-problem"' in wrong.text) == (422, True)
    assert is_open(shop, secret)
    answer = client.post(f"/staff/{sam.id}/password", data={"password": ANOTHER})
    assert "Sam has a new password" in said(client, answer)
    assert not is_open(shop, secret)
    assert PasswordHasher().verify(user_of(shop, sam).password_hash, ANOTHER)
    [event] = events(shop, "user.password_reset")
    assert (event.subject, event.details) == (sam.id, {})


def test_one_s_own_password_cannot_be_reset_without_the_old_one(
    desk: Client, sqlite_db: Database
) -> None:
    owner = sign_in(desk, sqlite_db)
    answer = desk.post(f"/staff/{owner.id}/password", data={"password": ANOTHER})
    assert "Your account" in said(desk, answer)
    assert user_of(sqlite_db, owner).password_hash == "-"


def test_the_owner_signs_somebody_out_everywhere(client: Client, shop: Database) -> None:
    sam = add_user(shop, "staff", "Sam")
    secrets = [session_of(shop, sam) for _ in range(2)]
    sign_in(client, shop)
    assert "Signed in in 2 places" in text_of(client.get(f"/staff?member={sam.id}").text)
    assert said(client, client.post(f"/staff/{sam.id}/end-sessions")) == "2 sessions ended."
    assert not any(is_open(shop, each) for each in secrets)
    assert events(shop, "user.sessions_ended")[0].details == {"number": 2}


def test_there_is_nothing_to_do_with_somebody_who_is_not_there(
    desk: Client, sqlite_db: Database
) -> None:
    sign_in(desk, sqlite_db)
    for verb in ("", "/password", "/disable", "/enable", "/end-sessions"):
        form = {"name": "X", "role": "staff", "password": ANOTHER}
        assert desk.post(f"/staff/user_nobody{verb}", data=form).status_code == 404, verb
    assert desk.get("/staff?member=user_nobody").status_code == 200


# --- one's own password ---


@pytest.mark.parametrize("role", ["viewer", "owner"])
def test_everybody_changes_their_own_password_and_stays_signed_in_only_here(
    client: Client, shop: Database, role: str
) -> None:
    me = sign_in(client, shop, role)
    with shop.write() as session:
        session.get_one(User, me.id).password_hash = HASH
    elsewhere, before = session_of(shop, me), client.cookies["chairtime"]
    assert me.email in client.get("/account").text
    answer = client.post("/account", data={"old": PASSWORD, "new": ANOTHER})
    assert "Your password is changed." in said(client, answer)
    assert PasswordHasher().verify(user_of(shop, me).password_hash, ANOTHER)
    assert not is_open(shop, elsewhere)
    assert not is_open(shop, before)
    assert [each.actor for each in events(shop, "user.password_changed")] == [owner_of(me)]


def test_a_wrong_old_password_and_a_weak_new_one_are_both_said(
    desk: Client, sqlite_db: Database
) -> None:
    me = sign_in(desk, sqlite_db)
    with sqlite_db.write() as session:
        session.get_one(User, me.id).password_hash = HASH
    answer = desk.post("/account", data={"old": ANOTHER, "new": "short"})
    assert answer.status_code == 422
    assert "This is not your password." in answer.text
    assert 'id="new-problem"' in answer.text
    same = desk.post("/account", data={"old": PASSWORD, "new": PASSWORD})
    assert "This is the one that you have" in same.text
    assert user_of(sqlite_db, me).password_hash == HASH


def test_who_has_no_readable_hash_has_no_right_password(
    desk: Client, sqlite_db: Database, caplog: pytest.LogCaptureFixture
) -> None:
    me = sign_in(desk, sqlite_db)
    with sqlite_db.write() as session:
        session.get_one(User, me.id).password_hash = "no hash"
    answer = desk.post("/account", data={"old": PASSWORD, "new": ANOTHER})
    assert answer.status_code == 422
    assert "This is not your password." in answer.text
    assert me.id in caplog.text


def test_guesses_at_the_old_password_are_throttled_like_logins(
    desk: Client, sqlite_db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.staff.throttle.PER_ACCOUNT", 1)
    me = sign_in(desk, sqlite_db)
    with sqlite_db.write() as session:
        session.get_one(User, me.id).password_hash = HASH
    desk.post("/account", data={"old": PASSWORD, "new": "short"})  # is no guess
    assert desk.post("/account", data={"old": "a guess", "new": ANOTHER}).status_code == 422
    answer = desk.post("/account", data={"old": PASSWORD, "new": ANOTHER})
    assert answer.status_code == 429
    assert "Too many tries." in answer.text
    assert int(answer.headers["Retry-After"]) > 0
    assert user_of(sqlite_db, me).password_hash == HASH


# --- the way there ---


def test_only_an_owner_sees_the_way_to_staff_and_settings(
    desk: Client, sqlite_db: Database
) -> None:
    sign_in(desk, sqlite_db, "staff")
    page = desk.get("/queue").text
    assert 'href="/staff"' not in page
    assert 'href="/settings"' not in page
    assert 'href="/account"' in page
    sign_in(desk, sqlite_db)
    page = desk.get("/settings/services").text
    assert re.search(r'href="/settings"\s+aria-current="page"', page)
    assert page.count('href="/staff"') == 2  # on a phone, in the menu
