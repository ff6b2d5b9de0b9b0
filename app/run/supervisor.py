"""Programs that are kept alive: started, watched, started again when they end, ended in order."""

import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from threading import Thread
from typing import IO, NamedTuple

from app.run.trouble import Trouble

QUICK = 30.0
"""Seconds; a program that ends sooner after its start has failed quickly."""
MOST_QUICK = 5
"""So many quick failures in a row, and one that `gives_up` is not tried again."""

_PARENT = "CHAIRTIME_PARENT"
_PR_SET_PDEATHSIG = 1  # Linux, prctl(2)

_BUSY_STEP = 0.5  # seconds from one look at whether it is busy to the next
_ENDS_AFTERWARDS = 3.0  # seconds

Say = Callable[[str, str], None]


class Busy(NamedTuple):
    """Whether a program has something in hand that it should finish, and how many seconds it may
    take for that `at_most`."""

    is_so: Callable[[], bool]
    at_most: float


class Program:
    """One command, run in a process group of its own; its output goes to `say`, line by line.

    While it `gives_up`, a few quick failures in a row are Trouble; else it is tried again for ever.
    Must be started from the main thread: Linux tells a child of the end of the *thread* that made
    it (prctl(2), PR_SET_PDEATHSIG).
    """

    def __init__(
        self, name: str, command: list[str], say: Say, gives_up: bool = False, quick: float = QUICK
    ) -> None:
        self.name = name
        self.gives_up = gives_up
        self._quick = quick
        self._command = command
        self._say = say
        self._quick_failures = 0
        self._restart_at: float | None = None
        self.start()

    def start(self) -> None:
        """Start it."""
        self._started_at = time.monotonic()
        self._restart_at = None
        self._process = subprocess.Popen(  # noqa: S603
            self._command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=_environment(os.environ),
            process_group=0,
        )
        self._reader = Thread(target=self._relay, args=(self._process.stdout,), daemon=True)
        self._reader.start()

    @property
    def is_running(self) -> bool:
        return self._process.poll() is None

    @property
    def failures(self) -> int:
        """How often in a row it ended right after its start; 0 once it has lived long enough."""
        if self.is_running and time.monotonic() - self._started_at >= self._quick:
            return 0
        return self._quick_failures

    def keep_alive(self) -> None:
        """Start it again if it has ended, each time later. Raises Trouble when it gives up."""
        if self.is_running:
            return
        now = time.monotonic()
        if self._restart_at is None:
            self._restart_at = now + self._note_end(now - self._started_at)
        elif now >= self._restart_at:
            self.start()

    def stop(self, within: float, busy: Busy | None = None) -> None:
        """End it: SIGTERM, and SIGKILL for whatever of it is left after `within` seconds, or
        later while it is `busy`.
        """
        if self.is_running:
            self._process.terminate()
            if not self._ends(within) and not (busy and self._finishes(busy)):
                self._say(self.name, f"did not end within {within:g} s: killed")
        self._kill_group()
        self._process.wait()
        self._reader.join(1)

    def kill(self) -> None:
        """End it at once."""
        self._kill_group()

    def _ends(self, within: float) -> bool:
        try:
            self._process.wait(within)
        except subprocess.TimeoutExpired:
            return False
        return True

    def _finishes(self, busy: Busy) -> bool:
        """Whether it is busy, and ends meanwhile or right after."""
        if not busy.is_so():
            return False
        self._say(self.name, "finishes what it has in hand")
        give_up = time.monotonic() + busy.at_most
        while time.monotonic() < give_up and busy.is_so():
            if self._ends(_BUSY_STEP):
                return True
        return self._ends(_ENDS_AFTERWARDS)

    def _note_end(self, lived: float) -> float:
        """How many seconds to wait before the next start."""
        self._kill_group()  # what it leaves behind would hold its port
        self._quick_failures = self._quick_failures + 1 if lived < self._quick else 0
        if self.gives_up and self._quick_failures >= MOST_QUICK:
            raise Trouble(
                f"{self.name} ended {MOST_QUICK} times right after its start: "
                f"its lines above say why"
            )
        delay = pause(self._quick_failures)
        how = _how_it_ended(self._process.returncode)
        self._say(self.name, f"ended {how}; started again in {delay:g} s")
        return delay

    def _kill_group(self) -> None:
        # Nobody may be left; of a group of zombies macOS says that it is not permitted.
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)

    def _relay(self, output: IO[bytes]) -> None:
        with output:
            for line in output:
                self._say(self.name, line.decode("utf-8", "replace").rstrip())


def pause(failures: int) -> float:
    """How many seconds to wait after so many failures in a row: twice as long each time, and never
    more than a minute, so that what is repaired is soon seen.
    """
    return float(0.1 * 2.0 ** min(failures, 9))


def end_with_parent() -> bool:
    """Whether a supervisor started us; we get SIGTERM when it dies, however it dies (on Linux)."""
    parent = os.environ.pop(_PARENT, None)
    if parent is not None and sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != int(parent):  # it died before we could ask
            sys.exit(1)
    return parent is not None


def _environment(environment: Mapping[str, str]) -> dict[str, str]:
    return {**environment, _PARENT: str(os.getpid()), "PYTHONUNBUFFERED": "1"}


def _how_it_ended(status: int) -> str:
    return f"with status {status}" if status >= 0 else f"by {signal.Signals(-status).name}"
