"""The word that says how the stream is, what follows a break, and how streams and server end."""

import re
import signal
import time
from typing import Any

from playwright.sync_api import Browser, Page, Request, expect

from app.web.shared import LOOK
from tests.support.dashboard import Dashboard, live, problems_of

SHOP: dict[str, str] = {}


def test_a_page_whose_server_ends_at_once_says_reconnecting_and_then_shows_what_it_missed(
    page: Page, shop: Dashboard
) -> None:
    page.goto("/queue")
    word = page.locator("#live")
    expect(word).to_have_text("live")
    expect(word).to_have_attribute("data-state", "live")
    began = time.monotonic()
    shop.web.send(signal.SIGTERM)
    assert shop.web.wait(10) == 0
    assert time.monotonic() - began < 5  # the open page does not keep it
    expect(word).to_have_text("reconnecting")
    shop.restart_web()
    shop.book(20_000)
    expect(word).to_have_text("live", timeout=20_000)
    expect(page.locator("#counters")).to_contain_text("2 planned")
    expect(page.locator(".count b").first).to_have_text("2")


def test_a_page_whose_first_try_fails_connects_by_itself(page: Page, shop: Dashboard) -> None:
    page.clock.install()
    page.route("**/live?*", lambda route: route.abort())
    page.goto("/queue")
    expect(page.locator("#live")).to_have_text("reconnecting")
    page.unroute("**/live?*")
    page.clock.fast_forward(3000)
    live(page)


def test_who_logs_out_in_another_window_is_told_so(browser: Browser, shop: Dashboard) -> None:
    context = browser.new_context(base_url=shop.url, storage_state=shop.log_in())
    page, other = context.new_page(), context.new_page()
    page.goto("/queue")
    live(page)
    other.goto("/queue")
    other.locator("details.menu summary").click()
    other.get_by_role("button", name="Log out").click()
    expect(other.get_by_role("heading", name="Log in")).to_be_visible()
    page.evaluate(_BREAK_THE_STREAM)  # as the server does, once it has noticed
    link = page.locator("#live").get_by_role("link", name="logged out")
    expect(link).to_be_visible()
    expect(link).to_have_attribute("href", "/login?next=%2Fqueue")
    context.close()


_BREAK_THE_STREAM = "document.getElementById('live')._htmx.sse.reader.cancel()"


def test_there_is_one_stream_however_often_a_page_takes_the_place_of_another(
    page: Page, shop: Dashboard
) -> None:
    problems = problems_of(page)
    page.goto("/queue")
    live(page)
    asked: list[Any] = []
    page.on("request", lambda request: "/live" in request.url and asked.append(request.url))
    for _ in range(2):
        page.evaluate("htmx.ajax('GET', '/queue', {target: document.body})")
        expect(page.locator("#live[data-state=live]")).to_be_visible()
    shop.book(20_000)
    expect(page.locator("#counters")).to_contain_text("2 planned")
    assert len(asked) == 2
    assert problems == []


def test_a_page_says_which_look_told_it_but_not_right_after_a_change_of_its_own(
    page: Page, shop: Dashboard
) -> None:
    shop.fail(customerName="Ada")
    page.goto("/failed")
    live(page)
    looks: list[str | None] = []

    def is_seen(request: Request) -> bool:
        is_again = request.method == "GET" and request.url.endswith("/failed")
        if is_again:
            looks.append(request.headers.get(LOOK.lower()))
        return is_again

    with page.expect_request(is_seen):
        shop.fail(customerName="Ben")
    assert all(looks)
    expect(page.get_by_role("link", name="Ben")).to_be_visible()
    looks.clear()
    with page.expect_request(is_seen):
        page.get_by_role("button", name=re.compile("^Retry .* to Ada$")).click()
    assert not any(looks)
