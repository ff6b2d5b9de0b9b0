"""Programs that are kept alive, however often they end."""

import sys
import time

import pytest

from app.run.supervisor import MOST_QUICK, Program, pause
from app.run.trouble import Trouble
from tests.support.processes import wait_until

ENDS_AT_ONCE = [sys.executable, "-c", ""]
STAYS = [sys.executable, "-c", "import time; time.sleep(60)"]


def silent(_name: str, _line: str) -> None:
    pass


def test_the_pauses_grow_to_a_minute_and_no_further() -> None:
    assert [pause(failures) for failures in (0, 1, 2, 3)] == [0.1, 0.2, 0.4, 0.8]
    assert 30 < pause(9) == pause(10_000) <= 60


def test_only_a_program_that_gives_up_is_trouble_after_five_quick_failures() -> None:
    failing = Program("x", ENDS_AT_ONCE, silent, gives_up=True)
    with pytest.raises(Trouble, match="x ended 5 times right after its start"):
        keep_alive(failing, until=MOST_QUICK)
    assert failing.failures == MOST_QUICK

    kept = Program("x", ENDS_AT_ONCE, silent)
    keep_alive(kept, until=MOST_QUICK)
    assert kept.failures == MOST_QUICK
    kept.stop(1)


def test_a_program_that_has_lived_long_enough_fails_no_more() -> None:
    program = Program("x", STAYS, silent, quick=0.3)
    program.kill()
    wait_until(lambda: not program.is_running)
    program.keep_alive()
    assert program.failures in {0, 1}  # a slow machine may have let it live too long
    wait_until(lambda: program.keep_alive() or program.is_running)  # type: ignore[func-returns-value]
    wait_until(lambda: program.failures == 0)
    program.stop(5)


def keep_alive(program: Program, until: int) -> None:
    while program.failures < until:
        program.keep_alive()
        time.sleep(0.01)
