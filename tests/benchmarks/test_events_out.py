"""What it costs that other programs are told: in the booking's transaction, and in the worker.

Printed: the processor time of a booking without a webhook and with two, and how many events a
second a worker brings. The receivers are processes of their own.
"""

import multiprocessing
import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from multiprocessing.connection import Connection

from sqlalchemy import func, select

from app import clock
from app.api import events
from app.bookings import service
from app.db import Database
from app.integrations import endpoints
from app.integrations.courier import Rounds
from app.models.integration import WebhookDelivery
from tests import factories

BOOKINGS = 300


def test_events_do_not_slow_bookings_and_200_a_second_are_brought(db: Database) -> None:
    with db.write() as session:
        factories.shop(session)
        factories.service(session)
        factories.barber(session, "barber_1")
    book(db, 100)
    without = book(db, BOOKINGS)
    with receiving() as first, receiving() as second:
        for url in (first, second):
            with db.write() as session:
                given = {"url": url, "events": ["booking.created"]}
                endpoints.add(session, given, "system")
        noted = book(db, BOOKINGS)
        used, begun = time.process_time(), time.monotonic()
        bring_all()
        took, used = time.monotonic() - begun, time.process_time() - used
    with db.read() as session:
        is_taken = WebhookDelivery.state == "delivered"
        assert session.scalar(select(func.count()).where(is_taken)) == 2 * BOOKINGS
    print(f"\n{db.engine.dialect.name}: a booking takes {line(without)} ms of CPU,")
    print(f"with two webhooks {line(noted)};")
    print(f"{2 * BOOKINGS / took:.0f} events/s, {1000 * used / 2 / BOOKINGS:.2f} ms of CPU each")
    assert used / 2 / BOOKINGS < 1 / 200  # a core that is theirs alone


def book(db: Database, number: int) -> list[float]:
    """Books so many; returns the milliseconds of the processor that each took."""
    took = []
    for _ in range(number):
        begun = time.process_time()
        with db.write() as session:
            new = {
                "customer_name": "Zoë Ångström",
                "customer_phone": factories.phone(),
                "service_id": "haircut",
                "barber_id": "barber_1",
                "scheduled_time": clock.now() + timedelta(days=10),
                "allow_overlap": True,
            }
            service.create(session, new, "system")
        took.append(1000 * (time.process_time() - begun))
    return took


def bring_all() -> None:
    rounds = Rounds(events.bodies)
    while rounds.round():
        rounds.wait()
    rounds.finish()


def line(took: list[float]) -> str:
    worst = statistics.quantiles(took, n=20)[-1]
    return f"{statistics.median(took):.2f} (p95 {worst:.2f})"


@contextmanager
def receiving() -> Iterator[str]:
    """A receiver that takes everything; its address."""
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=_receive, args=(theirs,))
    process.start()
    try:
        yield f"http://127.0.0.1:{ours.recv()}/"
    finally:
        process.terminate()


def _receive(port: Connection) -> None:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Nothing."""

    ThreadingHTTPServer.request_queue_size = 128
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    port.send(server.server_port)
    server.serve_forever()
