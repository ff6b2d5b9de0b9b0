"""How the browser of these tests is started."""

import shutil
from typing import Any

import pytest


@pytest.fixture(scope="session")
def browser_type_launch_args(browser_type_launch_args: dict[str, Any]) -> dict[str, Any]:
    """The system's Chromium, else Playwright's own; it talks to nobody but our servers."""
    quiet = ["--disable-background-networking", "--disable-component-update", "--disable-sync"]
    chromium = shutil.which("chromium")
    return {
        **browser_type_launch_args,
        **({"executable_path": chromium} if chromium else {}),
        "args": ["--no-sandbox", *quiet],
    }
