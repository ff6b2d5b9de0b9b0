"""Whatever bytes come in, the answer is never a 5xx; of what is no text, it is a 4xx.

Each route gets them in its path, its query, its form or its JSON, and in headers: in all fields
that there are at once. `make fuzz` also takes those that the route may read one at a time.
"""

import itertools
import json
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from argon2 import PasswordHasher
from sqlalchemy import update

from app.api import field_words
from app.asgi import create_app
from app.db import Database
from app.models.staff import ApiToken, User
from app.settings import settings
from app.staff import guards, sessions
from tests import factories
from tests.integration.conftest import SECRET, body
from tests.support import fuzz
from tests.support.fuzz import NO_TEXT, STRANGE, Caller, Target
from tests.support.staff import add_user
from tests.support.valkey import Valkey

FORM = b"application/x-www-form-urlencoded"
IN_HEADERS = (b"\xff", "💈".encode(), b"http://[", b"9" * 400)
ALL = NO_TEXT | STRANGE
RIGHT = {
    "phone": b"+447700900123",
    "name": b"Ana",
    "email": b"ana@example.com",
    "service": b"haircut",
    "barber": b"barber_1",
    "day": b"2026-11-23",
    "time": b"10:00",
    "at": b"2026-11-23T10:00:00Z",
    "minutes": b"30",
    "role": b"staff",
    "text": b"Until {timeUntil}",
}
"""What most forms take, so that one wrong field is looked at by itself."""
PARTS = 4
"""Of the routes, so that what takes long keeps all cores busy."""


class Fuzzer:
    """Calls routes as somebody who may: a fresh owner's session, a token, Twilio's signature."""

    def __init__(self, caller: Caller, db: Database, values: dict[str, str]) -> None:
        self.caller, self.db = caller, db
        self.targets = list(fuzz.targets(caller.app, values))
        self.owner = add_user(db, password_hash=PasswordHasher().hash("none of these"))

    def as_who_may(self, target: Target, fields: dict[str, bytes]) -> dict[str, bytes]:
        if target.access in guards.SCOPES:
            return {"Authorization": f"Bearer {SECRET}".encode()}
        if target.access == "signed":
            return fuzz.signed(target, fields)
        with self.db.write() as session:
            owner = session.get_one(User, self.owner.id)
            owner.disabled_at, owner.role = None, "owner"
            secret = sessions.start(session, owner)
        return {"Cookie": f"chairtime={secret}".encode(), "Sec-Fetch-Site": b"same-origin"}

    def fields(self, target: Target, fields: dict[str, bytes]) -> fuzz.Answer:
        """With these fields as a form; of a GET, as its query."""
        encoded, who = fuzz.encoded(fields), self.as_who_may(target, fields)
        if target.method == "GET":
            return self.caller.call("GET", target.address(), encoded, headers=who)
        who["Content-Type"] = FORM
        return self.caller.call(target.method, target.address(), body=encoded, headers=who)


@pytest.fixture
def fuzzer(shop: Database, valkey: Valkey) -> Iterator[Fuzzer]:
    """On a shop with a booking that has a failed reminder."""
    with shop.write() as session:
        session.execute(update(ApiToken).values(scope="manage"))
        booking = factories.booking(session)
        failed = factories.message(session, booking, "failed")
        reply = factories.reply(session, booking)
        values = {
            "booking_id": booking.id,
            "job_id": failed.id,
            "sid": reply.sid,
            "digits": booking.customer_phone[1:],
            "item_id": "haircut",
            "kind": "reminder",
            "barber_id": "barber_1",
            "account_sid": settings().whatsapp_account_sid,
            "file_path": "css/base.css",
        }
    with Caller(create_app()) as caller:
        yield Fuzzer(caller, shop, values)


def check(said: str, answer: fuzz.Answer, *, is_text: bool) -> None:
    assert answer.status < 500, f"{said}: {answer.status} {answer.body[:300]!r}"
    assert is_text or answer.status >= 400, f"{said}: {answer.status}"


