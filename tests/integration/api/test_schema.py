"""The API's description: complete, with examples, and shown by a page that is all our own."""

import json
import re
from pathlib import Path
from typing import Any

import jsonschema
import msgspec
import pytest
import yaml

from app.api.event_examples import EXAMPLES
from app.outbox import TYPES
from app.web.field_names import camel, in_words
from tests.integration.conftest import Client

VENDOR = Path(__file__).parents[3] / "static" / "vendor"


def example_of(type: str) -> dict[str, Any]:
    data = EXAMPLES[type]  # type: ignore[index]
    return {"type": type, "timestamp": "2030-01-15T10:00:01Z", "data": data}


@pytest.fixture
def schema(sqlite_api: Client) -> dict[str, Any]:
    answer = sqlite_api.get("/schema/openapi.json")
    assert answer.status_code == 200
    return msgspec.json.decode(answer.content)  # type: ignore[no-any-return]


def test_every_call_is_described_and_nothing_else(schema: dict[str, Any]) -> None:
    booking = "/api/bookings/{booking_id}"
    calls = {(path, verb) for path, verbs in schema["paths"].items() for verb in verbs}
    assert calls == {
        ("/api/bookings", "get"),
        ("/api/bookings", "post"),
        (booking, "get"),
        (booking, "patch"),
        (booking, "delete"),
        (f"{booking}/attendance", "post"),
        (f"{booking}/conversation", "get"),
        (f"{booking}/conversation", "post"),
        (f"{booking}/messages", "get"),
        (f"{booking}/reminders", "get"),
        (f"{booking}/reminders/{{number}}/retry", "post"),
        ("/api/availability", "get"),
        *((path, verb) for path in ("/api/barbers", "/api/services") for verb in ("get", "post")),
        *(
            (f"/api/{kind}/{{item_id}}", verb)
            for kind in ("barbers", "services")
            for verb in ("get", "patch", "delete")
        ),
        ("/api/barbers/{barber_id}/absences", "get"),
        ("/api/barbers/{barber_id}/absences", "post"),
        ("/api/barbers/{barber_id}/absences/{absence_id}", "delete"),
        ("/api/closures", "get"),
        ("/api/closures", "post"),
        ("/api/closures/{closure_id}", "delete"),
        ("/api/customers", "get"),
        ("/api/customers/{customer_id}", "get"),
        ("/api/customers/{customer_id}", "patch"),
        ("/api/customers/{customer_id}/export", "get"),
        ("/api/hours", "get"),
        ("/api/hours", "put"),
        ("/api/messages", "get"),
        ("/api/messages/{job_id}", "get"),
        ("/api/messages/{job_id}/retry", "post"),
        ("/api/queue/stats", "get"),
        ("/api/settings", "get"),
        ("/api/settings", "patch"),
        ("/api/settings/preview", "post"),
        ("/api/tokens", "get"),
        ("/api/tokens", "post"),
        ("/api/tokens/{token_id}", "get"),
        ("/api/tokens/{token_id}", "delete"),
        *(
            (f"/api/waiting-list{path}", verb)
            for path, verbs in {
                "": ("get", "post"),
                "/{waiting_id}": ("get", "delete"),
                "/{waiting_id}/book": ("post",),
                "/{waiting_id}/reopen": ("post",),
            }.items()
            for verb in verbs
        ),
        *(
            (f"/api/webhooks{path}", verb)
            for path, verbs in {
                "": ("get", "post"),
                "/{webhook_id}": ("get", "patch", "delete"),
                "/{webhook_id}/secret": ("post",),
                "/{webhook_id}/example": ("post",),
                "/{webhook_id}/deliveries": ("get",),
                "/{webhook_id}/deliveries/{delivery_id}/resend": ("post",),
            }.items()
            for verb in verbs
        ),
        ("/health", "get"),
        ("/livez", "get"),
        ("/readyz", "get"),
    }


def test_every_error_is_described_as_a_problem(schema: dict[str, Any]) -> None:
    for path, verbs in schema["paths"].items():
        for verb, call in verbs.items():
            errors = {code: each for code, each in call["responses"].items() if code >= "400"}
            expected = {"/livez": set(), "/health": {"503"}, "/readyz": {"503"}}.get(
                path, {"500", "503"}
            )
            if path.startswith("/api"):
                assert call["security"] == [{"bearer": []}], (path, verb)
                expected |= {"401", "403", "422", "429"}
            assert expected <= errors.keys(), (path, verb)
            for code, error in errors.items():
                if path not in {"/health", "/readyz"}:
                    assert list(error["content"]) == ["application/problem+json"], (path, code)
    assert schema["components"]["securitySchemes"]["bearer"]["scheme"] == "bearer"


def test_the_answers_that_matter_are_told_apart(schema: dict[str, Any]) -> None:
    book = schema["paths"]["/api/bookings"]["post"]
    assert {"200", "201", "400", "409", "413", "415", "422"} <= book["responses"].keys()
    names = [parameter["name"] for parameter in book["parameters"]]
    assert names == ["Idempotency-Key"]
    body = book["requestBody"]["content"]["application/json"]["schema"]
    assert body == {"$ref": "#/components/schemas/NewBookingBody"}
    filters = [each["name"] for each in schema["paths"]["/api/bookings"]["get"]["parameters"]]
    named = {"status", "barberId", "serviceId", "from", "to", "updatedSince", "q", "sort"}
    assert set(filters) == named | {"limit", "cursor"}


