"""A customer and the staff, each in a browser: replies, answers and the shop's own words."""

import pytest
from playwright.sync_api import BrowserContext, Locator, Page, expect

from tests.support.dashboard import Dashboard, live

# Without an account at Twilio, messages go to the simulator.
ACCOUNT = ("ACCOUNT_SID", "AUTH_TOKEN", "FROM_NUMBER", "API_URL")
TEMPLATES = ("REMINDER_CONTENT_SID", "CANCELLATION_CONTENT_SID")
SHOP = {f"WHATSAPP_{name}": "" for name in (*ACCOUNT, *TEMPLATES)}


class Customer:
    """A booking of Luis Ortega's, reminded of once, and his phone in the simulator."""

    def __init__(self, shop: Dashboard, phone: Page) -> None:
        self.booking = shop.book(3600)
        self.page = f"/bookings/{self.booking['id']}"
        self.day = f"/today?date={self.booking['scheduledTime'][:10]}"
        shop.remind(self.booking)
        self._phone = phone
        phone.goto(f"/simulator/phones/{self.booking['customerPhone'][1:]}")
        expect(self.chat).to_contain_text("This is a reminder")

    @property
    def chat(self) -> Locator:
        return self._phone.get_by_role("log")

    def write(self, text: str) -> None:
        self._phone.get_by_label("Reply as").fill(text)
        self._phone.get_by_role("button", name="Send", exact=True).click()


@pytest.fixture
def customer(shop: Dashboard, context: BrowserContext) -> Customer:
    return Customer(shop, context.new_page())


def test_a_cancel_by_whatsapp_changes_the_board_and_the_timeline_while_staff_look(
    customer: Customer, page: Page, context: BrowserContext
) -> None:
    board = context.new_page()
    for tab, address in ((board, customer.day), (page, customer.page)):
        tab.goto(address)
        live(tab)
    block = board.locator(f"#block-{customer.booking['id']}")
    expect(block).to_be_visible()
    customer.write("CANCEL")
    expect(customer.chat).to_contain_text("is cancelled")
    expect(page.locator("#timeline")).to_contain_text("Cancelled by the customer, by WhatsApp")
    expect(page.locator(".booking-who")).to_contain_text("Cancelled")
    expect(page.locator("#chat")).to_contain_text("is cancelled")
    expect(block).to_have_count(0)


def test_a_question_needs_attention_until_staff_answer_it(
    customer: Customer, page: Page, context: BrowserContext
) -> None:
    board = context.new_page()
    board.goto(customer.day)
    live(board)
    customer.write("Is there parking?")
    expect(board.locator("#replies-badge")).to_have_text("1 reply")
    need = board.get_by_role("listitem").filter(has_text="“Is there parking?”")
    need.get_by_role("link", name="Answer Luis Ortega").click()
    field = board.get_by_label("Answer Luis Ortega")
    expect(field).to_be_in_viewport()
    field.fill("Yes, behind the shop.")
    page.goto(customer.day)
    live(page)
    expect(page.get_by_text("“Is there parking?”")).to_be_visible()
    board.get_by_role("button", name="Send", exact=True).click()
    expect(board.get_by_text("Your answer is on its way.")).to_be_visible()
    expect(customer.chat).to_contain_text("Yes, behind the shop.")
    expect(board.locator("#chat")).to_contain_text("Yes, behind the shop.")
    expect(page.get_by_text("“Is there parking?”")).to_have_count(0)
    expect(page.locator("#replies-badge")).to_be_empty()


def test_an_answer_field_that_was_made_larger_stays_so_when_news_arrive(
    customer: Customer, page: Page
) -> None:
    customer.write("Is there parking?")
    page.goto(customer.page)
    live(page)
    field = page.get_by_label("Answer Luis Ortega")
    field.evaluate("field => { field.style.height = '300px'; }")  # as its corner does
    customer.write("And a door for a pram?")
    expect(page.locator("#chat")).to_contain_text("And a door for a pram?")
    expect(field).to_have_css("height", "300px")


def test_the_next_reminder_reads_as_the_owner_has_just_written(
    customer: Customer, shop: Dashboard, page: Page
) -> None:
    page.goto("/settings/texts/reminder")
    page.get_by_label("Reminder", exact=True).fill("Dear {customerName}, see you at {shopName}!")
    expect(page.locator("#seen")).to_contain_text("Dear Luis Ortega, see you at The barbershop!")
    page.get_by_role("button", name="Save text").click()
    expect(page.get_by_text("Saved. Messages from now on read so.")).to_be_visible()
    shop.remind(customer.booking)
    expect(customer.chat).to_contain_text("Dear Luis Ortega, see you at The barbershop!")
