"""The page that describes the API, in a real browser under our Content-Security-Policy."""

from playwright.sync_api import Page, expect

from tests.support.dashboard import Dashboard


def test_the_page_shows_every_call_and_asks_no_other_host(page: Page, shop: Dashboard) -> None:
    complaints: list[str] = []
    page.on("console", lambda said: complaints.append(said.text) if said.type == "error" else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    hosts: set[str] = set()
    page.on("request", lambda asked: hosts.add(asked.url.split("/")[2]))
    page.goto(f"{shop.url}/schema")
    schema = shop.api.get("/schema/openapi.json").json()
    paths = [*schema["paths"].values(), *schema["webhooks"].values()]
    expect(page.locator(".opblock")).to_have_count(sum(map(len, paths)))
    page.locator(".opblock-post").first.click()
    expect(page.get_by_text("Make a booking and plan its reminders.").first).to_be_visible()
    expect(page.get_by_text("Ana Silva").first).to_be_visible()
    assert complaints == []
    assert hosts == {shop.url.split("/")[-1]}
