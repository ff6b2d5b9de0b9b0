"""Pictures of every page, from the shop of `chairtime demo`, into docs/images: `make screenshots`.

Each is the first screen, in light, in dark, and on a phone.
"""

import sys
import tempfile
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.support.browser import launch_options
from tests.support.dashboard import OWNER, show_board
from tests.support.demo import DemoShop
from tests.support.processes import ROOT

FOLDER = ROOT / "docs" / "images"
MOST_BYTES = 220_000

WAYS: dict[str, dict[str, Any]] = {
    "light": {"viewport": {"width": 1280, "height": 860}, "color_scheme": "light"},
    "dark": {"viewport": {"width": 1280, "height": 860}, "color_scheme": "dark"},
    "phone": {
        "viewport": {"width": 390, "height": 844},
        "device_scale_factor": 1.5,
        "is_mobile": True,
        "has_touch": True,
    },
}

Way = Callable[[DemoShop, Page], None]
"""How to come to a page, and what to do there before its picture is taken."""


def at(address: str) -> Way:
    """The page at this address, as it is."""

    def go(shop: DemoShop, page: Page) -> None:
        page.goto(shop.url + address)

    return go


def booking(shop: DemoShop, page: Page) -> None:
    """One of which some reminders are sent and some are not."""
    page.goto(shop.url + shop.booking(page))


def customer(shop: DemoShop, page: Page) -> None:
    """The customer of the same booking."""
    page.goto(shop.url + shop.booking(page).replace("/bookings/", "/customers/"))


def editing(shop: DemoShop, page: Page) -> None:
    """The form of the same booking."""
    page.goto(f"{shop.url}{shop.booking(page)}/edit")


def repeating(shop: DemoShop, page: Page) -> None:
    """The same booking is to come again each week."""
    page.goto(f"{shop.url}{shop.booking(page)}/repeat?weeks=1&ends=times&times=6")


def booking_form(shop: DemoShop, page: Page) -> None:
    """A customer whom the shop knows, and a time with its plan."""
    page.goto(f"{shop.url}/bookings/new?barber=barber_2")
    page.get_by_label("Phone").fill("+44 7700 900007")
    page.get_by_label("Name").fill("Hiro Tanaka")
    page.get_by_label("Service").select_option("haircut")
    page.locator("#free-times label").last.click()
    expect(page.locator("#outcome")).to_contain_text("reminder")


def moving(shop: DemoShop, page: Page) -> None:
    """A booking is moved on the board, and what that changes is asked."""
    page.goto(f"{shop.url}/today")
    if not page.locator("#board").is_visible():
        show_board(page)
    page.get_by_role("link", name="The day after").click()
    page.locator(".is-movable .block-open").nth(1).focus()
    for key in ("m", "ArrowDown", "ArrowDown", "Enter"):
        page.keyboard.press(key)
    expect(page.get_by_role("dialog")).to_be_visible()


def closing(shop: DemoShop, page: Page) -> None:
    """The shop is closed on a day on which nothing is booked yet."""
    page.goto(f"{shop.url}/settings/closures")
    page.get_by_label("Name").fill("Christmas")
    page.get_by_label("First day").fill(f"{_in_days(90)}")
    page.get_by_label("Last day").fill(f"{_in_days(91)}")
    page.get_by_role("button", name="Close the shop").click()
    expect(page.locator(".toast").first).to_be_visible()
    page.goto(f"{shop.url}/settings/closures")


def going_away(shop: DemoShop, page: Page) -> None:
    """A barber is away tomorrow, although something is booked with them."""
    page.goto(f"{shop.url}/settings/barbers/barber_1/absences")
    page.get_by_label("What").fill("Training")
    page.get_by_label("First day").fill(f"{_in_days(1)}")
    page.get_by_role("button", name="Add", exact=True).click()
    expect(page.locator(".toast").first).to_be_visible()
    page.goto(f"{shop.url}/settings/barbers/barber_1/absences")


def importing(shop: DemoShop, page: Page) -> None:
    """A file of another program that was checked; some of its rows are wrong."""
    page.goto(f"{shop.url}/settings/import")
    page.get_by_label("Bookings, those").check()
    rows = ["Date,Time,Client,Phone,Staff,Service"]
    for number in range(160):
        phone = "12" if number % 40 == 7 else f"+4477009001{number % 100:02}"
        when = f"{_in_days(30 + number // 16)},{9 + number % 16 // 2}:{number % 2 * 3}0"
        rows.append(f"{when},Customer {number},{phone},Robin,Haircut")
    page.locator("#file").set_input_files(
        {"name": "diary.csv", "mimeType": "text/csv", "buffer": "\n".join(rows).encode()}
    )
    page.get_by_role("button", name="Look at the file").click()
    expect(page.locator("#matching-title")).to_be_visible()


