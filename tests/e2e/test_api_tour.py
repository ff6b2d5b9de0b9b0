"""The tour of docs/api.md, pasted word for word into a shell beside a running `chairtime up`."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.ports import free_port
from tests.support.processes import ROOT, Process, program

DOCUMENT = (ROOT / "docs" / "api.md").read_text()
BLOCK = re.compile(r"^```sh\n(.*?)^```$(?:\n```json\n(.*?)^```$)?", re.MULTILINE | re.DOTALL)
ANYTHING = None
GUIDED = "booked confirmed\nmoved True\ncopied True\n"
"""What the program of the guide prints."""


class Terminal:
    """A shell beside a running Chairtime, in which a reader pastes blocks."""

    def __init__(self, folder: Path, port: int) -> None:
        # REMINDER_EVERY and the like are those of `make run`; the tour itself knows these two.
        self.environment = {**os.environ, "PORT": str(port), "STATE_DIR": str(folder / "state")}

    def paste(self, blocks: list[str]) -> list[str]:
        """What each block prints."""
        mark = "---- next block ----"
        script = f"echo '{mark}'\n".join(blocks)
        done = subprocess.run(
            ["bash", "-eu"],
            input=script,
            capture_output=True,
            text=True,
            env=self.environment,
            timeout=60,
        )
        assert (done.returncode, done.stderr) == (0, ""), done
        return done.stdout.split(f"{mark}\n")


@pytest.fixture
def terminal(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Terminal]:
    """Beside `chairtime up`, which is all that `make run` starts; its param is more environment."""
    opened = Terminal(tmp_path, free_port())
    environment = {
        "REDIS_URL": "",
        "DATABASE_URL": "",
        **{name: opened.environment[name] for name in ("PORT", "STATE_DIR")},
        **getattr(request, "param", {}),
    }
    with Process([program("chairtime"), "up"], environment, tmp_path) as up:
        up.wait_for("Ctrl-C ends everything")
        yield opened


def guide(language: str) -> str:
    """The program of docs/integrating.md: its blocks, one after the other."""
    text = (ROOT / "docs" / "integrating.md").read_text()
    blocks: list[str] = re.findall(rf"^```{language}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    assert len(blocks) > 4
    return "\n\n".join(blocks)


def section(beginning: str, end: str) -> list[tuple[str, str]]:
    """The shell blocks between two headings, each with the JSON shown under it, or nothing."""
    text = DOCUMENT[DOCUMENT.index(beginning) : DOCUMENT.index(end)]
    return [(block, shown) for block, shown in BLOCK.findall(text)]


SET_UP, *TOUR = section("## A tour", "### A failure and its retry")
FAILURE = section("### A failure and its retry", "## Tokens")


def test_the_tour_works_when_pasted_and_prints_what_is_shown_as_does_the_guide(
    terminal: Terminal,
) -> None:
    printed = terminal.paste([block for block, _ in [SET_UP, *TOUR]])[1:]

    check_shown(TOUR, printed)
    booking, _, reminders, moved, retry, cancelled, _, health = printed
    assert [row["number"] for row in json.loads(reminders)] == [1, 2, 3, 4]
    old_and_new = json.loads(moved.splitlines()[1])
    assert [row["state"] for row in old_and_new] == ["cancelled"] * 4 + ["delayed"] * 9
    assert json.loads(retry)["reason"] == "not_failed"
    assert json.loads(cancelled)["status"] == "cancelled"
    assert json.loads(cancelled)["id"] == json.loads(booking)["id"]
    assert json.loads(health)["status"] == "ok"
    guided = f"{sys.executable} - <<'END'\n{guide('python')}\nEND\n"
    reach = "export URL TOKEN\n"
    assert terminal.paste([SET_UP[0], reach + guided])[1] == GUIDED


@pytest.mark.parametrize("terminal", [{"REMINDER_EVERY": "10s"}], indirect=True)
def test_the_failure_and_its_retry_work_when_pasted(terminal: Terminal) -> None:
    assert "`REMINDER_EVERY=10s make run`" in DOCUMENT

    failed, retried = terminal.paste([block for block, _ in [SET_UP, *FAILURE]])[1:]

    check_shown(FAILURE, [failed, retried])
    [reminder] = json.loads(failed)
    assert reminder["error"] == json.loads(FAILURE[0][1])[0]["error"]
    [sent] = json.loads(retried.splitlines()[-1])
    assert (sent["state"], sent["attempts"]) == ("completed", 2)


def check_shown(blocks: list[tuple[str, str]], printed: list[str]) -> None:
    """Each answer that the tour shows has the fields, and kinds of values, that really come."""
    assert len(blocks) == len(printed)
    for (block, shown), real in zip(blocks, printed, strict=True):
        if shown:
            assert is_like(json.loads(real), json.loads(shown)), f"{block}\nprinted\n{real}"


def is_like(real: Any, shown: Any) -> bool:
    if isinstance(shown, dict):
        same_names = isinstance(real, dict) and real.keys() == shown.keys()
        return same_names and all(is_like(real[name], shown[name]) for name in shown)
    if isinstance(shown, list):
        return isinstance(real, list) and all(
            is_like(one, other) for one, other in zip(real, shown, strict=False)
        )
    return ANYTHING in (real, shown) or type(real) is type(shown)
