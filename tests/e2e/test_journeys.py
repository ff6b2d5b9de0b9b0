"""Staff's whole way through the dashboard in one go: from the first run to a cancellation undone.

What each page does by itself is tested beside it.
"""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Locator, Page, ViewportSize, expect

from tests.fake_twilio import FakeTwilio
from tests.support.dashboard import OWNER, problems_of
from tests.support.running import RunningShop
from tests.support.valkey import Valkey

# A zone in which it is noon, so that today's free times are around us.
_AHEAD = 12 - datetime.now(UTC).hour
ZONE = f"Etc/GMT{-_AHEAD:+d}" if _AHEAD else "Etc/GMT"
LOCAL = timezone(timedelta(hours=_AHEAD))

WIDE: ViewportSize = {"width": 1280, "height": 900}
PHONE: ViewportSize = {"width": 390, "height": 844}


@pytest.fixture
def shop(tmp_path: Path, twilio: FakeTwilio, valkey: Valkey) -> Iterator[RunningShop]:
    """A new shop without an owner, in which a reminder is due every 2 s."""
    twilio.auto_callbacks = ("delivered",)
    variables = {"SHOP_TIMEZONE": ZONE, "REMINDER_EVERY": "2s"}
    with RunningShop(tmp_path, twilio, valkey, **variables) as running:
        yield running


def url(shop: RunningShop, path: str) -> str:
    return shop.environment["PUBLIC_URL"] + path


def set_up(page: Page, shop: RunningShop) -> None:
    """The first run, and then the way in by the login."""
    page.goto(url(shop, "/"))
    expect(page.get_by_role("heading", name="Welcome to Chairtime")).to_be_visible()
    page.get_by_label("Setup code").fill((shop.folder / "var" / "setup-code").read_text())
    page.get_by_label("Your name").fill("Ann Lee")
    page.get_by_label("Email").fill(OWNER["CHAIRTIME_OWNER_EMAIL"])
    page.get_by_label("Password").fill(OWNER["CHAIRTIME_OWNER_PASSWORD"])
    page.get_by_role("button", name="Create the account").click()
    page.wait_for_url(url(shop, "/today"))
    page.context.clear_cookies()
    page.goto(url(shop, "/today"))
    page.get_by_label("Email").fill(OWNER["CHAIRTIME_OWNER_EMAIL"])
    page.get_by_label("Password").fill(OWNER["CHAIRTIME_OWNER_PASSWORD"])
    page.get_by_role("button", name="Log in").click()
    page.wait_for_url(url(shop, "/today"))


def book_on_the_board(page: Page, shop: RunningShop) -> dict[str, Any]:
    """Take the second free place of the first barber: the first may begin at any moment."""
    page.get_by_role("link", name=re.compile("^Book Sam at ")).nth(1).click()
    fill_in(page)
    page.get_by_role("button", name="Book", exact=True).click()
    expect(page.get_by_role("heading", name="Luis Ortega", level=1)).to_be_visible()
    [booking] = shop.api.get("/api/bookings").json()["items"]
    return dict(booking)


def fill_in(page: Page) -> None:
    page.get_by_label("Phone").fill("+44 7700 900123")
    page.get_by_label("Name").fill("Luis Ortega")
    page.get_by_label("Service").select_option("haircut")
    look = page.get_by_role("button", name="Show free times and reminders")
    if look.count():  # without JavaScript
        look.click()
    expect(page.locator("#reminders")).to_contain_text(re.compile(r"\d+ reminders"))
    page.locator("input[name=sure]").check()


def see_one_delivered(page: Page) -> None:
    """The plan is there; a reminder leaves it while one looks, and arrives."""
    expect(page.locator("#timeline")).to_contain_text(re.compile(r"[1-9]\d* to go"))
    first = page.locator("[id$='-reminder-1']")
    expect(first).to_contain_text("Delivered", timeout=15_000)


def block(page: Page, booking: dict[str, Any]) -> Locator:
    return page.locator(f"#block-{booking['id']}")


def starts_at(shop: RunningShop, booking: dict[str, Any]) -> datetime:
    found = shop.api.get(f"/api/bookings/{booking['id']}").json()
    return datetime.fromisoformat(found["scheduledTime"])


def numbers(shop: RunningShop, booking: dict[str, Any], *states: str) -> set[int]:
    """The reminders that are in one of these states."""
    return {row["number"] for row in shop.reminders(booking) if row["state"] in states}


