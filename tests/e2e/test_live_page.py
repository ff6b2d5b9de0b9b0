"""The word that says how the stream is, what follows a break, and how streams and server end."""

import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.fake_twilio import FakeTwilio
from tests.support.dashboard import OWNER, log_in, problems_of
from tests.support.processes import Process, program
from tests.support.running import RunningShop
from tests.support.valkey import Valkey


@pytest.fixture
def shop(tmp_path: Path, twilio: FakeTwilio, valkey: Valkey) -> Iterator[RunningShop]:
    with RunningShop(tmp_path, twilio, valkey, **OWNER) as running:
        yield running


def start_web(shop: RunningShop) -> Process:
    """The web app once more, at the same address."""
    return Process([program("chairtime"), "serve"], shop.environment, shop.folder, "web-again")


def test_a_page_says_reconnecting_while_the_server_is_away_and_then_shows_what_it_missed(
    page: Page, shop: RunningShop
) -> None:
    log_in(page, shop, "/queue")
    word = page.locator("#live")
    expect(word).to_have_text("live")
    expect(word).to_have_attribute("data-state", "live")
    shop.web.stop()
    expect(word).to_have_text("reconnecting")
    with start_web(shop) as again:
        again.wait_for("Started worker-1")
        shop.book(20_000)
        expect(word).to_have_text("live", timeout=20_000)
        expect(page.locator("#counters")).to_contain_text("2 planned", timeout=3000)
        expect(page.locator(".count b").first).to_have_text("2")


def test_a_page_whose_first_try_fails_connects_by_itself(page: Page, shop: RunningShop) -> None:
    log_in(page, shop, "/queue")
    page.route("**/live?*", lambda route: route.abort())
    page.reload()
    expect(page.locator("#live")).to_have_text("reconnecting")
    page.unroute("**/live?*")
    expect(page.locator("#live")).to_have_text("live", timeout=10_000)


def test_who_logs_out_in_another_window_is_told_so(page: Page, shop: RunningShop) -> None:
    log_in(page, shop, "/queue")
    expect(page.locator("#live")).to_have_text("live")
    other = page.context.new_page()
    other.goto(f"{shop.environment['PUBLIC_URL']}/queue")
    other.locator("details.menu summary").click()
    other.get_by_role("button", name="Log out").click()
    link = page.locator("#live").get_by_role("link", name="logged out")
    expect(link).to_be_visible(timeout=30_000)
    expect(link).to_have_attribute("href", "/login?next=%2Fqueue")


def test_there_is_one_stream_however_often_a_page_takes_the_place_of_another(
    page: Page, shop: RunningShop
) -> None:
    problems = problems_of(page)
    asked: list[str] = []
    log_in(page, shop, "/queue")
    expect(page.locator("#live")).to_have_text("live")
    page.on("request", lambda request: "/live" in request.url and asked.append(request.url))
    for address in ("/failed", "/queue"):
        page.evaluate("url => htmx.ajax('GET', url, {target: document.body})", address)
        expect(page.locator("#live")).to_have_text("live")
        page.wait_for_timeout(500)
    assert len(asked) == 2
    assert problems == []


def test_an_open_page_does_not_keep_the_server_from_ending(page: Page, shop: RunningShop) -> None:
    log_in(page, shop, "/queue")
    expect(page.locator("#live")).to_have_text("live")
    began = time.monotonic()
    shop.web.send(signal.SIGTERM)
    assert shop.web.wait(10) == 0
    assert time.monotonic() - began < 2
