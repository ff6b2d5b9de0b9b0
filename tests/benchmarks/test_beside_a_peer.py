"""Ours beside the service that one would write instead (`peer/`: Express and BullMQ): `make bench`.

Both run on this machine, each with a Valkey of its own and a worker, and are asked the same by the
same client in turns, A B A B: so a slow machine, or one that others use too, changes the ratio
little. Both the rate and the p99 of each kind of request must hold. The peer keeps its bookings in
memory; ours are on the disk (SQLite with `synchronous=FULL`, PostgreSQL with fsync) before the
answer. It needs nodejs and npm.
"""

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median
from types import SimpleNamespace
from typing import Any

import pytest

from tests.benchmarks.load import Figures, Requests
from tests.fake_twilio import FakeTwilio
from tests.support.ports import free_port
from tests.support.postgres import Postgres
from tests.support.processes import Process, program
from tests.support.running import RunningShop
from tests.support.valkey import Valkey

PEER = Path(__file__).with_name("peer")
ROUNDS = 2
TOKEN = "a-token-of-the-peers-own-" + "k" * 16

AT_LEAST = {
    "sqlite": {
        "create-12": 1.1,
        "create-359": 10,
        "reminders": 3,
        "reschedule": 2,
        "cancel": 1.2,
        "statistics": 1.5,
    },
    "postgres": {"create-12": 0.8},
    "postgres, two web processes": {"create-12": 1.1},
}
"""Ours ÷ the peer's, in requests a second."""


@dataclass
class Side:
    """One of the two, and what it did in each round, by what was asked."""

    requests: Requests
    valkey: Valkey
    rounds: dict[str, list[Figures]] = field(default_factory=dict)
    customers: int = 0

    def create(self, hours: float, how_many: int) -> Figures:
        return self._send(
            "POST", [("/api/bookings", self._body(hours)) for _ in range(how_many)], 201
        )

    def _body(self, hours: float) -> dict[str, Any]:
        self.customers += 1
        at = datetime.now(UTC) + timedelta(hours=hours, minutes=5)
        return {
            "customerName": "Ana Silva",
            "customerPhone": f"+44770{self.customers:07d}",
            "serviceId": "haircut",
            "barberId": f"barber_{1 + self.customers % 3}",
            "scheduledTime": at.isoformat(timespec="milliseconds"),
            "allowOverlap": True,
        }

    def round(self) -> None:
        """Ask for everything once."""
        day = self.create(25, 400)
        month = self.create(719.5, 96)
        ids = [answer["id"] for answer in day.answers()]
        paths = [f"/api/bookings/{each}" for each in ids]
        later = (datetime.now(UTC) + timedelta(hours=27)).isoformat(timespec="milliseconds")
        change = {"scheduledTime": later, "allowOverlap": True}
        done = {
            "create-12": day,
            "create-359": month,
            "reminders": self._send("GET", [(f"{path}/reminders", None) for path in paths], 200),
            "reschedule": self._send("PATCH", [(path, change) for path in paths[:200]], 200),
            "cancel": self._send("DELETE", [(path, None) for path in paths], 200),
            "statistics": self._send("GET", [("/api/queue/stats", None)] * 2_000, 200),
        }
        assert {len(answer) for answer in done["reminders"].answers()} == {12}
        for what, figures in done.items():
            self.rounds.setdefault(what, []).append(figures)

    def rates(self, what: str) -> list[float]:
        return [figures.rate for figures in self.rounds[what]]

    def p99(self, what: str) -> float:
        return median(figures.p99 for figures in self.rounds[what])

    def bytes_a_reminder(self) -> float:
        """Of the queue, for each of a month's, when it has forgotten all else."""
        before = self._used()
        self.create(719.5, 32)
        return (self._used() - before) / (32 * 359)

    def _used(self) -> int:
        return int(self.valkey.client.info("memory")["used_memory"])

    def _send(self, method: str, what: list[tuple[str, object]], status: int) -> Figures:
        requests = [self.requests.request(method, path, body) for path, body in what]
        return self.requests.send(requests, status)


@pytest.fixture(params=AT_LEAST)
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def sides(kind: str, tmp_path: Path) -> Iterator[tuple[Side, Side]]:
    """Ours and the peer."""
    if not shutil.which("npm"):
        pytest.fail("the peer needs Node.js: run `apt-get install nodejs npm`", pytrace=False)
    if not (PEER / "node_modules").is_dir():
        subprocess.run(["npm", "ci", "--no-audit", "--no-fund"], cwd=PEER, check=True)
    with ExitStack() as stack:

        def valkey(name: str) -> Valkey:
            (folder := tmp_path / name).mkdir()
            server = Valkey(folder)
            server.start()
            stack.callback(server.stop)
            return server

        command = [program("python"), "-m", "tests.benchmarks.prompt_twilio", "0.05"]
        twilio = stack.enter_context(Process(command, {}, tmp_path, "twilio"))
        port = twilio.wait_for(r"^(\d+)\n")[1]
        url = f"http://127.0.0.1:{port}"
        yield _ours(stack, kind, valkey("ours"), url), _peer(stack, valkey("peer"), url)