@pytest.mark.parametrize("strange", [3, pytest.param(len(STRANGE), marks=pytest.mark.fuzz)])
def test_strange_bytes_in_a_path_are_a_4xx(fuzzer: Fuzzer, strange: int) -> None:
    with_names = [target for target in fuzzer.targets if target.values]
    assert len(with_names) > 20
    turns = itertools.cycle(STRANGE)
    for target in with_names:
        who = fuzzer.as_who_may(target, {})
        whats = [*NO_TEXT, *itertools.islice(turns, strange)]
        for name, what in itertools.product(target.values, whats):
            address = target.address(**{name: ALL[what]})
            answer = fuzzer.caller.call(target.method, address, headers=who)
            said = f"{target.method} {target.path} {name}={what}"
            check(said, answer, is_text=what in STRANGE)


def is_read(target: Target) -> bool:
    """Every query is; a form is where the handler asks for it, and the simulator plays Twilio."""
    takes_form = "form" in target.handler.parsed_fn_signature.parameters
    return target.method == "GET" or (takes_form and target.access != "simulator")


def test_strange_bytes_in_all_fields_of_a_query_or_a_form_at_once(fuzzer: Fuzzer) -> None:
    names = fuzz.field_names()
    assert {"q", "from", "barberId", "customer_phone", "phone", "password", "was_at"} <= set(names)
    strange = itertools.cycle(STRANGE)
    for target in fuzzer.targets:
        for what in ("NUL", next(strange)):
            answer = fuzzer.fields(target, dict.fromkeys(names, ALL[what]))
            is_text = what in STRANGE or not is_read(target)
            check(f"{target.method} {target.path}: {what}", answer, is_text=is_text)


def test_fields_are_found_near_their_routes(fuzzer: Fuzzer) -> None:
    names = {name for target in fuzzer.targets for name in fuzz.names_near(target)}
    assert {"q", "cursor", "phone", "day", "time", "Body", "text"} <= names


@pytest.mark.fuzz
@pytest.mark.parametrize("part", range(PARTS))
def test_strange_bytes_in_each_field_alone(fuzzer: Fuzzer, part: int) -> None:
    targets = fuzzer.targets[part::PARTS]
    for target, name in ((each, name) for each in targets for name in fuzz.names_near(each)):
        for what, value in ALL.items():
            fields = {name: value} if target.method == "GET" else {**RIGHT, name: value}
            answer = fuzzer.fields(target, fields)
            is_text = what in STRANGE or not is_read(target)
            check(f"{name} of {target.method} {target.path}: {what}", answer, is_text=is_text)


@pytest.mark.fuzz
@pytest.mark.parametrize("part", range(PARTS))
def test_every_strange_value_in_all_fields_at_once(fuzzer: Fuzzer, part: int) -> None:
    for target, (what, value) in itertools.product(fuzzer.targets[part::PARTS], ALL.items()):
        answer = fuzzer.fields(target, dict.fromkeys(fuzz.field_names(), value))
        is_text = what in STRANGE or not is_read(target)
        check(f"{target.method} {target.path}: {what}", answer, is_text=is_text)


@pytest.mark.fuzz
@pytest.mark.parametrize("part", range(PARTS))
def test_strange_bytes_in_every_header_of_every_route(fuzzer: Fuzzer, part: int) -> None:
    values = itertools.cycle(ALL.values())
    for target, name in itertools.product(fuzzer.targets[part::PARTS], fuzz.HEADERS):
        who = fuzzer.as_who_may(target, {})
        for value in itertools.islice(values, 5):  # the next route gets others there
            _check_header(fuzzer, target, who, name, value)


NO_JSON_TEXT: list[Any] = [each.decode("utf-8", "surrogateescape") for each in NO_TEXT.values()]
NO_JSON_TEXT += ["\ud800", ["\x00"], {"\ud800": 1}]
STRANGE_JSON: list[Any] = [each.decode() for each in STRANGE.values()]
STRANGE_JSON += [10**400, -(2**63) - 1, 1e308, [[]] * 50]