def move_by_drag(page: Page, what: Locator) -> None:
    """An hour later."""
    what.scroll_into_view_if_needed()
    box = what.bounding_box()
    assert box
    row = page.evaluate(
        "parseFloat(getComputedStyle(document.querySelector('.board-rows')).gridAutoRows)"
    )
    page.mouse.move(box["x"] + 30, box["y"] + 8)
    page.mouse.down()
    page.mouse.move(box["x"] + 30, box["y"] + 8 + 12 * row, steps=8)
    page.mouse.up()


def move_by_keyboard(page: Page, what: Locator) -> None:
    """An hour later."""
    what.locator(".block-open").focus()
    for key in ("m", "ArrowDown", "ArrowDown", "ArrowDown", "ArrowDown", "Enter"):
        page.keyboard.press(key)


def keep(page: Page) -> None:
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text(re.compile(r"planned reminders are replaced by\s+\d+"))
    dialog.get_by_role("button", name="Keep").click()
    expect(dialog).to_be_hidden()


def check_the_plan_was_replaced(
    shop: RunningShop, booking: dict[str, Any], planned: set[int]
) -> None:
    """Of the old plan nothing is left to be sent, and the new one has numbers of its own."""
    left = numbers(shop, booking, "delayed", "waiting")
    assert left
    assert min(left) > max(planned)
    assert numbers(shop, booking, "cancelled") & planned


def cancel_and_undo(page: Page, shop: RunningShop, booking: dict[str, Any]) -> None:
    page.goto(url(shop, f"/bookings/{booking['id']}"))
    page.get_by_role("button", name="Cancel booking").click()
    page.locator("#cancel").get_by_role("button", name="Cancel booking").click()
    expect(page.locator("#facts")).to_contain_text("Cancelled")
    page.get_by_role("button", name=re.compile("^Undo")).first.click()
    expect(page.locator("#facts")).to_contain_text("Confirmed")
    expect(page.locator("#timeline .card-head")).to_contain_text(re.compile(r"[1-9]\d* to go"))


@pytest.mark.parametrize("size", [WIDE, PHONE], ids=["wide", "phone"])
def test_from_the_first_run_to_a_cancellation_undone(
    browser: Browser, shop: RunningShop, twilio: FakeTwilio, size: ViewportSize
) -> None:
    page = browser.new_context(viewport=size).new_page()
    problems = problems_of(page)
    set_up(page, shop)
    booking = book_on_the_board(page, shop)
    see_one_delivered(page)

    for move in (move_by_drag, move_by_keyboard):
        page.goto(url(shop, "/today"))
        expect(page.locator("#live")).to_have_text("live")
        before, planned = starts_at(shop, booking), numbers(shop, booking, "delayed", "waiting")
        move(page, block(page, booking))
        keep(page)
        assert starts_at(shop, booking) == before + timedelta(hours=1)
        check_the_plan_was_replaced(shop, booking, planned)

    cancel_and_undo(page, shop, booking)
    assert all("has been cancelled" not in message.body for message in twilio.messages())
    assert page.evaluate("document.documentElement.scrollWidth") == size["width"]
    assert problems == []
    page.context.close()


@pytest.mark.parametrize("size", [WIDE, PHONE], ids=["wide", "phone"])
def test_the_same_without_javascript_but_for_the_drag(
    browser: Browser, shop: RunningShop, size: ViewportSize
) -> None:
    page = browser.new_context(viewport=size, java_script_enabled=False).new_page()
    set_up(page, shop)
    booking = book_on_the_board(page, shop)
    page.wait_for_timeout(4_000)
    page.reload()
    expect(page.locator("[id$='-reminder-1']")).to_contain_text("Delivered")

    before, planned = starts_at(shop, booking), numbers(shop, booking, "delayed", "waiting")
    page.goto(url(shop, "/today"))
    block(page, booking).get_by_role("link", name="Move").click()
    page.get_by_label("Another time", exact=True).last.fill(
        f"{(before + timedelta(hours=1)).astimezone(LOCAL):%H:%M}"
    )
    page.get_by_role("radio", name="Another time").check()
    page.get_by_role("button", name="Show free times and reminders").click()
    page.locator("input[name=sure]").check()
    page.get_by_role("button", name="Save the change").click()
    expect(page.locator("#toasts")).to_contain_text("The booking is changed.")
    assert starts_at(shop, booking) == before + timedelta(hours=1)
    check_the_plan_was_replaced(shop, booking, planned)

    cancel_and_undo(page, shop, booking)
    page.context.close()
