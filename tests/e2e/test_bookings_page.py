"""The list of bookings and the page of one, in a real browser, with real workers."""

import re
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.support.dashboard import LONG_NAME, PHONE, Dashboard, assert_fits, live, problems_of
from tests.support.processes import wait_until

SHOP: dict[str, str] = {}


@pytest.fixture
def problems(page: Page) -> list[str]:
    return problems_of(page)


def open_booking(page: Page, booking: dict[str, Any]) -> None:
    page.goto(f"/bookings/{booking['id']}")
    live(page)


def test_typing_narrows_the_list_and_keeps_the_focus_and_what_is_typed(
    page: Page, shop: Dashboard, problems: list[str]
) -> None:
    shop.book(3600, customerName="Luis Ortega")
    shop.book(7200, customerName="Ana Silva")
    page.goto("/bookings")
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
    page: Page, shop: Dashboard, problems: list[str]
) -> None:
    shop.book(3600, customerName="Luis Ortega")
    shop.book(7200, customerName="Ana Silva", barberId="barber_2")
    page.goto("/bookings")
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


def test_a_cancellation_that_is_not_undone_is_told_and_the_page_says_so(
    page: Page, shop: Dashboard, problems: list[str]
) -> None:
    booking = shop.book(17_000)
    open_booking(page, booking)
    page.get_by_role("button", name="Cancel booking").press("Space")
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("2 planned reminders will not go out")
    expect(dialog).to_contain_text("has been cancelled")
    dialog.get_by_role("button", name="Cancel booking").click()
    expect(page.locator(".toast")).to_contain_text("Luis Ortega is told in 10 seconds.")
    expect(page.get_by_role("button", name="Undo the cancellation")).to_be_visible()
    live(page)

    shop.sql(
        "UPDATE message SET due_at = datetime('now') WHERE kind = 'cancellation'"
    )  # 10 s later

    [message] = shop.twilio.wait_for(1, to=booking["customerPhone"])
    assert "has been cancelled" in message.body
    expect(page.locator("[id$='-cancellation-1']")).to_contain_text("Delivered")
    expect(page.get_by_role("button", name="Undo the cancellation")).to_have_count(0)
    assert problems == []


def test_a_reminder_now_goes_out_once_and_shows_as_delivered(
    page: Page, shop: Dashboard, problems: list[str]
) -> None:
    booking = shop.book(17_000)
    open_booking(page, booking)

    page.get_by_role("button", name="Send a reminder now").click()
    expect(page.get_by_role("dialog")).to_contain_text("Your appointment is in 4 hours")
    page.get_by_role("button", name="Send it").click()

    expect(page.locator("[id$='-reminder-3']")).to_contain_text("Delivered")
    expect(page.locator("#timeline")).to_contain_text("Reminder asked for by")
    assert len(shop.twilio.messages(booking["customerPhone"])) == 1
    assert problems == []


def test_finding_and_reminding_work_without_script(new_context: Any, shop: Dashboard) -> None:
    shop.book(17_000, customerName="Ana Silva")
    booking = shop.book(17_000)
    page = new_context(java_script_enabled=False).new_page()
    page.goto("/bookings")
    page.get_by_label("Name, phone or id").fill("luis")
    page.get_by_label("Status").select_option("confirmed")
    page.get_by_role("button", name="Search").click()
    expect(page.locator("tbody tr")).to_have_count(1)
    page.locator("main").get_by_role("link", name="Luis Ortega").click()
    page.get_by_role("button", name="Send a reminder now").click()
    page.get_by_role("button", name="Send it").click()
    expect(page.locator(".toast")).to_contain_text("The reminder is on its way.")
    wait_until(lambda: shop.states(booking)[-1] == "completed")
    page.reload()
    expect(page.locator("#timeline .card-head")).to_contain_text("1 sent · 2 to go")
    assert len(shop.twilio.messages(booking["customerPhone"])) == 1


def test_both_pages_fit_a_phone_also_with_long_names(
    page: Page, shop: Dashboard, problems: list[str]
) -> None:
    booking = shop.book(17_000, customerName=LONG_NAME)
    page.set_viewport_size(PHONE)
    page.goto("/bookings")
    expect(page.get_by_label("Barber")).to_be_hidden()
    page.get_by_text("Filters").click()
    expect(page.get_by_label("Barber")).to_be_visible()
    assert_fits(page)
    for path in ("/bookings", f"/bookings/{booking['id']}"):
        page.goto(path)
        assert_fits(page)
        expect(page.get_by_text(LONG_NAME).first).to_be_in_viewport()
    page.get_by_role("button", name="Cancel booking").click()
    button = page.get_by_role("dialog").get_by_role("button", name="Cancel booking")
    expect(button).to_be_in_viewport()
    button.click()
    expect(page.locator(".toast").get_by_role("button", name="Undo")).to_be_in_viewport()
    assert problems == []
