"""Tokens made in the pages, and one's own sessions."""

import re

import pytest
from sqlalchemy import select

from app.db import Database
from app.models.staff import ApiToken, AuditEvent
from app.staff import sessions
from tests.integration.conftest import Client
from tests.support.frozen import FrozenClock
from tests.support.staff import sign_in
from tests.support.web import said

HERE = "/settings/tokens"


def made(owner: Client, **typed: str) -> str:
    """The secret of a new token, as the page shows it."""
    answer = owner.post(HERE, data={"name": "Website", "scope": "read", "days": "30", **typed})
    assert answer.status_code == 200, answer.text
    assert answer.headers["Cache-Control"] == "no-store"
    return re.findall(r'<code class="anywhere">(chairtime_[0-9a-f_]+)<', answer.text)[0]


def call(owner: Client, secret: str, method: str = "GET") -> int:
    headers = {"Authorization": f"Bearer {secret}"}
    return owner.request(method, "/api/services", headers=headers, json={}).status_code


def test_a_token_is_shown_once_and_may_what_was_chosen(
    owner: Client, sqlite_db: Database, clock: FrozenClock
) -> None:
    secret = made(owner)
    assert secret not in owner.get(HERE).text
    assert "Website" in owner.get(HERE).text
    assert call(owner, secret) == 200
    assert call(owner, secret, "POST") == 403
    assert call(owner, made(owner, name="Till", scope="write", days="never"), "POST") == 422
    with sqlite_db.read() as session:
        actors = session.scalars(
            select(AuditEvent.actor).where(AuditEvent.action == "token.created")
        ).all()
    assert all(actor.startswith("user:") for actor in actors)
    clock.move(days=31)
    assert call(owner, secret) == 401


def test_a_token_is_revoked_at_once(owner: Client, sqlite_db: Database) -> None:
    secret = made(owner)
    with sqlite_db.read() as session:
        token = session.scalars(select(ApiToken).where(ApiToken.name == "Website")).one()
    assert f'action="{HERE}/{token.id}/revoke"' in owner.get(HERE).text
    assert said(owner, owner.post(f"{HERE}/{token.id}/revoke")).startswith("The token is revoked")
    assert call(owner, secret) == 401
    assert f'action="{HERE}/{token.id}/revoke"' not in owner.get(HERE).text
    assert owner.post(f"{HERE}/token_0/revoke").status_code == 404


@pytest.mark.parametrize(
    ("typed", "says"),
    [({"name": " "}, "visible characters"), ({"scope": "all"}, "one of the list"),
     ({"days": "9999"}, "one of the list")],
)  # fmt: skip
def test_what_is_wrong_makes_no_token(
    owner: Client, sqlite_db: Database, typed: dict[str, str], says: str
) -> None:
    form = {"name": "Website", "scope": "read", "days": "30", **typed}
    answer = owner.post(HERE, data=form)
    assert answer.status_code == 422
    assert says in answer.text
    with sqlite_db.read() as session:
        assert session.scalar(select(ApiToken).where(ApiToken.name == "Website")) is None


def test_one_sees_and_ends_ones_own_sessions_and_nobody_elses(
    owner: Client, sqlite_db: Database
) -> None:
    user = sign_in(owner, sqlite_db, "viewer")
    stranger = sign_in(owner, sqlite_db, "viewer", "Bo")
    with sqlite_db.write() as session:
        for whose in (user, user, user, stranger):
            sessions.start(session, whose)
        theirs = sessions.of_user(session, stranger.id)
    with sqlite_db.write() as session:
        mine = sessions.start(session, user)
    owner.cookies.clear()
    owner.cookies.set("chairtime", mine, domain="testserver.local")
    page = owner.get("/account").text
    assert page.count("Another browser") == 4
    assert page.count("This browser") == 1
    one = re.findall(r'name="session" value="(\w+)"', page)[0]
    assert said(owner, owner.post("/account/sessions/end", data={"session": one})) == (
        "1 session ended."
    )
    taken = {"session": theirs[0].id}
    assert said(owner, owner.post("/account/sessions/end", data=taken)) == "0 sessions ended."
    assert said(owner, owner.post("/account/sessions/end")) == "3 sessions ended."
    with sqlite_db.read() as session:
        assert len(sessions.of_user(session, user.id)) == 1
        assert len(sessions.of_user(session, stranger.id)) == 2
