"""A web process says that it is ready to whoever ends the one before it, by a file.

It stands in the folder that the processes of one web app share (`app/web/measured.py`). Imports
little: Granian's first process needs it.
"""

import os
from pathlib import Path

FOLDER = "PROMETHEUS_MULTIPROC_DIR"


async def note() -> None:
    """Litestar's `on_startup`, the last: this process takes requests in a moment."""
    if folder := os.environ.get(FOLDER):
        _file(folder, os.getpid()).touch()


def is_noted(pid: int, since: float) -> bool:
    """Whether that process has said so since then, in seconds of the epoch.

    Also True where there is no folder to say it in.
    """
    folder = os.environ.get(FOLDER)
    try:
        return folder is None or _file(folder, pid).stat().st_mtime >= since
    except FileNotFoundError:
        return False


def _file(folder: str, pid: int) -> Path:
    return Path(folder) / f"ready-{pid}"
