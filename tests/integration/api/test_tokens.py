"""Tokens made and revoked over JSON, and what each scope opens."""

import pytest
from sqlalchemy import update

from app.db import Database
from app.models.staff import SCOPES, ApiToken
from tests.integration.conftest import Client


@pytest.fixture
def manager(api: Client, shop: Database) -> Client:
    """What the client's own token may, is all."""
    with shop.write() as session:
        session.execute(update(ApiToken).values(scope="manage"))
    return api


def test_each_scope_opens_what_those_before_it_do(manager: Client) -> None:
    calls = [("GET", "/metrics"), ("GET", "/api/barbers"), ("POST", "/api/barbers")]
    calls += [("POST", "/api/tokens")]
    for number, scope in enumerate(SCOPES):
        made = manager.post("/api/tokens", json={"name": scope, "scope": scope})
        assert made.status_code == 201, made.text
        bearer = {"Authorization": f"Bearer {made.json()['secret']}"}
        answers = [manager.request(*call, headers=bearer, json={}).status_code for call in calls]
        assert [status == 403 for status in answers] == [at > number for at in range(4)], scope


def test_a_token_is_listed_without_its_secret_until_it_is_revoked_and_after(
    manager: Client,
) -> None:
    made = manager.post("/api/tokens", json={"name": " Till ", "scope": "write", "days": 30})
    assert made.headers["Cache-Control"] == "no-store"
    token = made.json()
    secret = token.pop("secret")
    assert (token["name"], token["active"]) == ("Till", True)
    assert token["expiresAt"] == "2026-12-23T00:00:00Z"
    assert manager.get(made.headers["Location"]).json() == token
    assert token in manager.get("/api/tokens").json()["items"]
    assert secret not in manager.get("/api/tokens").text
    other = {"If-Match": '"another-state"'}
    assert manager.delete(made.headers["Location"], headers=other).status_code == 412
    for _ in range(2):
        assert manager.delete(made.headers["Location"]).status_code == 204
    ended = manager.get(made.headers["Location"]).json()
    assert (ended["active"], ended["revokedAt"]) == (False, "2026-11-23T00:00:00Z")
    bearer = {"Authorization": f"Bearer {secret}"}
    assert manager.get("/api/barbers", headers=bearer).status_code == 401
    assert manager.delete("/api/tokens/token_0").status_code == 404


def test_what_is_wrong_makes_none(manager: Client) -> None:
    wrong = {"name": " ", "scope": "all", "days": 31}
    answer = manager.post("/api/tokens", json=wrong)
    assert answer.status_code == 422
    assert {each["field"] for each in answer.json()["errors"]} == wrong.keys()
    assert len(manager.get("/api/tokens").json()["items"]) == 1
