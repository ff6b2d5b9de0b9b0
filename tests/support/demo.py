"""`chairtime up` with the shop of `chairtime demo` in it, where it is afternoon now.

with DemoShop(folder) as shop:
    page.goto(f"{shop.url}/today")
"""

from datetime import UTC, datetime
from pathlib import Path
from typing import Self
from zoneinfo import ZoneInfo

from playwright.sync_api import Page

from tests.support.dashboard import OWNER
from tests.support.ports import free_port
from tests.support.processes import Process, program

# The day's bookings are half over wherever it is afternoon.
_ZONES = """
    Pacific/Auckland, Australia/Sydney, Asia/Tokyo, Asia/Shanghai, Asia/Bangkok, Asia/Dhaka,
    Asia/Karachi, Asia/Dubai, Africa/Nairobi, Africa/Cairo, Europe/Berlin, Europe/London,
    Atlantic/Azores, Atlantic/South_Georgia, America/Sao_Paulo, America/Halifax, America/New_York,
    America/Chicago, America/Denver, America/Los_Angeles, America/Anchorage, Pacific/Honolulu
"""
_HOUR = 13.5


def afternoon() -> str:
    """A time zone in which it is about half past one."""
    now = datetime.now(UTC)

    def distance(zone: str) -> float:
        local = now.astimezone(ZoneInfo(zone))
        off = abs(local.hour + local.minute / 60 - _HOUR)
        return min(off, 24 - off)

    return min((zone.strip() for zone in _ZONES.split(",")), key=distance)


class DemoShop:
    """The running shop, ended with the block."""

    def __init__(self, folder: Path, base: str = "", **variables: str) -> None:
        """`base` is the path that all its addresses are below, such as `/chairtime`."""
        port = free_port()
        self.base = base
        self.url = f"http://127.0.0.1:{port}{base}"
        self._environment = {
            "STATE_DIR": str(folder / "var"),
            "PORT": str(port),
            "PUBLIC_URL": self.url,
            "SHOP_TIMEZONE": afternoon(),
            "REDIS_URL": "",
            "DATABASE_URL": "",
            **OWNER,
            **variables,
        }
        self._folder = folder

    def __enter__(self) -> Self:
        up = Process([program("chairtime"), "up"], self._environment, self._folder, "up")
        self._up = up.__enter__()
        up.wait_for("Ctrl-C ends everything")
        self.run("demo")
        return self

    def __exit__(self, *_: object) -> None:
        self._up.__exit__()

    def run(self, *arguments: str) -> None:
        """Run a `chairtime` command in it."""
        command = [program("chairtime"), *arguments]
        with Process(command, self._environment, self._folder, arguments[0]) as process:
            assert process.wait() == 0, process.output()

    def log_in(self, page: Page) -> None:
        """As the owner, by the form."""
        page.goto(f"{self.url}/login")
        page.get_by_label("Email").fill(OWNER["CHAIRTIME_OWNER_EMAIL"])
        page.get_by_label("Password").fill(OWNER["CHAIRTIME_OWNER_PASSWORD"])
        page.keyboard.press("Enter")
        page.wait_for_url(f"{self.url}/today")

    def booking(self, page: Page, which: str = "/bookings") -> str:
        """The path of the first booking of a list, for somebody logged in."""
        page.goto(f"{self.url}{which}")
        link = page.locator(f"main a[href^='{self.base}/bookings/booking_']").first
        href = link.get_attribute("href")
        assert href
        return href.removeprefix(self.base)
