"""A second factor: codes of an app, recovery codes, passkeys; asked for at a login."""

import base64
import hashlib
import json
import re

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from pyotp import TOTP
from sqlalchemy import select

from app import clock as clocks
from app.db import Database
from app.models.staff import AuditEvent, Authenticator, LoginStep, RecoveryCode, StaffSession, User
from app.staff import codes, links, members, second_factor, throttle
from tests.integration.conftest import Client
from tests.integration.staff.test_login import CHEAP, PASSWORD, as_browser
from tests.support.frozen import FrozenClock
from tests.support.staff import add_user, sign_in

SITE = "http://testserver.local"


@pytest.fixture
def ann(sqlite_api: Client, sqlite_db: Database) -> User:
    """An owner with the password; `sqlite_api` is a browser that nobody is signed in with."""
    as_browser(sqlite_api)
    return add_user(sqlite_db, password_hash=CHEAP)


@pytest.fixture
def recovery_codes(sqlite_db: Database, ann: User) -> list[str]:
    """She has an app, and these."""
    return add_app(sqlite_db, ann)


def add_app(db: Database, user: User) -> list[str]:
    with db.write() as session:
        code = shown(codes.begin(session, user.id))
        made = second_factor.adding(session, user.id, lambda: codes.confirm(session, user.id, code))
        return [*made]


def shown(app: Authenticator, ago: int = 0) -> str:
    return TOTP(codes.secret_of(app)).at(int(clocks.now().timestamp()) - ago)


def shown_to(db: Database, user: User, ago: int = 0) -> str:
    with db.read() as session:
        app = codes.authenticator(session, user.id)
        assert app is not None
        return shown(app, ago)


def log_in(browser: Client, user: User, onwards: str = "") -> str:
    form = {"email": user.email, "password": PASSWORD, "next": onwards}
    return browser.post("/login", data=form).headers["Location"]


def second(browser: Client, code: str, onwards: str = "") -> int:
    return browser.post("/login/second", data={"code": code, "next": onwards}).status_code


def is_in(browser: Client) -> bool:
    return browser.get("/account").status_code == 200


def done(db: Database, user: User) -> list[str]:
    """What the audit log says of them, without their sessions."""
    with db.read() as session:
        query = select(AuditEvent.action).where(AuditEvent.subject == user.id)
        found = session.scalars(query.order_by(AuditEvent.id))
        return [each for each in found if each not in {"session.started", "session.ended"}]


# --- at a login ---


def test_the_password_alone_leads_to_the_second_step_and_a_code_on_from_there(
    sqlite_api: Client,
    sqlite_db: Database,
    ann: User,
    recovery_codes: list[str],
    clock: FrozenClock,
) -> None:
    clock.move(seconds=60)
    assert log_in(sqlite_api, ann, "/failed") == "/login/second?next=%2Ffailed"
    assert not is_in(sqlite_api)
    assert "Code from your authenticator app" in sqlite_api.get("/login/second").text
    answer = sqlite_api.post(
        "/login/second", data={"code": shown_to(sqlite_db, ann), "next": "/failed"}
    )
    assert (answer.status_code, answer.headers["Location"]) == (303, "/failed")
    assert is_in(sqlite_api)


def test_a_code_counts_once_and_half_a_minute_early_or_late(
    sqlite_api: Client,
    sqlite_db: Database,
    ann: User,
    recovery_codes: list[str],
    clock: FrozenClock,
) -> None:
    clock.move(minutes=5)
    code = shown_to(sqlite_db, ann, ago=30)
    wrong = [shown_to(sqlite_db, ann, ago=90), shown_to(sqlite_db, ann, ago=-90), "000000", "x", ""]
    log_in(sqlite_api, ann)
    assert [second(sqlite_api, each) for each in wrong] == [401] * len(wrong)
    assert second(sqlite_api, code) == 303
    log_in(sqlite_api, ann)
    assert second(sqlite_api, code) == 401
    assert "session.second_refused" in done(sqlite_db, ann)


def test_a_recovery_code_works_once_however_it_is_written(
    sqlite_api: Client, sqlite_db: Database, ann: User, recovery_codes: list[str]
) -> None:
    one = recovery_codes[0]
    log_in(sqlite_api, ann)
    assert second(sqlite_api, f" {one.upper().replace('-', ' ')}") == 303
    log_in(sqlite_api, ann)
    assert second(sqlite_api, one) == 401
    assert second(sqlite_api, recovery_codes[1]) == 303
    with sqlite_db.read() as session:
        kept = session.scalars(select(RecoveryCode.id)).all()
    assert len(kept) == 8
    assert not any(each in kept for each in recovery_codes)


