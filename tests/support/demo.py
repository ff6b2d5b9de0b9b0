"""`chairtime up` with a shop out of `chairtime demo`, and which pages it has.

with DemoShop(folder) as shop:
    page.goto(shop.url + "/today")
"""

import re
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Self
from zoneinfo import ZoneInfo

import httpx
from litestar import Litestar
from playwright.sync_api import Page

from tests.support.dashboard import OWNER
from tests.support.ports import free_port
from tests.support.processes import ROOT, Process, program

NOT_PAGES = ("/static/", "/live", "/schema", "/health", "/webhooks/", "/api/", "/simulator/2010")
"""What is asked for by GET and is no page; `/schema` is another's, and has a test of its own."""

# Wherever it is afternoon now, so that the day's bookings are half over.
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
    """The running shop; ended with the block. `OWNER` may log in."""

    def __init__(self, folder: Path, **variables: str) -> None:
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        self.environment = {
            "STATE_DIR": str(folder / "var"),
            "PORT": str(port),
            "SHOP_TIMEZONE": afternoon(),
            "REDIS_URL": "",
            "DATABASE_URL": "",
            **OWNER,
            **variables,
        }
        self._folder = folder
        self._up = Process([program("chairtime"), "up"], self.environment, folder, "up")

    def __enter__(self) -> Self:
        self._up.__enter__()
        self._up.wait_for("Ctrl-C ends everything")
        with Process([program("chairtime"), "demo"], self.environment, self._folder, "demo") as demo:
            assert demo.wait() == 0, demo.output()
        return self

    def __exit__(self, *_: object) -> None:
        self._up.__exit__()
