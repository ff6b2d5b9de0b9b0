"""Granian, which on a reload (SIGHUP) ends a process once the one that follows it is ready, and
which ends however many signals ask for it at once.

By itself it waits a fixed time for the first, and on a busy host a start takes longer
(docs/adr/0061). For the second its handler of signals sets an Event, and one that comes while
another is in there waits for itself for ever. Linux sends several to who asked to end with its
parent, one for each of the parent's threads. Run as `python -m app.run.granian_waits`, with what
`granian` takes.
"""

import os
import select
import time
from contextlib import suppress
from typing import Any

from granian import cli
from granian.server import mp

from app.run import ready

PATIENCE = 120.0
"""Seconds that a start may take; then the older process is ended all the same."""
_LOOK_EVERY = 0.1
_SLACK = 1.0  # seconds: a file's time is coarser than the clock


class Process(mp.WorkerProcess):
    """A web process. One that follows another is started only when it is ready."""

    def start(self) -> None:
        """Start it, and wait for that; not once all are to end."""
        begun, until = time.time() - _SLACK, time.monotonic() + PATIENCE
        super().start()  # type: ignore[no-untyped-call]
        while self._is_waited_for() and time.monotonic() < until:
            if ready.is_noted(self.inner.pid, begun):
                break
            time.sleep(_LOOK_EVERY)

    def _is_waited_for(self) -> bool:
        follows = self.idx in self.parent.respawned_wrks
        return follows and not self.parent.interrupt_signal and self.inner.is_alive()


class Interrupt:
    """What the main loop waits for: an Event that takes no lock, so that a signal may set it
    anywhere. Nothing clears it any more once all are to end.
    """

    def __init__(self, server: "Server") -> None:
        self._server = server
        self._read, self._write = os.pipe()
        for end in (self._read, self._write):
            os.set_blocking(end, False)

    def set(self) -> None:
        """Wake who waits."""
        with suppress(BlockingIOError):  # it is full of what says the same
            os.write(self._write, b".")

    def clear(self) -> None:
        """Let the next one wait."""
        with suppress(BlockingIOError):
            while os.read(self._read, 4096):
                pass
        if self._server.interrupt_signal:
            self.set()

    def wait(self, seconds: float | None = None) -> bool:
        """Whether it was set within so long; None: wait for that."""
        return bool(select.select([self._read], [], [], seconds)[0])


class Server(mp.MPServer):
    """Granian's, with that."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.main_loop_interrupt = Interrupt(self)  # type: ignore[assignment]


if __name__ == "__main__":
    mp.WorkerProcess = Process  # type: ignore[misc]
    cli.Server = Server  # type: ignore[attr-defined]
    cli.entrypoint()  # type: ignore[no-untyped-call]
