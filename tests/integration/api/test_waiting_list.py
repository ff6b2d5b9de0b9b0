"""The waiting list over JSON: what tests/integration/bookings/test_waiting_list.py has as rules."""

from typing import Any

from tests.integration.conftest import Client, body

ADDRESS = "/api/waiting-list"
WISH = {
    "customerName": "Nadia",
    "customerPhone": "+44 7700 900555",
    "serviceId": "haircut",
    "barberId": "barber_1",
    "firstDay": "2026-11-24",
    "fromTime": "12:00",
    "untilTime": "12:30",
}


def listed(api: Client) -> list[dict[str, Any]]:
    answer = api.get(ADDRESS)
    assert answer.status_code == 200, answer.text
    items: list[dict[str, Any]] = answer.json()["items"]
    return items


def test_who_waits_is_told_with_what_fits_and_booked_by_one_call(api: Client) -> None:
    taken = {"scheduledTime": "2026-11-24T12:00:00Z", "allowOverlap": True}
    first = api.post("/api/bookings", json=body(**taken)).json()
    api.post("/api/bookings", json=body(**{**taken, "scheduledTime": "2026-11-24T12:30:00Z"}))
    made = api.post(ADDRESS, json=WISH)
    assert made.status_code == 201, made.text
    new = made.json()
    expected = {**WISH, "customerPhone": "+447700900555", "lastDay": "2026-11-24", "notes": None}
    told = {**expected, "id": new["id"], "status": "waiting", "bookingId": None}
    assert new == {**told, "createdAt": new["createdAt"]}
    here = made.headers["Location"]
    assert here == f"{ADDRESS}/{new['id']}"
    assert api.get(here).json() == new
    seen = {"If-None-Match": made.headers["ETag"]}
    assert api.get(here, headers=seen).status_code == 304
    assert listed(api) == [{**new, "freeTimes": []}]
    again = api.post(ADDRESS, json=WISH)
    assert (again.status_code, again.json()["reason"]) == (409, "on_the_list")

    api.delete(f"/api/bookings/{first['id']}")
    [fits] = listed(api)[0]["freeTimes"]
    at = {"startsAt": "2026-11-24T12:00:00Z", "endsAt": "2026-11-24T12:30:00Z"}
    assert fits == {"barberId": "barber_1", **at}
    place = {"barberId": fits["barberId"], "scheduledTime": fits["startsAt"]}
    booked = api.post(f"{here}/book", json=place)
    assert (booked.status_code, booked.json()["customerName"]) == (200, "Nadia"), booked.text
    assert listed(api) == []
    ended = api.get(here).json()
    assert (ended["status"], ended["bookingId"]) == ("booked", booked.json()["id"])
    for answer in (api.post(f"{here}/book", json=place), api.delete(here)):
        assert (answer.status_code, answer.json()["reason"]) == (409, "not_waiting")

    assert api.post(f"{here}/reopen").json() == new
    assert api.get(f"/api/bookings/{booked.json()['id']}").json()["status"] == "cancelled"
    assert api.delete(here, headers={"If-Match": '"other"'}).status_code == 412
    assert api.delete(here).status_code == 204
    assert (listed(api), api.get(here).json()["status"]) == ([], "removed")


def test_what_is_wrong_with_a_wish_is_said_by_field(sqlite_api: Client) -> None:
    wrong = {
        "customerName": " ",
        "customerPhone": "12",
        "firstDay": "2020-01-01",
        "fromTime": "noon",
    }
    answer = sqlite_api.post(ADDRESS, json={**WISH, **wrong, "colour": "red"})
    assert answer.status_code == 422
    assert {each["field"] for each in answer.json()["errors"]} == wrong.keys() | {"colour"}
    for field, given in {
        "lastDay": "2026-11-23",
        "serviceId": "shave",
        "barberId": "nobody",
    }.items():
        answer = sqlite_api.post(ADDRESS, json={**WISH, field: given})
        assert [each["field"] for each in answer.json()["errors"]] == [field]
    made = sqlite_api.post(ADDRESS, json=WISH).json()
    place = {"barberId": "nobody", "scheduledTime": "2026-11-24T12:00:00"}
    answer = sqlite_api.post(f"{ADDRESS}/{made['id']}/book", json=place)
    assert {each["field"] for each in answer.json()["errors"]} == place.keys()
    assert sqlite_api.get(f"{ADDRESS}/waiting_0").status_code == 404


def test_who_waits_may_want_several_services_in_one_visit(sqlite_api: Client) -> None:
    both = ["haircut", "beard-trim"]
    wish = {name: value for name, value in WISH.items() if name != "serviceId"}
    made = sqlite_api.post(ADDRESS, json={**wish, "serviceIds": both})
    assert (made.status_code, made.json()["serviceIds"]) == (201, both), made.text
    [entry] = listed(sqlite_api)
    assert entry["serviceIds"] == both
    free = entry["freeTimes"][0]
    assert (free["startsAt"][11:16], free["endsAt"][11:16]) == ("12:00", "12:50")
    for wrong, field in (
        ({"serviceIds": ["haircut", "shave"]}, "serviceIds"),
        ({"serviceIds": both, "serviceId": "haircut"}, "serviceIds"),
        ({}, "serviceId"),
    ):
        answer = sqlite_api.post(ADDRESS, json={**wish, **wrong})
        assert [each["field"] for each in answer.json()["errors"]] == [field]
