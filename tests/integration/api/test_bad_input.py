"""What a client may get wrong: each answer is 4xx, names the field, and leaves nothing behind."""

import json
from typing import Any

import pytest

from app.db import Database
from app.models.plan import Plan
from app.models.staff import IdempotencyKey
from tests.integration.api.test_bookings import count
from tests.integration.conftest import Client, body

JSON = {"Content-Type": "application/json"}

WRONG_VALUES: dict[str, list[Any]] = {
    "customerPhone": [
        "",
        "1234567890",
        "+0123",
        "+1",
        "whatsapp:+442079460958",
        "+٤٤٢٠٧٩٤٦٠٩٥٨",
        "+1;DROP",
        "+1 800 FLOWERS",
        "+" + "1" * 40,
        "+44207946\x00",
        "\ud800",
        "not a phone",
        442079460958,
        None,
    ],
    "scheduledTime": [
        "2026-11-23T10:00:00",
        "2026-03-29T01:30:00",
        "2024-13-01",
        "2026-11-23T10:00:00+25:00",
        "2026-11-22T23:59:59Z",
        "2026-11-23T00:00:00Z",
        "0001-01-01T00:00:00+14:00",
        "9999-12-31T23:59:59-14:00",
        "2027-12-28T00:00:01Z",
        "tomorrow",
        1795428000,
        None,
    ],
    "customerName": ["", " ", "\u200b", "x" * 101, "x" * 5000, "A\x00na", "A\nna", "\ud800", 7, []],
    "customerEmail": ["a@b", "x" * 300, '"x\r\nBcc:"@a.b', "ana@", "\ud800@example.com", 7],
    "serviceId": ["", "massage", "hair\x00cut", "x" * 200, "\ud800", 1],
    "barberId": ["", "barber_9", "' OR 1=1 --", "\ud800", None],
    "allowOverlap": ["yes", 1, None],
}


def problem(answer: Any) -> dict[str, Any]:
    """The answer's problem, after a look at its form."""
    assert answer.headers["Content-Type"] == "application/problem+json"
    read: dict[str, Any] = answer.json()
    assert set(read) >= {"type", "title", "status", "detail", "errors"}
    assert read["status"] == answer.status_code
    return read


def fields(answer: Any) -> set[str]:
    return {error["field"] for error in problem(answer)["errors"]}


@pytest.mark.parametrize("field", WRONG_VALUES)
def test_a_wrong_field_is_a_422_that_names_it_and_nothing_is_stored(
    api: Client, shop: Database, field: str
) -> None:
    for value in WRONG_VALUES[field]:
        content = json.dumps(body(**{field: value}))
        answer = api.post("/api/bookings", content=content, headers=JSON)
        assert answer.status_code == 422, ascii(value)
        assert fields(answer) == {field}, ascii(value)
    assert count(shop) == count(shop, Plan) == 0


@pytest.mark.parametrize(
    "field", ["customerName", "customerPhone", "serviceId", "barberId", "scheduledTime"]
)
def test_a_missing_field_is_named(sqlite_api: Client, field: str) -> None:
    assert fields(sqlite_api.post("/api/bookings", json=body(**{field: ...}))) == {field}


@pytest.mark.parametrize("field", ["id", "status", "customer_name", "shopId", "\ud800", "x" * 999])
def test_a_field_that_there_is_not_is_refused_by_name(sqlite_api: Client, field: str) -> None:
    content = json.dumps(body(**{field: "confirmed"}))
    for answer in (
        sqlite_api.post("/api/bookings", content=content, headers=JSON),
        sqlite_api.patch("/api/bookings/booking_1", content=content, headers=JSON),
    ):
        assert answer.status_code == 422
        (named,) = fields(answer)
        assert field.startswith(named) or named == "?"


def test_all_that_is_wrong_is_said_at_once(sqlite_api: Client) -> None:
    shape = body(customerName=1, scheduledTime="noon", barberId=..., nickname="A")
    assert fields(sqlite_api.post("/api/bookings", json=shape)) == {
        "customerName",
        "scheduledTime",
        "barberId",
        "nickname",
    }
    rules = body(customerName="", customerPhone="1", scheduledTime="2026-11-23T10:00:00")
    assert fields(sqlite_api.post("/api/bookings", json=rules)) == {
        "customerName",
        "customerPhone",
        "scheduledTime",
    }


def test_what_is_of_the_wrong_kind_or_missing_hides_nothing_that_is_against_a_rule(
    api: Client, shop: Database
) -> None:
    wrong = {"customerName": 1, "customerPhone": "1", "serviceId": "massage", "nickname": "A"}
    answer = api.post("/api/bookings", json=body(**wrong, scheduledTime=...))
    assert answer.status_code == 422
    assert fields(answer) == {*wrong, "scheduledTime"}
    booked = api.post("/api/bookings", json=body()).json()
    here = f"/api/bookings/{booked['id']}"
    changed = api.patch(here, json={**wrong, "scheduledTime": "2026-11-22T10:00:00Z"})
    assert changed.status_code == 422
    assert fields(changed) == {*wrong, "scheduledTime"}
    assert api.get(here).json() == booked


