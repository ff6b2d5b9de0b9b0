"""The word that says how the stream is, what follows a break, and how streams and server end."""

import re
import signal
import time
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, Request, Route, expect

from app.web.rendered_once import SNAPSHOT
from tests.support.dashboard import Dashboard, live, problems_of
from tests.support.running import GRACE

SHOP: dict[str, str] = {}


def test_a_page_whose_server_ends_at_once_says_reconnecting_and_then_shows_what_it_missed(
    page: Page, shop: Dashboard
) -> None:
    page.goto("/queue")
    word = page.locator("#live")
    expect(word).to_have_text("live")
    expect(word).to_have_attribute("data-state", "live")
    asked_at = time.monotonic()
    shop.web.send(signal.SIGTERM)
    assert shop.web.wait() == 0
    # Not by Granian's word: it calls a process alive that has ended while another thread reaps it.
    assert time.monotonic() - asked_at < GRACE, "the open page keeps it"
    expect(word).to_have_text("reconnecting")
    shop.restart_web()
    shop.book(20_000)
    expect(word).to_have_text("live")
    expect(page.locator("#ahead")).to_contain_text("Luis Ortega")
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
    link = page.locator("#live").get_by_role("link", name="logged out")
    expect(link).to_be_visible()
    expect(link).to_have_attribute("href", "/login?next=%2Fqueue")
    context.close()


def test_who_logs_out_asks_for_no_stream_while_the_next_page_is_on_its_way(
    browser: Browser, shop: Dashboard
) -> None:
    context = browser.new_context(base_url=shop.url, storage_state=shop.log_in())
    page = context.new_page()
    problems = problems_of(page)
    page.goto("/queue")
    live(page)

    def slowly(route: Route) -> None:
        answer = route.fetch(max_redirects=0)
        time.sleep(4)  # the server ends the stream meanwhile, and a browser would ask for it again
        route.fulfill(response=answer)

    page.route("**/logout", slowly)
    page.locator("details.menu summary").click()
    page.get_by_role("button", name="Log out").click()
    expect(page.get_by_role("heading", name="Log in")).to_be_visible()
    assert problems == []
    context.close()


def test_a_page_that_stays_though_it_was_about_to_be_left_listens_again(
    page: Page, shop: Dashboard
) -> None:
    page.clock.install()
    page.goto("/queue")
    live(page)
    page.evaluate("dispatchEvent(new Event('beforeunload'))")  # as for a file that is saved
    shop.book(20_000)
    page.clock.fast_forward(10_000)
    expect(page.locator(".count b").first).to_have_text("2")


def test_the_stream_stays_open_however_often_a_page_takes_the_place_of_another(
    page: Page, shop: Dashboard
) -> None:
    problems = problems_of(page)
    page.goto("/queue")
    live(page)
    asked: list[Any] = []
    page.on("request", lambda request: "/live" in request.url and asked.append(request.url))
    for number in (2, 4):
        page.evaluate("htmx.ajax('GET', '/queue', {target: document.body})")
        expect(page.locator("#live[data-state=live]")).to_be_visible()
        shop.book(20_000)
        expect(page.locator(".count b").first).to_have_text(f"{number}")
    assert asked == []
    assert problems == []


def test_a_page_says_which_snapshot_told_it_but_not_right_after_a_change_of_its_own(
    page: Page, shop: Dashboard
) -> None:
    shop.fail(customerName="Ada")
    page.goto("/failed")
    live(page)
    snapshots: list[str | None] = []

    def is_seen(request: Request) -> bool:
        is_again = request.method == "GET" and request.url.endswith("/failed")
        if is_again:
            snapshots.append(request.headers.get(SNAPSHOT.lower()))
        return is_again

    with page.expect_request(is_seen):
        shop.fail(customerName="Ben")
    assert all(snapshots)
    expect(page.get_by_role("link", name="Ben")).to_be_visible()
    snapshots.clear()
    with page.expect_request(is_seen):
        page.get_by_role("button", name=re.compile("^Retry .* to Ada$")).click()
    assert not any(snapshots)


