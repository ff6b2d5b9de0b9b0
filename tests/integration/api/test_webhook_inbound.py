"""The inbound webhook: signed by Twilio for us, or refused; never a 500.

The table is asked over real HTTP; it has a row for each bad or strange request that there may be.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import httpx
import pytest
from sqlalchemy import func, select
from twilio.request_validator import RequestValidator

from app.db import Database
from app.models.conversation import Reply
from app.models.customer import Customer
from app.settings import settings
from tests import factories
from tests.conftest import Configure
from tests.fake_twilio import FakeTwilio, inbound
from tests.support import lifecycle
from tests.support.lifecycle import HOME
from tests.support.running import RunningShop
from tests.support.valkey import Valkey
from tests.support.web import Client

PATH = "/webhooks/twilio/inbound"
FORM = "application/x-www-form-urlencoded"
EMPTY = '<?xml version="1.0" encoding="UTF-8"?><Response />'
HIDDEN = "whatsapp:US.13491208655302741918"

# --- the table ---


@dataclass(frozen=True)
class Row:
    """A request, and what it is answered. `fields` replace those of a good one that says CANCEL;
    `sign` makes its signature from the address and the fields, if it is not Twilio's own.

    `effect` is what the reply that is kept did; None: nothing is kept at all.
    """

    what: str
    http_status: int
    fields: dict[str, str]
    effect: str | None = None
    sign: Callable[[str, dict[str, str]], str | None] | None = None
    content_type: str = FORM
    query: str = ""

    @property
    def is_answered(self) -> bool:
        """What Twilio has answered itself is not answered twice."""
        is_done = self.effect in {"no_booking", "opted_out", "opted_in"}
        return is_done and "OptOutType" not in self.fields


def by(token: str) -> Callable[[str, dict[str, str]], str]:
    """Signed with this token, over another address or other fields than those that are sent."""
    return lambda url, fields: str(RequestValidator(token).compute_signature(url, fields))


TOKEN = FakeTwilio().auth_token
OURS = by(TOKEN)

TABLE = [
    Row("no signature", 403, {}, sign=lambda *_: None),
    Row("an empty signature", 403, {}, sign=lambda *_: ""),
    Row("no base64", 403, {}, sign=lambda *_: "%"),
    Row("another address", 403, {}, sign=lambda url, fields: OURS(url + "/", fields)),
    Row("https", 403, {}, sign=lambda url, f: OURS(url.replace("http:", "https:"), f)),
    Row("another token", 403, {}, sign=by("another")),
    Row("an empty token", 403, {}, sign=by("")),
    Row("in lower case", 403, {}, sign=lambda url, f: OURS(url, f).lower()),
    Row("a field added later", 403, {}, sign=lambda url, f: OURS(url, dict(list(f.items())[1:]))),
    Row("a body changed later", 403, {}, sign=lambda url, f: OURS(url, {**f, "Body": "Hello"})),
    Row("a query added later", 403, {}, query="?a=b", sign=lambda url, f: OURS(url[:-4], f)),
    Row("another account", 403, {"AccountSid": "AC" + "f" * 32}),
    Row("no account", 403, {"AccountSid": ""}),
    Row("another shop's number", 403, {"To": "whatsapp:+15550009999"}),
    Row("our number, but by SMS", 403, {"To": "+15550001111"}),
    Row("no To", 403, {"To": ""}),
    Row("no From", 400, {"From": ""}),
    Row("no SID", 400, {"MessageSid": ""}),
    Row("a SID that is none", 400, {"MessageSid": "SM'; DROP TABLE reply"}),
    Row("a SID that is too long", 400, {"MessageSid": "S" * 35}),
    Row("over 64 kB", 413, {"Body": "x" * 66_000}),
    Row("JSON", 415, {}, content_type="application/json"),
    Row("JSON with its hash", 415, {}, query="?bodySHA256=" + "0" * 64, content_type="text/json"),
    Row("multipart", 415, {}, content_type="multipart/form-data; boundary=x"),
    Row("no type", 415, {}, content_type=""),
    Row("from our own sender", 200, {"From": "whatsapp:+15550001111"}),
    Row("from an SMS", 200, {"From": HOME}),
    Row("from another channel", 200, {"From": "messenger:12345"}),
    Row("a query", 200, {}, "no_booking", query="?a=%20b&c"),
    Row("a charset", 200, {}, "no_booking", content_type=f"{FORM}; charset=UTF-8"),
    Row("fields we do not know", 200, {f"N{n}": "💈+&=;" for n in range(900)}, "no_booking"),
    Row("blanks and no values", 200, {" ": " ", "": "", "A": "\t"}, "no_booking"),
    Row("nobody's number", 200, {"From": HIDDEN, "WaId": ""}, "for_staff"),
    Row("an empty address", 200, {"From": "whatsapp:", "WaId": ""}, "for_staff"),
    Row("a NUL in the address", 200, {"From": "whatsapp:\x00\n", "WaId": ""}, "for_staff"),
    Row("a very long address", 200, {"From": "whatsapp:" + "x" * 9000, "WaId": ""}, "for_staff"),
    Row("a cancel of no booking", 200, {"Body": "Cancel."}, "no_booking"),
    Row("don't cancel", 200, {"Body": "Don't cancel"}, "for_staff"),
    Row("cancel culture", 200, {"Body": "cancel culture"}, "for_staff"),
    Row("ca ncel", 200, {"Body": "ca ncel"}, "for_staff"),
    Row("a picture alone", 200, {"Body": "", "NumMedia": "1"}, "for_staff"),
    Row("no body at all", 200, {"Body": ""}, "for_staff"),
    Row("a long text", 200, {"Body": "cancel " * 228}, "for_staff"),
    Row("half an emoji and a NUL", 200, {"Body": "CANCEL\x00\ufffd"}, "no_booking"),
    Row("TwiML", 200, {"Body": "<Response><Redirect>http://evil</Redirect>"}, "for_staff"),
    Row("the end of CDATA", 200, {"Body": "]]>"}, "for_staff"),
    Row("STOP", 200, {"Body": "STOP"}, "opted_out"),
    Row("START", 200, {"Body": "START"}, "opted_in"),
    Row("STOP that Twilio took", 200, {"Body": "x", "OptOutType": "STOP"}, "opted_out"),
    Row("START that Twilio took", 200, {"Body": "x", "OptOutType": "START"}, "opted_in"),
    Row("HELP that Twilio took", 200, {"Body": "help", "OptOutType": "HELP"}, "noted"),
    Row("a payload that is not ours", 200, {"ButtonPayload": "cancel:\x00:ключ"}, "no_booking"),
    Row("a quoted SID that is none", 200, {"OriginalRepliedMessageSid": "%"}, "no_booking"),
    Row("a name that is no name", 200, {"ProfileName": "\x00\u202e" * 999}, "no_booking"),
    Row("too many pictures", 200, {"NumMedia": "9" * 400}, "no_booking"),
    Row("minus one picture", 200, {"NumMedia": "-1"}, "no_booking"),
    Row("pictures in Arabic digits", 200, {"NumMedia": "٣"}, "no_booking"),
]


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningShop]:
    folder = tmp_path_factory.mktemp("inbound")
    valkey = Valkey(folder / "valkey")
    valkey.start()
    with FakeTwilio() as twilio, RunningShop(folder, twilio, valkey, with_worker=False) as shop:
        yield shop
    valkey.stop()


@pytest.mark.parametrize("row", TABLE, ids=lambda row: row.what)
def test_each_request_gets_its_answer_and_leaves_what_it_should(
    running: RunningShop, row: Row
) -> None:
    fields = {**inbound.message(FakeTwilio(), HOME, "CANCEL"), **row.fields}
    url = running.environment["PUBLIC_URL"] + PATH + row.query
    signature = (row.sign or OURS)(url, fields)
    headers = {"Content-Type": row.content_type} if row.content_type else {}
    if signature is not None:
        headers["X-Twilio-Signature"] = signature
    before = effects(running)

    answer = httpx.post(url, content=urlencode(fields).encode(), headers=headers)

    assert answer.status_code == row.http_status
    assert effects(running)[len(before) :] == ([row.effect] if row.effect else [])
    if row.http_status == 200:
        is_answered = (
            row.effect in {"no_booking", "opted_out", "opted_in"} and "OptOutType" not in row.fields
        )
        assert len(inbound.spoken(answer)) == is_answered
        assert answer.headers["Content-Type"].startswith("text/xml")
    else:
        assert answer.headers["Content-Type"] == "application/problem+json"


def effects(running: RunningShop) -> list[str]:
    """What the replies did that are kept, oldest first."""
    return [effect for (effect,) in running.sql("SELECT effect FROM reply ORDER BY rowid")]


# --- what is right, on both databases ---


class _Account:
    """Ours, as the settings have it."""

    def __init__(self) -> None:
        env = settings()
        self.account_sid = env.whatsapp_account_sid
        self.auth_token = env.whatsapp_auth_token
        self.sender = env.whatsapp_from_number


def message(body: str = "CANCEL", **fields: str) -> dict[str, str]:
    return inbound.message(_Account(), HOME, body, **fields)


def signed(params: dict[str, str], url: str | None = None, token: str | None = None) -> str:
    """As Twilio signs it for the address that it was given."""
    validator = RequestValidator(settings().whatsapp_auth_token if token is None else token)
    return str(validator.compute_signature(url or settings().public_url + PATH, params))


def post(
    api: Client, params: dict[str, str], signature: str | None = "", **headers: str
) -> httpx.Response:
    """POST a form; with its own signature if none is said, and with none at all for None."""
    given = {"Content-Type": FORM, **headers}
    if signature is not None:
        given["X-Twilio-Signature"] = signature or signed(params)
    return api.post(PATH, content=urlencode(params).encode(), headers=given)


def count(db: Database, table: Any) -> int:
    with db.read() as session:
        return session.scalar(select(func.count()).select_from(table)) or 0


@pytest.fixture
def booking(api: Client, shop: Database) -> str:
    return lifecycle.book(shop)


def status(db: Database, booking_id: str) -> str:
    return lifecycle.booking(db, booking_id).status


def test_a_cancel_is_answered_by_twiml_that_says_it(
    api: Client, shop: Database, booking: str
) -> None:
    answer = post(api, message())
    assert answer.status_code == 200
    assert answer.headers["Content-Type"].startswith("text/xml")
    [text] = inbound.spoken(answer)
    assert "is cancelled" in text
    assert status(shop, booking) == "cancelled"


def test_a_repeated_delivery_gets_the_same_bytes(api: Client, shop: Database, booking: str) -> None:
    params = message()
    answers = [post(api, params) for _ in range(3)]
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.content for answer in answers}) == 1
    assert count(shop, Reply) == 1


def test_what_is_not_answered_is_an_empty_response(api: Client, shop: Database) -> None:
    answer = post(api, message("Don't cancel"))
    assert (answer.status_code, answer.text) == (200, EMPTY)
    assert count(shop, Reply) == 1


def test_all_that_twilio_tells_is_kept(api: Client, shop: Database, booking: str) -> None:
    params = message(
        "Like this?",
        NumMedia="2",
        ProfileName="Ana & Bea",
        ButtonPayload="hello",
        OriginalRepliedMessageSid="SM" + "1" * 32,
    )
    post(api, params)
    with shop.read() as session:
        kept = session.get_one(Reply, params["MessageSid"])
    assert (kept.sender, kept.body, kept.media) == (HOME, "Like this?", 2)
    assert (kept.profile_name, kept.button_payload) == ("Ana & Bea", "hello")
    assert (kept.replied_to, kept.booking_id) == ("SM" + "1" * 32, booking)


def test_an_opt_out_that_twilio_handled_is_noted(api: Client, shop: Database) -> None:
    assert inbound.spoken(post(api, message("stop", OptOutType="STOP"))) == []
    with shop.read() as session:
        assert session.get_one(Customer, HOME).opted_out_how == "twilio"


def test_a_place_that_is_shared_reads_as_one(sqlite_api: Client, sqlite_db: Database) -> None:
    params = message("", Latitude="52.52", Longitude="13.405")
    post(sqlite_api, params)
    with sqlite_db.read() as session:
        assert session.get_one(Reply, params["MessageSid"]).body == "52.52, 13.405"


# --- what a request cannot do ---


@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "DELETE"])
def test_only_a_post_is_taken(sqlite_api: Client, method: str) -> None:
    assert sqlite_api.request(method, PATH).status_code == 405


def test_what_is_signed_is_the_public_address_whatever_the_request_says(
    sqlite_api: Client, configure: Configure
) -> None:
    configure(PUBLIC_URL="https://shop.example.com")
    forged = {"Host": "testserver", "X-Forwarded-Host": "evil.example"}
    assert post(sqlite_api, message(), **forged).status_code == 200
    params = message()
    for address in ("https://evil.example", "https://testserver"):
        other = signed(params, address + PATH)
        assert post(sqlite_api, params, other, **forged).status_code == 403


def test_what_they_write_is_never_in_the_answer(sqlite_api: Client, sqlite_db: Database) -> None:
    with sqlite_db.write() as session:
        factories.shop(session, name="]]></Message><Redirect/> & Söhne")
    answer = post(sqlite_api, message("CANCEL\x00 ", ProfileName="</Message>Xaver"))
    [text] = inbound.spoken(answer)
    assert text.startswith("We found no upcoming appointment at ]]></Message><Redirect/> & Söhne")
    assert "Xaver" not in answer.text


def test_a_picture_is_counted_and_never_fetched(
    sqlite_api: Client, sqlite_db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("socket.socket.connect", lambda *_: pytest.fail("a connection was opened"))
    params = message("", NumMedia="1", MediaUrl0="http://169.254.169.254/", MediaContentType0="x")
    assert post(sqlite_api, params).text == EMPTY
    with sqlite_db.read() as session:
        kept = session.get_one(Reply, params["MessageSid"])
    assert (kept.media, kept.needs_attention) == (1, True)


NASTY = ["\x00", "\ufffd\ud7ff\U0010ffff", "x" * 10_000, "\u202eabc", " ", "'", "\x1b[0m"]


def test_no_value_of_a_field_is_a_500(api: Client) -> None:
    for field in ("Body", "ProfileName", "ButtonPayload", "From", "OptOutType", "NumMedia"):
        for value in NASTY:
            changed = {field: f"whatsapp:{value}" if field == "From" else value}
            assert post(api, message(**changed)).status_code == 200, changed


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff\xfe\x00",
        b"Body=%ff%00&From=%ed%a0%80&MessageSid=SM1",
        b"&".join(b"p%d=x" % number for number in range(1000)),
        b"=&=&;",
        b"MessageSid=" + b"%" * 1000,
    ],
)
def test_no_bytes_are_a_500(sqlite_api: Client, content: bytes) -> None:
    for signature in ("x", signed({})):
        headers = {"Content-Type": FORM, "X-Twilio-Signature": signature}
        assert sqlite_api.post(PATH, content=content, headers=headers).status_code == 403


def test_a_database_that_is_away_is_a_503_so_that_twilio_comes_again(
    sqlite_api: Client, configure: Configure
) -> None:
    configure(DATABASE_URL="postgresql://postgres@127.0.0.1:1/none")
    answer = post(sqlite_api, message())
    assert answer.status_code == 503
    assert answer.headers["Content-Type"] == "application/problem+json"


def test_no_name_number_or_word_of_theirs_is_in_the_log(
    sqlite_api: Client, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    params = message("My secret", ProfileName="Xaver")
    post(sqlite_api, params)
    post(sqlite_api, params, "x")
    ours = "".join(record.getMessage() for record in caplog.records if "app" in record.name)
    assert "not signed" in ours
    for part in (HOME, HOME[1:], "My secret", "Xaver", settings().whatsapp_auth_token):
        assert part not in ours