def test_each_call_has_a_verb_for_a_name_and_each_tag_is_described(schema: dict[str, Any]) -> None:
    calls = [call for verbs in schema["paths"].values() for call in verbs.values()]
    ids = [call["operationId"] for call in calls]
    verbs = (
        "answer|book|cancel|change|create|delete|get|list|note|preview|renew|reopen|replace|resend"
        "|retry|revoke|send"
    )
    assert [each for each in ids if not re.fullmatch(rf"({verbs})([A-Z][a-z]+)+", each)] == []
    assert len(set(ids)) == len(ids)
    hooks = [hook["post"] for hook in schema["webhooks"].values()]
    tags = {tag for call in [*calls, *hooks] for tag in call["tags"]}
    assert {tag["name"] for tag in schema["tags"] if tag["description"]} == tags
    for call in calls:
        assert call["summary"], call["operationId"]
        for parameter in call.get("parameters", ()):
            assert parameter.get("description"), (call["operationId"], parameter["name"])


def test_each_field_has_words_and_an_example_that_is_right(schema: dict[str, Any]) -> None:
    without, wrong = [], []
    for name, shape in schema["components"]["schemas"].items():
        for field, given in shape.get("properties", {}).items():
            if not (given.get("description") or "$ref" in given):
                without.append((name, field))
            told = str(given)  # what refers to another struct has its examples there
            if not given.get("examples") and "$ref" not in told and "enum" not in given:
                without.append((name, field, "example"))
            of = {**given, "components": schema["components"]}
            right = jsonschema.Draft202012Validator(of)
            wrong += [(name, field, each) for each in given.get("examples", ())
                      if not right.is_valid(each)]  # fmt: skip
    assert (without, wrong) == ([], [])
    for type, hook in schema["webhooks"].items():
        body = hook["post"]["requestBody"]["content"]["application/json"]["schema"]
        whole = {**body, "components": schema["components"]}
        example = json.loads(msgspec.json.encode(example_of(type)))
        jsonschema.Draft202012Validator(whole).validate(example)


def test_a_body_says_that_it_takes_no_unknown_fields(schema: dict[str, Any]) -> None:
    components = schema["components"]["schemas"]
    checked = set()
    for verbs in schema["paths"].values():
        for call in verbs.values():
            for content in call.get("requestBody", {}).get("content", {}).values():
                name = content["schema"]["$ref"].rpartition("/")[2]
                assert components[name]["additionalProperties"] is False, name
                checked.add(name)
    assert len(checked) > 10
    assert "additionalProperties" not in components["BookingAnswer"], "an answer may have more"


def test_every_event_is_described_by_what_is_sent(schema: dict[str, Any]) -> None:
    assert set(schema["webhooks"]) == set(TYPES)
    components = schema["components"]["schemas"]
    for type, hook in schema["webhooks"].items():
        [(_, content)] = hook["post"]["requestBody"]["content"].items()
        [example] = content["schema"]["examples"]
        properties = content["schema"]["properties"]
        assert example.keys() == properties.keys()
        assert properties["type"] == {"const": type}
        # Not the example as it is shown: Litestar leaves out what is null.
        for name, given in msgspec.to_builtins(EXAMPLES[type]).items():
            described = properties["data"]["properties"][name]
            described = described.get("oneOf", [described])[0]
            if "$ref" in described:
                described = components[described["$ref"].rpartition("/")[2]]
            sometimes = described["properties"].keys() - set(described["required"])
            assert given.keys() == described["properties"].keys() - sometimes, (type, name)


def test_the_description_is_there_as_yaml_too(sqlite_api: Client, schema: dict[str, Any]) -> None:
    assert yaml.safe_load(sqlite_api.get("/schema/openapi.yaml").text) == schema


def test_the_page_loads_only_files_of_ours(sqlite_api: Client) -> None:
    page = sqlite_api.get("/schema")
    assert page.headers["Content-Type"].startswith("text/html")
    files = re.findall(r'(?:src|href)="(?!data:)([^"]+)"', page.text)
    assert len(files) == 3
    for file in files:
        assert sqlite_api.get(file).status_code == 200, file
    assert "<style" not in page.text
    assert not re.search(r"<script>|\son\w+=|style=", page.text)


def test_each_vendored_file_is_in_the_list_with_its_version_and_licence() -> None:
    readme = (VENDOR / "README.md").read_text()
    for file in VENDOR.rglob("*"):
        if file.is_file() and file.name != "README.md":
            assert file.name in readme, file


@pytest.mark.parametrize(
    ("name", "written"),
    [("customer_phone", "customerPhone"), ("q", "q"), ("Idempotency-Key", "Idempotency-Key")],
)
def test_names_are_given_back_as_clients_write_them(name: str, written: str) -> None:
    assert camel(name) == written


def test_a_message_that_has_no_other_words_becomes_a_sentence() -> None:
    assert in_words("Expected `float`") == "Expected `float`."
