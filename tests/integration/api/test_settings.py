"""The shop's settings over JSON, by the rules of the forms."""

from typing import Any

from app.db import Database
from app.models.shop import Shop
from tests.integration.conftest import Client, body

ADDRESS = "/api/settings"
DEFAULTS: dict[str, Any] = {
    "name": "The barbershop",
    "locale": "en_US",
    "country": None,
    "timeZone": "UTC",
    "currency": "USD",
    "remindEvery": 7200,
    "remindCountFrom": "booking",
    "remindWithin": None,
    "remindAtMost": None,
    "remindAt": None,
    "quietFrom": None,
    "quietUntil": None,
}
CHANGES = {
    "name": "Fade & Co",
    "locale": "de_AT",
    "country": "AT",
    "timeZone": "Europe/Vienna",
    "currency": "CHF",
    "remindEvery": 5401,
    "remindCountFrom": "appointment",
    "remindWithin": 100_001,
    "remindAtMost": 3,
    "remindAt": [259_200, 5_400],
    "quietFrom": "22:00",
    "quietUntil": "07:30",
}


def test_each_setting_is_read_changed_and_taken_back(api: Client, shop: Database) -> None:
    first = api.get(ADDRESS)
    assert first.json() == DEFAULTS
    seen = {"If-Match": first.headers["ETag"]}
    changed = api.patch(ADDRESS, json=CHANGES, headers=seen)
    assert changed.json() == api.get(ADDRESS).json() == CHANGES
    assert api.patch(ADDRESS, json={"name": "Late"}, headers=seen).status_code == 412
    one = api.patch(ADDRESS, json={"remindAtMost": None})
    assert one.json() == {**CHANGES, "remindAtMost": None}
    back = dict.fromkeys(
        ("country", "timeZone", "currency", "remindWithin", "remindAt", "quietFrom", "quietUntil")
    )
    now = api.patch(ADDRESS, json={**back, "remindEvery": 7200, "name": "The barbershop"}).json()
    expected = {"locale": "de_AT", "currency": "EUR", "remindCountFrom": "appointment"}
    assert now == {**DEFAULTS, **expected}
    with shop.read() as session:
        assert session.get_one(Shop, 1).time_zone is None
    seen = {"If-None-Match": api.get(ADDRESS).headers["ETag"]}
    assert api.get(ADDRESS, headers=seen).status_code == 304


def test_all_that_is_wrong_is_said_by_the_names_here(sqlite_api: Client) -> None:
    wrong: dict[str, Any] = {
        "name": " ",
        "locale": "xx",
        "country": "XX",
        "timeZone": "Mars/Olympus",
        "currency": "XXX",
        "remindEvery": 0,
        "remindCountFrom": "never",
        "remindWithin": -1,
        "remindAtMost": 0,
        "remindAt": [90],
        "quietFrom": "22:00",
        "quietUntil": None,
        "colour": "red",
    }
    answer = sqlite_api.patch(ADDRESS, json=wrong)
    assert answer.status_code == 422
    said = {each["field"] for each in answer.json()["errors"]}
    assert said == wrong.keys() - {"quietFrom"}
    del wrong["colour"], wrong["remindCountFrom"]  # what can be read, is looked at in one go too
    answer = sqlite_api.patch(ADDRESS, json=wrong)
    assert {each["field"] for each in answer.json()["errors"]} == wrong.keys() - {"quietFrom"}
    huge = sqlite_api.patch(ADDRESS, json=dict.fromkeys(("remindWithin", "remindEvery"), 10**400))
    assert {each["field"] for each in huge.json()["errors"]} == {"remindWithin", "remindEvery"}
    empty = dict.fromkeys(("locale", "country", "timeZone", "currency"), "")  # null is a word too
    answer = sqlite_api.patch(ADDRESS, json=empty)
    assert {each["field"] for each in answer.json()["errors"]} == empty.keys()
    same = sqlite_api.patch(ADDRESS, json={"quietFrom": "22:00", "quietUntil": "22:00"})
    assert [each["field"] for each in same.json()["errors"]] == ["quietUntil"]
    assert sqlite_api.get(ADDRESS).json() == DEFAULTS


def test_another_rule_holds_for_those_already_booked_if_that_is_asked_for(api: Client) -> None:
    def planned() -> list[int]:
        answer = api.get(f"/api/bookings/{booked['id']}/reminders").json()
        return [each["number"] for each in answer if each["state"] == "delayed"]

    booked = api.post("/api/bookings", json=body()).json()
    assert planned() == [1, 2, 3, 4]
    rule: dict[str, Any] = {"remindEvery": 10_800}
    looked = api.post(f"{ADDRESS}/preview", json=rule)
    assert looked.json() == {"bookings": 1, "reminders": 4, "remindersThen": 3}
    assert api.get(ADDRESS).json() == DEFAULTS
    assert api.patch(ADDRESS, json=rule).json() == {**DEFAULTS, **rule}
    assert planned() == [1, 2, 3, 4], "it holds for those to come"
    assert api.patch(ADDRESS, json={"alsoBooked": True}).json() == {**DEFAULTS, **rule}
    assert planned() == [5, 6, 7]
    too_many = {"remindEvery": 1, "alsoBooked": True}
    for answer in (
        api.patch(ADDRESS, json=too_many),
        api.post(f"{ADDRESS}/preview", json=too_many),
    ):
        assert answer.status_code == 422
        assert [each["field"] for each in answer.json()["errors"]] == ["alsoBooked"]
    assert api.get(ADDRESS).json() == {**DEFAULTS, **rule}
