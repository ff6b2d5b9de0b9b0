"""`chairtime up`: web, worker and, if there is no Redis, a queue server, all from one command.

The order of ending matters: first the worker, which may be talking to the web app's simulator,
then the web app, and the queue last.
"""

import json
import secrets
import shlex
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from datetime import timedelta
from pathlib import Path

import urllib3
from sqlalchemy.exc import SQLAlchemyError

from app import clock, logs
from app.db import Database, database
from app.environment import kept_secret
from app.messages.lifecycle import claims
from app.queue import failing
from app.run import embedded_queue, migrate, preflight
from app.run.embedded_queue import Embedded
from app.run.supervisor import Busy, Program, pause
from app.run.trouble import Trouble
from app.settings import Settings
from app.staff import first_run, tokens

_LOOK_EVERY = 0.25  # seconds
_SAY_SO_AFTER = 20.0  # seconds without an answer of /health
_WORKER_ENDS_WITHIN = 3.0  # with the next two and the queue's 2 s: clearly less than ten
_WEB_ENDS_WITHIN = 2.5
_OPEN_REQUESTS_GET = 2
_WORKER_FINISHES_WITHIN = 60.0  # while it is sending: its own limit is 55 (`-t`)
_LOOK_TAKES = 1.0

_print_lock = threading.Lock()


def run(env: Settings) -> None:
    """Run until SIGINT, SIGTERM or SIGHUP; a second one ends everything at once.

    Raises Trouble and the like (see `preflight.explain`) with nothing left running.
    """
    stop = _Stop()
    with ExitStack() as stack:
        stack.enter_context(preflight.locked_state_dir(env.state_dir))
        preflight.check_port(env.host, env.port)
        if not env.embedded_queue:
            preflight.check_queue(env)
        token = _prepared(preflight.connect(), env)
        queue = stack.enter_context(_queue(env))
        note = stack.enter_context(failing.telling(env.state_dir))
        web = stack.enter_context(_running("web", stop, gives_up=True))
        worker: Program | None = None
        greeting = _Greeting(env, token)
        while not stop.wait(_LOOK_EVERY):
            if queue is not None:
                queue.keep_alive()
            web.keep_alive()
            # Not before: what is due would try a simulator that does not listen yet.
            if worker is None and greeting.web_answers():
                web.gives_up = False  # it can start, so whatever ends it later may pass
                worker = stack.enter_context(_running("worker", stop))
            if worker is not None:
                worker.keep_alive()
                note.tell(worker.failures)
            greeting.say_when_ready()
        say("chairtime", "ending; press Ctrl-C again to end at once")


def say(name: str, line: str) -> None:
    """Print a line as `name`'s. Whoever read us may be gone, which must not stop anything."""
    with _print_lock:
        try:
            sys.stdout.write(f"{_shown(name, line)}\n")
            sys.stdout.flush()
        except (OSError, ValueError):
            pass


def _shown(name: str, line: str) -> str:
    if not logs.is_json():
        return f"{name} | {line}" if name else line
    if line.startswith("{"):
        return line
    return logs.line_of(name or "chairtime", line, is_shown=not name)


class _Stop:
    """Whether a signal asked us to end, and how to wait for that."""

    def __init__(self) -> None:
        self._is_asked = False  # no Event: a handler that sets one may meet its own thread in it
        self._programs: list[Program] = []
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._on_signal)

    def will_kill(self, program: Program) -> None:
        """Have `program` killed by a second signal."""
        self._programs.append(program)

    def wait(self, seconds: float) -> bool:
        """Wait; True once a signal came."""
        if not self._is_asked:
            time.sleep(seconds)
        return self._is_asked

    def _on_signal(self, *_: object) -> None:
        if self._is_asked:
            for program in self._programs:
                program.kill()
        self._is_asked = True


class _Greeting:
    """Says where to go, once /health says that all is well."""

    def __init__(self, env: Settings, token: str | None) -> None:
        self._found = env
        self._token = token
        self._started_at = time.monotonic()
        self._is_said = False
        self._is_late = False

    def say_when_ready(self) -> None:
        if self._is_said:
            return
        if self._is_healthy():
            with database().read() as session:
                code = first_run.setup_code(session, self._found.state_dir)
            say("", banner(self._found, self._token, code))
            self._is_said = True
        elif not self._is_late and time.monotonic() - self._started_at > _SAY_SO_AFTER:
            say("chairtime", f"{self._found.local_url}/health is not well yet; still waiting")
            self._is_late = True

    def web_answers(self) -> bool:
        """Whether the web app is there, with its database and its queue."""
        return self._checks() is not None

    def _is_healthy(self) -> bool:
        checks = self._checks()
        return checks is not None and all(check == "ok" for check in checks.values())

    def _checks(self) -> dict[str, str] | None:
        """What /health found, None while it is not well at all."""
        url = f"{self._found.local_url}/health"
        try:
            answer = urllib3.request("GET", url, timeout=1, retries=False)
            checks = json.loads(answer.data)["checks"]
        except (urllib3.exceptions.HTTPError, ValueError, LookupError, TypeError):
            return None
        return checks if answer.status == 200 and isinstance(checks, dict) else None


