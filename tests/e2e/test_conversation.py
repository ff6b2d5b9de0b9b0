"""A customer and the staff, each in a browser: replies, answers and the shop's own words; and mail
that lets staff choose a password.
"""

import re

import pytest
from playwright.sync_api import BrowserContext, Locator, Page, expect

from tests.e2e.test_diary import choose_password
from tests.support.dashboard import PHONE, Dashboard, assert_fits, live
from tests.support.mailbox import Mailbox
from tests.support.ports import free_port
from tests.support.processes import wait_until

# Without an account at Twilio, messages go to the simulator.
ACCOUNT = ("ACCOUNT_SID", "AUTH_TOKEN", "FROM_NUMBER", "API_URL")
TEMPLATES = ("REMINDER_CONTENT_SID", "CANCELLATION_CONTENT_SID")
MAIL_PORT = free_port()
SHOP = {
    "MAIL_FROM": "shop@example.com",
    "SMTP_URL": f"smtp://127.0.0.1:{MAIL_PORT}",
    **{f"WHATSAPP_{name}": "" for name in (*ACCOUNT, *TEMPLATES)},
}


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


def test_on_a_phone_a_question_needs_attention_until_staff_answer_it(
    customer: Customer, page: Page, context: BrowserContext
) -> None:
    board = context.new_page()
    board.set_viewport_size(PHONE)
    board.goto(customer.day)
    live(board)
    customer.write("Is there parking?")
    expect(board.locator("#replies-badge")).to_have_text("1 reply")
    need = board.get_by_role("listitem").filter(has_text="“Is there parking?”")
    need.get_by_role("link", name="Answer Luis Ortega").click()
    field = board.get_by_label("Answer Luis Ortega")
    expect(field).to_be_in_viewport()
    field.fill("Yes, behind the shop.")
    assert_fits(board)
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
    field.fill("Both are behind the shop.")
    page.get_by_role("button", name="Send", exact=True).click()
    expect(customer.chat).to_contain_text("Both are behind the shop.")


def test_on_a_phone_the_next_reminder_reads_as_the_owner_has_just_written(
    customer: Customer, shop: Dashboard, page: Page
) -> None:
    page.set_viewport_size(PHONE)
    page.goto("/settings/texts/reminder")
    page.get_by_label("Reminder", exact=True).fill("Dear {customerName}, see you at {shopName}!")
    expect(page.locator("#seen")).to_contain_text("Dear Luis Ortega, see you at The barbershop!")
    assert_fits(page)
    page.get_by_role("button", name="Save text").click()
    expect(page.get_by_text("Saved. Messages from now on read so.")).to_be_visible()
    shop.remind(customer.booking)
    expect(customer.chat).to_contain_text("Dear Luis Ortega, see you at The barbershop!")


def test_on_a_phone_who_is_invited_and_who_forgets_a_password_follow_links_in_mails(
    page: Page, shop: Dashboard
) -> None:
    page.set_viewport_size(PHONE)
    with Mailbox(port=MAIL_PORT) as mailbox:
        page.goto("/staff")
        page.get_by_label("Name").fill("Robin Hale")
        page.get_by_label("Email").fill("robin@example.com")
        page.get_by_role("button", name="Add", exact=True).click()
        choose_password(page, mailed_link(mailbox, 1), "several words of my own")
        page.context.clear_cookies()
        page.goto("/login")
        page.get_by_role("link", name="Forgot your password?").click()
        page.get_by_label("Email").fill("robin@example.com")
        page.get_by_role("button", name="Mail me a link").click()
        expect(page.get_by_role("heading", name="Look into your mail")).to_be_visible()
        assert_fits(page)
        choose_password(page, mailed_link(mailbox, 2), "other words that nobody knows")


def mailed_link(mailbox: Mailbox, number: int) -> str:
    """The link in the newest mail, once there are so many."""
    wait_until(lambda: len(mailbox.mails) == number, what="a mail")
    [link] = re.findall(r"http\S+/join/\S+", mailbox.mails[-1].get_content())
    return str(link)
