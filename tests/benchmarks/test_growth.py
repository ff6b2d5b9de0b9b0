"""What a shop that grows costs: each thing takes as long with 2,000,000 reminders as with 1,000.

In this process, without HTTP, so that what the database does is most of it; all databases take
turns. What is measured is processor time, PostgreSQL's processes included, so that a machine that
others use too changes it little; it is read from Linux's /proc. SQLite has no database of the third
size, as it is filled row by row.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median
from typing import Any

import pytest
from sqlalchemy import event

from app.bookings import service
from app.dashboard.today import day
from app.db import Database
from app.messages import enqueue, entries, statistics
from app.messages import tick as ticking
from app.messages.lifecycle import claims
from app.queue import hand_over
from tests import factories
from tests.benchmarks import large_shop
from tests.benchmarks.test_sending_speed import unit
from tests.conftest import Configure
from tests.support.databases import migrate_url
from tests.support.frozen import FrozenClock
from tests.support.postgres import Postgres
from tests.support.statements import listening
from tests.support.valkey import Valkey

BOOKINGS = {"postgres": (128, 10_000, 200_000), "sqlite": (128, 10_000)}
"""Of ten reminders each; 128 are those of one day."""
ROUNDS = 40
WARM_UP = 6  # rounds, in which PostgreSQL settles for a plan of each statement
MOST_GROWTH = 1.5
MOST_GROWTH_OF = {"statistics": 2.0}
"""The counters count what is to come and what failed and nobody has dismissed: of these there are
10 in the smallest shop and 18,000 in the largest."""
MOST_TICK = 6.0
"""The processor time of a tick, in that of `unit`: 5 ms on an idle machine."""
MOST_STATEMENTS = 3  # of a tick
NOW = datetime.now(UTC).replace(hour=12, minute=5, second=0, microsecond=0)
"""Reminders are due at each half hour: now and in the next minutes nothing is."""
A_DAY = NOW.date() + timedelta(days=30)


@dataclass
class Shop:
    """A database with so many reminders, and the seconds of a processor that each thing took."""

    reminders: int
    db: Database
    seconds: dict[str, list[float]] = field(default_factory=dict)
    servers: set[int] = field(default_factory=set)
    with_history: str = ""
    due: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Know PostgreSQL's processes, one of each connection."""
        if not self.db.is_sqlite:
            event.listen(
                self.db.engine,
                "connect",
                lambda connection, _: self.servers.add(connection.info.backend_pid),
            )

    def itself(self) -> Database:
        """In the place of `app.db.database`, as this process has several."""
        return self.db

    def prepare(self) -> None:
        """A booking with ten reminders sent, and a message to claim for each round."""
        with self.db.write() as session:
            booking = factories.booking(session)
            for _ in range(10):
                factories.message(session, booking, "sent")
            self.with_history = booking.id
            for turn in range(WARM_UP + ROUNDS):
                one = factories.booking(session, customer_phone=f"+4478009{turn:05d}")
                self.due.append(factories.message(session, one).id)

    def tick(self) -> None:
        """One with nothing due."""
        self._measure("tick", lambda: ticking.tick(ticking.Process(id="ours")))

    def round(self, turn: int) -> None:
        """Everything else once."""
        at = ticking.clock.now() + timedelta(days=60, hours=turn)
        booking = self._write("create", lambda session: service.create(session, new(at), "us"))[0]
        change = {"scheduled_time": at + timedelta(days=100)}
        self._write("move", lambda session: service.change(session, booking.id, change, "us"))
        self._write("cancel", lambda session: service.cancel(session, booking.id, "us"))
        self._read("timeline", lambda session: entries.timeline(session, self.with_history))
        self._read("board", lambda session: day.board(session, A_DAY))
        self._read("statistics", statistics.stats)
        taken = self._write("claim", lambda session: claims.claim(session, self.due[turn]))
        assert isinstance(taken, claims.Claim)

    def median(self, what: str) -> float:
        return median(self.seconds[what][WARM_UP:])

    def _read(self, what: str, act: Callable[[Any], Any]) -> None:
        def read() -> None:
            with self.db.read() as session:
                act(session)

        self._measure(what, read)

    def _write(self, what: str, act: Callable[[Any], Any]) -> Any:
        def write() -> Any:
            with self.db.write() as session:
                return act(session)

        return self._measure(what, write)

    def _measure(self, what: str, act: Callable[[], Any]) -> Any:
        """Until the commit; what follows in other threads has ended before the next begins."""
        begun = self._spent()
        result = act()
        self.seconds.setdefault(what, []).append(self._spent() - begun)
        hand_over.finish()
        return result

    def _spent(self) -> float:
        """Processor time of this thread, and of PostgreSQL for it."""
        return time.thread_time() + sum(map(_spent_by, self.servers))


