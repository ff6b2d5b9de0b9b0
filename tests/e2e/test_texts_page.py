"""The texts page in a real browser: the preview while one types, placeholders, and what is sent."""

from playwright.sync_api import Page, expect

from tests.support.dashboard import Dashboard, live, problems_of
from tests.support.processes import wait_until

SHOP: dict[str, str] = {}

_CARET = "document.getElementById('text').selectionStart"


def test_a_text_is_shown_while_one_types_and_the_next_message_reads_so(
    page: Page, shop: Dashboard
) -> None:
    problems = problems_of(page)
    booking = shop.book(20_000, customerName="Luis Ortega")
    page.goto("/settings/texts/reminder")
    live(page)
    text, seen = page.get_by_label("Reminder", exact=True), page.locator("#seen")
    text.fill("Hi , see you!")
    page.evaluate("document.getElementById('text').setSelectionRange(3, 3)")
    page.get_by_role("button", name="{customerName}").click()
    expect(text).to_have_value("Hi {customerName}, see you!")
    expect(text).to_be_focused()
    expect(seen).to_contain_text("Hi Luis Ortega, see you!")
    assert page.evaluate(_CARET) == len("Hi {customerName}")
    page.keyboard.press("Control+z")
    expect(text).to_have_value("Hi , see you!")
    page.keyboard.press("Control+Shift+z")
    page.keyboard.type(" {shpName}")
    expect(page.locator("#text-notes")).to_contain_text("{shpName} is not a placeholder")
    expect(text).to_have_attribute("aria-invalid", "true")
    page.get_by_role("button", name="Go there").click()
    page.keyboard.type("{shopName}")
    expect(seen).to_contain_text("Hi Luis Ortega The barbershop, see you!")
    expect(text).to_have_attribute("aria-invalid", "false")
    page.get_by_role("button", name="Save text").click()
    expect(page.get_by_role("status").filter(has_text="Saved.")).to_be_visible()
    shop.remind(booking)
    shop.twilio.wait_for(1, booking["customerPhone"])
    page.goto(f"/bookings/{booking['id']}")
    expect(page.locator("#chat")).to_contain_text("Hi Luis Ortega The barbershop, see you!")
    assert problems == []


def test_what_is_refused_is_selected_where_it_is_wrong(page: Page, shop: Dashboard) -> None:
    page.goto("/settings/texts/cancellation")
    page.get_by_label("Cancellation", exact=True).fill("😀\nGone, {name}.")
    page.get_by_role("button", name="Save text").click()
    expect(page.locator("#text-problem")).to_be_visible()
    expect(page.get_by_label("Cancellation", exact=True)).to_be_focused()
    # By its script, which runs after the page is seen.
    wait_until(lambda: page.evaluate("getSelection().toString()") == "{name}")