def test_a_thousand_wrong_fields_get_a_short_answer(sqlite_api: Client) -> None:
    answer = sqlite_api.post("/api/bookings", json={f"field{n}": n for n in range(1000)})
    assert answer.status_code == 422
    assert len(answer.json()["errors"]) == 20


def test_a_time_without_an_offset_is_told_what_is_missing(sqlite_api: Client) -> None:
    answer = sqlite_api.post("/api/bookings", json=body(scheduledTime="2026-11-23T18:00:00"))
    message = answer.json()["errors"][0]["message"]
    assert message == "This needs an offset, e.g. 2026-11-23T18:00:00Z."


def test_our_own_sender_cannot_be_a_customer(sqlite_api: Client) -> None:
    answer = sqlite_api.post("/api/bookings", json=body(customerPhone="+1 555 000 1111"))
    assert "own WhatsApp number" in answer.json()["errors"][0]["message"]


@pytest.mark.parametrize("content", [b"{", b"", b"\xff", b'{"a": 1}}', b"[" * 60_000, b"NaN,"])
def test_a_body_that_is_no_json_is_refused(sqlite_api: Client, content: bytes) -> None:
    for method, path in (("POST", "/api/bookings"), ("PATCH", "/api/bookings/booking_1")):
        answer = sqlite_api.request(method, path, content=content, headers=JSON)
        assert problem(answer)["status"] in {400, 422}


@pytest.mark.parametrize("content", [b"[]", b"null", b'"x"', b"7", b"NaN"])
def test_a_body_that_is_no_object_is_refused(sqlite_api: Client, content: bytes) -> None:
    answer = sqlite_api.post("/api/bookings", content=content, headers=JSON)
    assert (answer.status_code, fields(answer)) == (422, {"body"})


def test_a_field_that_is_there_twice_is_refused_by_name(sqlite_api: Client) -> None:
    content = json.dumps(body())[:-1] + ', "barberId": "barber_2"}'
    assert fields(sqlite_api.post("/api/bookings", content=content, headers=JSON)) == {"barberId"}


@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", None])
def test_a_body_of_another_type_is_a_415(sqlite_api: Client, content_type: str | None) -> None:
    headers = {"Content-Type": content_type} if content_type else {}
    content = json.dumps(body()).encode()
    answer = sqlite_api.post("/api/bookings", content=content, headers=headers)
    assert problem(answer)["status"] == 415


def test_the_type_may_name_its_charset(sqlite_api: Client) -> None:
    headers = {"Content-Type": "Application/JSON; charset=utf-8"}
    content = json.dumps(body()).encode()
    assert sqlite_api.post("/api/bookings", content=content, headers=headers).status_code == 201


def test_a_body_over_64_kb_is_a_413(sqlite_api: Client) -> None:
    answer = sqlite_api.post("/api/bookings", json=body(customerName="x" * 70_000))
    assert problem(answer)["status"] == 413


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("limit=0", "limit"),
        ("limit=-1", "limit"),
        ("limit=201", "limit"),
        ("limit=1000000000000000000000", "limit"),
        ("limit=ten", "limit"),
        ("cursor=garbage", "cursor"),
        ("cursor=", "cursor"),
        ("cursor=%F0%9F%92%88", "cursor"),
        ("cursor=MjAyNi0xMS0yM1QxMDowMDowMCBhJ2I", "cursor"),
        ("status=open", "status"),
        ("barberId=%00", "barberId"),
        ("from=2026-11-23T10:00:00", "from"),
        ("from=2026-11-23T10:00:00+01:00", "from"),  # a + that is not encoded is a space
        ("to=0001-01-01T00:00:00Z", "to"),
        ("to=9999-12-31T23:59:59-14:00", "to"),
        ("to=soon", "to"),
        ("from=1", "from"),  # a number is no time
        ("to=1795428000.5", "to"),
        ("barberId=barber_1&barberId=barber_2", "barberId"),  # one would silently win
        ("q=%ff", "q"),
        ("q=%00", "q"),
        ("q=" + "x" * 101, "q"),
        ("sort=;drop", "sort"),
        ("barber_id=barber_1", "barber_id"),
    ],
)
def test_a_wrong_filter_is_a_422_that_names_it(api: Client, query: str, field: str) -> None:
    answer = api.get(f"/api/bookings?{query}")
    assert answer.status_code == 422
    assert fields(answer) == {field}


@pytest.mark.parametrize("of", ["bookings", "customers", "messages"])
def test_a_time_of_no_usable_year_is_not_said_to_lack_an_offset(
    sqlite_api: Client, of: str
) -> None:
    answer = sqlite_api.get(f"/api/{of}?updatedSince=0001-01-01T00:00:00Z")
    assert answer.status_code == 422
    assert "a year from 2 to 9998" in answer.json()["errors"][0]["message"]


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("from=2026-11-23T00:00:00Z&to=2026-11-24T00:00:00Z", "serviceId"),
        ("serviceId=haircut&to=2026-11-24T00:00:00Z", "from"),
    ],
)
def test_a_parameter_that_is_missing_is_a_422_that_names_it(
    sqlite_api: Client, query: str, field: str
) -> None:
    answer = sqlite_api.get(f"/api/availability?{query}")
    assert answer.status_code == 422
    assert answer.json()["errors"] == [{"field": field, "message": "This is missing."}]


