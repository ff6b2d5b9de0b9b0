"""Failed sends in a real browser: seen live, corrected, retried, by two at once, without script."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tests.fake_twilio import FakeTwilio, Fault
from tests.support.accessibility import serious_problems
from tests.support.dashboard import OWNER, log_in, problems_of
from tests.support.processes import wait_until
from tests.support.running import RunningShop
from tests.support.valkey import Valkey

WRONG, RIGHT = "+12125550199", "+12125550142"
NO_WHATSAPP = Fault.error(400, 63003)
LONG = "Maximiliane Freifrau von Hohenlohe-Waldenburg-Schillingsfürst"
PHONE: Any = {"width": 390, "height": 844}


@pytest.fixture
def shop(tmp_path: Path, twilio: FakeTwilio, valkey: Valkey) -> Iterator[RunningShop]:
    twilio.auto_callbacks = ("sent", "delivered")
    with RunningShop(tmp_path, twilio, valkey, **OWNER) as running:
        yield running


def open_failed(page: Page, shop: RunningShop, query: str = "") -> None:
    """Log in and look at what failed, until it is live."""
    log_in(page, shop, f"/failed{query}")
    expect(page.locator("#live")).to_have_text("live")


def remind(page: Page, booking: dict[str, Any]) -> None:
    """Send a reminder now, as the booking's page does."""
    page.evaluate(
        """(url) => fetch(url, {
          method: "POST", redirect: "manual",
          headers: JSON.parse(document.body.getAttribute("hx-headers:inherited")),
        })""",
        f"/bookings/{booking['id']}/remind",
    )


def fail(page: Page, shop: RunningShop, twilio: FakeTwilio, phone: str, **fields: Any) -> Any:
    """A booking of this number whose reminder fails; the page is one of the dashboard."""
    twilio.script(phone, [NO_WHATSAPP])
    booking = shop.book(20_000, phone, **fields)
    remind(page, booking)
    wait_until(lambda: "failed" in shop.states(booking), what="a failed reminder")
    return booking


def row(page: Page, name: str) -> Locator:
    return page.locator(".failed-row").filter(has_text=name)


def test_a_failure_appears_live_and_is_corrected_retried_and_delivered(
    page: Page, shop: RunningShop, twilio: FakeTwilio
) -> None:
    problems = problems_of(page)
    open_failed(page, shop)
    expect(page.get_by_role("heading", name="Nothing failed")).to_be_visible()
    badge = page.locator("#failed-badge")
    expect(badge).to_be_empty()

    booking = fail(page, shop, twilio, WRONG, customerName="Dana Whitfield")
    expect(badge).to_have_text("1 failed", timeout=3000)
    dana = row(page, "Dana Whitfield")
    expect(dana).to_contain_text("+1 212-555-0199")
    expect(page.get_by_role("heading", name="No WhatsApp on this number")).to_be_visible()

    dana.get_by_text("Correct the number").click()
    field = dana.get_by_label("Phone")
    field.fill("12 34")
    field.press("Enter")
    expect(dana).to_contain_text("This needs its country code, such as")
    expect(field).to_have_value("12 34")
    expect(field).to_be_focused()

    field.fill(RIGHT)
    dana.get_by_role("button", name="Save and retry").click()
    expect(page.locator("#toasts")).to_contain_text("Number corrected. Retrying now.")
    expect(page.get_by_role("heading", name="Nothing failed")).to_be_visible()
    expect(badge).to_be_empty()
    twilio.wait_for(1, to=RIGHT)

    page.goto(f"{shop.environment['PUBLIC_URL']}/bookings/{booking['id']}")
    expect(page.locator("#booking")).to_contain_text("Delivered")
    assert [each for each in problems if "422" not in each] == []


def test_two_browsers_that_retry_at_once_send_one_message(
    browser: Browser, shop: RunningShop, twilio: FakeTwilio
) -> None:
    pages = [browser.new_context().new_page() for _ in range(2)]
    open_failed(pages[0], shop)
    fail(pages[0], shop, twilio, WRONG)
    open_failed(pages[1], shop)
    for page in pages:
        page.evaluate(
            """() => {
              const button = document.querySelector(".failed-row button");
              setTimeout(() => button.click(), 1000 - (Date.now() % 1000));
            }"""
        )
    texts = []
    for page in pages:
        expect(page.locator("#toasts .toast")).to_have_count(1)
        texts.append(page.locator("#toasts .toast-text").inner_text())
        expect(page.get_by_role("heading", name="Nothing failed")).to_be_visible()
    assert "Retrying now." in texts
    twilio.wait_for(1, to=WRONG)
    pages[0].wait_for_timeout(1500)
    assert len(twilio.messages(WRONG)) == 1
    for page in pages:
        page.context.close()


