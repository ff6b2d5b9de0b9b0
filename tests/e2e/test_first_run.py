"""From an empty folder to the first reminder on a phone of the simulator, in a browser."""

import re
import time
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, ViewportSize, expect

from tests.support.accessibility import serious_problems
from tests.support.dashboard import OWNER, PHONE, assert_fits, problems_of
from tests.support.ports import free_port
from tests.support.processes import Process
from tests.support.wheel import built, installed

MOST = 180  # seconds
WIDE: ViewportSize = {"width": 1280, "height": 860}
SCHEMES: Any = ("light", "dark")
STEPS = {
    "shop": "Next: Hours",
    "hours": "Next: Barbers",
    "services": "Next: Reminders",
    "reminders": "Next: Sign-in",
    "people": "Done",
    "ready": "",
}
"""The steps, and the button of each that leads on."""


class NewShop:
    """`chairtime up` of a wheel, where nothing has been yet: no checkout, no folder, no account."""

    def __init__(self, up: Process, url: str, began: float) -> None:
        self.up, self.url, self.began = up, url, began

    @property
    def code(self) -> str:
        """What it has printed to be typed into /setup."""
        found = re.search(r"setup code: ([A-Z0-9-]+)", self.up.output())
        assert found, self.up.output()
        return found[1]


@pytest.fixture(scope="module")
def new_shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NewShop]:
    folder, port = tmp_path_factory.mktemp("new"), free_port()
    chairtime = installed(built(folder), folder / "venv")
    began = time.monotonic()
    environment = {
        "STATE_DIR": "", "PORT": str(port), "REDIS_URL": "", "DATABASE_URL": "",
        "HOME": str(folder), "XDG_DATA_HOME": str(folder / "data"), "PYTHONPATH": "",
        "WEB_WORKERS": "1", **dict.fromkeys(OWNER, ""),
    }  # fmt: skip
    with Process([chairtime, "up"], environment, folder, "up", cwd=folder) as up:
        up.wait_for("Ctrl-C ends everything")
        assert (folder / "data" / "chairtime" / "chairtime.db").exists()
        assert not (folder / "var").exists()
        yield NewShop(up, f"http://127.0.0.1:{port}", began)


def test_a_shop_is_set_up_and_its_first_reminder_is_on_a_phone_within_three_minutes(
    new_shop: NewShop, browser: Browser
) -> None:
    context = browser.new_context(base_url=new_shop.url, timezone_id="Europe/London", viewport=WIDE)
    page = context.new_page()
    problems = problems_of(page)
    page.goto("/")
    page.get_by_label("Setup code").fill(new_shop.code)
    page.get_by_label("Your name").fill("Ann Lee")
    page.get_by_label("Email").fill(OWNER["CHAIRTIME_OWNER_EMAIL"])
    page.get_by_label("Password").fill(OWNER["CHAIRTIME_OWNER_PASSWORD"])
    page.get_by_role("button", name="Create the account").click()

    expect(page.get_by_label("Time zone")).to_have_value("Europe/London")  # the browser's
    expect(page.get_by_label("Country")).to_have_value("GB")
    expect(page.get_by_text("£24.50 for a cut")).to_be_visible()
    page.get_by_label("Name of the shop").fill("Ann’s")
    page.get_by_role("button", name="Next: Hours").click()
    page.get_by_label("Sunday").uncheck()
    page.get_by_role("button", name="Next: Barbers").click()
    page.get_by_label("Barber 1").fill("Ann")
    page.get_by_label("Skin fade can be booked").check()
    page.get_by_role("button", name="Next: Reminders").click()

    look = page.locator("#look")
    expect(look.get_by_role("heading")).to_contain_text("of them between 22:00 and 08:00")
    expect(look.locator("circle.at-night").first).to_be_visible()
    page.get_by_label("No messages at night").check()
    expect(look).to_contain_text("are left out")
    expect(look.locator("circle.at-night")).to_have_count(0)
    page.get_by_role("link", name="Finish later").click()
    page.get_by_role("link", name="Go on").click()  # it is taken up where it was left
    page.get_by_label("No messages at night").check()
    page.get_by_role("button", name="Next: Sign-in").click()
    page.get_by_role("button", name="Done").click()
    page.get_by_role("button", name="Book and send a reminder").click()
    bubble = page.locator(".bubble-text")
    expect(bubble).to_contain_text("This is a reminder about your upcoming appointment")
    took = time.monotonic() - new_shop.began
    print(f"\nFrom the start of the programs to the first reminder on a phone: {took:.0f} s")
    assert took < MOST
    assert_each_step_is_whole(page)
    walk_on_a_phone(page)
    assert problems == []
    context.close()


def assert_each_step_is_whole(page: Page) -> None:
    """Each can be read in either look: the walker of pages opens one of them."""
    page.emulate_media(reduced_motion="reduce")
    for step in STEPS:
        page.goto(f"/welcome/{step}")
        assert_is_whole(page, step)


def walk_on_a_phone(page: Page) -> None:
    """Through all of them again, by their buttons."""
    page.set_viewport_size(PHONE)
    page.goto("/welcome/shop")
    for step, button in STEPS.items():
        page.wait_for_url(f"**/welcome/{step}")
        assert_is_whole(page, step)
        if button:
            page.get_by_role("button", name=button).click()
    page.get_by_role("button", name="Go to Today").click()
    expect(page.get_by_role("region", name="The day as a list")).to_be_visible()


def assert_is_whole(page: Page, step: str) -> None:
    """It can be read in light and in dark, and nothing is cut off."""
    for scheme in SCHEMES:
        page.emulate_media(color_scheme=scheme)
        assert serious_problems(page) == [], step
        assert_fits(page)