def _ours(stack: ExitStack, kind: str, valkey: Valkey, twilio_url: str) -> Side:
    database_url = None
    if kind != "sqlite":
        cluster = Postgres(is_durable=True)
        stack.callback(cluster.stop)
        database_url = cluster.url(cluster.create())
    variables = {**FakeTwilio().credentials, "WHATSAPP_API_URL": twilio_url}
    twilio: Any = SimpleNamespace(environment=variables)
    processes = "2" if "two" in kind else "1"
    shop = RunningShop(
        valkey.folder, twilio, valkey, database_url, FEED_EVERY="10", WEB_WORKERS=processes
    )
    stack.enter_context(shop)
    shop.wait_for_worker()
    port, token = int(shop.environment["PORT"]), shop.environment["CHAIRTIME_API_TOKEN"]
    return Side(Requests(port, token), valkey)


def _peer(stack: ExitStack, valkey: Valkey, twilio_url: str) -> Side:
    credentials = FakeTwilio().credentials
    port = free_port()
    environment = {
        "REDIS_SOCKET": str(valkey.socket),
        "API_TOKEN": TOKEN,
        "PORT": str(port),
        "TWILIO_URL": twilio_url,
        "ACCOUNT_SID": credentials["WHATSAPP_ACCOUNT_SID"],
        "AUTH_TOKEN": credentials["WHATSAPP_AUTH_TOKEN"],
        "FROM_NUMBER": credentials["WHATSAPP_FROM_NUMBER"],
        "NODE_ENV": "production",
    }
    for name in ("server", "worker"):
        command = ["node", str(PEER / f"{name}.js")]
        process = stack.enter_context(Process(command, environment, valkey.folder, name))
        process.wait_for(r"(^|\n)ready\n")
    return Side(Requests(port, TOKEN), valkey)


def test_ours_beside_the_peer(sides: tuple[Side, Side], kind: str) -> None:
    ours, peer = sides
    for _ in range(ROUNDS):
        ours.round()
        peer.round()
    short = [what for what in ours.rounds if not _say(kind, what, ours, peer)]
    short += [f"p99 of {what}" for what in ours.rounds if not _is_as_prompt(what, ours, peer)]
    month, day = (median(ours.rates(what)) for what in ("create-359", "create-12"))
    if not _verdict("a month's booking ÷ a day's, in time", day / month, "at most", 1.15):
        short.append("create-359 ÷ create-12")
    share = ours.bytes_a_reminder() / peer.bytes_a_reminder()
    if not _verdict("bytes of Redis a planned reminder ÷ the peer's", share, "at most", 0.01):
        short.append("bytes")
    assert not short


def _say(kind: str, what: str, ours: Side, peer: Side) -> bool:
    """Print a line; False if it falls short."""
    ratios = [a / b for a, b in zip(ours.rates(what), peer.rates(what), strict=True)]
    ratio, wanted = median(ratios), AT_LEAST[kind].get(what)
    figures = (
        f"\n{kind} {what:<11} {median(ours.rates(what)):7.0f}/s "
        f"(p99 {ours.p99(what):6.1f} ms)  peer {median(peer.rates(what)):6.0f}/s "
        f"(p99 {peer.p99(what):6.1f} ms)  ratio {ratio:6.2f} ({min(ratios):.2f}-{max(ratios):.2f})"
    )
    print(figures, end="")
    if wanted is None:
        return True
    print(f"  at least {wanted:g}: {'pass' if ratio >= wanted else 'falls short'}", end="")
    return ratio >= wanted


def _is_as_prompt(what: str, ours: Side, peer: Side) -> bool:
    """Whether the slowest answers are no slower than the peer's, by the median of the rounds."""
    return _verdict(f"p99 of {what} ÷ the peer's", ours.p99(what) / peer.p99(what), "at most", 1)


def _verdict(what: str, value: float, word: str, limit: float) -> bool:
    is_right = value <= limit
    print(
        f"\n{what}: {value:.3f}, {word} {limit:g}: {'pass' if is_right else 'falls short'}", end=""
    )
    return is_right
