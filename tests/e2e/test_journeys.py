"""Staff's whole way through the dashboard in one go, at a desk, on a phone, and without JavaScript.

What each page does beyond that is tested beside it.
"""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Locator, Page, ViewportSize, expect

from tests.fake_twilio import FakeTwilio
from tests.support.dashboard import (
    NO_WHATSAPP,
    OWNER,
    PHONE,
    assert_fits,
    live,
    problems_of,
    show_board,
)
from tests.support.processes import wait_until
from tests.support.running import RunningShop
from tests.support.valkey import Valkey

# A zone in which it is noon, so that today's free times are around us.
_AHEAD = 12 - datetime.now(UTC).hour
ZONE = f"Etc/GMT{-_AHEAD:+d}" if _AHEAD else "Etc/GMT"
LOCAL = timezone(timedelta(hours=_AHEAD))

WIDE: ViewportSize = {"width": 1280, "height": 900}
NUMBER, RIGHT = "+447700900123", "+447700900456"


@pytest.fixture
def shop(tmp_path: Path, twilio: FakeTwilio, valkey: Valkey) -> Iterator[RunningShop]:
    """A new shop without an owner, in which a reminder is due every 2 s."""
    quick = {"REMINDER_EVERY": "2s", "SEND_TIMEOUT": "20", "SEND_LEASE": "60"}
    with RunningShop(tmp_path, twilio, valkey, SHOP_TIMEZONE=ZONE, **quick) as running:
        running.sql("UPDATE shop SET at_most = 90")  # else a move of an hour plans 1,800 more
        yield running


def set_up_and_log_in(page: Page, shop: RunningShop) -> None:
    page.goto("/")
    page.get_by_label("Setup code").fill((shop.folder / "var" / "setup-code").read_text())
    page.get_by_label("Your name").fill("Ann Lee")
    page.get_by_label("Email").fill(OWNER["CHAIRTIME_OWNER_EMAIL"])
    page.get_by_label("Password").fill(OWNER["CHAIRTIME_OWNER_PASSWORD"])
    page.get_by_role("button", name="Create the account").click()
    page.get_by_role("link", name="Finish later").click()
    page.get_by_role("button", name="Do not ask again").click()
    page.get_by_label("account and theme").click()
    page.get_by_role("button", name="Log out").click()
    page.get_by_label("Email").fill(OWNER["CHAIRTIME_OWNER_EMAIL"])
    page.get_by_label("Password").fill(OWNER["CHAIRTIME_OWNER_PASSWORD"])
    page.get_by_role("button", name="Log in").click()
    page.wait_for_url("**/today")


def book_on_the_board(page: Page, shop: RunningShop) -> dict[str, Any]:
    """By a free time of the first barber (the second one: the first may begin at any moment)."""
    page.get_by_role("link", name=re.compile("^Book Sam at ")).nth(1).click()
    page.get_by_label("Phone").fill(NUMBER)
    page.get_by_label("Name").fill("Luis Ortega")
    page.get_by_label("Service").select_option("haircut")
    choose_time(page, datetime.now(LOCAL) + timedelta(minutes=3))
    expect(page.locator("#reminders")).to_contain_text(re.compile(r"\d+ reminders"))
    page.get_by_role("button", name="Book", exact=True).click()
    expect(page.get_by_role("heading", name="Luis Ortega")).to_be_visible()
    expect(page.locator("#timeline")).to_contain_text(re.compile(r"[1-9]\d* to go"))
    [booking] = shop.api.get("/api/bookings").json()["items"]
    return dict(booking)


def choose_time(page: Page, at: datetime) -> None:
    page.get_by_role("radio", name="Another time").click()  # may be chosen already
    page.locator("#other_time").fill(f"{at:%H:%M}")
    look = page.get_by_role("button", name="Show free times and reminders")
    if look.count():  # without JavaScript
        look.click()


def reminder(page: Page, number: int) -> Locator:
    return page.locator(f"[id$='-reminder-{number}']")


def numbers(shop: RunningShop, booking: dict[str, Any], *states: str) -> set[int]:
    """The reminders that are in one of these states."""
    return {row["number"] for row in shop.reminders(booking) if row["state"] in states}


