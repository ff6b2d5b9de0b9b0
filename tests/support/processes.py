"""Our programs as processes of their own: started, read, asked to stop, killed, each by its pid."""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Self

ROOT = Path(__file__).parents[2]
PATIENCE = 120.0
"""Seconds: what takes a moment may take that long where the machine is busy with other things."""


def program(name: str) -> str:
    """The path of a command of this Python's environment, such as `chairtime`."""
    return str(Path(sys.executable).with_name(name))


class Process:
    """A running command, its own process group; what it prints is in `output()`.

        with Process([program("chairtime"), "up"], {"PORT": "4321"}, tmp_path) as up:
            up.wait_for(r"http://\\S+")

    The environment is this process's own with `environment` on top. Leaving the block asks it to
    stop as Ctrl-C does, and kills the whole group if it does not end.
    """

    def __init__(
        self,
        command: list[str],
        environment: Mapping[str, str],
        folder: Path,
        name: str = "output",
        cwd: Path = ROOT,
    ) -> None:
        self.command = command
        self._log = folder / f"{name}.log"
        # Whatever ends the tests, SIGKILL too, ends it with them.
        dies_with_us = ["setpriv", "--pdeathsig", "KILL"] if shutil.which("setpriv") else []
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [*dies_with_us, *command],
                env={**os.environ, "PYTHONUNBUFFERED": "1", **environment},
                cwd=cwd,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        try:
            self.stop()
        finally:
            self._kill_group()

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def is_running(self) -> bool:
        return self._process.poll() is None

    def output(self) -> str:
        """What it and its children printed so far."""
        return self._log.read_text(errors="replace")

    def wait_for(self, pattern: str, timeout: float = PATIENCE) -> re.Match[str]:
        """The first match of `pattern` in its output. AssertionError if it ends or takes longer."""
        deadline = time.monotonic() + timeout
        while True:
            ended = not self.is_running
            if match := re.search(pattern, self.output()):
                return match
            said = f"{self.command} never printed {pattern!r}, but:\n{self.output()}"
            assert not ended, f"it ended with {self._process.returncode}: {said}"
            assert time.monotonic() < deadline, said
            time.sleep(0.02)

    def wait(self, timeout: float = PATIENCE) -> int:
        """Its exit code, once it has ended. Raises subprocess.TimeoutExpired."""
        return self._process.wait(timeout)

    def send(self, signal_number: int) -> None:
        """Send a signal to it alone."""
        self._process.send_signal(signal_number)

    def stop(self, timeout: float = PATIENCE) -> int:
        """Ask it to end as Ctrl-C does; its exit code. Raises subprocess.TimeoutExpired."""
        if self.is_running:
            self.send(signal.SIGINT)
        return self.wait(timeout)

    def kill(self) -> None:
        """End it by SIGKILL; its children are left as they are."""
        self._process.kill()
        self._process.wait()

    def _kill_group(self) -> None:
        try:
            os.killpg(self._process.pid, signal.SIGKILL)
        except ProcessLookupError:
            return
        self._process.wait()


def cpu_seconds(pid: int) -> float:
    """Seconds of the processor that a process has used so far, all its threads together."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def wait_until(
    condition: Callable[[], object],
    timeout: float = PATIENCE,
    what: str = "it",
    instead: Callable[[], object] = str,
) -> None:
    """Wait until `condition()` is true. AssertionError after `timeout` seconds, which says `what`
    was waited for, and what there is `instead`.
    """
    deadline = time.monotonic() + timeout
    while not condition():
        late = time.monotonic() >= deadline
        assert not late, f"{what} did not come true in {timeout:g} s. {instead()}"
        time.sleep(0.02)
