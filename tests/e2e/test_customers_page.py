"""A customer in a real browser: found while one types, changed, booked again, on a phone too."""

from datetime import UTC, datetime, timedelta

from playwright.sync_api import Page, expect

from tests.support.dashboard import LONG_NAME, PHONE, Dashboard, assert_fits, live, problems_of

SHOP: dict[str, str] = {}

ANA = "+12025550123"


def test_a_customer_is_found_while_one_types_and_booked_again(shop: Dashboard, page: Page) -> None:
    shop.book(7200, ANA, customerName="Ana Silva")
    shop.book(3600, customerName="Ben Adeyemi")
    problems = problems_of(page)
    page.goto("/customers")
    names = page.locator("#customers tbody a")
    expect(names).to_have_text(["Ben Adeyemi", "Ana Silva"])
    field = page.get_by_label("Name or phone")
    field.press_sequentially("silv")
    expect(names).to_have_text(["Ana Silva"])
    expect(field).to_be_focused()
    expect(page).to_have_url("/customers?q=silv")
    names.click()
    expect(page.get_by_role("heading", name="Ana Silva")).to_be_visible()
    page.get_by_role("link", name="New booking").click()
    expect(page.get_by_label("Phone")).to_have_value(ANA)
    expect(page.get_by_label("Name")).to_have_value("Ana Silva")
    assert problems == []


def test_on_a_phone_a_customers_page_follows_their_bookings_and_keeps_what_they_said(
    shop: Dashboard, page: Page
) -> None:
    page.set_viewport_size(PHONE)
    booking = shop.book(7200, ANA)
    page.goto(f"/customers/{booking['id']}")
    live(page)
    language = page.get_by_label("Language of messages")
    language.select_option("de")
    shop.api.delete(f"/api/bookings/{booking['id']}").raise_for_status()
    expect(page.locator("#coming tbody")).to_contain_text("Cancelled")
    expect(language).to_have_value("de")  # it is not saved yet
    page.get_by_role("button", name="Save language").click()
    expect(page.locator("#toasts")).to_contain_text("Messages to them are in Deutsch from now on.")
    expect(language).to_have_value("de")
    assert_fits(page)
    page.get_by_role("button", name="Stop messages").click()
    expect(page.locator("#facts")).to_contain_text("Wants no messages since today")
    page.get_by_role("button", name="Undo").click()
    expect(page.get_by_role("button", name="Stop messages")).to_be_visible()
    expect(page).to_have_url(f"/customers/{booking['id']}")


def test_on_a_phone_a_long_name_fits_and_no_word_of_the_navigation_is_cut(
    shop: Dashboard, page: Page
) -> None:
    booking = shop.book(7200, customerName=LONG_NAME)
    page.set_viewport_size(PHONE)
    for address in ("/customers", f"/customers/{booking['id']}"):
        page.goto(address)
        assert_fits(page)
    shop.api.post("/api/barbers", json={"name": "W" * 100}).raise_for_status()
    page.goto("/waiting")
    page.get_by_label("Phone").fill("+12025550123")
    page.get_by_label("Name").fill("W" * 100)
    page.get_by_label("Service").select_option("haircut")
    page.get_by_label("First day").fill(f"{datetime.now(UTC) + timedelta(days=2):%Y-%m-%d}")
    page.get_by_role("button", name="Put on the list").click()
    expect(page.locator(".waiting")).to_have_count(1)
    pages = ("/settings/services", "/settings/calendars", "/numbers", "/today", "/waiting")
    for address in ("/today/week", "/bookings/walk-in", *pages):
        page.goto(address)
        assert_fits(page)
    bar = page.get_by_role("navigation", name="Pages").get_by_role("link")
    labels = ["Today", "Bookings", "Customers", "Failed sends", "Queue"]
    expect(bar).to_have_count(len(labels))
    for label, each in zip(labels, bar.all(), strict=True):
        expect(each).to_have_accessible_name(label)
        assert each.evaluate("(it) => it.scrollWidth <= it.clientWidth"), label
