"""The status webhook: signed by Twilio and about our account, or refused; never a 500."""

import uuid
from urllib.parse import urlencode

import httpx
import pytest
from litestar.testing import TestClient
from sqlalchemy import select

from app.asgi import create_app
from app.channel import StatusReport
from app.db import Database
from app.messages import receipts
from app.models.message import Message, Receipt
from app.settings import settings
from tests import factories
from tests.conftest import Configure
from tests.fake_twilio.callbacks import signature
from tests.integration.conftest import Client

ATTEMPT = "6f6f6f6f-6f6f-4f6f-8f6f-6f6f6f6f6f6f"
SID = "SM" + "0" * 32
FORM = "application/x-www-form-urlencoded"


def call(api: Client, attempt_id: str = ATTEMPT, query: str = "", **changes: str) -> httpx.Response:
    """A callback as Twilio would send it, with these parameters, an empty one left out."""
    given = {
        "MessageSid": SID,
        "MessageStatus": "delivered",
        "AccountSid": settings().whatsapp_account_sid,
        "From": "whatsapp:+15550001111",
        "To": "whatsapp:+447700900123",
        **changes,
    }
    params = {name: value for name, value in given.items() if value != "-"}
    path = f"/webhooks/twilio/status/{attempt_id}{query}"
    signed = signature(settings().whatsapp_auth_token, settings().public_url + path, params)
    return post(api, path, urlencode(params).encode(), signed)


def post(
    api: Client, path: str, content: bytes, signed: str | None, content_type: str = FORM
) -> httpx.Response:
    headers = {"Content-Type": content_type}
    if signed is not None:
        headers["X-Twilio-Signature"] = signed
    return api.post(path, content=content, headers=headers)


def kept(db: Database) -> list[Receipt]:
    with db.read() as session:
        return list(session.scalars(select(Receipt)))


@pytest.fixture
def sent(api: Client, shop: Database) -> Message:
    """A message that Twilio accepted; its attempt's id is in `attempt_id`."""
    with shop.write() as session:
        return factories.message(session, factories.booking(session), "sent", sid=SID)


def test_a_signed_status_is_noted_and_answered_with_an_empty_204(
    api: Client, shop: Database, sent: Message
) -> None:
    answer = call(api, str(sent.attempt_id))
    assert (answer.status_code, answer.content) == (204, b"")
    with shop.read() as session:
        assert session.get_one(Message, sent.id).delivery_status == "delivered"
    assert [receipt.status for receipt in kept(shop)] == ["delivered"]


def test_the_same_status_again_changes_nothing(api: Client, shop: Database, sent: Message) -> None:
    for _ in range(3):
        assert call(api, str(sent.attempt_id)).status_code == 204
    assert len(kept(shop)) == 1


def test_letter_case_of_a_status_and_of_the_attempt_do_not_matter(
    api: Client, shop: Database, sent: Message
) -> None:
    answer = call(api, str(sent.attempt_id).upper(), MessageStatus="READ")
    assert answer.status_code == 204
    with shop.read() as session:
        assert session.get_one(Message, sent.id).delivery_status == "read"


@pytest.mark.parametrize("status", ["", "bogus", "x" * 10_000, "💈", "a\x00b", "-"])
def test_a_status_that_we_do_not_know_is_a_204_and_changes_nothing(
    api: Client, shop: Database, sent: Message, status: str
) -> None:
    assert call(api, str(sent.attempt_id), MessageStatus=status).status_code == 204
    with shop.read() as session:
        assert session.get_one(Message, sent.id).delivery_status == "queued"


@pytest.mark.parametrize("code", ["63016; DROP", "-1", "9" * 400, "63016\x00", "", "\n"])
def test_any_error_code_is_kept_as_text_and_breaks_nothing(
    api: Client, shop: Database, code: str
) -> None:
    assert call(api, MessageStatus="failed", ErrorCode=code).status_code == 204
    (receipt,) = kept(shop)
    assert receipt.error_code == code.replace("\x00", "").strip()[:32]


def test_an_attempt_that_we_do_not_know_is_kept_as_a_receipt_of_nobody(
    api: Client, shop: Database
) -> None:
    assert call(api).status_code == 204
    (receipt,) = kept(shop)
    assert (receipt.attempt_id, receipt.callback_id) == (None, ATTEMPT)


@pytest.mark.parametrize("sid", ["-", "", "\x00", "S" * 10_000])
def test_a_sid_that_is_none_breaks_nothing(api: Client, sid: str) -> None:
    assert call(api, MessageSid=sid).status_code == 204


