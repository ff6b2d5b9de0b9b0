"""A running shop with an owner, and a browser that is logged in as them.

with RunningShop(tmp_path, twilio, valkey, **OWNER, REMINDER_EVERY="2s") as shop:
    log_in(page, shop, "/bookings")
"""

from playwright.sync_api import Page

from tests.support.running import RunningShop

OWNER = {
    "CHAIRTIME_OWNER_EMAIL": "owner@example.com",
    "CHAIRTIME_OWNER_PASSWORD": "correct horse battery",
}


def log_in(page: Page, shop: RunningShop, onwards: str = "/bookings") -> None:
    """Log in by the form, and go on to the page `onwards`."""
    url = shop.environment["PUBLIC_URL"]
    page.goto(f"{url}/login?next={onwards}")
    page.get_by_label("Email").fill(OWNER["CHAIRTIME_OWNER_EMAIL"])
    page.get_by_label("Password").fill(OWNER["CHAIRTIME_OWNER_PASSWORD"])
    page.keyboard.press("Enter")
    page.wait_for_url(url + onwards)


def problems_of(page: Page) -> list[str]:
    """What the browser complains about from now on: errors, and what its policy forbids."""
    found: list[str] = []
    page.on(
        "console",
        lambda message: message.type in {"error", "warning"} and found.append(message.text),
    )
    page.on("pageerror", lambda error: found.append(str(error)))
    return found