def webhook(shop: DemoShop, page: Page) -> None:
    """A webhook that was tried: nobody listens there."""
    page.goto(f"{shop.url}/settings/webhooks")
    page.get_by_label("Address").fill("http://127.0.0.1:9/chairtime")
    page.get_by_role("button", name="Add webhook").click()
    page.get_by_role("button", name="Send an example").click()
    expect(page.get_by_text("It cannot be reached")).to_be_visible()
    page.get_by_role("link", name="All of").click()
    expect(page.get_by_role("heading", name="Try it")).to_be_visible()


def calendar(shop: DemoShop, page: Page) -> None:
    """The shop's calendar has a link."""
    page.goto(f"{shop.url}/settings/calendars")
    make = page.get_by_role("button", name="Make a link for The whole shop")
    if make.count():
        make.click()
    expect(page.get_by_role("img", name="QR code of the link for The whole shop")).to_be_visible()
    page.goto(f"{shop.url}/settings/calendars")


def second_factor(shop: DemoShop, page: Page) -> None:
    """An authenticator app is being set up."""
    page.goto(f"{shop.url}/account/second-factor")
    begin = page.get_by_role("button", name="Set up an app")
    if begin.count():
        begin.click()
    expect(page.get_by_role("img", name="QR code for your authenticator app")).to_be_visible()
    page.goto(f"{shop.url}/account/second-factor")


def _in_days(days: int) -> date:
    return datetime.now(UTC).date() + timedelta(days=days)


PAGES: dict[str, Way] = {
    "today": at("/today"),
    "week": at("/today/week"),
    "week-barber": at("/today/week?barber=barber_1"),
    "month": at("/today/month"),
    "move": moving,
    "bookings": at("/bookings"),
    "booking": booking,
    "repeat": repeating,
    "customers": at("/customers"),
    "customer": customer,
    "new-booking": booking_form,
    "change-booking": editing,
    "waiting": at("/waiting"),
    "failed": at("/failed"),
    "queue": at("/queue"),
    "numbers": at("/numbers?length=week"),
    "staff": at("/staff"),
    "second-factor": second_factor,
    "activity": at("/activity"),
    "settings": at("/settings"),
    "settings-hours": at("/settings/hours"),
    "settings-closures": closing,
    "settings-absences": going_away,
    "settings-reminders": at("/settings/reminders"),
    "settings-services": at("/settings/services"),
    "settings-barbers": at("/settings/barbers"),
    "settings-texts": at("/settings/texts"),
    "settings-cost": at("/settings/customers"),
    "settings-import": importing,
    "settings-webhook": webhook,
    "settings-calendars": calendar,
    "settings-tokens": at("/settings/tokens"),
    "first-run": at("/welcome/reminders"),
    "styleguide": at("/styleguide"),
}


def main() -> None:
    """Take them all. Exits with 1 if one is too large to be kept."""
    FOLDER.mkdir(exist_ok=True)
    nobody = dict.fromkeys(OWNER, "")  # so that there is a first run
    with (
        tempfile.TemporaryDirectory(prefix="chairtime-screenshots-") as folder,
        DemoShop(Path(folder), **nobody) as shop,
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(**launch_options())
        _take(browser, shop, {"setup": at("/setup")})
        _set_up(browser, shop, (Path(folder) / "var" / "setup-code").read_text())
        _take(browser, shop, {"login": at("/login")})
        _take(browser, shop, PAGES, logged_in=True)
    too_large = [path for path in FOLDER.glob("*.png") if path.stat().st_size > MOST_BYTES]
    if too_large:
        sys.exit(f"larger than {MOST_BYTES} bytes: {', '.join(map(str, too_large))}")


def _set_up(browser: Browser, shop: DemoShop, code: str) -> None:
    page = browser.new_page()
    page.goto(f"{shop.url}/setup")
    page.get_by_label("Setup code").fill(code)
    page.get_by_label("Your name").fill("Ana Duarte")
    page.get_by_label("Email").fill(OWNER["CHAIRTIME_OWNER_EMAIL"])
    page.get_by_label("Password").fill(OWNER["CHAIRTIME_OWNER_PASSWORD"])
    page.keyboard.press("Enter")
    page.get_by_role("link", name="Finish later").click()
    page.get_by_role("button", name="Do not ask again").click()
    page.wait_for_url(f"{shop.url}/today")
    page.close()


def _take(
    browser: Browser, shop: DemoShop, pages: dict[str, Way], *, logged_in: bool = False
) -> None:
    for way, options in WAYS.items():
        context = browser.new_context(**options)
        page = context.new_page()
        if logged_in:
            shop.log_in(page)
        for name, go in pages.items():
            go(shop, page)
            _settle(page)
            path = FOLDER / f"{name}-{way}.png"
            page.screenshot(path=path, animations="disabled")
            print(f"{path.relative_to(ROOT)}  {path.stat().st_size / 1000:.0f} kB")
        context.close()


def _settle(page: Page) -> None:
    """Fonts are there, the stream is live, and it is seen from its top."""
    page.evaluate("document.fonts.ready")
    if page.locator("#live").count():
        expect(page.locator("#live")).to_have_text("live")
    page.mouse.move(0, 0)
    page.evaluate("scrollTo(0, 0)")


if __name__ == "__main__":
    main()
