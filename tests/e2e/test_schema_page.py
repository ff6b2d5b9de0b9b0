"""The page that describes the API, in a real browser under our Content-Security-Policy."""

from pathlib import Path

from playwright.sync_api import Page, expect

from tests.fake_twilio import FakeTwilio
from tests.support.running import RunningShop
from tests.support.valkey import Valkey


def test_the_page_shows_every_call_and_asks_no_other_host(
    page: Page, tmp_path: Path, twilio: FakeTwilio, valkey: Valkey
) -> None:
    complaints: list[str] = []
    page.on("console", lambda said: complaints.append(said.text) if said.type == "error" else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    with RunningShop(tmp_path, twilio, valkey) as shop:
        address = str(shop.api.base_url)
        hosts: set[str] = set()
        page.on("request", lambda asked: hosts.add(asked.url.split("/")[2]))
        page.goto(f"{address}/schema")
        schema = shop.api.get("/schema/openapi.json").json()
        paths = [*schema["paths"].values(), *schema["webhooks"].values()]
        expect(page.locator(".opblock")).to_have_count(sum(map(len, paths)))
        page.locator(".opblock-post").first.click()
        expect(page.get_by_text("Make a booking and plan its reminders.").first).to_be_visible()
        expect(page.get_by_text("Ana Silva").first).to_be_visible()
    assert complaints == []
    assert hosts == {address.rstrip("/").split("/")[-1]}
