"""The embedded queue: a real Valkey that keeps what it holds and always starts."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from redis import Redis

from app.run import embedded_queue
from app.run.embedded_queue import Embedded
from app.run.trouble import Trouble
from tests.support.processes import ROOT, wait_until

Start = Callable[..., Embedded]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """`start()` starts or finds the server of this test, which is ended with it."""
    with ExitStack() as stack:

        def start_it(socket: Path = tmp_path / "my queue" / "q.sock", **more: Path) -> Embedded:
            queue = embedded_queue.start(socket, **more)
            stack.callback(end, queue)
            return queue

        yield start_it


def end(queue: Embedded) -> None:
    if queue.is_alive():
        queue.stop()


def client(queue: Embedded) -> Redis:
    return Redis(unix_socket_path=str(queue.socket), decode_responses=True)


def pid(queue: Embedded) -> int:
    return int(client(queue).info("server")["process_id"])


def kill(queue: Embedded) -> None:
    os.kill(pid(queue), signal.SIGKILL)
    wait_until(lambda: not queue.is_alive())


def test_what_it_holds_is_there_again_after_it_was_stopped(start: Start) -> None:
    queue = start()
    client(queue).set("a", "1")
    queue.stop()

    assert not queue.is_alive()
    assert client(start()).get("a") == "1"


def test_it_keeps_an_append_only_file_and_drops_nothing(start: Start) -> None:
    settings = client(start()).config_get("appendonly", "appendfsync", "maxmemory-policy", "port")

    assert settings == {
        "appendonly": "yes",
        "appendfsync": "everysec",
        "maxmemory-policy": "noeviction",
        "port": "0",
    }


def test_only_its_owner_may_enter_its_folder(start: Start) -> None:
    queue = start()

    assert queue.socket.parent.stat().st_mode & 0o777 == 0o700
    assert queue.socket.stat().st_mode & 0o777 == 0o600


def test_a_live_server_is_found_with_what_it_holds_and_can_be_stopped(start: Start) -> None:
    first = start()
    client(first).set("a", "1")

    second = start()

    assert second.was_found
    assert not first.was_found
    assert client(second).get("a") == "1"
    second.stop()
    assert not first.is_alive()


def test_the_server_of_a_killed_parent_is_found_again(start: Start, tmp_path: Path) -> None:
    socket = tmp_path / "queue.sock"
    code = (
        "import os, pathlib, signal\nfrom app.run import embedded_queue\n"
        f"embedded_queue.start(pathlib.Path({str(socket)!r}))\n"
        "os.kill(os.getpid(), signal.SIGKILL)"
    )
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False)

    assert start(socket).was_found


def test_it_starts_again_after_it_was_killed_beside_its_stale_socket(start: Start) -> None:
    queue = start()
    client(queue).set("a", "1")
    wait_until(lambda: client(queue).info("persistence")["aof_pending_bio_fsync"] == 0)
    kill(queue)
    assert queue.socket.exists()

    queue.restart()

    assert client(queue).get("a") == "1"


def test_a_file_that_is_no_socket_in_its_place_is_replaced(start: Start, tmp_path: Path) -> None:
    socket = tmp_path / "queue" / "queue.sock"
    socket.parent.mkdir()
    socket.write_text("")

    assert start(socket).is_alive()


def damage_by_truncating(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-5])


def damage_by_zeros(file: Path) -> None:
    file.write_bytes(file.read_bytes() + bytes(4096))


def damage_by_removing(file: Path) -> None:
    file.unlink()


@pytest.mark.parametrize(
    ("damage", "kept"),
    [(damage_by_truncating, 9), (damage_by_zeros, 0), (damage_by_removing, 0)],
)
def test_a_damaged_file_never_prevents_the_start(
    start: Start, damage: Callable[[Path], None], kept: int
) -> None:
    queue = start()
    for number in range(10):
        client(queue).set(f"key{number}", "value")
    queue.stop()
    folder = queue.socket.parent
    damage(next((folder / "appendonlydir").glob("*.incr.aof")))

    assert client(start()).dbsize() == kept
    assert len(list(folder.glob("appendonlydir.unreadable-*"))) == (kept == 0)


def test_a_server_whose_socket_was_removed_is_ended_before_another_takes_its_files(
    start: Start,
) -> None:
    queue = start()
    client(queue).set("a", "1")
    old = pid(queue)
    queue.socket.unlink()

    again = start()

    assert pid(again) != old
    assert client(again).get("a") == "1"


def test_its_files_may_lie_elsewhere_than_its_socket(start: Start, tmp_path: Path) -> None:
    start(tmp_path / "short" / "queue.sock", folder=tmp_path / "queue")

    assert (tmp_path / "queue" / "appendonlydir").is_dir()


def test_the_ctrl_c_that_a_terminal_sends_to_all_is_not_for_it(start: Start) -> None:
    assert os.getpgid(pid(start())) != os.getpgid(0)


def test_a_folder_of_somebody_else_is_refused(start: Start, tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")

    with pytest.raises(Trouble, match="belongs to somebody else"):
        start(tmp_path / "link" / "queue.sock")


def test_a_server_that_cannot_start_says_where_its_log_is(start: Start, tmp_path: Path) -> None:
    folder = tmp_path / "queue"
    (folder / "queue.sock").mkdir(parents=True)

    with pytest.raises(Trouble, match=r"does not start: .+ \(its log: .+valkey\.log\)"):
        start(folder / "queue.sock")
    shutil.rmtree(folder)
