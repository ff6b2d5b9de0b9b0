"""The queue in a real browser: live figures, pause and resume, a worker that is gone."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tests.e2e.test_failed_page import LONG, PHONE, WRONG, fail, remind
from tests.fake_twilio import FakeTwilio
from tests.support.accessibility import serious_problems
from tests.support.dashboard import OWNER, log_in, problems_of
from tests.support.running import RunningShop
from tests.support.valkey import Valkey


@pytest.fixture
def shop(tmp_path: Path, twilio: FakeTwilio, valkey: Valkey) -> Iterator[RunningShop]:
    with RunningShop(tmp_path, twilio, valkey, **OWNER) as running:
        yield running


def open_queue(page: Page, shop: RunningShop) -> None:
    """Log in and look at the queue, until it is live."""
    log_in(page, shop, "/queue")
    expect(page.locator("#live")).to_have_text("live")


def count(page: Page, word: str) -> Locator:
    return page.locator(".count").filter(has_text=word).locator("b")


def test_the_figures_follow_what_is_booked_and_sent(
    page: Page, shop: RunningShop, twilio: FakeTwilio
) -> None:
    problems = problems_of(page)
    open_queue(page, shop)
    expect(page.locator(".workers")).to_contain_text("pid", timeout=10_000)
    booking = shop.book(20_000, "+12125550101", customerName="Luis Ortega")
    expect(count(page, "Planned")).to_have_text("2", timeout=3000)
    expect(page.locator("#counters")).to_contain_text("2 planned")
    expect(page.locator(".due")).to_contain_text("Luis Ortega")
    remind(page, booking)
    twilio.wait_for(1)
    expect(count(page, "Sent")).to_have_text("1", timeout=4000)
    expect(page.locator(".chart")).to_contain_text("1 sent", timeout=4000)
    expect(page.locator(".chart rect")).to_have_count(1)
    assert problems == []


def test_while_it_is_paused_nothing_goes_out_and_every_page_says_so_until_it_is_resumed(
    page: Page, shop: RunningShop, twilio: FakeTwilio
) -> None:
    problems = problems_of(page)
    open_queue(page, shop)
    other = page.context.new_page()
    other.goto(f"{shop.environment['PUBLIC_URL']}/failed")
    expect(other.locator("#live")).to_have_text("live")

    page.get_by_role("button", name="Pause sending").click()
    dialog = page.get_by_role("dialog", name="Pause sending for everyone?")
    dialog.get_by_role("link", name="Keep sending").click()
    expect(dialog).to_be_hidden()
    page.get_by_role("button", name="Pause sending").click()
    dialog.get_by_role("button", name="Pause sending").click()
    expect(page.locator("#banner")).to_contain_text("Sending is paused by Owner")
    expect(other.locator("#banner")).to_contain_text("Sending is paused by Owner", timeout=3000)

    booking = shop.book(20_000, "+12125550101")
    remind(page, booking)
    expect(count(page, "Due")).to_have_text("1", timeout=4000)
    page.wait_for_timeout(1500)
    assert twilio.posts() == []

    other.locator("#banner").get_by_role("button", name="Resume sending").click()
    twilio.wait_for(1)
    expect(page.locator("#banner")).not_to_contain_text("paused", timeout=3000)
    expect(page.get_by_role("button", name="Pause sending")).to_be_visible()
    expect(count(page, "Sent")).to_have_text("1", timeout=4000)
    assert problems == []


def test_an_open_question_stays_open_while_figures_change(page: Page, shop: RunningShop) -> None:
    open_queue(page, shop)
    page.get_by_role("button", name="Pause sending").click()
    dialog = page.get_by_role("dialog", name="Pause sending for everyone?")
    shop.book(20_000, "+12125550101")
    expect(count(page, "Planned")).to_have_text("2", timeout=3000)
    expect(dialog).to_be_visible()


def test_a_worker_that_is_gone_is_a_warning_on_every_page(page: Page, shop: RunningShop) -> None:
    open_queue(page, shop)
    expect(page.locator(".workers")).to_contain_text("pid", timeout=10_000)
    shop.kill_worker()
    with sqlite3.connect(shop.folder / "chairtime.db") as database:
        database.execute("UPDATE worker SET seen_at = datetime('now', '-61 seconds')")
    database.close()
    expect(page.locator("#banner")).to_contain_text("No worker is running", timeout=4000)
    expect(page.locator(".no-worker")).to_contain_text("Nothing is sent until one runs.")
    shop.start_worker()
    expect(page.locator("#banner")).not_to_contain_text("No worker", timeout=15_000)
    expect(page.locator(".workers")).to_contain_text("pid", timeout=4000)


def test_pausing_and_resuming_work_without_javascript(
    browser: Browser, shop: RunningShop, twilio: FakeTwilio
) -> None:
    page = browser.new_context(java_script_enabled=False).new_page()
    log_in(page, shop, "/queue")
    page.get_by_role("button", name="Pause sending").click()
    page.get_by_role("dialog").get_by_role("button", name="Pause sending").click()
    expect(page.locator("#toasts")).to_contain_text("Sending is paused. Nothing goes out.")
    expect(page.locator("#banner")).to_contain_text("Sending is paused by Owner")
    page.locator("#queue").get_by_role("button", name="Resume sending").click()
    expect(page.locator("#toasts")).to_contain_text("Sending again.")
    expect(page.locator("#banner")).not_to_contain_text("paused")
    page.context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious_and_a_phone_cuts_nothing_off(
    browser: Browser, shop: RunningShop, twilio: FakeTwilio, scheme: Any
) -> None:
    page = browser.new_context(color_scheme=scheme, viewport=PHONE).new_page()
    problems = problems_of(page)
    open_queue(page, shop)
    fail(page, shop, twilio, WRONG, customerName=LONG)
    expect(page.locator("#queue")).to_contain_text("No WhatsApp on this number")
    for width in (390, 768, 1360):
        page.set_viewport_size({"width": width, "height": 844})
        assert page.evaluate("document.documentElement.scrollWidth") == width
        assert serious_problems(page) == []
    page.get_by_role("button", name="Pause sending").click()
    assert serious_problems(page) == []
    assert problems == []
    page.context.close()