def banner(env: Settings, token: str | None, code: str | None) -> str:
    """Where to go, and how to book. `token` is shell that gives a bearer token, if there is one;
    `code` what the first run asks for, if this is one.
    """
    simulated = "every message lands here; nothing reaches a real phone"
    lines = ["", "Chairtime is ready.", "", f"  Shop       {env.public_url}/"]
    if code:
        lines.append(f"  First run  {env.public_url}/setup  (setup code: {code})")
    if env.simulator:
        lines.append(f"  Simulator  {env.public_url}/simulator  ({simulated})")
    lines += [f"  API docs   {env.public_url}/schema", ""]
    if token:
        lines += ["Book something for tomorrow, 10:00 UTC:", "", _curl(env, token), ""]
    else:
        lines += ["To book by the API, make a token: chairtime token create NAME", ""]
    lines += ["Ctrl-C ends everything; nothing is lost.", ""]
    return "\n".join(lines)


def _curl(env: Settings, token: str) -> str:
    tomorrow = (clock.now() + timedelta(days=1)).replace(hour=10, minute=0, second=0)
    booking = {
        "customerName": "Ada Lovelace",
        "customerPhone": "+12025550123",
        "serviceId": "haircut",
        "barberId": "barber_1",
        "scheduledTime": f"{tomorrow:%Y-%m-%dT%H:%M:%SZ}",
    }
    return (
        f"  curl -sS {env.local_url}/api/bookings \\\n"
        f'    -H "Authorization: Bearer {token}" \\\n'
        f"    -H 'Content-Type: application/json' \\\n"
        f"    -d '{json.dumps(booking)}'"
    )


def _prepared(found_database: Database, env: Settings) -> str | None:
    """Migrate, and make what a new install has. Returns shell that gives a bearer token."""
    before = migrate.upgrade(found_database)
    with found_database.write() as session:
        first_run.ensure(session, env)
    if before.is_pending:
        say("chairtime", f"the database was {before} and is now at revision {before.newest}")
    if env.api_token:
        return "$CHAIRTIME_API_TOKEN"
    if env.production:
        return None
    return f"$(cat {shlex.quote(str(_development_token(found_database, env)))})"


def _development_token(found_database: Database, env: Settings) -> Path:
    """The file with a token for whoever runs this; a new one if the old one was revoked."""
    path = (env.state_dir / "api-token").absolute()
    while True:
        try:
            secret = kept_secret(path, lambda: secrets.token_urlsafe(32))
            with found_database.write() as session:
                if tokens.ensure(session, "development", secret).revoked_at is None:
                    return path
            path.unlink()
        except OSError as error:
            raise Trouble(f"STATE_DIR: {path} cannot be written: {error.strerror}") from error


@contextmanager
def _queue(env: Settings) -> Iterator["_KeptQueue | None"]:
    """A queue server of our own for the time being, None if REDIS_URL names one."""
    if not env.embedded_queue:
        yield None
        return
    queue = _start_queue(env)
    try:
        yield _KeptQueue(queue)
    finally:
        queue.stop()


class _KeptQueue:
    """The queue server, started again whenever it has ended, each time later if that fails."""

    def __init__(self, queue: Embedded) -> None:
        self._queue = queue
        self._failures = 0
        self._retry_at = 0.0

    def keep_alive(self) -> None:
        if time.monotonic() < self._retry_at or self._queue.is_alive():
            return
        try:
            self._queue.restart()
        except Trouble as error:
            self._failures += 1
            delay = pause(self._failures)
            self._retry_at = time.monotonic() + delay
            say("chairtime", f"{error}; tried again in {delay:g} s")
        else:
            self._failures = 0
            say("chairtime", "the queue server ended; started again")


def _start_queue(env: Settings) -> Embedded:
    folder = (env.state_dir / "queue").absolute()
    try:
        queue = embedded_queue.start(env.queue_socket, folder)
    except OSError as error:
        raise Trouble(f"STATE_DIR: {folder} cannot be written: {error.strerror}") from error
    if queue.was_found:
        say("chairtime", "found the queue server of an earlier run, and what it holds")
    return queue


@contextmanager
def _running(name: str, stop: _Stop, gives_up: bool = False) -> Iterator[Program]:
    command = [sys.executable, "-m", "app.cli", *_ARGUMENTS[name]]
    program = Program(name, command, say, gives_up)
    stop.will_kill(program)
    try:
        yield program
    finally:
        if name == "worker":
            program.stop(_WORKER_ENDS_WITHIN, Busy(_is_sending, _WORKER_FINISHES_WITHIN))
        else:
            program.stop(_WEB_ENDS_WITHIN)


def _is_sending() -> bool:
    """Whether a message is on its way. No, if the database does not answer: we are to end."""
    answers: list[bool] = []

    def look() -> None:
        with suppress(SQLAlchemyError), database().read() as session:
            answers.append(claims.is_any_held(session))

    thread = threading.Thread(target=look, daemon=True)
    thread.start()
    thread.join(_LOOK_TAKES)
    return any(answers)


_ARGUMENTS = {"web": ["serve", "--grace", str(_OPEN_REQUESTS_GET)], "worker": ["worker"]}
