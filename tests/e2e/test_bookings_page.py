"""The list of bookings and the page of one, in a real browser, with real workers."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.fake_twilio import FakeTwilio
from tests.support.dashboard import OWNER, log_in, problems_of
from tests.support.processes import wait_until
from tests.support.running import RunningShop
from tests.support.valkey import Valkey

Start = Callable[..., RunningShop]

LONG_NAME = "Maximiliane-Wilhelmine Freifrau von Donaudampfschifffahrt"
PHONE_SIZE = {"width": 390, "height": 844}


@pytest.fixture
def twilio() -> Iterator[FakeTwilio]:
    with FakeTwilio() as fake:
        fake.auto_callbacks = ("sent", "delivered")
        yield fake


@pytest.fixture
def start(tmp_path: Path, twilio: FakeTwilio, valkey: Valkey) -> Iterator[Start]:
    """Start the shop with an owner, and with these variables."""
    running: list[RunningShop] = []

    def go(**variables: str) -> RunningShop:
        shop = RunningShop(tmp_path, twilio, valkey, **OWNER, **variables)
        running.append(shop.__enter__())
        return shop

    yield go
    for shop in running:
        shop.__exit__()


@pytest.fixture
def problems(page: Page) -> list[str]:
    return problems_of(page)


@pytest.fixture
def scriptless(browser: Browser) -> Iterator[Page]:
    """A browser that runs no script."""
    context = browser.new_context(java_script_enabled=False)
    yield context.new_page()
    context.close()


def reminder(number: int) -> str:
    """Where a reminder is on the page."""
    return f"[id$='-reminder-{number}']"


def test_typing_narrows_the_list_and_keeps_the_focus_and_what_is_typed(
    start: Start, page: Page, problems: list[str]
) -> None:
    shop = start()
    shop.book(3600, customerName="Luis Ortega")
    shop.book(7200, customerName="Ana Silva")
    log_in(page, shop)
    rows = page.locator("tbody tr")
    expect(rows).to_have_count(2)

    page.get_by_label("Name, phone or id").click()
    page.keyboard.type("ana", delay=40)

    expect(rows).to_have_count(1)
    expect(rows).to_contain_text("Ana Silva")
    expect(page).to_have_url(re.compile(r"/bookings\?q=ana$"))
    page.keyboard.type("x")
    expect(page.get_by_text("No upcoming booking fits")).to_be_visible()
    expect(page.get_by_label("Name, phone or id")).to_be_focused()
    expect(page.get_by_label("Name, phone or id")).to_have_value("anax")
    page.reload()
    expect(page.get_by_label("Name, phone or id")).to_have_value("anax")
    page.locator("#bookings .empty").get_by_role("link", name="Clear filters").click()
    expect(rows).to_have_count(2)
    assert problems == []


def test_a_chosen_filter_is_in_the_address_and_back_takes_it_away(
    start: Start, page: Page, problems: list[str]
) -> None:
    shop = start()
    shop.book(3600, customerName="Luis Ortega")
    shop.book(7200, customerName="Ana Silva", barberId="barber_2")
    log_in(page, shop)
    rows = page.locator("tbody tr")

    page.get_by_label("Barber").select_option("barber_2")

    expect(rows).to_have_count(1)
    expect(page).to_have_url(re.compile(r"/bookings\?barber=barber_2$"))
    page.get_by_label("With failed sends").check()
    expect(rows).to_have_count(0)
    expect(page).to_have_url(re.compile(r"barber=barber_2&failed=1$"))
    page.go_back()
    expect(rows).to_have_count(1)
    expect(page.get_by_label("With failed sends")).not_to_be_checked()
    page.go_back()
    expect(rows).to_have_count(2)
    assert problems == []


def test_a_reminder_goes_from_planned_to_sending_to_delivered_while_one_looks(
    start: Start, page: Page, twilio: FakeTwilio, problems: list[str]
) -> None:
    shop = start(REMINDER_EVERY="2s", SEND_TIMEOUT="20", SEND_LEASE="60")
    log_in(page, shop)
    twilio.auto_callbacks = ()
    twilio.hold_after_accept()
    booking = shop.book(60)
    page.goto(f"{shop.environment['PUBLIC_URL']}/bookings/{booking['id']}")
    first = page.locator(reminder(1))
    expect(first).to_contain_text("Planned")
    page.locator("#later > summary").click()
    expect(first).to_contain_text("Sending", timeout=8000)

    twilio.release()
    expect(first).to_contain_text("Sent")
    twilio.call_back(twilio.messages()[0].sid, "delivered")

    expect(first).to_contain_text("Delivered")
    expect(page.locator(".said").first).to_contain_text("Hello Luis Ortega!")
    expect(page.locator("#timeline .card-head")).to_contain_text(re.compile(r"[1-9]\d* sent"))
    expect(page.locator("#later")).to_have_attribute("open", "")  # it was opened, and stays so
    assert problems == []


def test_a_cancelled_booking_is_undone_before_its_customer_hears_of_it(
    start: Start, page: Page, twilio: FakeTwilio, problems: list[str]
) -> None:
    shop = start(REMINDER_EVERY="1h")
    booking = shop.book(10_000)
    log_in(page, shop, f"/bookings/{booking['id']}")

    page.get_by_role("button", name="Cancel booking").press("Space")
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("2 planned reminders will not go out")
    expect(dialog).to_contain_text("has been cancelled")
    dialog.get_by_role("button", name="Cancel booking").click()

    toast = page.locator(".toast")
    expect(toast).to_contain_text("Cancelled. Luis Ortega is told in 10 seconds.")
    expect(page.locator("#facts")).to_contain_text("Cancelled")
    toast.get_by_role("button", name="Undo").click()
    expect(page.locator(".toast")).to_contain_text("The booking stands")
    expect(page.locator("#facts")).to_contain_text("Confirmed")
    expect(page.locator("#timeline")).to_contain_text("2 planned messages cancelled")
    expect(page.locator("#timeline .card-head")).to_contain_text("0 sent · 2 to go")
    page.wait_for_timeout(11_000)
    assert twilio.posts() == []
    assert problems == []


def test_a_cancellation_that_is_not_undone_is_told_and_the_page_says_so(
    start: Start, page: Page, twilio: FakeTwilio, problems: list[str]
) -> None:
    shop = start(REMINDER_EVERY="1h")
    booking = shop.book(10_000)
    log_in(page, shop, f"/bookings/{booking['id']}")
    page.get_by_role("button", name="Cancel booking").click()
    page.get_by_role("dialog").get_by_role("button", name="Cancel booking").click()
    expect(page.get_by_role("button", name="Undo the cancellation")).to_be_visible()

    [message] = twilio.wait_for(1, timeout=15)

    assert "has been cancelled" in message.body
    expect(page.locator("[id$='-cancellation-1']")).to_contain_text("Delivered")
    expect(page.get_by_role("button", name="Undo the cancellation")).to_have_count(0)
    assert problems == []


def test_a_reminder_now_goes_out_once_and_shows_as_delivered(
    start: Start, page: Page, twilio: FakeTwilio, problems: list[str]
) -> None:
    shop = start(REMINDER_EVERY="1h")
    booking = shop.book(10_000)
    log_in(page, shop, f"/bookings/{booking['id']}")

    page.get_by_role("button", name="Send a reminder now").click()
    expect(page.get_by_role("dialog")).to_contain_text("Your appointment is in 2 hours")
    page.get_by_role("button", name="Send it").click()

    expect(page.locator(reminder(3))).to_contain_text("Delivered")
    expect(page.locator("#timeline")).to_contain_text("Reminder asked for by")
    assert len(twilio.messages()) == 1
    assert problems == []


def test_everything_works_without_script(
    start: Start, scriptless: Page, twilio: FakeTwilio
) -> None:
    shop = start(REMINDER_EVERY="1h")
    shop.book(10_000, customerName="Ana Silva")
    booking = shop.book(10_000)
    page = scriptless
    log_in(page, shop)
    page.get_by_label("Name, phone or id").fill("luis")
    page.get_by_label("Status").select_option("confirmed")
    page.get_by_role("button", name="Search").click()
    expect(page.locator("tbody tr")).to_have_count(1)
    page.get_by_role("link", name="Luis Ortega").click()

    page.get_by_role("button", name="Cancel booking").click()
    expect(page.locator("#cancel")).to_contain_text("has been cancelled")
    page.locator("#cancel").get_by_role("button", name="Cancel booking").click()
    expect(page.locator("#facts")).to_contain_text("Cancelled")
    page.get_by_role("button", name="Undo the cancellation").click()
    expect(page.locator("#facts")).to_contain_text("Confirmed")

    page.get_by_role("button", name="Send a reminder now").click()
    page.get_by_role("button", name="Send it").click()
    expect(page.locator(".toast")).to_contain_text("The reminder is on its way.")
    wait_until(lambda: shop.states(booking)[-1] == "completed")
    page.reload()
    expect(page.locator("#timeline .card-head")).to_contain_text("1 sent · 2 to go")
    assert len(twilio.messages()) == 1


def test_both_pages_fit_a_phone_also_with_long_names(
    start: Start, page: Page, problems: list[str]
) -> None:
    shop = start(REMINDER_EVERY="1h")
    booking = shop.book(10_000, customerName=LONG_NAME + "sgesellschaftskapitänin")
    page.set_viewport_size(PHONE_SIZE)
    log_in(page, shop)
    for path in ("/bookings", f"/bookings/{booking['id']}"):
        page.goto(shop.environment["PUBLIC_URL"] + path)
        assert page.evaluate("document.documentElement.scrollWidth") == PHONE_SIZE["width"]
        expect(page.get_by_text(LONG_NAME).first).to_be_in_viewport()
    page.get_by_role("button", name="Cancel booking").click()
    button = page.get_by_role("dialog").get_by_role("button", name="Cancel booking")
    expect(button).to_be_in_viewport()
    button.click()
    expect(page.locator(".toast").get_by_role("button", name="Undo")).to_be_in_viewport()
    assert problems == []
