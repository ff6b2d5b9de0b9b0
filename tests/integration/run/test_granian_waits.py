"""The web app's main process and its signals. What a reload does is tested in tests/faults."""

import os
import signal
import time
from pathlib import Path

import pytest

from tests.support.ports import free_port
from tests.support.processes import Process, program

APP = """
async def app(scope, receive, send):
    pass
"""
ONCE_IN = 1e-5  # seconds: while the handler of the one before is at work


@pytest.mark.parametrize("ends", [signal.SIGTERM, signal.SIGINT])
def test_it_ends_however_many_signals_ask_for_that_at_once(tmp_path: Path, ends: int) -> None:
    (tmp_path / "tiny.py").write_text(APP)
    line = ["-m", "app.run.granian_waits", "--interface", "asginl", "--port", f"{free_port()}"]
    for turn in range(3):
        command = [program("python"), *line, "--working-dir", str(tmp_path), "tiny:app"]
        with Process(command, {}, tmp_path, f"granian-{turn}") as granian:
            granian.wait_for("Started worker-1")
            for _ in range(300):
                os.kill(granian.pid, ends)
                time.sleep(ONCE_IN)
            assert granian.wait() in {0, -ends}  # as Python itself ends, a signal ends it
