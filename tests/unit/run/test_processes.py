"""The helper that other tests start programs with."""

import signal
import sys
from pathlib import Path

import pytest

from tests.support.processes import Process

SLEEPER = "print('ready', flush=True); import time; time.sleep(60)"


def python(code: str, folder: Path) -> Process:
    return Process([sys.executable, "-c", code], {"GREETING": "hello"}, folder)


def test_a_process_gets_its_environment_and_its_output_is_kept(tmp_path: Path) -> None:
    with python("import os; print(os.environ['GREETING'], os.environ['TZ'])", tmp_path) as process:
        assert process.wait() == 0
    assert process.output() == "hello UTC\n"


def test_leaving_the_block_stops_a_process_as_ctrl_c_does(tmp_path: Path) -> None:
    with python(SLEEPER, tmp_path) as process:
        process.wait_for("ready")
    assert not process.is_running
    assert "KeyboardInterrupt" in process.output()


def test_a_process_that_ends_too_early_is_reported_with_what_it_said(tmp_path: Path) -> None:
    with (
        python("raise SystemExit('no such port')", tmp_path) as process,
        pytest.raises(AssertionError, match="no such port"),
    ):
        process.wait_for("ready")


def test_children_that_outlive_a_killed_process_are_ended_too(tmp_path: Path) -> None:
    parent = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {SLEEPER!r}])"
    with python(parent, tmp_path) as process:
        process.wait_for("ready")
        process.kill()
        assert process.wait() == -signal.SIGKILL