@pytest.mark.parametrize("strange", [3, pytest.param(len(STRANGE_JSON), marks=pytest.mark.fuzz)])
def test_strange_values_in_each_field_of_a_json_body(fuzzer: Fuzzer, strange: int) -> None:
    who = {"Authorization": f"Bearer {SECRET}".encode(), "Content-Type": b"application/json"}
    with_body = [
        each for each in fuzzer.targets if "data" in each.handler.parsed_fn_signature.parameters
    ]
    assert len(with_body) > 12
    turns = itertools.cycle(STRANGE_JSON)
    for target in with_body:
        right = _example(target.handler.dto.model_type)
        for name in right:
            for value in [*NO_JSON_TEXT, *itertools.islice(turns, strange)]:
                content = json.dumps({**right, name: value}).encode()
                answer = fuzzer.caller.call(
                    target.method, target.address(), body=content, headers=who
                )
                said = f"{name} of {target.method} {target.path}: {value!a}"
                check(said, answer, is_text=value in STRANGE_JSON)


def _example(shape: Any) -> dict[str, Any]:
    """A body of that shape, of the examples that its fields have."""
    names = [each.encode_name for each in msgspec.structs.fields(shape)]
    found = {
        name: field_words.of(shape.__name__, name).get("examples", [None])[0] for name in names
    }
    return {**found, **{name: value for name, value in body().items() if name in found}}


@pytest.mark.parametrize("path", ["/look", "/api/bookings", "/live"])
def test_strange_bytes_in_headers(fuzzer: Fuzzer, path: str) -> None:
    for target in (each for each in fuzzer.targets if each.path == path):
        who = fuzzer.as_who_may(target, {})
        for name, value in itertools.product(fuzz.HEADERS, IN_HEADERS):
            _check_header(fuzzer, target, who, name, value)


def _check_header(
    fuzzer: Fuzzer, target: Target, who: dict[str, bytes], name: str, value: bytes
) -> None:
    headers = who | {name: _in_cookie(value) if name == "Cookie" else value}
    answer = fuzzer.caller.call(target.method, target.address(), headers=headers)
    check(f"{target.method} {target.path} {name}: {value!r}", answer, is_text=True)


def test_what_anybody_could_send_to_get_a_500(fuzzer: Fuzzer) -> None:
    call = fuzzer.caller.call
    theme = next(each for each in fuzzer.targets if each.path == "/look")
    who = fuzzer.as_who_may(theme, {})
    form = who | {"Content-Type": FORM}
    assert call("POST", b"/bookings/x%00/move", headers=form).status == 404
    assert call("POST", b"/bookings/preview", body=b"id=a%00", headers=form).status == 422
    assert call("GET", b"/static/" + b"x" * 300).status == 404
    assert call("POST", b"/look", headers=who | {"Origin": b"\xe9"}).status == 403
    no_boundary = who | {"Content-Type": b"multipart/form-data"}
    answer = call("POST", b"/look", body=b"x", headers=no_boundary)
    assert answer.status == 400
    assert b"boundary" in answer.body


@pytest.mark.parametrize("db", ["postgres"], indirect=True)  # what is read is the same on both
def test_a_head_is_a_get_without_its_body(fuzzer: Fuzzer) -> None:
    for target in fuzzer.targets:
        if target.method == "GET" and target.access != "simulator":
            who = fuzzer.as_who_may(target, {})
            head = fuzzer.caller.call("HEAD", target.address(), headers=who)
            assert head.body == b"", target.path
            if target.path != "/live":
                got = fuzzer.caller.call("GET", target.address(), headers=who)
                assert head.status == got.status, target.path
                assert head.headers["content-type"] == got.headers["content-type"], target.path


def _in_cookie(value: bytes) -> bytes:
    names = ("chairtime", "chairtime-toast", "chairtime-theme", "")
    return b"; ".join(name.encode() + b"=" + value for name in names)
