"""ETags: a change is made only to the state that its caller has seen."""

import pytest

from app.web import etags
from tests.integration.conftest import Client, body
from tests.support.frozen import FrozenClock
from tests.support.lifecycle import at_once


@pytest.fixture
def path(api: Client) -> str:
    return str(api.post("/api/bookings", json=body()).headers["Location"])


def rename(client: Client, path: str, name: str, if_match: str) -> int:
    headers = {"If-Match": if_match}
    return client.patch(path, json={"customerName": name}, headers=headers).status_code


def test_every_answer_of_one_booking_has_the_etag_of_its_state(
    api: Client, path: str, clock: FrozenClock
) -> None:
    made = api.post("/api/bookings", json=body())
    read = api.get(path)
    assert read.headers["ETag"] == made.headers["ETag"]
    assert api.get(path, headers={"Accept-Encoding": "gzip"}).headers["ETag"].strip('"')
    clock.move(minutes=1)
    changed = api.patch(path, json={"customerName": "Bo"})
    assert changed.headers["ETag"] == api.get(path).headers["ETag"] != read.headers["ETag"]
    nothing = api.patch(path, json={"customerName": "Bo"})
    assert nothing.headers["ETag"] == changed.headers["ETag"]
    cancelled = api.delete(path)
    assert cancelled.headers["ETag"] == api.get(path).headers["ETag"] != changed.headers["ETag"]


def test_the_answer_that_is_repeated_for_its_key_has_the_etag_of_what_it_says(
    api: Client, clock: FrozenClock
) -> None:
    key = {"Idempotency-Key": "order-1"}
    first = api.post("/api/bookings", json=body(), headers=key)
    clock.move(minutes=1)
    api.patch(first.headers["Location"], json={"customerName": "Bo"})
    again = api.post("/api/bookings", json=body(), headers=key)
    assert again.headers["ETag"] == first.headers["ETag"]
    assert rename(api, first.headers["Location"], "Cy", again.headers["ETag"]) == 412


def test_who_saw_an_older_state_changes_nothing_and_is_told(
    api: Client, path: str, clock: FrozenClock
) -> None:
    seen = api.get(path).headers["ETag"]
    clock.move(minutes=1)
    assert rename(api, path, "Bo", seen) == 200
    now = api.get(path)
    for refused in (
        api.patch(path, json={"customerName": "Cy"}, headers={"If-Match": seen}),
        api.delete(path, headers={"If-Match": seen}),
    ):
        assert refused.status_code == 412
        assert refused.headers["Content-Type"] == "application/problem+json"
        assert refused.headers["ETag"] == now.headers["ETag"]
        assert refused.json()["title"] == "Precondition Failed"
        assert refused.json()["detail"].startswith("It has changed since")
    assert api.get(path).json() == now.json()
    assert api.delete(path, headers={"If-Match": now.headers["ETag"]}).status_code == 200


@pytest.mark.parametrize(
    ("if_match", "status"),
    [
        ("*", 200),
        (" * ", 200),
        ("{etag}", 200),
        ('"other", {etag}', 200),
        ('"a,b" ,{etag}, ', 200),
        ('"other"', 412),
        ('""', 412),
        ("W/{etag}", 412),
        ('W/{etag}, "other"', 412),
        ('W/"other", {etag}', 200),
        ("", 422),
        ("1a2b", 422),
        ('"a" "b"', 422),
        ('"a', 422),
        ('*, "a"', 422),
        ('"' + "a" * 5_000 + '"', 422),
    ],
)
def test_lists_weak_tags_and_any_are_read_as_http_has_them(
    api: Client, path: str, if_match: str, status: int
) -> None:
    etag = api.get(path).headers["ETag"]
    headers = {"If-Match": if_match.replace("{etag}", etag)}
    for answer in (
        api.patch(path, json={"customerName": "Bo" if status == 200 else "Cy"}, headers=headers),
        api.delete(path, headers=headers) if status != 200 else None,
    ):
        if answer is not None:
            assert answer.status_code == status, answer.text
            if status == 422:
                [error] = answer.json()["errors"]
                assert error["field"] == "If-Match"
                assert error["message"].startswith("This must be ETags in quotes")
                assert error["message"].endswith(".")
    assert api.get(path).json()["customerName"] == ("Bo" if status == 200 else "Ana Silva")


def test_of_two_changes_at_once_to_one_state_one_is_made(api: Client, path: str) -> None:
    seen = api.get(path).headers["ETag"]
    answers = at_once(*(lambda name=name: rename(api, path, name, seen) for name in "ABCD"))
    assert sorted(answers) == [200, 412, 412, 412]


def test_what_there_is_not_is_not_there_whatever_the_caller_has_seen(api: Client) -> None:
    nowhere = "/api/bookings/booking_01JDBV5W3NXJ0V4M0F4Z1T7Q8K"
    assert rename(api, nowhere, "Bo", "*") == 404
    assert api.delete(nowhere, headers={"If-Match": '"a"'}).status_code == 404


def test_who_has_this_state_is_not_sent_it_again(
    api: Client, path: str, clock: FrozenClock
) -> None:
    etag = api.get(path).headers["ETag"]
    for known in (etag, f"W/{etag}", f'"other", {etag}', "*"):
        answer = api.get(path, headers={"If-None-Match": known})
        assert (answer.status_code, answer.content) == (304, b"")
        assert answer.headers["ETag"] == etag
    assert api.get(path, headers={"If-None-Match": '"other"'}).status_code == 200
    assert api.get(path, headers={"If-None-Match": "other"}).status_code == 422
    clock.move(minutes=1)
    api.patch(path, json={"customerName": "Bo"})
    assert api.get(path, headers={"If-None-Match": etag}).status_code == 200


def test_the_openapi_document_tells_of_them(api: Client) -> None:
    paths = api.get("/schema/openapi.json").json()["paths"]["/api/bookings/{booking_id}"]
    for method, header in (("get", "If-None-Match"), ("patch", "If-Match"), ("delete", "If-Match")):
        call = paths[method]
        assert header in {each["name"] for each in call["parameters"]}
        assert "ETag" in call["responses"]["200"]["headers"]
        assert ("412" in call["responses"]) == (method != "get")
    assert "304" in paths["get"]["responses"]


def test_each_thing_that_has_an_address_has_an_etag_by_which_it_is_changed(
    sqlite_api: Client,
) -> None:
    paths = sqlite_api.get("/schema/openapi.json").json()["paths"]
    things = {path: verbs for path, verbs in paths.items() if path.endswith("}") and "get" in verbs}
    assert len(things) > 5
    for path, verbs in {**things, "/api/settings": paths["/api/settings"]}.items():
        assert "304" in verbs["get"]["responses"], path
        for verb in verbs.keys() & {"patch", "put", "delete"}:
            names = {each["name"] for each in verbs[verb].get("parameters", ())}
            assert "If-Match" in names, (verb, path)
            assert "412" in verbs[verb]["responses"], (verb, path)


def test_an_etag_does_not_depend_on_the_order_in_which_a_database_keeps_fields() -> None:
    one, other = {"a": 1, "b": None}, {"b": None, "a": 1}
    assert etags.etag(one) == etags.etag(other) != etags.etag({"a": 1})
