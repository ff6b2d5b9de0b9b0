"""A web process that follows another counts as started once it says that it is ready."""

import asyncio
import os
import threading
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from granian.server.mp import WorkerProcess

from app.run import ready
from app.run.granian_waits import Interrupt, Process


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(ready.FOLDER, str(tmp_path))
    return tmp_path


def started(monkeypatch: pytest.MonkeyPatch, start: Any, **parent: Any) -> None:
    """Start the process 0, which is this one."""
    monkeypatch.setattr(WorkerProcess, "start", start)
    process = Process.__new__(Process)
    process.idx, process.inner = 0, SimpleNamespace(pid=os.getpid(), is_alive=lambda: True)
    of = {"respawned_wrks": {0: 0.0}, "interrupt_signal": False, **parent}
    process.parent = SimpleNamespace(**of)
    process.start()


def test_a_process_is_ready_when_it_has_said_so_since_then(folder: Path) -> None:
    now = time.time()
    assert not ready.is_noted(os.getpid(), now - 5)
    asyncio.run(ready.note())
    assert ready.is_noted(os.getpid(), now - 5)
    assert not ready.is_noted(os.getpid(), now + 60)  # another had this pid


def test_one_that_follows_another_is_waited_for(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[float] = []

    def say() -> None:
        said.append(time.monotonic())
        asyncio.run(ready.note())

    started(monkeypatch, lambda _: threading.Timer(0.2, say).start())
    assert said[0] <= time.monotonic()


@pytest.mark.parametrize("parent", [{"respawned_wrks": {}}, {"interrupt_signal": True}])
def test_at_the_first_start_and_at_the_end_nobody_waits(
    folder: Path, monkeypatch: pytest.MonkeyPatch, parent: dict[str, Any]
) -> None:
    started(monkeypatch, lambda _: None, **parent)


def test_without_a_folder_there_is_nothing_to_wait_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(ready.FOLDER, raising=False)
    started(monkeypatch, lambda _: None)


def test_nothing_clears_the_interrupt_once_all_are_to_end() -> None:
    server: Any = SimpleNamespace(interrupt_signal=False)
    interrupt = Interrupt(server)
    assert not interrupt.wait(0.01)
    for _ in range(100_000):  # more than a pipe holds
        interrupt.set()
    assert interrupt.wait()
    interrupt.clear()
    assert not interrupt.wait(0)
    server.interrupt_signal = True  # a signal came meanwhile, and what it had set was cleared
    interrupt.clear()
    assert interrupt.wait(0)
