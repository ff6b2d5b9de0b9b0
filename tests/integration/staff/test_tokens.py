"""API tokens: who has one, what it may do, and when it was used."""

import re
import time
from datetime import timedelta

import pytest
from sqlalchemy import func, select
from sqlalchemy.exc import OperationalError

from app.db import Database
from app.errors import Invalid, NotFound
from app.models.booking import Booking
from app.models.staff import ApiToken
from app.staff import tokens
from tests import factories
from tests.integration.conftest import SECRET, Client, body
from tests.support.frozen import FrozenClock
from tests.support.statements import counted


def bearer(secret: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {secret}"}


def last_used(db: Database, token_id: str) -> object:
    with db.read() as session:
        return session.get_one(ApiToken, token_id).last_used_at


def wait_until(is_true: object) -> None:
    deadline = time.monotonic() + 60
    while not is_true():  # type: ignore[operator]
        assert time.monotonic() < deadline, "it did not happen in 60 s"
        time.sleep(0.01)


def test_a_new_token_is_shown_once_and_only_its_digest_is_kept(
    db: Database, clock: FrozenClock
) -> None:
    with db.write() as session:
        token, secret = tokens.create(session, " Website ")
    assert re.fullmatch(r"chairtime_[0-9a-f]{12}_[0-9a-f]{48}", secret)
    assert token.name == "Website"
    assert token.id.removeprefix("token_") in secret
    assert secret not in str(vars(token))
    with db.read() as session:
        assert tokens.authenticate(session, secret).id == token.id  # type: ignore[union-attr]
        for wrong in (secret[:-1], secret + "0", secret.upper(), token.digest, ""):
            assert tokens.authenticate(session, wrong) is None


@pytest.mark.parametrize("name", ["", "  ", "x" * 101, "a\nb", "a\x00b"])
def test_a_token_needs_a_name_that_can_be_read(sqlite_db: Database, name: str) -> None:
    with pytest.raises(Invalid, match="name"), sqlite_db.write() as session:
        tokens.create(session, name)


def test_a_token_ends_when_it_expires(db: Database, clock: FrozenClock) -> None:
    with db.write() as session:
        _, secret = tokens.create(session, "a day", lifetime=timedelta(days=1))
    clock.move(days=1, seconds=-1)
    with db.read() as session:
        assert tokens.authenticate(session, secret)
    clock.move(seconds=1)
    with db.read() as session:
        assert tokens.authenticate(session, secret) is None


def test_a_token_that_was_revoked_stays_so_and_is_revoked_once(
    db: Database, clock: FrozenClock
) -> None:
    with db.write() as session:
        token = tokens.ensure(session, "environment", "e" * 32)
        tokens.revoke(session, token.id, "system")
    clock.move(hours=1)
    with db.write() as session:
        tokens.revoke(session, token.id, "system")
        again = tokens.ensure(session, "environment", "e" * 32)
        assert again.revoked_at == clock.now() - timedelta(hours=1)
        assert tokens.authenticate(session, "e" * 32) is None
        with pytest.raises(NotFound):
            tokens.revoke(session, "token_none", "system")


@pytest.mark.parametrize("secret", ["e" * 32, "with spaces and ünïcödé, 32 or more", "_-~+/=" * 6])
def test_a_given_secret_of_any_form_is_a_token_and_made_only_once(
    db: Database, clock: FrozenClock, secret: str
) -> None:
    for _ in range(2):
        with db.write() as session:
            token = tokens.ensure(session, "environment", secret)
    with db.read() as session:
        assert session.scalar(select(func.count()).select_from(ApiToken)) == 1
        assert tokens.authenticate(session, secret).id == token.id  # type: ignore[union-attr]


def test_a_secret_in_utf_8_is_recognised_over_http(sqlite_api: Client, sqlite_db: Database) -> None:
    secret = "ünïcödé and thirty-two or more letters"
    with sqlite_db.write() as session:
        tokens.ensure(session, "environment", secret)
    headers = {"Authorization": f"Bearer {secret}".encode()}
    assert sqlite_api.get("/api/bookings", headers=headers).status_code == 200


@pytest.mark.parametrize(
    "authorization",
    [
        "",
        "Bearer",
        "Bearer ",
        SECRET,
        f"Basic {SECRET}",
        f"Bearer {SECRET[:-1]}",
        f"Bearer {SECRET}0",
        f"Bearer {SECRET} {SECRET}",
        "Bearer \xff\xfe",
        "Bearer ' OR 1=1 --",
    ],
)
def test_without_a_valid_token_every_answer_is_the_same_401(
    api: Client, shop: Database, authorization: str
) -> None:
    headers = {"Authorization": authorization.encode("latin-1")}
    answer = api.post("/api/bookings", json=body(), headers=headers)
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"] == "Bearer"
    assert answer.json() == {
        "type": "about:blank",
        "title": "Unauthorized",
        "status": 401,
        "detail": "A valid token is needed: Authorization: Bearer …",
        "errors": [],
    }
    with shop.read() as session:
        assert session.scalar(select(func.count()).select_from(Booking)) == 0


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
def test_the_scheme_is_written_as_one_likes(sqlite_api: Client, scheme: str) -> None:
    headers = {"Authorization": f"{scheme} {SECRET}"}
    assert sqlite_api.get("/api/bookings", headers=headers).status_code == 200


def test_a_revoked_or_expired_token_is_a_401_from_the_next_request_on(
    api: Client, shop: Database, clock: FrozenClock
) -> None:
    with shop.write() as session:
        revoked, revoked_secret = tokens.create(session, "revoked")
        _, expired_secret = tokens.create(session, "expired", lifetime=timedelta(hours=1))
    for secret in (revoked_secret, expired_secret):
        assert api.get("/api/queue/stats", headers=bearer(secret)).status_code == 200
    with shop.write() as session:
        tokens.revoke(session, revoked.id, "system")
    clock.move(hours=1)
    for secret in (revoked_secret, expired_secret):
        assert api.get("/api/queue/stats", headers=bearer(secret)).status_code == 401


def test_a_token_for_reading_reads_and_changes_nothing(api: Client, shop: Database) -> None:
    booking = api.post("/api/bookings", json=body()).json()
    with shop.write() as session:
        _, secret = tokens.create(session, "reader", "read")
    api.headers.update(bearer(secret))
    path = f"/api/bookings/{booking['id']}"
    assert api.get(path).json() == booking
    answers = [
        api.post("/api/bookings", json=body(barberId="barber_2")),
        api.patch(path, json={"customerName": "Bo"}),
        api.delete(path),
        api.post(f"{path}/reminders/1/retry"),
    ]
    assert [answer.status_code for answer in answers] == [403] * 4
    assert {answer.headers["Content-Type"] for answer in answers} == {"application/problem+json"}
    assert [item["id"] for item in api.get("/api/bookings").json()["items"]] == [booking["id"]]
    assert api.get(path).json() == booking


def test_the_use_of_a_token_is_noted_once_a_minute(
    api: Client, shop: Database, clock: FrozenClock
) -> None:
    with shop.write() as session:
        token, secret = tokens.create(session, "website")
    started = clock.now()

    def use() -> None:
        assert api.get("/api/queue/stats", headers=bearer(secret)).status_code == 200

    with counted(shop) as executed:
        use()
        wait_until(lambda: last_used(shop, token.id) == started)
        clock.move(seconds=59)
        for _ in range(3):
            use()
    assert last_used(shop, token.id) == started
    assert sum(sql.startswith("UPDATE api_token") for sql in executed) == 1
    clock.move(seconds=1)
    use()
    wait_until(lambda: last_used(shop, token.id) == clock.now())


def test_a_read_does_not_wait_for_somebody_who_writes(api: Client, shop: Database) -> None:
    with shop.write() as session:
        session.scalars(select(ApiToken).with_for_update()).all()
        started = time.monotonic()
        assert api.get("/api/bookings").status_code == 200
        assert time.monotonic() - started < 2


def test_a_use_that_cannot_be_noted_does_no_harm(
    sqlite_api: Client, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: object) -> None:
        raise sqlalchemy_error

    sqlalchemy_error = OperationalError("UPDATE", {}, Exception("locked"))
    monkeypatch.setattr(tokens, "note_use", fail)
    assert sqlite_api.get("/api/bookings").status_code == 200
    wait_until(lambda: "could not be noted" in caplog.text)


def test_a_token_of_the_factories_is_what_authenticate_looks_for(sqlite_db: Database) -> None:
    with sqlite_db.write() as session:
        token = factories.api_token(session, "f" * 40)
        found = tokens.authenticate(session, "f" * 40)
    assert found is not None
    assert found.id == token.id