def test_what_is_being_typed_and_ticked_survives_what_arrives_meanwhile(
    page: Page, shop: RunningShop, twilio: FakeTwilio
) -> None:
    open_failed(page, shop)
    fail(page, shop, twilio, WRONG, customerName="Dana Whitfield")
    dana = row(page, "Dana Whitfield")
    dana.get_by_role("checkbox").check()
    dana.get_by_text("Correct the number").click()
    field = dana.get_by_label("Phone")
    field.fill("+44 7911")
    fail(page, shop, twilio, "+12125550188", customerName="Ravi Shah")
    expect(row(page, "Ravi Shah")).to_be_visible()
    expect(field).to_have_value("+44 7911")
    expect(field).to_be_focused()
    expect(dana.get_by_role("checkbox")).to_be_checked()


def test_selected_messages_and_all_of_a_reason_are_retried(
    page: Page, shop: RunningShop, twilio: FakeTwilio
) -> None:
    open_failed(page, shop)
    numbers = [f"+1212555018{turn}" for turn in range(3)]
    for turn, number in enumerate(numbers):
        fail(page, shop, twilio, number, customerName=f"Customer {turn}")
    expect(page.locator(".failed-row")).to_have_count(3)
    page.get_by_role("button", name="Retry selected").click()
    expect(page.locator("#toasts")).to_contain_text("Select the messages to retry first.")
    row(page, "Customer 1").get_by_role("checkbox").check()
    page.get_by_role("button", name="Retry selected").click()
    expect(page.locator("#toasts")).to_contain_text("1 retried")
    expect(page.locator(".failed-row")).to_have_count(2)
    twilio.wait_for(1, to=numbers[1])
    page.get_by_role("button", name="Retry all 2").click()
    expect(page.get_by_role("heading", name="Nothing failed")).to_be_visible()
    for number in numbers:
        twilio.wait_for(1, to=number)


def test_everything_works_without_javascript(
    browser: Browser, page: Page, shop: RunningShop, twilio: FakeTwilio
) -> None:
    open_failed(page, shop)
    for turn in range(3):
        fail(page, shop, twilio, f"+1212555017{turn}", customerName=f"Customer {turn}")
    plain = browser.new_context(java_script_enabled=False).new_page()
    log_in(plain, shop, "/failed")
    expect(plain.locator("#live")).to_be_hidden()

    zero = row(plain, "Customer 0")
    zero.get_by_text("Correct the number").click()
    zero.get_by_label("Phone").fill("12 34")
    zero.get_by_role("button", name="Save and retry").click()
    expect(zero).to_contain_text("This needs its country code")
    expect(zero.get_by_label("Phone")).to_have_value("12 34")
    zero.get_by_label("Phone").fill(RIGHT)
    zero.get_by_role("button", name="Save and retry").click()
    expect(plain.locator("#toasts")).to_contain_text("Number corrected. Retrying now.")
    twilio.wait_for(1, to=RIGHT)

    row(plain, "Customer 1").get_by_role("button", name="Retry").click()
    expect(plain.locator("#toasts")).to_contain_text("Retrying now.")
    row(plain, "Customer 2").get_by_role("checkbox").check()
    plain.get_by_role("button", name="Retry selected").click()
    expect(plain.locator("#toasts")).to_contain_text("1 retried")
    expect(plain.get_by_role("heading", name="Nothing failed")).to_be_visible()
    twilio.wait_for(1, to="+12125550172")
    plain.context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious_and_a_phone_cuts_nothing_off(
    browser: Browser, shop: RunningShop, twilio: FakeTwilio, scheme: Any
) -> None:
    page = browser.new_context(color_scheme=scheme, viewport=PHONE).new_page()
    problems = problems_of(page)
    open_failed(page, shop)
    assert serious_problems(page) == []
    fail(page, shop, twilio, WRONG, customerName=LONG)
    expect(row(page, LONG)).to_be_visible()
    row(page, LONG).get_by_text("Correct the number").click()
    for width in (390, 768, 1360):
        page.set_viewport_size({"width": width, "height": 844})
        assert page.evaluate("document.documentElement.scrollWidth") == width
        assert serious_problems(page) == []
    assert problems == []
    page.context.close()


def test_a_failure_is_retried_by_keyboard_alone(
    page: Page, shop: RunningShop, twilio: FakeTwilio
) -> None:
    open_failed(page, shop)
    fail(page, shop, twilio, WRONG, customerName="Dana Whitfield")
    dana = row(page, "Dana Whitfield")
    dana.get_by_role("link", name="Dana Whitfield").focus()
    page.keyboard.press("Tab")
    expect(dana.get_by_role("button", name="Retry reminder")).to_be_focused()
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(dana.get_by_label("Phone")).to_be_visible()
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Enter")
    expect(page.locator("#toasts")).to_contain_text("Retrying now.")
    twilio.wait_for(1, to=WRONG)