def test_guessing_codes_is_slowed_down_as_guessing_passwords_is(
    sqlite_api: Client, ann: User, recovery_codes: list[str]
) -> None:
    log_in(sqlite_api, ann)
    statuses = [second(sqlite_api, "123456") for _ in range(throttle.PER_ACCOUNT + 1)]
    assert statuses == [401] * throttle.PER_ACCOUNT + [429]
    assert second(sqlite_api, recovery_codes[0]) == 429


def test_a_step_ends_by_time_by_a_new_password_and_by_its_use(
    sqlite_api: Client,
    sqlite_db: Database,
    ann: User,
    recovery_codes: list[str],
    clock: FrozenClock,
) -> None:
    log_in(sqlite_api, ann)
    clock.move(minutes=11)
    answer = sqlite_api.post("/login/second", data={"code": recovery_codes[0]})
    assert answer.headers["Location"] == "/login"
    log_in(sqlite_api, ann)
    with sqlite_db.write() as session:
        members.end_sessions(session, ann.id, "user:other")
    assert sqlite_api.get("/login/second").headers["Location"] == "/login"
    log_in(sqlite_api, ann)
    assert second(sqlite_api, recovery_codes[0]) == 303
    with sqlite_db.read() as session:
        assert session.scalars(select(LoginStep)).all() == []


def test_a_link_for_a_forgotten_password_asks_for_it_too(
    sqlite_api: Client, sqlite_db: Database, ann: User, recovery_codes: list[str]
) -> None:
    with sqlite_db.write() as session:
        secret = links.make(session, ann.id, "user:other")
    answer = sqlite_api.post(f"/join/{secret}", data={"password": "several words that differ"})
    assert answer.headers["Location"] == "/login/second"
    assert not is_in(sqlite_api)


# --- one's own account ---


def test_an_app_is_set_up_shown_once_and_removed(
    sqlite_api: Client, sqlite_db: Database, clock: FrozenClock
) -> None:
    user = sign_in(sqlite_api, sqlite_db, "viewer")
    here = "/account/second-factor"
    assert sqlite_api.post(f"{here}/app").status_code == 303
    page = sqlite_api.get(here).text
    [secret] = re.findall(r'<code class="anywhere">([A-Z2-7]{32})</code>', page)
    assert "<svg" in page
    wrong = sqlite_api.post(f"{here}/app/confirm", data={"code": "12"})
    assert (wrong.status_code, "not the code" in wrong.text) == (422, True)
    code = TOTP(secret).at(int(clock.now().timestamp()))
    right = sqlite_api.post(f"{here}/app/confirm", data={"code": code})
    given = re.findall(r"<code>([a-z0-9]{4}-[a-z0-9]{4}-[a-z0-9]{4})</code>", right.text)
    assert len(set(given)) == 10
    assert given[0] not in sqlite_api.get(here).text
    assert secret not in sqlite_api.get(here).text
    again = sqlite_api.post(f"{here}/recovery-codes")
    assert given[0] not in again.text
    sqlite_api.post(f"{here}/app/remove")
    with sqlite_db.read() as session:
        assert not second_factor.of_user(session, user.id).is_on
        assert session.scalars(select(RecoveryCode)).all() == []
    assert done(sqlite_db, user) == [
        "user.authenticator_added",
        "user.recovery_codes_made",
        "user.recovery_codes_made",
        "user.authenticator_removed",
    ]


def test_what_changes_the_way_in_wants_the_password_again_after_a_while(
    sqlite_api: Client,
    sqlite_db: Database,
    ann: User,
    recovery_codes: list[str],
    clock: FrozenClock,
) -> None:
    log_in(sqlite_api, ann)
    second(sqlite_api, recovery_codes[0])
    clock.move(minutes=16)
    here = "/account/second-factor"
    assert "Is it you?" in sqlite_api.get(here).text
    for path in ("app", "app/remove", "recovery-codes", "passkeys"):
        assert sqlite_api.post(f"{here}/{path}").status_code in {303, 409}
    assert done(sqlite_db, ann).count("user.recovery_codes_made") == 1
    assert sqlite_api.post(f"{here}/confirm", data={"password": "wrong"}).status_code == 422
    assert sqlite_api.post(f"{here}/confirm", data={"password": PASSWORD}).status_code == 303
    sqlite_api.post(f"{here}/app/remove")
    assert done(sqlite_db, ann)[-1] == "user.authenticator_removed"


def test_an_owner_resets_that_of_somebody_else(
    sqlite_api: Client, sqlite_db: Database, ann: User, recovery_codes: list[str]
) -> None:
    owner = sign_in(sqlite_api, sqlite_db, "owner")
    assert "Reset second factor" in sqlite_api.get(f"/staff?member={ann.id}").text
    assert sqlite_api.post(f"/staff/{owner.id}/second-factor/reset").status_code == 303
    sqlite_api.post(f"/staff/{ann.id}/second-factor/reset")
    assert "Reset second factor" not in sqlite_api.get(f"/staff?member={ann.id}").text
    assert done(sqlite_db, ann)[-1] == "user.second_factor_reset"
    assert "user.second_factor_reset" not in done(sqlite_db, owner)
    as_browser(sqlite_api)
    sqlite_api.cookies.clear()
    assert log_in(sqlite_api, ann) == "/"


