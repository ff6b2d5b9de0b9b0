import base64
import hashlib
import hmac
import tomllib
from collections import Counter
from pathlib import Path

import pytest
from litestar.datastructures import MultiDict
from twilio.request_validator import RequestValidator

from app.channel import Kind
from app.whatsapp import errors
from app.whatsapp.errors import explain
from app.whatsapp.signature import is_signed, parse_form

ROWS = tomllib.loads(Path(errors.__file__).with_name("error_codes.toml").read_text("utf-8"))
CODES = [code for row in ROWS["reason"] for code in row["codes"]]

EXPECTED = {
    Kind.TRANSIENT: "unreachable no_turn 30003 30005 30008 30410 30036 63009 63010 63011 63012 "
    "63023 63029",
    Kind.UNCERTAIN: "no_answer bad_answer",
    Kind.VERIFY: "20500 20503",
    Kind.RATE: "20429 21611 30001 63017 63018 63038",
    Kind.PERMANENT: "render_error 21211 21408 21610 21612 21614 21617 21656 30004 30007 30450 "
    "63003 63005 63006 63013 63014 63019 63021 63024 63025 63030 63031 63032 63033 63034 "
    "63049 63050",
    Kind.CONFIGURATION: "wrong_address template_variables 20001 20003 20005 30002 20404 21212 "
    "21603 21606 63002 63007 21609 21654 21655 63027 63028 21702 21703 21705 63001 63008 63020 "
    "63022 63015 63016 63026 63040 63041 63042 63051 63112 63062 11200 11205 11210 11237 12100 "
    "14107",
}


@pytest.mark.parametrize(
    ("code", "kind"), [(code, kind) for kind, codes in EXPECTED.items() for code in codes.split()]
)
def test_every_known_code_has_its_kind(code: str, kind: Kind) -> None:
    assert explain(code).kind is kind


def test_the_table_lists_exactly_the_known_codes_each_once() -> None:
    assert Counter(CODES) == Counter(" ".join(EXPECTED.values()).split())


@pytest.mark.parametrize("code", CODES)
def test_every_code_has_short_words_and_says_what_to_do(code: str) -> None:
    advice = explain(code)
    assert 5 < len(advice.words) <= 50
    assert not advice.words.endswith(".")
    assert 10 < len(advice.advice) <= 90
    assert advice.advice.endswith(".")


def test_a_code_may_be_a_number_or_a_string() -> None:
    assert explain(63016) == explain("63016") == explain(" 63016 ")


def test_an_unknown_code_of_a_refusal_is_permanent() -> None:
    advice = explain(21999)
    assert advice.kind is Kind.PERMANENT
    assert advice.words == "Rejected by Twilio (21999)"
    assert "Retry" in advice.advice
    assert not errors.is_known(21999)


def test_an_unknown_code_of_a_receipt_is_transient() -> None:
    advice = explain("64999", asynchronous=True)
    assert advice.kind is Kind.TRANSIENT
    assert advice.words == "Not delivered (64999)"


def test_a_receipt_without_a_code_is_transient() -> None:
    assert explain(None, asynchronous=True).kind is Kind.TRANSIENT
    assert explain(None).kind is Kind.PERMANENT


@pytest.mark.parametrize("code", [20500, 20503, "no_answer"])
def test_nothing_is_uncertain_once_twilio_reports_a_failed_delivery(code: int | str) -> None:
    assert explain(code).kind in {Kind.VERIFY, Kind.UNCERTAIN}
    assert explain(code, asynchronous=True).kind is Kind.TRANSIENT


@pytest.mark.parametrize("code", ["63016; DROP", "-1", "9" * 14, "x" * 10_000, "\x00\x1b[31m", ""])
def test_a_hostile_code_is_answered_with_a_short_printable_one(code: str) -> None:
    advice = explain(code, asynchronous=True)
    assert advice.kind is Kind.TRANSIENT
    assert len(advice.code) <= 32
    assert advice.code.isprintable()


def test_the_codes_of_customers_who_want_no_more_messages_say_so() -> None:
    assert {code for code in CODES if explain(code).opted_out} == {"21610", "63014"}


def test_limits_of_whatsapp_and_of_the_account_say_how_long_sending_waits() -> None:
    pauses = {code: explain(code) for code in CODES if explain(code).kind is Kind.RATE}
    daily = {code for code, advice in pauses.items() if advice.until_next_day}
    growing = {code for code, advice in pauses.items() if advice.pause_if_repeated == 86_400}
    assert (daily, growing) == ({"63038"}, {"63017", "63018"})
    assert {pauses[code].pause for code in growing} == {900}


@pytest.mark.parametrize(
    ("code", "expected"),
    [("20003", False), ("21655", False), ("wrong_address", False), ("no code", False),
     ("30002", True), ("63016", True)],
)  # fmt: skip
def test_a_code_says_whether_it_comes_after_twilio_has_accepted_a_message(
    code: str, expected: bool
) -> None:
    assert explain(code).comes_later is expected


# --- the signature of webhooks ---

TOKEN = "12345678901234567890123456789012"
PUBLIC_URL = "https://shop.example.com"
PATH = b"/webhooks/twilio/status/4be0643f-1d98-573b-97cd-ca98a65347dd"
BODY = b"MessageSid=SM1&MessageStatus=delivered"


def signed_headers(body: bytes = BODY, url: str = PUBLIC_URL, token: str = TOKEN) -> dict[str, str]:
    form = parse_form(body)
    signature = RequestValidator(token).compute_signature(url + PATH.decode(), form)
    return {"x-twilio-signature": signature}


