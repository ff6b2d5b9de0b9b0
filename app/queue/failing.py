"""A worker that ends again and again right after its start: `chairtime up` knows, and tells others.

By a file in STATE_DIR, which the web app and `chairtime doctor` share with it. Not by the database:
a heartbeat may be all that such a worker manages, and then it looks alive there.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

FAILING = 3
"""So many quick failures in a row, and others are told."""
_FILE = "worker-failing"
_TOLD_WITHIN = 300.0  # seconds; it is tried again, and told anew, every minute at the least


class Note:
    """What `chairtime up` tells of its worker."""

    def __init__(self, state_dir: Path) -> None:
        self._path = state_dir / _FILE
        self._told = 0

    def tell(self, failures: int) -> None:
        """Keep how often the worker failed in a row. A disk that is full keeps nothing."""
        if failures == self._told:
            return
        self._told = failures
        with suppress(OSError):
            if failures < FAILING:
                self._path.unlink(missing_ok=True)
            else:
                self._path.write_text(str(failures))


@contextmanager
def telling(state_dir: Path) -> Iterator[Note]:
    """A note for as long as `chairtime up` runs."""
    note = Note(state_dir)
    yield note
    note.tell(0)


def failures(state_dir: Path) -> int:
    """How often in a row the worker of a running `chairtime up` ended right after its start."""
    path = state_dir / _FILE
    try:
        is_old = abs(time.time() - path.stat().st_mtime) > _TOLD_WITHIN
        return 0 if is_old else int(path.read_text())
    except (OSError, ValueError):
        return 0
