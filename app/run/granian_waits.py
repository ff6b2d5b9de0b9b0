"""Granian, which on a reload (SIGHUP) ends a process once the one that follows it is ready.

By itself it waits a fixed time, and on a busy host a start takes longer (docs/adr/0061). Run as
`python -m app.run.granian_waits`, with what `granian` takes.
"""

import time

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


if __name__ == "__main__":
    mp.WorkerProcess = Process  # type: ignore[misc]
    cli.entrypoint()  # type: ignore[no-untyped-call]
