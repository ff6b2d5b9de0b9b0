"""The fixtures that all tests share: databases, queue, Twilio, clock and environment."""

import gc
import os
import re
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

# Before anything of the app is imported: the queue takes its address from the environment then.
ENV_EXAMPLE = Path(__file__).parents[1] / ".env.example"
FOLDER = Path(tempfile.mkdtemp(prefix="chairtime-test-"))
# The first process's, which those that share its tests know by their environment.
SHARED = Path(os.environ.setdefault("CHAIRTIME_SHARED_BY_TESTS", str(FOLDER)))
PROXIES = {"HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"}
SETTINGS = set(re.findall(r"^#([A-Z_]+)=", ENV_EXAMPLE.read_text(), re.MULTILINE))
for name in list(os.environ):
    if name in SETTINGS or name.upper() in PROXIES:
        del os.environ[name]
os.environ["STATE_DIR"] = str(FOLDER / "state")
os.environ["REDIS_URL"] = f"unix://{FOLDER / 'valkey' / 'valkey.sock'}?socket_timeout=15"
os.environ["ALLOWED_HOSTS"] = "testserver.local,testserver"  # what a test's client asks for
os.environ["API_RATE_LIMIT"] = "off"  # some call as fast as they can
os.environ["TZ"] = "UTC"
time.tzset()
# No test asks the internet, and each client of httpx would read the list of all authorities.
os.environ.pop("SSL_CERT_FILE", None)
os.environ["SSL_CERT_DIR"] = str(FOLDER)
# Each of the many programs that tests start would compile all that it imports.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
# A background job starts with Ctrl-C ignored, and what the tests start would inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)

import hypothesis  # noqa: E402
import pytest  # noqa: E402

import app.clock  # noqa: E402
import app.db  # noqa: E402
import app.settings  # noqa: E402
from app.db import Database  # noqa: E402
from app.queue import hand_over, storage  # noqa: E402
from tests.support import doors  # noqa: E402
from tests.support.databases import copy_migrated  # noqa: E402
from tests.support.frozen import FrozenClock  # noqa: E402
from tests.support.postgres import Postgres, Refillable  # noqa: E402
from tests.support.valkey import Valkey  # noqa: E402

if TYPE_CHECKING:
    from tests.fake_twilio import FakeTwilio

Configure = Callable[..., None]

# To take probes out of what was seen is dearer than they are: it walks through all that is loaded.
if (coverage := sys.modules.get("slipcover")) and sys.version_info < (3, 12):
    coverage.Slipcover.deinstrument_seen = lambda _: None

# No test may depend on how fast the machine is.
hypothesis.settings.register_profile(
    "unhurried", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("unhurried")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--one-database-a-door",
        action="store_true",
        help="tests of doors run on SQLite or on PostgreSQL, half of them on each",
    )


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out one of the two of each test of a door, by its name: it is always the same one."""
    if config.getoption("--one-database-a-door"):
        left_out = [item for item in items if doors.is_left_out(item)]
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in set(left_out)]


def pytest_collection_finish() -> None:
    gc.collect()
    gc.freeze()  # what was imported stays; to look through it at each turn took a twentieth


def pytest_unconfigure() -> None:
    shutil.rmtree(FOLDER, ignore_errors=True)


@pytest.fixture
def configure(monkeypatch: pytest.MonkeyPatch) -> Iterator[Configure]:
    """`configure(REMINDER_EVERY="2s")`: the environment of one test; None removes a variable."""

    def set_environment(**variables: str | None) -> None:
        for name, value in variables.items():
            if value is None:
                monkeypatch.delenv(name, raising=False)
            else:
                monkeypatch.setenv(name, value)
        _forget_what_was_read(keep_database=not {"DATABASE_URL", "STATE_DIR"} & set(variables))

    yield set_environment
    monkeypatch.undo()
    _forget_what_was_read(keep_database=False)


def _forget_what_was_read(keep_database: bool) -> None:
    """Read the environment anew; what else is kept hangs on the settings or on the database."""
    hand_over.finish()
    storage.forget_outage()
    if not keep_database:
        if app.db.database.cache_info().currsize:
            app.db.database().close()
        app.db.database.cache_clear()
    app.settings.settings.cache_clear()


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> FrozenClock:
    """Stands at 2026-11-23 00:00 UTC: `clock.move(seconds=5)`, `clock.set(at)`."""
    frozen = FrozenClock()
    monkeypatch.setattr(app.clock, "shared", frozen.now)
    return frozen


@pytest.fixture(scope="session")
def _valkey_server() -> Iterator[Valkey]:
    server = Valkey(FOLDER / "valkey")
    server.start()
    yield server
    server.stop()


@pytest.fixture
def valkey(_valkey_server: Valkey) -> Valkey:
    """A running, empty Valkey: the one that `app.queue.huey.huey` talks to."""
    _valkey_server.start()
    _valkey_server.flush()
    return _valkey_server


@pytest.fixture
def twilio(configure: Configure) -> "Iterator[FakeTwilio]":
    """A started fake Twilio, in the app's time, which the settings point at."""
    from tests.fake_twilio import FakeTwilio  # here: most tests do without, and it takes long

    with FakeTwilio(now=lambda: app.clock.now()) as fake:
        configure(**fake.environment)
        yield fake


@pytest.fixture(scope="session")
def postgres_cluster() -> Iterator[Postgres]:
    """A PostgreSQL of this process, with no databases of ours in it."""
    cluster = Postgres()
    yield cluster
    cluster.stop()


@pytest.fixture(scope="session")
def _refillable(postgres_cluster: Postgres) -> Iterator[Refillable]:
    database = Refillable(postgres_cluster.url(postgres_cluster.create_migrated()))
    yield database
    database.close()


@pytest.fixture
def sqlite_db(configure: Configure) -> Database:
    """A migrated SQLite database: what `app.db.database()` returns.

    It is a new file with the name of the last one, as each address compiles its statements anew.
    """
    path = FOLDER / "chairtime.db"
    for old in FOLDER.glob(f"{path.name}*"):
        old.unlink()
    copy_migrated(path)
    configure(DATABASE_URL=f"sqlite:///{path}")
    return app.db.database()


@pytest.fixture
def postgres_db(_refillable: Refillable, configure: Configure) -> Database:
    """A migrated PostgreSQL database: what `app.db.database()` returns."""
    _refillable.refill()
    configure(DATABASE_URL=_refillable.url)
    return app.db.database()


@pytest.fixture(params=["sqlite", "postgres"])
def db(request: pytest.FixtureRequest) -> Database:
    """A migrated database, once on SQLite and once on PostgreSQL."""
    fixture: Database = request.getfixturevalue(f"{request.param}_db")
    return fixture
