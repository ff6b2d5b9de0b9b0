"""Sessions of staff: how they begin and end, and what pages do with them."""

import json
import re

import pytest
from argon2 import PasswordHasher
from litestar.testing import TestClient
from sqlalchemy import func, select

from app.db import Database
from app.models.staff import AuditEvent, StaffSession, User
from app.staff import sessions
from tests.conftest import Configure
from tests.integration.conftest import Client
from tests.support.frozen import FrozenClock
from tests.support.staff import HTMX, add_user, sign_in
from tests.support.web import shared_app

HTML = {"Accept": "text/html"}


def begin(db: Database, role: str = "staff") -> tuple[User, str]:
    user = add_user(db, role)
    with db.write() as session:
        return user, sessions.start(session, user)


def is_found(db: Database, secret: str) -> bool:
    with db.read() as session:
        return sessions.find(session, secret) is not None


def test_a_session_is_found_by_its_secret_of_which_only_a_digest_is_kept(
    db: Database, clock: FrozenClock
) -> None:
    user, secret = begin(db, "viewer")

    with db.read() as session:
        signed_in = sessions.find(session, secret)
        kept = session.scalars(select(StaffSession)).one()
    assert signed_in is not None
    assert (signed_in.id, signed_in.name, signed_in.role) == (user.id, "Ann Lee", "viewer")
    assert signed_in.actor == f"user:{user.id}"
    assert len(secret) >= 43  # 256 bits in base64
    assert secret not in (kept.id, kept.user_id)
    assert not is_found(db, secret + "x")
    assert not is_found(db, kept.id)
    assert not is_found(db, "\udcff")


def test_a_session_ends_after_eight_hours_without_use(db: Database, clock: FrozenClock) -> None:
    _, secret = begin(db)
    clock.move(hours=7, minutes=59)
    with db.read() as session:
        signed_in = sessions.find(session, secret)
    assert signed_in is not None
    with db.write() as session:
        sessions.note_use(session, signed_in.session_id)
    clock.move(hours=7, minutes=59)
    assert is_found(db, secret)
    clock.move(minutes=1)
    assert not is_found(db, secret)


def test_a_session_ends_after_twenty_hours_however_much_it_is_used(
    db: Database, clock: FrozenClock
) -> None:
    _, secret = begin(db)
    for _ in range(19):
        clock.move(hours=1)
        with db.write() as session:
            signed_in = sessions.find(session, secret)
            assert signed_in is not None
            sessions.note_use(session, signed_in.session_id)
    clock.move(hours=1)
    assert not is_found(db, secret)


def test_who_is_disabled_has_no_session_any_more(db: Database, clock: FrozenClock) -> None:
    user, secret = begin(db)
    with db.write() as session:
        session.get_one(User, user.id).disabled_at = clock.now()
    assert not is_found(db, secret)


def test_a_role_that_changes_holds_from_the_next_request_on(
    db: Database, clock: FrozenClock
) -> None:
    user, secret = begin(db, "owner")
    with db.write() as session:
        session.get_one(User, user.id).role = "viewer"
    with db.read() as session:
        signed_in = sessions.find(session, secret)
    assert signed_in is not None
    assert not signed_in.may("staff")


def test_an_ended_session_is_gone_and_ending_it_again_does_nothing(
    db: Database, clock: FrozenClock
) -> None:
    _, secret = begin(db)
    for _ in range(2):
        with db.write() as session:
            sessions.end(session, secret)
    assert not is_found(db, secret)
    with db.read() as session:
        actions = session.scalars(select(AuditEvent.action).order_by(AuditEvent.id)).all()
    assert actions == ["session.started", "session.ended"]


def test_old_sessions_are_forgotten_when_somebody_logs_in(db: Database, clock: FrozenClock) -> None:
    begin(db)
    clock.move(hours=9)
    begin(db)
    with db.read() as session:
        assert session.scalar(select(func.count()).select_from(StaffSession)) == 1


@pytest.mark.parametrize(
    ("role", "may"),
    [
        ("owner", {"owner", "staff", "viewer"}),
        ("staff", {"staff", "viewer"}),
        ("viewer", {"viewer"}),
    ],
)
def test_a_higher_role_may_do_what_a_lower_one_may(role: str, may: set[str]) -> None:
    from app import clock

    someone = sessions.SignedIn("user_1", "Ann", role, "", clock.now())
    assert {each for each in ("owner", "staff", "viewer") if someone.may(each)} == may


# --- over HTTP ---