# --- passkeys, made and used by a device of ours ---


class Device:
    """A security key: it signs what a browser would let it sign."""

    def __init__(self) -> None:
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.id = b"a credential of this device"
        self.count = 0

    def create(self, options: str) -> str:
        numbers = self.key.public_key().public_numbers()
        cose = b"\xa5\x01\x02\x03\x26\x20\x01\x21\x58\x20" + numbers.x.to_bytes(32, "big")
        cose += b"\x22\x58\x20" + numbers.y.to_bytes(32, "big")
        credential = bytes(16) + len(self.id).to_bytes(2, "big") + self.id + cose
        data = self._data(0x41) + credential
        attestation = b"\xa3\x63fmt\x64none\x67attStmt\xa0\x68authData\x58"
        attestation += len(data).to_bytes(1, "big") + data
        response = {"attestationObject": _text(attestation)}
        return self._answer("webauthn.create", options, response)

    def get(self, options: str, origin: str = SITE) -> str:
        self.count += 1
        data, client = self._data(0x01), _client("webauthn.get", options, origin)
        signed = self.key.sign(data + hashlib.sha256(client).digest(), ec.ECDSA(hashes.SHA256()))
        response = {"authenticatorData": _text(data), "signature": _text(signed)}
        return self._answer("webauthn.get", options, response, origin)

    def _data(self, flags: int) -> bytes:
        host = hashlib.sha256(b"testserver.local").digest()
        return host + bytes([flags]) + self.count.to_bytes(4, "big")

    def _answer(self, kind: str, options: str, response: dict[str, str], origin: str = SITE) -> str:
        response["clientDataJSON"] = _text(_client(kind, options, origin))
        id = _text(self.id)
        return json.dumps({"id": id, "rawId": id, "type": "public-key", "response": response})


def _client(kind: str, options: str, origin: str) -> bytes:
    challenge = json.loads(options)["challenge"]
    return json.dumps({"type": kind, "challenge": challenge, "origin": origin}).encode()


def _text(given: bytes) -> str:
    return base64.urlsafe_b64encode(given).decode().rstrip("=")


def options(html: str) -> str:
    [found] = re.findall(r'data-options="([^"]+)"', html)
    return found.replace("&#34;", '"').replace("&quot;", '"')


def test_a_passkey_is_added_and_lets_in_once_for_each_login(
    sqlite_api: Client, sqlite_db: Database, ann: User
) -> None:
    device, here = Device(), "/account/second-factor"
    sqlite_api.base_url = SITE
    log_in(sqlite_api, ann)
    answer = device.create(options(sqlite_api.get(here).text))
    made = sqlite_api.post(f"{here}/passkeys", data={"name": "My phone", "passkey": answer})
    assert "Your recovery codes" in made.text
    twice = sqlite_api.post(f"{here}/passkeys", data={"name": "My phone", "passkey": answer})
    assert "there already" in twice.text

    assert log_in(sqlite_api, ann) == "/login/second"
    asked = options(sqlite_api.get("/login/second").text)

    def use(passkey: str) -> int:
        return sqlite_api.post("/login/second/passkey", data={"passkey": passkey}).status_code

    assert use(Device().get(asked)) == 401
    assert use(device.get(asked, origin="http://elsewhere.example")) == 401
    assert use(device.get(asked.replace('challenge": "', 'challenge": "x'))) == 401
    signed = device.get(asked)
    assert use(signed) == 303
    log_in(sqlite_api, ann)
    assert use(signed) == 401


@pytest.mark.parametrize("answer", ["", "{}", "[]", "[" * 9000, '{"id": "\\ud800"}', '{"id": "x"}'])
def test_what_is_no_answer_of_a_browser_is_refused(
    sqlite_api: Client, ann: User, answer: str
) -> None:
    log_in(sqlite_api, ann)
    made = sqlite_api.post(
        "/account/second-factor/passkeys", data={"name": "My phone", "passkey": answer}
    )
    assert made.status_code == 422
    assert "could not be used" in made.text


def test_a_session_of_before_the_migration_is_asked_for_the_password(
    sqlite_api: Client, sqlite_db: Database
) -> None:
    sign_in(sqlite_api, sqlite_db)
    with sqlite_db.write() as session:
        session.scalars(select(StaffSession)).one().confirmed_at = None
    assert "Is it you?" in sqlite_api.get("/account/second-factor").text
