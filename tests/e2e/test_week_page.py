"""A week and a month in a real browser: a journey by keyboard, one with a finger."""

from datetime import datetime, timedelta

from playwright.sync_api import Page, expect

from tests.e2e import test_board_page as board
from tests.e2e.test_board_page import LOCAL, block, book, dialog, place
from tests.support.dashboard import PHONE, Dashboard, assert_fits, live, problems_of

SHOP = board.SHOP


def wednesday() -> int:
    """How many days from today there is a Wednesday with a Thursday after it in the same week."""
    return (2 - datetime.now(LOCAL).weekday()) % 7 or 7


def turn(page: Page, key: str) -> None:
    """Press an arrow, and wait for the page that hears the next key: its scripts come last."""
    with page.expect_event("load"):
        page.keyboard.press(key)


def test_by_keyboard_one_turns_weeks_and_moves_a_booking_to_another_day(
    page: Page, shop: Dashboard
) -> None:
    days = wednesday()
    booking = book(shop, "10:00", days, customerName="Luis Ortega")
    on = datetime.now(LOCAL).date() + timedelta(days=days)
    problems = problems_of(page)
    page.goto(f"/today?date={on}&barber=barber_1")
    with page.expect_event("load"):
        page.get_by_role("link", name="Week", exact=True).click()
    title = page.locator("h1").inner_text()
    turn(page, "ArrowRight")
    expect(page.locator("h1")).not_to_have_text(title)
    turn(page, "ArrowLeft")
    expect(page.locator("h1")).to_have_text(title)
    expect(page.locator("#tab-barber_1")).to_have_attribute("aria-current", "true")
    live(page)
    page.locator(f"#open-{booking['id']}").focus()
    for key in ("m", "ArrowRight", "ArrowDown"):
        page.keyboard.press(key)
    expect(page.locator("#board-status")).to_contain_text("10:15")
    page.keyboard.press("Enter")
    expect(dialog(page).get_by_role("button", name="Move booking")).to_be_focused()
    page.keyboard.press("Enter")
    expect(dialog(page)).to_be_hidden()
    moved = page.locator(f"#column-{on + timedelta(days=1)} .block")
    expect(moved).to_contain_text("Luis Ortega")
    assert place(shop, booking) == ("10:15", "barber_1")
    page.get_by_role("link", name="Month", exact=True).click()
    cell = page.locator(f"#day-{on + timedelta(days=1)}")
    expect(cell).to_contain_text("1 booking")
    cell.click()
    expect(block(page, booking)).to_be_visible()
    assert problems == []


def test_on_a_phone_a_week_is_a_list_by_day_and_what_happens_elsewhere_appears(
    page: Page, shop: Dashboard
) -> None:
    page.set_viewport_size(PHONE)
    days = wednesday()
    on = datetime.now(LOCAL).date() + timedelta(days=days)
    book(shop, "10:00", days, customerName="First")
    page.goto(f"/today/week?date={on}")
    live(page)
    day = page.locator(f".week-day:has(#day-{on})")
    book(shop, "14:00", days, customerName="Second", barberId="barber_2")
    expect(day.locator(".week-customer")).to_have_text(["First", "Second"])
    assert_fits(page)
    page.get_by_role("link", name="Alex", exact=True).first.click()
    blocks = page.locator(f"#column-{on} .block")
    expect(blocks).to_contain_text("Second")
    box, column = blocks.bounding_box(), page.locator(f"#column-{on}").bounding_box()
    assert box
    assert column
    assert box["width"] > 300
    assert box["y"] - column["y"] < 100  # right below its day, not at its time
    assert_fits(page)


def test_who_wants_a_smaller_board_without_what_was_cancelled_keeps_it_so(
    page: Page, shop: Dashboard
) -> None:
    booking = book(shop, "10:00", customerName="Gone")
    assert shop.api.delete(f"/api/bookings/{booking['id']}").status_code == 200
    board.open_board(page)
    rows, trace = page.locator("#column-barber_1 .board-rows"), page.locator(".trace")
    height = rows.evaluate("each => each.offsetHeight")
    expect(trace).to_be_visible()
    page.get_by_label("View of the board").press("Enter")
    page.get_by_role("button", name="Small").press("Enter")
    page.get_by_role("button", name="Hide").press("Enter")
    expect(trace).to_be_hidden()
    new = book(shop, "12:00")  # the live board leaves what was chosen alone
    expect(block(page, new)).to_be_visible()
    expect(page.get_by_role("button", name="Hide")).to_have_attribute("aria-pressed", "true")
    page.keyboard.press("Escape")
    page.get_by_role("link", name="Closed before").press("Enter")
    expect(page.get_by_role("link", name="Hide hours in which the shop is closed")).to_be_visible()
    assert rows.evaluate("each => each.offsetHeight") > 2 * height * 0.7
    page.go_back()
    expect(trace).to_be_hidden()
    assert rows.evaluate("each => each.offsetHeight") < 0.8 * height
