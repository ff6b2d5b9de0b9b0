"""Which browser the tests start, and how."""

import shutil
from typing import Any


def launch_options() -> dict[str, Any]:
    """What Playwright's `launch` is told: the system's browser, else the one it comes with.

    The one without windows takes a third of the processor time of the other. It talks to nobody
    but our servers.
    """
    quiet = ["--disable-background-networking", "--disable-component-update", "--disable-sync"]
    program = shutil.which("chromium-headless-shell") or shutil.which("chromium")
    return {
        **({"executable_path": program} if program else {}),
        "args": ["--no-sandbox", *quiet],  # Chromium refuses a sandbox as root
    }
