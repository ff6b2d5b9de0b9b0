"""Services and barbers over JSON: what is not tested by what uses them."""

from tests.integration.conftest import Client
from tests.support.frozen import FrozenClock


def test_a_program_that_keeps_a_copy_asks_for_what_has_changed(
    api: Client, clock: FrozenClock
) -> None:
    def changed(what: str) -> list[str]:
        return [each["id"] for each in api.get(f"/api/{what}?updatedSince={since}").json()["items"]]

    since = f"{clock.now():%Y-%m-%dT%H:%M:%SZ}"
    assert changed("services") == changed("barbers") == []
    clock.move(minutes=1)
    api.patch("/api/services/haircut", json={"minutes": 35})
    api.patch("/api/services/kids-cut", json={"barberIds": ["barber_1"]})
    api.patch("/api/barbers/barber_2", json={"name": "Alexis"})
    new = api.post("/api/barbers", json={"name": "Jo"}).json()["id"]
    assert changed("services") == ["haircut", "kids-cut"]
    assert changed("barbers") == ["barber_2", new]
    since = f"{clock.now():%Y-%m-%dT%H:%M:%SZ}"
    clock.move(minutes=1)
    api.patch("/api/barbers/barber_2", json={"active": False})
    assert "barber_2" in changed("barbers")
    wrong = api.get("/api/services?updatedSince=yesterday")
    assert wrong.status_code == 422
    assert [each["field"] for each in wrong.json()["errors"]] == ["updatedSince"]