@pytest.mark.parametrize(
    ("method", "address", "wrong", "said"),
    [
        ("PUT", "hours", {"week": "x"}, "This must be an object with monday, tuesday,"),
        ("PUT", "hours", {"week": {"monday": "x"}}, "This must be a list."),
        ("POST", "webhooks", {"events": ["x"]}, "This must be one of booking.attended, "),
        ("POST", "services", {"colour": "beige"}, "This must be one of amber, blue,"),
        ("PATCH", "settings", {"remindAt": "x"}, "This must be a list or null."),
        ("PATCH", "settings", {"remindWithin": 1.5}, "This must be a whole number or null."),
    ],
)
def test_of_a_value_of_the_wrong_kind_is_said_what_would_be_right(
    sqlite_api: Client, method: str, address: str, wrong: dict[str, Any], said: str
) -> None:
    answer = sqlite_api.request(method, f"/api/{address}", json=wrong)
    assert answer.status_code == 422
    by_name = {each["field"]: each["message"] for each in answer.json()["errors"]}
    assert by_name[next(iter(wrong))].startswith(said)


@pytest.mark.parametrize("key", ["", "x" * 256, "two words", "ключ".encode(), "tab\tbed"])
def test_a_malformed_idempotency_key_is_a_422_that_names_it(
    api: Client, shop: Database, key: str | bytes
) -> None:
    answer = api.post("/api/bookings", json=body(), headers={"Idempotency-Key": key})
    assert answer.status_code == 422
    assert fields(answer) == {"Idempotency-Key"}
    assert count(shop) == count(shop, IdempotencyKey) == 0


@pytest.mark.parametrize("change", [{"customerName": None}, {"customerPhone": "+1"}, {"id": "x"}])
def test_a_wrong_change_changes_nothing(api: Client, change: dict[str, Any]) -> None:
    booking = api.post("/api/bookings", json=body()).json()
    path = f"/api/bookings/{booking['id']}"
    answer = api.patch(path, json={**change, "customerEmail": "new@example.com"})
    assert (answer.status_code, fields(answer)) == (422, set(change))
    assert api.get(path).json() == booking


@pytest.mark.parametrize("path", ["/api", "/api/nothing", "/webhooks/x", "/health/x"])
def test_an_unknown_address_is_a_404_problem(sqlite_api: Client, path: str) -> None:
    assert problem(sqlite_api.get(path))["status"] == 404


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("PUT", "/api/bookings"),
        ("TRACE", "/api/bookings"),
        ("BREW", "/health"),
        ("GET", "/webhooks/twilio/status/6f6f6f6f-6f6f-4f6f-8f6f-6f6f6f6f6f6f"),
    ],
)
def test_a_method_that_does_not_fit_is_a_405_that_says_which_do(
    sqlite_api: Client, method: str, path: str
) -> None:
    answer = sqlite_api.request(method, path)
    assert problem(answer)["status"] == 405
    assert answer.headers["Allow"]


def test_a_method_cannot_be_overridden(sqlite_api: Client) -> None:
    booking = sqlite_api.post("/api/bookings", json=body()).json()
    for name in ("X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override"):
        path = f"/api/bookings/{booking['id']}"
        assert sqlite_api.get(path, headers={name: "DELETE"}).json() == booking
    assert sqlite_api.get(f"{path}?_method=DELETE").status_code == 422
    assert sqlite_api.get(path).json() == booking


def test_no_answer_repeats_the_host_that_was_asked_for(sqlite_api: Client) -> None:
    headers = {"X-Forwarded-Host": "evil.example"}
    for answer in (
        sqlite_api.get("/nothing", headers={"Host": "evil.example"}),
        sqlite_api.post("/api/bookings", json=body(), headers=headers),
        sqlite_api.get("/api/bookings?limit=x", headers=headers),
        sqlite_api.get("/nothing", headers=headers),
        sqlite_api.get("/schema/openapi.json", headers=headers),
    ):
        assert "evil" not in answer.text + str(answer.headers)


def test_all_that_is_wrong_is_said_at_once_what_does_not_exist_included(sqlite_api: Client) -> None:
    answer = sqlite_api.post(
        "/api/bookings",
        json=body(customerPhone="12", serviceId="nope", barberId="nobody", customerName=""),
    )
    assert fields(answer) == {"customerPhone", "serviceId", "barberId", "customerName"}


@pytest.mark.parametrize("method", ["POST", "PATCH"])
def test_a_body_that_is_missing_is_asked_for(sqlite_api: Client, method: str) -> None:
    path = "/api/bookings" if method == "POST" else "/api/bookings/booking_1"
    answer = sqlite_api.request(method, path)
    assert problem(answer)["errors"] == [
        {"field": "body", "message": "This is missing: a JSON object is needed."}
    ]