BOOK = "http://testserver.local/bookings/new?barber=barber_1&day=2026-11-24"
TO_BOOK = "/login?next=%2Fbookings%2Fnew%3Fbarber%3Dbarber_1%26day%3D2026-11-24"


@pytest.mark.parametrize("end", ["no cookie", "idle", "ended", "forged"])
def test_a_form_sent_when_the_session_is_gone_says_so_and_leads_to_the_login_and_back(
    sqlite_api: Client, sqlite_db: Database, clock: FrozenClock, end: str
) -> None:
    sign_in(sqlite_api, sqlite_db, "staff")
    let_end(sqlite_api, sqlite_db, clock, end)
    sent = {"Referer": BOOK, "Origin": "http://testserver.local", "Sec-Fetch-Site": "same-origin"}
    answer = sqlite_api.post("/bookings", data={"name": "Zoë"}, headers={**sent, **HTML})
    assert answer.status_code == 401
    assert "<h1>You are logged out</h1>" in answer.text
    assert "What you sent was not taken" in answer.text
    assert f'href="{TO_BOOK}">Log in</a>' in answer.text


@pytest.mark.parametrize("end", ["no cookie", "idle", "ended", "forged"])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_htmx_leaves_the_page_as_it_is_and_offers_the_login_in_a_new_window(
    sqlite_api: Client, sqlite_db: Database, clock: FrozenClock, end: str, method: str
) -> None:
    sign_in(sqlite_api, sqlite_db, "staff")
    let_end(sqlite_api, sqlite_db, clock, end)
    path = "/bookings/preview" if method == "POST" else "/bookings"
    answer = sqlite_api.request(method, path, headers={**HTMX, "HX-Current-URL": BOOK})
    assert (answer.status_code, answer.text) == (401, "")
    assert not {"HX-Redirect", "HX-Location"} & {*answer.headers}
    said = json.loads(answer.headers["HX-Trigger"])["toast"]
    assert said["text"].startswith("You are logged out.")
    assert said["login"] == TO_BOOK


def let_end(client: Client, db: Database, clock: FrozenClock, how: str) -> None:
    secret = client.cookies["chairtime"]
    if how == "idle":
        clock.move(hours=9)
    elif how == "ended":
        with db.write() as session:
            sessions.end(session, secret)
    else:
        client.cookies.delete("chairtime")
        if how == "forged":
            client.cookies.set("chairtime", "nobodys", domain="testserver.local")


@pytest.mark.parametrize("page", ["http://[", "http://evil.example//evil.example", "javascript:x"])
def test_the_login_leads_back_to_pages_of_ours_alone(sqlite_api: Client, page: str) -> None:
    answer = sqlite_api.post("/bookings", headers={**HTML, "Referer": page})
    [link] = re.findall(r'href="(/login[^"]*)"', answer.text)
    assert link in {"/login", "/login?next=%2Fevil.example", "/login?next=%2Fx"}


def test_another_sites_post_is_not_told_to_be_logged_out(sqlite_api: Client) -> None:
    answer = sqlite_api.post("/bookings", headers={**HTML, "Sec-Fetch-Site": "cross-site"})
    assert answer.status_code == 403
    assert "sent by another site" in answer.text


def test_logging_out_ends_the_session_in_the_database_and_in_the_browser(
    sqlite_api: Client, sqlite_db: Database
) -> None:
    sign_in(sqlite_api, sqlite_db)
    secret = sqlite_api.cookies["chairtime"]
    answer = sqlite_api.post("/logout")
    assert (answer.status_code, answer.headers["Location"]) == (303, "/login")
    assert "chairtime" not in sqlite_api.cookies
    assert not is_found(sqlite_db, secret)


def test_the_use_of_a_session_is_noted_once_a_minute(
    sqlite_api: Client, sqlite_db: Database, clock: FrozenClock
) -> None:
    sign_in(sqlite_api, sqlite_db)
    start = clock.now()
    clock.move(seconds=59)
    sqlite_api.post("/look", data={"theme": "dark"})
    assert seen_at(sqlite_db) == start
    clock.move(seconds=1)
    sqlite_api.post("/look", data={"theme": "dark"})
    sqlite_api.get("/health")  # behind the request's back, so give it a moment
    for _ in range(100):
        if seen_at(sqlite_db) == clock.now():
            break
    assert seen_at(sqlite_db) == clock.now()


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "nonsense"},
        {"Origin": ""},
    ],
)
def test_a_post_of_another_site_is_refused_and_changes_nothing(
    sqlite_api: Client, sqlite_db: Database, headers: dict[str, str]
) -> None:
    sign_in(sqlite_api, sqlite_db)
    answer = sqlite_api.post("/logout", headers=headers)
    assert answer.status_code == 403
    assert is_found(sqlite_db, sqlite_api.cookies["chairtime"])


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 403),
        ({"Referer": "http://testserver.local/login"}, 403),
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": "http://testserver.local"}, 303),
    ],
)
def test_an_old_browser_is_believed_by_its_origin_alone(
    sqlite_api: Client, sqlite_db: Database, headers: dict[str, str], status: int
) -> None:
    sign_in(sqlite_api, sqlite_db)
    del sqlite_api.headers["Sec-Fetch-Site"]
    answer = sqlite_api.post("/look", headers={**HTML, **headers}, data={"theme": "dark"})
    assert answer.status_code == status
    assert ("chairtime-theme" in sqlite_api.cookies) == (status == 303)
    assert ("does not say where this form comes from" in answer.text) == ("Origin" not in headers)


