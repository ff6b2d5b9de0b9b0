"""`chairtime up` as one runs it: from nothing to a booking, Ctrl-C, kill -9, and a wrong world."""

import json
import os
import re
import signal
import socket
import sqlite3
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, TypeVar

import pytest
from redis import Redis

from tests.fake_twilio import FakeTwilio
from tests.support.databases import copy_migrated
from tests.support.ports import free_port
from tests.support.postgres import Postgres
from tests.support.processes import Process, program, wait_until
from tests.support.valkey import Valkey

READY = "Ctrl-C ends everything"
CURL = re.compile(r"^ +curl(?:.*\\\n)*.*$", re.MULTILINE)
SECRET = "t" * 40

P = TypeVar("P", bound="Place")


class Place:
    """A state folder and a port, in which `chairtime up` may run."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.state = folder / "state dir"  # a space, as people have them
        self.file = self.state / "chairtime.db"
        self.port = free_port()
        self.runs = 0

    def up(self, **environment: str) -> Process:
        self.runs += 1
        given = {
            "STATE_DIR": str(self.state),
            "PORT": str(self.port),
            "FEED_EVERY": "0.5",
            "REDIS_URL": "",
            "DATABASE_URL": "",
        }
        up = [program("chairtime"), "up"]
        return Process(up, given | environment, self.folder, f"up-{self.runs}")

    def refused(self, **environment: str) -> str:
        """The one line with which `up` ends."""
        with self.up(**environment) as up:
            assert up.wait() in {1, 2}
            output = up.output()
        assert "Traceback" not in output
        assert output.count("\n") == 1, output
        assert output.startswith("chairtime: ")
        return output.removeprefix("chairtime: ").strip()

    def processes(self) -> dict[int, str]:
        """The command lines of everything that runs in here, by pid."""
        return {pid: command for pid, command in _processes() if self._is_ours(pid, command)}

    def queue_server(self) -> int | None:
        servers = [pid for pid, command in self.processes().items() if "valkey-server" in command]
        return servers[0] if servers else None

    def queue(self) -> Redis:
        return Redis(unix_socket_path=str(self.state / "queue" / "queue.sock"))

    def health(self) -> dict[str, Any]:
        return get_json(f"http://127.0.0.1:{self.port}/health")

    def _is_ours(self, pid: int, command: str) -> bool:
        if f"unixsocket:{self.state}/" in command:  # Valkey writes this over its environment
            return True
        try:
            environment = Path(f"/proc/{pid}/environ").read_bytes()
        except OSError:
            return False
        return f"STATE_DIR={self.state}".encode() in environment.split(b"\0")


@pytest.fixture
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    # A short name: with a long one the queue's socket would stand elsewhere.
    with _at_last_empty(Place(tmp_path_factory.mktemp("up"))) as made:
        copy_migrated(made.file)
        yield made


@pytest.fixture(scope="module")
def ended(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """Where it has run and a booking was made, for those who leave it like that."""
    with _at_last_empty(Place(tmp_path_factory.mktemp("ended"))) as made:
        with made.up() as up:
            _use(made, up)
        yield made


def _use(place: Place, up: Process) -> None:
    """What one does at first: wait, paste the line that is printed, press Ctrl-C."""
    up.wait_for(READY)
    assert set(place.health()["checks"].values()) == {"ok"}

    booking = bash(printed_curl(up))
    assert booking["status"] == "confirmed"
    assert booking["scheduledTime"].endswith("T10:00:00Z")
    assert bash(printed_curl(up))["id"] == booking["id"]
    place.queue().set("booked", booking["id"])

    assert up.stop() == 0
    assert place.processes() == {}


class Running(Place):
    """Where it runs all the time, for those who leave it running and well: `running.now`."""

    def start(self) -> None:
        self.now = self.up(CHAIRTIME_API_TOKEN=SECRET, REMINDER_EVERY="2s")
        self.now.wait_for(READY)
        # After a killed one that comes sooner: the tick of the worker before is still recent.
        wait_until(lambda: family(self, "huey_consumer"), what="a worker")


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with _at_last_empty(Running(tmp_path_factory.mktemp("running"))) as made:
        made.start()
        yield made
        made.now.stop()


@contextmanager
def _at_last_empty(place: P) -> Iterator[P]:
    """Whatever runs in there is killed in the end."""
    try:
        yield place
    finally:
        for pid in place.processes():
            os.kill(pid, signal.SIGKILL)


def _processes() -> Iterator[tuple[int, str]]:
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            command = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode()
        except OSError:
            continue
        if command:  # neither a thread of the kernel nor a zombie
            yield int(folder.name), command


def get_json(url: str) -> dict[str, Any]:
    with urllib.request.urlopen(url, timeout=5) as answer:
        given: dict[str, Any] = json.load(answer)
    return given


def bash(script: str, **environment: str) -> dict[str, Any]:
    done = subprocess.run(
        ["bash", "-euc", script], capture_output=True, check=True, env={**os.environ, **environment}
    )
    path: dict[str, Any] = json.loads(done.stdout)
    return path


def printed_curl(up: Process) -> str:
    return up.wait_for(CURL.pattern.replace("^", "(?m)^")).group()


def child(place: Place, name: str) -> int:
    """The pid of the program with this name, the oldest if it has children of its own."""
    return min(family(place, name))


def family(place: Place, name: str) -> set[int]:
    """The pids of the program with this name and of its own children."""
    running = place.processes().items()
    return {pid for pid, command in running if re.search(rf"[/ ]{name} ", command)}


# --- the normal course ---


def test_the_printed_curl_line_books_and_ctrl_c_ends_everything(ended: Place) -> None:
    output = (ended.folder / "up-1.log").read_text()
    assert re.search(r"^web \| ", output, re.MULTILINE)
    assert re.search(r"^worker \| ", output, re.MULTILINE)
    assert f"http://127.0.0.1:{ended.port}/simulator" in output
    assert "Traceback" not in output


def test_a_booked_reminder_reaches_the_simulator(running: Running) -> None:
    curl = printed_curl(running.now)
    soon = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 60))
    book = re.sub(r"\d{4}-\d\d-\d\dT10:00:00Z", soon, curl)
    booking = bash(book, CHAIRTIME_API_TOKEN=SECRET)
    path = f"/api/bookings/{booking['id']}/reminders"
    get = re.sub(r"/api/bookings .*-d '.*'", f"{path} {header_of(curl)}", curl, flags=re.DOTALL)

    def has_arrived() -> bool:
        answer: Any = bash(get, CHAIRTIME_API_TOKEN=SECRET)
        return any(row["deliveryStatus"] in {"delivered", "read"} for row in answer)

    wait_until(has_arrived, what="delivery")


def cancelling(up: Process, booking_id: str) -> str:
    """The printed curl line, turned into one that cancels."""
    cancel = rf"/api/bookings/{booking_id}\1 -X DELETE"
    return re.sub(r"/api/bookings(.*?)-d '.*'", cancel, printed_curl(up), flags=re.DOTALL)


def header_of(curl: str) -> str:
    return re.search(r'-H "Authorization[^"]*"', curl).group()  # type: ignore[union-attr]


def test_nothing_that_it_leaves_is_readable_by_others(ended: Place) -> None:
    readable = [path for path in ended.state.rglob("*") if path.stat().st_mode & 0o077]
    assert readable == []
    assert ended.state.stat().st_mode & 0o077 == 0


def test_programs_that_hang_are_killed(place: Place) -> None:
    with place.up() as up:
        up.wait_for(READY)
        for pid in place.processes().keys() - {up.pid}:
            os.kill(pid, signal.SIGSTOP)
        assert up.stop() == 0
        output = up.output()

    assert "worker | did not end within" in output, output
    assert "web | did not end within" in output
    assert place.processes() == {}


def test_a_second_ctrl_c_ends_everything_at_once(place: Place) -> None:
    with place.up() as up:
        up.wait_for(READY)
        for name in ("huey_consumer", "app.run.granian_waits"):
            os.kill(child(place, name), signal.SIGSTOP)
        up.send(signal.SIGINT)
        up.wait_for("press Ctrl-C again")
        assert up.stop() == 0
        output = up.output()

    assert "did not end within" not in output
    assert place.processes() == {}


def test_ctrl_c_during_the_start_leaves_nothing_behind(place: Place) -> None:
    with place.up() as up:
        wait_until(lambda: place.queue_server() is not None)
        assert up.stop() == 0

    assert place.processes() == {}


def test_a_second_start_has_all_but_a_revoked_token_and_ctrl_c_lets_its_worker_finish(
    ended: Place, twilio: FakeTwilio
) -> None:
    chairtime = [program("chairtime"), "token"]
    environment = {**os.environ, "STATE_DIR": str(ended.state)}
    listed = subprocess.check_output([*chairtime, "list"], env=environment, text=True)
    subprocess.check_output([*chairtime, "revoke", listed.split()[0]], env=environment)

    twilio.hold_after_accept()
    with ended.up(**twilio.environment) as up:
        booked = bash(printed_curl(up))["id"]  # with a new token
        assert ended.queue().get("booked") == booked.encode()
        assert "the database was" not in up.output()
        bash(cancelling(up, booked))
        twilio.wait_held(1)
        up.send(signal.SIGINT)
        up.wait_for(r"worker \| finishes what it has in hand")
        twilio.release()
        assert up.wait() == 0

    assert ended.processes() == {}
    with closing(sqlite3.connect(ended.file)) as database:
        sent = database.execute("SELECT state FROM message WHERE kind = 'cancellation'").fetchall()
    assert sent == [("sent",)]


@pytest.fixture
def queue(tmp_path: Path) -> Iterator[Valkey]:
    """A queue that somebody else looks after."""
    server = Valkey(tmp_path / "own-queue")
    server.start()
    yield server
    server.stop()


def test_with_a_queue_a_postgresql_and_a_token_of_ones_own_it_works_and_outlives_the_queue(
    place: Place, queue: Valkey, postgres_cluster: Postgres
) -> None:
    own = {
        "REDIS_URL": queue.url,
        "DATABASE_URL": postgres_cluster.url(postgres_cluster.create()),
        "CHAIRTIME_API_TOKEN": SECRET,
    }
    place.file.unlink()
    with place.up(**own) as up:
        curl = printed_curl(up)
        assert bash(curl, CHAIRTIME_API_TOKEN=SECRET)["status"] == "confirmed"
        assert place.queue_server() is None
        its_worker_ends_again_and_again_and_is_tried_for_ever(place, up, queue, own)
        up.send(signal.SIGTERM)
        assert up.wait() == 0

    assert place.processes() == {}
    assert SECRET not in up.output()
    assert queue.client.ping()
    assert not place.file.exists()


def its_worker_ends_again_and_again_and_is_tried_for_ever(
    place: Place, up: Process, queue: Valkey, own: dict[str, str]
) -> None:
    """Which ends nothing else."""
    queue.stop()  # without it a worker does not start
    os.kill(child(place, "huey_consumer"), signal.SIGKILL)
    up.wait_for(r"(?s)(worker \| ended .*){6}", timeout=300)
    wait_until(lambda: is_said_of_worker(place, "failing"), 60)
    doctor = subprocess.run(
        [program("chairtime"), "doctor"],
        env={**os.environ, "STATE_DIR": str(place.state), **own},
        capture_output=True,
        text=True,
    )
    assert re.search(r"FAIL  worker: it ended \d+ times .* at growing intervals", doctor.stdout)

    queue.start()
    wait_until(lambda: is_said_of_worker(place, "ok"), 180)
    assert up.is_running


def is_said_of_worker(place: Place, word: str) -> bool:
    """Whether /health, which may be 503, says this of the worker."""
    try:
        return bool(place.health()["checks"]["worker"] == word)
    except urllib.error.HTTPError as error:
        return bool(json.load(error)["checks"]["worker"] == word)
    except OSError:
        return False


# --- kill -9 ---


def test_a_killed_up_leaves_nothing_but_the_queue_which_the_next_one_uses(
    running: Running,
) -> None:
    running.queue().set("a", "1")
    server = running.queue_server()
    running.now.kill()
    left = f"only the queue, {server}"
    wait_until(lambda: [*running.processes()] == [server], what=left, instead=running.processes)

    running.start()
    assert "found the queue server of an earlier run" in running.now.output()
    assert running.queue_server() == server
    assert running.queue().get("a") == b"1"


@pytest.mark.parametrize(
    ("name", "command"), [("worker", "huey_consumer"), ("web", "app.run.granian_waits")]
)
def test_a_killed_program_is_started_again(running: Running, name: str, command: str) -> None:
    before = family(running, command)
    os.kill(min(before), signal.SIGKILL)
    running.now.wait_for(rf"{name} \| ended by SIGKILL; started again")
    # A child of the killed one lives on for a moment: only a pid that was not there before counts.
    wait_until(lambda: family(running, command) - before)
    wait_until(lambda: is_healthy(running), what="health")


def test_a_killed_queue_server_is_started_again(running: Running) -> None:
    server = running.queue_server()
    assert server is not None
    with saying(running, "the queue server ended; started again"):
        os.kill(server, signal.SIGKILL)
    wait_until(lambda: is_healthy(running), what="health")
    assert running.queue_server() != server


@contextmanager
def saying(running: Running, line: str) -> Iterator[None]:
    """Wait for a line that others may have brought about before."""
    before = running.now.output().count(line)
    yield
    wait_until(lambda: running.now.output().count(line) > before, what=line)


def is_healthy(place: Place) -> bool:
    try:
        return bool(place.health()["status"] == "ok")
    except OSError:
        return False


def test_a_queue_server_that_does_not_start_again_ends_nothing_else(running: Running) -> None:
    server = running.queue_server()
    assert server is not None
    socket_path = running.state / "queue" / "queue.sock"
    os.kill(server, signal.SIGSTOP)  # it must not be seen before what is in its way is there
    socket_path.unlink()
    socket_path.mkdir()
    os.kill(server, signal.SIGKILL)
    running.now.wait_for("the queue server does not start: .*; tried again in")

    with saying(running, "the queue server ended; started again"):
        socket_path.rmdir()
    wait_until(lambda: is_healthy(running), 60, "health")


def test_a_program_that_always_fails_is_given_up_with_one_line(place: Place) -> None:
    environment = {"GRANIAN_LOOP": "none-such"}  # which it refuses
    with place.up(**environment) as up:
        assert up.wait(240) == 1
        last = up.output().splitlines()[-1]

    assert last.startswith("chairtime: web ended 5 times right after its start")
    assert place.processes() == {}


# --- a wrong world ---


def test_a_second_up_in_the_same_folder_says_who_is_there(running: Running) -> None:
    line = running.refused(PORT=str(free_port()))

    assert line.startswith("`chairtime up` is running already in STATE_DIR ")
    assert re.search(r"\(process \d+\)", line)


def test_a_port_in_use_is_one_line(place: Place) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        line = place.refused(PORT=str(port))

    assert line.startswith(f"PORT {port} is in use by another program (`lsof -i :{port}` says")


@pytest.mark.parametrize(
    ("environment", "beginning"),
    [
        ({"PORT": "70000"}, "PORT is '70000': it must be a port from 1 to 65535"),
        ({"REDIS_URL": "redis://127.0.0.1:1/0"}, "REDIS_URL: the queue cannot be reached: "),
        (
            {"DATABASE_URL": "postgresql://shop:hunter2@127.0.0.1:1/shop"},
            "DATABASE_URL: postgresql+psycopg://shop:***@127.0.0.1:1/shop cannot be reached: ",
        ),
        ({"CHAIRTIME_API_TOKEN": "short"}, "CHAIRTIME_API_TOKEN is too short: "),
        ({"CHAIRTIME_OWNER_EMAIL": "a@example.com"}, "CHAIRTIME_OWNER_PASSWORD: This is missing: "),
        (
            {
                "CHAIRTIME_OWNER_EMAIL": "a@example.com",
                "CHAIRTIME_OWNER_PASSWORD": "password1234",
            },
            "CHAIRTIME_OWNER_PASSWORD: This is easily guessed: ",
        ),
    ],
)
def test_a_wrong_environment_is_one_line_and_leaves_nothing_running(
    place: Place, environment: dict[str, str], beginning: str
) -> None:
    line = place.refused(**environment)

    assert line.startswith(beginning)
    assert place.processes() == {}


@pytest.mark.parametrize("secret", ["", "s" * 32])
def test_a_state_folder_that_cannot_be_made_is_one_line(place: Place, secret: str) -> None:
    (place.folder / "file").write_text("")
    where = str(place.folder / "file" / "var")

    line = place.refused(STATE_DIR=where, SECRET_KEY=secret)

    assert line.startswith(f"STATE_DIR {where} cannot be written: ")