def test_an_open_page_moves_on_to_the_next_day(page: Page, shop: Dashboard) -> None:
    # Open all day: the board says what time it is only while the shop is open.
    shop.open("00:00", "00:00")
    shop.sql("UPDATE shop SET time_zone = 'Etc/GMT+12'")
    page.goto("/today")
    live(page)
    was = page.title(), page.locator("h1").inner_text(), page.locator("#date").inner_text()
    shop.sql("UPDATE shop SET time_zone = 'Pacific/Kiritimati'")  # 26 hours on: another date
    expect(page).not_to_have_title(was[0])
    expect(page.locator("h1")).not_to_have_text(was[1])
    expect(page.locator("#date")).not_to_have_text(was[2])
    expect(page).to_have_title(f"{page.locator('h1').inner_text()} · Chairtime")
    expect(page.locator("#now")).to_have_count(1)


@pytest.mark.parametrize("path", ["/bookings", "/customers"])
def test_an_open_list_moves_on_to_the_next_day_and_leaves_what_is_typed(
    page: Page, shop: Dashboard, path: str
) -> None:
    shop.sql("UPDATE shop SET time_zone = 'Etc/GMT+12'")
    shop.book(20_000, customerName="Luis Ortega")
    page.goto(f"{path}?q=luis")
    live(page)
    row = page.locator("tbody tr")
    was = row.inner_text()
    page.locator("#q").evaluate("field => { field.value = 'luis o'; }")  # nothing asks for it yet
    shop.sql("UPDATE shop SET time_zone = 'Pacific/Kiritimati'")
    expect(row).not_to_have_text(was, use_inner_text=True)
    expect(row).to_contain_text("Luis Ortega")
    expect(page.locator("#q")).to_have_value("luis o")
    expect(page).to_have_url(f"{path}?q=luis")


def test_a_page_that_listens_after_the_shop_got_another_clock_follows_it(
    page: Page, shop: Dashboard
) -> None:
    shop.book(20_000)
    page.clock.install()
    page.route("**/live?*", lambda route: route.abort())
    page.goto("/bookings")
    expect(page.locator("#live")).to_have_text("reconnecting")
    row = page.locator("tbody tr")
    was = row.inner_text()
    shop.sql("UPDATE shop SET time_zone = 'Etc/GMT-1'")
    page.unroute("**/live?*")
    page.clock.fast_forward(3000)
    expect(row).not_to_have_text(was, use_inner_text=True)


def test_an_upgrade_offers_to_reload_the_page_and_takes_nothing_from_it(
    page: Page, shop: Dashboard
) -> None:
    page.route("**/today", _as_before_the_upgrade)
    page.goto("/today")
    expect(page.get_by_text("Chairtime has been updated")).to_be_visible()
    page.unroute("**/today")
    page.get_by_role("link", name="Reload").click()
    live(page)
    shop.book(20_000)
    expect(page.locator("#ahead")).to_contain_text("Luis Ortega")
    expect(page.get_by_text("Chairtime has been updated")).to_be_hidden()


def _as_before_the_upgrade(route: Route) -> None:
    html = re.sub('data-version="[^"]+"', 'data-version="older"', route.fetch().text())
    route.fulfill(body=html, content_type="text/html")


def test_a_role_that_changes_changes_the_navigation_and_a_disabled_user_is_out(
    page: Page, shop: Dashboard
) -> None:
    page.goto("/queue")
    live(page)
    for role, number in (("viewer", 0), ("owner", 1)):
        shop.sql(f"UPDATE staff_user SET role = '{role}'")
        expect(page.locator("#nav").get_by_role("link", name="Staff")).to_have_count(number)
        expect(page.get_by_role("button", name="Pause sending")).to_have_count(number)
        page.locator("details.menu summary").click()
        expect(page.locator("#menu").get_by_text("May only look")).to_have_count(1 - number)
        expect(page.locator("#nav a[aria-current=page]")).to_have_text("Queue")
        page.keyboard.press("Escape")
    shop.sql("UPDATE staff_user SET disabled_at = created_at")
    try:
        expect(page.locator("#live").get_by_role("link", name="logged out")).to_be_visible()
    finally:
        shop.sql("UPDATE staff_user SET disabled_at = NULL")