def watch_reminders_arrive(
    page: Page, shop: RunningShop, twilio: FakeTwilio, booking: dict[str, Any]
) -> None:
    live(page)
    expect(reminder(page, 1)).to_contain_text("Sending")
    following = min(numbers(shop, booking, "delayed")) + 1
    expect(reminder(page, following)).to_contain_text("Planned")
    twilio.release()
    expect(reminder(page, 1)).to_contain_text("Sent")
    twilio.auto_callbacks = ("delivered",)
    twilio.call_back(twilio.messages()[0], "delivered")
    expect(reminder(page, 1)).to_contain_text("Delivered")
    expect(reminder(page, following)).to_contain_text("Delivered")


def place_of(shop: RunningShop, booking: dict[str, Any]) -> datetime:
    booked = shop.api.get(f"/api/bookings/{booking['id']}").json()
    return datetime.fromisoformat(booked["scheduledTime"])


def open_block(page: Page, booking: dict[str, Any]) -> Locator:
    page.get_by_role("navigation", name="Pages").get_by_role("link", name="Today").click()
    return page.locator(f"#block-{booking['id']}")


def move_by_drag(page: Page, block: Locator) -> None:
    """Three quarters of an hour later."""
    block.scroll_into_view_if_needed()
    box = block.bounding_box()
    assert box
    row = page.evaluate(
        "parseFloat(getComputedStyle(document.querySelector('.board-rows')).gridAutoRows)"
    )
    page.mouse.move(box["x"] + 30, box["y"] + 8)
    page.mouse.down()
    page.mouse.move(box["x"] + 30, box["y"] + 8 + 9 * row, steps=8)
    page.mouse.up()


def move_by_keyboard(page: Page, block: Locator) -> None:
    """Half an hour later."""
    block.locator(".block-open").focus()
    for key in ("m", "ArrowDown", "ArrowDown", "Enter"):
        page.keyboard.press(key)


def keep(page: Page) -> None:
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text(re.compile(r"planned reminders are replaced by\s+\d+"))
    dialog.get_by_role("button", name="Move booking").click()
    expect(dialog).to_be_hidden()


def check_the_plan_was_replaced(
    shop: RunningShop, booking: dict[str, Any], before: datetime, planned: set[int]
) -> None:
    """Of the old plan nothing is left to be sent, and the new one has numbers of its own."""
    assert place_of(shop, booking) >= before + timedelta(minutes=20)
    left = numbers(shop, booking, "delayed", "waiting", "active")
    assert left
    assert min(left) > max(planned)
    assert numbers(shop, booking, "cancelled") & planned


def cancel_and_undo(page: Page) -> None:
    page.get_by_role("button", name="Cancel booking").click()
    page.locator("#cancel").get_by_role("button", name="Cancel booking").click()
    expect(page.locator(".booking-who")).to_contain_text("Cancelled")
    page.locator("#toasts").get_by_role("button", name="Undo").click()
    expect(page.locator("#toasts")).to_contain_text("Cancellation undone")
    expect(page.locator(".booking-who")).to_contain_text("Confirmed")
    expect(page.locator("#timeline")).to_contain_text(re.compile(r"[1-9]\d* to go"))


def remind(page: Page) -> None:
    page.get_by_role("button", name="Send a reminder now").click()
    page.locator("#remind").get_by_role("button", name="Send it").click()
    expect(page.locator("#toasts")).to_contain_text("The reminder is on its way.")


def go(page: Page, name: str) -> None:
    page.get_by_role("navigation", name="Pages").get_by_role("link", name=name).click()


def correct_and_retry(page: Page, twilio: FakeTwilio) -> None:
    go(page, "Failed sends")
    row = page.locator(".failed-row").filter(has_text="Luis Ortega")
    row.get_by_text("Correct the number").click()
    row.get_by_label("Phone").fill(RIGHT)
    row.get_by_role("button", name="Save and retry").click()
    expect(page.locator("#toasts")).to_contain_text("Number corrected. Retrying now.")
    twilio.wait_for(1, to=RIGHT)


def pause(page: Page) -> None:
    go(page, "Queue")
    page.get_by_role("button", name="Pause sending").click()
    page.get_by_role("dialog").get_by_role("button", name="Pause sending").click()
    expect(page.locator("#banner")).to_contain_text("Sending is paused by Ann Lee")