@pytest.mark.parametrize("address", ["/login", "/setup"])
def test_no_other_site_can_send_what_needs_no_session(sqlite_api: Client, address: str) -> None:
    evil = {"Sec-Fetch-Site": "cross-site"}
    assert sqlite_api.post(address, headers=evil).status_code == 403


def test_our_own_origin_may_post(sqlite_api: Client, sqlite_db: Database) -> None:
    sign_in(sqlite_api, sqlite_db)
    ours = {"Origin": "http://testserver.local", "Sec-Fetch-Site": "same-origin"}
    assert sqlite_api.post("/look", headers=ours, data={}).status_code == 303


def test_the_theme_is_kept_in_a_cookie_and_made_into_the_next_page(
    sqlite_api: Client, sqlite_db: Database
) -> None:
    sign_in(sqlite_api, sqlite_db)
    answer = sqlite_api.post("/look", data={"theme": "dark", "next": "/styleguide"})
    assert (answer.status_code, answer.headers["Location"]) == (303, "/styleguide")
    assert 'data-theme="dark"' in sqlite_api.get("/styleguide").text
    sqlite_api.post("/look", data={"theme": "system", "next": "//evil.example"})
    assert "data-theme" not in sqlite_api.get("/styleguide").text
    sqlite_api.post("/look", data={"zoom": "small", "cancelled": "x", "session": "y"})
    [html] = re.findall(r"<html[^>]*>", sqlite_api.get("/styleguide").text)
    assert html.split() == ["<html", 'lang="en"', 'data-base="/"', 'data-zoom="small"', ">"]


def test_over_https_the_cookies_are_bound_to_the_host(
    sqlite_db: Database, clock: FrozenClock, configure: Configure
) -> None:
    configure(PUBLIC_URL="https://shop.example.com")
    user = add_user(sqlite_db, password_hash=PasswordHasher().hash("seven small green combs"))
    with TestClient(shared_app(), base_url="https://shop.example.com") as client:
        form = {"email": user.email, "password": "seven small green combs"}
        ours = {"Origin": "https://shop.example.com"}
        answer = client.post("/login", data=form, headers=ours, follow_redirects=False)
    cookies = answer.headers.get_list("Set-Cookie")
    [cookie] = [each for each in cookies if each.startswith("__Host-chairtime=")]
    flags = {part.strip().lower() for part in cookie.split(";")[1:]}
    assert {"secure", "httponly", "path=/", "samesite=lax"} <= flags
    assert not [flag for flag in flags if flag.startswith("domain")]


@pytest.mark.parametrize(
    ("origin", "host", "is_ours"),
    [
        ("https://shop.example.com", "shop.example.com", True),
        ("https://bookings.internal", "bookings.internal", True),
        ("http://127.0.0.1:3000", "127.0.0.1:3000", True),
        ("http://shop.example.com", "shop.example.com", False),  # whoever is in between wrote it
        ("https://shop.example.com.evil.example", "shop.example.com", False),
        ("http://[", "shop.example.com", False),
    ],
)
def test_over_https_a_form_is_taken_from_https_alone(
    sqlite_db: Database, configure: Configure, origin: str, host: str, is_ours: bool
) -> None:
    configure(PUBLIC_URL="https://shop.example.com", ALLOWED_HOSTS="bookings.internal")
    add_user(sqlite_db)
    with TestClient(shared_app(), base_url="https://shop.example.com") as client:
        headers = {"Origin": origin, "Host": host}
        answer = client.post("/login", headers=headers, data={"email": "a", "password": "x" * 201})
    assert answer.status_code == (401 if is_ours else 403)


def seen_at(db: Database) -> object:
    with db.read() as session:
        return session.scalars(select(StaffSession.seen_at)).one()