def _spent_by(pid: int) -> float:
    try:
        spent = Path(f"/proc/{pid}/schedstat").read_text().split()[0]
    except FileNotFoundError:  # its connection was closed
        return 0.0
    return int(spent) / 1e9


def new(at: datetime) -> dict[str, Any]:
    """A booking's fields."""
    return {
        "customer_name": "Ana Silva",
        "customer_phone": "+447700900999",
        "service_id": "haircut",
        "barber_id": "barber_1",
        "scheduled_time": at,
    }


@pytest.fixture(scope="module")
def shops(
    postgres_cluster: Postgres, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, list[Shop]]]:
    with ExitStack() as stack:

        def shop(bookings: int, url: str) -> Shop:
            migrate_url(url)
            db = Database(url)
            stack.callback(db.close)
            return Shop(bookings * large_shop.REMINDERS, db)

        def on_postgres(bookings: int) -> Shop:
            name = postgres_cluster.create()
            stack.callback(postgres_cluster.drop, name)
            one = shop(bookings, postgres_cluster.url(name))
            large_shop.fill(one.db.engine, bookings, NOW)
            return one

        def on_sqlite(bookings: int, like: Shop) -> Shop:
            path = Path(tmp_path_factory.mktemp("growth")) / "chairtime.db"
            one = shop(bookings, f"sqlite:///{path}")
            large_shop.copy(like.db.engine, one.db.engine)
            return one

        filled = [on_postgres(bookings) for bookings in BOOKINGS["postgres"]]
        copied = map(on_sqlite, BOOKINGS["sqlite"], filled)
        yield {"postgres": filled, "sqlite": list(copied)}


def test_nothing_takes_longer_in_a_large_shop(
    shops: dict[str, list[Shop]],
    clock: FrozenClock,
    valkey: Valkey,
    configure: Configure,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock.set(NOW)
    configure(QUEUE_NAME="growth")
    monkeypatch.setattr(statistics.STATS, "seconds", 0.0)
    everyone = [each for some in shops.values() for each in some]
    statements = [_tick(each, monkeypatch) for each in _in_turns(everyone)]
    for each in everyone:
        each.prepare()
    for turn in range(WARM_UP + ROUNDS):
        for each in everyone if turn % 2 else reversed(everyone):
            monkeypatch.setattr(enqueue, "database", each.itself)
            each.round(turn)
    grown = [line for kind, some in shops.items() for line in _say(kind, some)]
    assert not grown
    assert max(statements) <= MOST_STATEMENTS
    assert max(each.median("tick") for each in everyone) * 1000 < MOST_TICK * unit()


def _in_turns(everyone: list[Shop]) -> list[Shop]:
    return everyone * (WARM_UP + ROUNDS)


def _tick(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> int:
    """How many statements it was."""
    executed = []
    monkeypatch.setattr(ticking, "database", shop.itself)

    def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        executed.append(statement)

    with listening(shop.db, "before_cursor_execute", note):
        shop.tick()
    return len([each for each in executed if not each.startswith("BEGIN")])


def _say(kind: str, shops: list[Shop]) -> Iterator[str]:
    """Print a table, and return the lines of what has grown."""
    sizes = " ".join(f"{each.reminders:>10,}" for each in shops)
    print(f"\n{kind + ', CPU ms':<16} {sizes}    grown by")
    for what in shops[0].seconds:
        medians = [each.median(what) for each in shops]
        growth = max(medians) / min(medians)
        line = f"{what:<16} {' '.join(f'{each * 1000:10.2f}' for each in medians)} {growth:11.2f}"
        print(line)
        if growth > MOST_GROWTH_OF.get(what, MOST_GROWTH):
            yield f"{kind}: {line}"