@pytest.mark.parametrize("size", [WIDE, PHONE], ids=["wide", "phone"])
def test_from_the_first_run_to_a_paused_reminder_that_arrives_after_all(
    browser: Browser, shop: RunningShop, twilio: FakeTwilio, size: ViewportSize
) -> None:
    url = shop.environment["PUBLIC_URL"]
    page = browser.new_context(base_url=url, viewport=size, reduced_motion="reduce").new_page()
    problems = problems_of(page)
    set_up_and_log_in(page, shop)
    if size == PHONE:
        show_board(page)  # there the day is a list at first
    twilio.hold_after_accept()
    booking = book_on_the_board(page, shop)
    watch_reminders_arrive(page, shop, twilio, booking)

    for move in (move_by_drag, move_by_keyboard):
        before, planned = place_of(shop, booking), numbers(shop, booking, "delayed")
        block = open_block(page, booking)
        live(page)
        move(page, block)
        keep(page)
        check_the_plan_was_replaced(shop, booking, before, planned)

    expect(page.locator(f"#open-{booking['id']}")).to_be_focused()
    page.keyboard.press("Enter")
    live(page)
    cancel_and_undo(page)
    assert all("has been cancelled" not in message.body for message in twilio.messages())

    twilio.script(NUMBER, [NO_WHATSAPP])
    remind(page)
    expect(page.locator("#failed-badge")).to_have_text("1 to retry")
    correct_and_retry(page, twilio)
    expect(page.get_by_role("heading", name="Nothing failed")).to_be_visible()
    expect(page.locator("#failed-badge")).to_be_empty()

    other = page.context.new_page()
    other.goto(f"/bookings/{booking['id']}")
    live(other)
    expect(other.locator("#timeline")).to_contain_text("Delivered")
    pause(page)
    expect(other.locator("#banner")).to_contain_text("Sending is paused by Ann Lee")
    remind(other)
    expect(other.locator("#timeline")).to_contain_text("Waits as sending is paused")
    expect(page.locator(".count b").nth(1)).to_have_text("1")
    assert len(twilio.posts(RIGHT)) == 1
    other.locator("#banner").get_by_role("button", name="Resume sending").click()
    twilio.wait_for(2, to=RIGHT)
    expect(page.locator("#banner")).not_to_contain_text("paused")
    expect(page.get_by_role("button", name="Pause sending")).to_be_visible()
    assert_fits(page)
    assert problems == []
    page.context.close()


def told_after_a_reload(page: Page, text: str) -> bool:
    """What others change, here the worker, a page without JavaScript has after a second."""
    page.reload()
    return " ".join(str(page.locator("#failed-badge").text_content()).split()) == text


def test_the_same_without_javascript_but_for_the_drag(
    browser: Browser, shop: RunningShop, twilio: FakeTwilio
) -> None:
    url = shop.environment["PUBLIC_URL"]
    context = browser.new_context(base_url=url, viewport=PHONE, java_script_enabled=False)
    context.add_cookies([{"name": "chairtime-day", "value": "board", "url": url}])
    page = context.new_page()
    twilio.auto_callbacks = ("delivered",)
    set_up_and_log_in(page, shop)
    booking = book_on_the_board(page, shop)
    twilio.wait_for_callbacks(1)
    page.reload()
    expect(reminder(page, 1)).to_contain_text("Delivered")

    before, planned = place_of(shop, booking), numbers(shop, booking, "delayed")
    block = open_block(page, booking)
    block.hover()
    block.get_by_role("link", name="Move").click()
    choose_time(page, before.astimezone(LOCAL) + timedelta(minutes=45))
    page.get_by_role("button", name="Save changes").click()
    expect(page.locator("#toasts")).to_contain_text("The booking is changed.")
    check_the_plan_was_replaced(shop, booking, before, planned)
    cancel_and_undo(page)

    twilio.script(NUMBER, [NO_WHATSAPP])
    remind(page)
    wait_until(lambda: "failed" in shop.states(booking), what="a failed reminder")
    wait_until(lambda: told_after_a_reload(page, "1 to retry"), what="the number of failed ones")
    correct_and_retry(page, twilio)

    pause(page)
    page.goto(f"/bookings/{booking['id']}")
    remind(page)
    expect(page.locator("#timeline")).to_contain_text("Waits as sending is paused")
    page.locator("#banner").get_by_role("button", name="Resume sending").click()
    expect(page.locator("#toasts")).to_contain_text("Sending again.")
    twilio.wait_for(2, to=RIGHT)
    context.close()