def test_parameters_that_we_do_not_use_are_fine_when_they_are_signed(api: Client) -> None:
    assert call(api, EventType="DELIVERED", New="💈 + & = ;", Empty="").status_code == 204


def test_a_query_is_a_part_of_what_is_signed(api: Client) -> None:
    assert call(api, query="?a=%20b&c").status_code == 204


@pytest.mark.parametrize("attempt_id", ["1", "x" * 36, ATTEMPT + "0", "%00", "booking_1"])
def test_an_attempt_id_that_cannot_be_one_is_a_404(sqlite_api: Client, attempt_id: str) -> None:
    answer = call(sqlite_api, attempt_id)
    assert answer.status_code == 404
    assert answer.headers["Content-Type"] == "application/problem+json"


def path(attempt_id: str = ATTEMPT) -> str:
    return f"/webhooks/twilio/status/{attempt_id}"


def forged() -> list[tuple[str, str | None, dict[str, str]]]:
    """What is wrong, the signature, and the parameters that are sent."""
    env = settings()
    token, params = env.whatsapp_auth_token, {"AccountSid": env.whatsapp_account_sid}
    url = env.public_url + path()
    good = signature(token, url, params)
    other = {"AccountSid": "AC" + "f" * 32}
    return [
        ("no signature", None, params),
        ("an empty one", "", params),
        ("another address", signature(token, env.public_url + path("x"), params), params),
        ("https for http", signature(token, url.replace("http:", "https:"), params), params),
        ("another token", signature("0" * 32, url, params), params),
        ("an empty token", signature("", url, params), params),
        ("lower case", good.lower(), params),
        ("no base64", "ключ".encode().decode("latin-1"), params),
        ("a parameter more", good, {**params, "MessageStatus": "read"}),
        ("another account", signature(token, url, other), other),
        ("no account", signature(token, url, {}), {}),
    ]


def test_what_twilio_did_not_sign_for_us_is_a_403_without_a_word_why(
    sqlite_api: Client, sqlite_db: Database
) -> None:
    answers = []
    for what, signed, params in forged():
        headers = {"Content-Type": FORM}
        if signed is not None:
            headers["X-Twilio-Signature"] = signed.encode("latin-1")  # type: ignore[assignment]
        answer = sqlite_api.post(path(), content=urlencode(params).encode(), headers=headers)
        assert answer.status_code == 403, what
        answers.append(answer.json())
    assert all(answer == answers[0] for answer in answers)
    assert kept(sqlite_db) == []


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff\xfe\x00",
        b"a=%ff&b=%00",
        b"&".join(b"p%d=x" % n for n in range(1000)),
        b"=&=&;",
        b"MessageSid=" + b"%" * 1000,
    ],
)
def test_no_bytes_are_a_500(api: Client, content: bytes) -> None:
    assert post(api, path(), content, "x").status_code == 403
    url = settings().public_url + path()
    for params in ({}, {"AccountSid": settings().whatsapp_account_sid}):
        signed = signature(settings().whatsapp_auth_token, url, params)
        assert post(api, path(), content, signed).status_code in {204, 403}


@pytest.mark.parametrize("content_type", ["application/json", "multipart/form-data", "text/plain"])
def test_a_body_of_another_type_is_a_415(sqlite_api: Client, content_type: str) -> None:
    assert post(sqlite_api, path(), b"{}", "x", content_type).status_code == 415


def test_a_body_over_64_kb_is_a_413(sqlite_api: Client) -> None:
    assert post(sqlite_api, path(), b"a=" + b"x" * 70_000, "x").status_code == 413


def test_behind_a_proxy_the_signature_is_of_the_public_address(
    sqlite_db: Database, configure: Configure
) -> None:
    configure(PUBLIC_URL="https://shop.example.com")
    with TestClient(create_app(), base_url="http://shop.example.com:3000") as client:
        assert call(client).status_code == 204


def test_a_database_that_is_away_is_a_503_so_that_twilio_comes_again(
    sqlite_api: Client, configure: Configure
) -> None:
    configure(DATABASE_URL="postgresql://postgres@127.0.0.1:1/none")
    answer = call(sqlite_api)
    assert answer.status_code == 503
    assert answer.headers["Content-Type"] == "application/problem+json"


def test_the_attempts_id_reaches_the_receipt_in_its_usual_form(
    sqlite_api: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[object, ...]] = []
    monkeypatch.setattr(receipts, "record", lambda _session, *values: seen.append(values))
    attempt_id = str(uuid.uuid4())
    assert call(sqlite_api, attempt_id.upper(), MessageStatus="Sent").status_code == 204
    assert seen == [(attempt_id, StatusReport(SID, "sent", to="+447700900123"))]