def check(
    headers: dict[str, str],
    body: bytes = BODY,
    *,
    tokens: tuple[str, ...] = (TOKEN,),
    path: bytes = PATH,
    query: bytes = b"",
    is_form: bool = True,
) -> bool:
    return is_signed(
        tokens=tokens,
        public_url=PUBLIC_URL,
        raw_path=path,
        raw_query=query,
        form=parse_form(body) if is_form else None,
        body=body,
        headers=headers,
    )


@pytest.mark.parametrize(
    "body",
    [
        BODY,
        b"",
        b"Body=&MessageSid=SM1&ProfileName=",
        b"MediaUrl=a&MediaUrl=b&MediaUrl=a",
        b"Body=%F0%9F%92%88+see+you&From=whatsapp%3A%2B15550001111",
        "Body=💈".encode(),
        b"Body=1%2B1+%26+2%3B3%3D4&From=whatsapp:+1555",
        b"Body=++two+spaces++%00%0A%7B%22a%22%3A1%7D",
        b"Body=%ff%fe&MessageSid=SM1",
        b"Body=\xff\xfe",
        b"&&&=&=x&lonely",
    ],
)
def test_a_form_signed_by_twilio_is_accepted(body: bytes) -> None:
    assert check(signed_headers(body), body)


def test_the_parsed_form_keeps_repeated_and_blank_fields() -> None:
    form = parse_form(b"A=1&B=&A=%2B2&C=a+b")
    assert form == MultiDict([("A", "1"), ("B", ""), ("A", "+2"), ("C", "a b")])


def test_the_signature_is_hmac_sha1_of_the_url_and_the_sorted_fields() -> None:
    signed = f"{PUBLIC_URL}{PATH.decode()}MessageSidSM1MessageStatusdelivered"
    digest = hmac.new(TOKEN.encode(), signed.encode(), hashlib.sha1).digest()
    assert check({"x-twilio-signature": base64.b64encode(digest).decode()})


@pytest.mark.parametrize("headers", [{}, {"x-twilio-signature": ""}, {"x-twilio-signature": "é"}])
def test_a_missing_or_odd_signature_is_refused(headers: dict[str, str]) -> None:
    assert not check(headers)


@pytest.mark.parametrize(
    "headers",
    [
        signed_headers(url="http://shop.example.com"),
        signed_headers(url="https://evil.example.com"),
        signed_headers(token="another-token"),
        {"x-twilio-signature": signed_headers()["x-twilio-signature"].lower()},
        {**signed_headers(url="https://evil.example.com"), "host": "evil.example.com"},
        {**signed_headers(), "x-twilio-webhooks-signature-settings": "key=k,algorithm=MD5"},
    ],
)
def test_a_signature_for_something_else_is_refused(headers: dict[str, str]) -> None:
    assert not check(headers)


@pytest.mark.parametrize("body", [BODY + b"&Extra=1", BODY + b"&MessageSid=SM2", b""])
def test_a_form_changed_after_signing_is_refused(body: bytes) -> None:
    assert not check(signed_headers(), body)


def test_the_query_is_part_of_what_is_signed() -> None:
    url = f"{PUBLIC_URL}{PATH.decode()}?a=%20b"
    signature = RequestValidator(TOKEN).compute_signature(url, parse_form(BODY))
    assert check({"x-twilio-signature": signature}, query=b"a=%20b")
    assert not check({"x-twilio-signature": signature}, query=b"a=%20c")
    assert not check({"x-twilio-signature": signature})


def test_the_previous_token_is_accepted_during_a_rotation() -> None:
    assert check(signed_headers(token="previous"), tokens=("primary", "previous"))
    assert not check(signed_headers(token="previous"), tokens=("primary",))


@pytest.mark.parametrize("tokens", [(), ("",)])
def test_no_token_or_an_empty_one_accepts_nothing(tokens: tuple[str, ...]) -> None:
    assert not check(signed_headers(token=""), tokens=tokens)


def test_a_sha256_signature_is_accepted_when_its_header_says_so() -> None:
    url = PUBLIC_URL + PATH.decode()
    signature = RequestValidator(TOKEN).compute_signature(url, parse_form(BODY), "HMAC_SHA256")
    settings = {"x-twilio-webhooks-signature-settings": "key=webhooks_1,algorithm=HMAC_SHA256"}
    assert check({"x-twilio-signature": signature, **settings})
    assert not check({"x-twilio-signature": signature})


def json_headers(query: bytes) -> dict[str, str]:
    url = f"{PUBLIC_URL}{PATH.decode()}?{query.decode()}"
    return {"x-twilio-signature": RequestValidator(TOKEN).compute_signature(url, {})}


def test_a_json_body_is_accepted_only_with_its_own_hash_in_the_signed_query() -> None:
    body = '{"a": "💈"}'.encode()
    query = b"bodySHA256=" + hashlib.sha256(body).hexdigest().encode()
    assert check(json_headers(query), body, query=query, is_form=False)
    assert not check(json_headers(query), body + b" ", query=query, is_form=False)
    assert not check(json_headers(query), b"\xff", query=query, is_form=False)


@pytest.mark.parametrize("query", [b"", b"bodySHA256=", b"bodysha256=00", b"a=1"])
def test_a_json_body_without_its_hash_is_refused(query: bytes) -> None:
    assert not check(json_headers(query), b'{"a": 1}', query=query, is_form=False)


@pytest.mark.parametrize("path", [b"", b"//[", b":99999999/x", b"@evil/[::1", b"\xff\x00%zz"])
def test_an_unreadable_path_is_refused_without_an_exception(path: bytes) -> None:
    assert not check(signed_headers(), path=path)
