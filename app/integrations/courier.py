"""What brings events to other programs: one thread of every worker process, beside Huey's own.

It has threads of its own for the POSTs, so that an endpoint that hangs keeps no message waiting.
Each round notes what came of the POSTs since the last one, makes deliveries of new events and takes
in hand what is due, all in one transaction. Losing a worker loses nothing: what it held is due
again when its lease ends, with the same `webhook-id`.
"""

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from datetime import datetime

from sqlalchemy.orm import Session
from standardwebhooks import Webhook

from app import clock, outbox
from app.db import database
from app.integrations import deliveries, endpoints, posting
from app.integrations.deliveries import InHand, Tried, Untold
from app.queue.one_thread import OneThread

THREADS = 64
IDLE, BUSY = 0.5, 0.1
"""Seconds between rounds."""
_TIDY_EVERY = 60.0  # seconds
_STOP_WITHIN = 15.0  # seconds that a worker that ends waits for what it has in hand

Render = Callable[[Session, Sequence[Untold]], Mapping[int, str]]
"""The bodies of events, by their numbers."""

_log = logging.getLogger(__name__)


class Courier(OneThread):
    """The thread that sends events."""

    name = "courier"
    waits = _STOP_WITHIN

    def __init__(self, render: Render) -> None:
        super().__init__()
        self._render = render

    def run(self, stopping: threading.Event) -> None:
        rounds = Rounds(self._render)
        tidied = -_TIDY_EVERY
        while not stopping.is_set():
            try:
                if time.monotonic() - tidied > _TIDY_EVERY:
                    tidied = time.monotonic()
                    rounds.tidy()
                is_busy = rounds.round()
            except Exception:
                _log.exception("events could not be sent; the next round tries again")
                is_busy = False
            stopping.wait(BUSY if is_busy else IDLE)
        rounds.finish()


class Rounds:
    """The rounds themselves, which a test may take one by one."""

    def __init__(self, render: Render) -> None:
        self._render = render
        self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix="webhook")
        self._under_way: set[Future[Tried]] = set()
        self._to_note: list[Tried] = []

    def round(self) -> bool:
        """One round; whether there was anything to do."""
        done = {each for each in self._under_way if each.done()}
        self._to_note += [each.result() for each in done]
        self._under_way -= done
        if not self._to_note and not self._is_any_due():
            return bool(self._under_way)
        with database().write() as session:
            deliveries.record(session, self._to_note)
            new = deliveries.untold(session)
            if new:
                bodies = self._render(session, new)
                deliveries.distribute(session, [(each, bodies[each.number]) for each in new])
            taken = deliveries.take(session, THREADS - len(self._under_way))
        self._to_note = []
        self._under_way |= {self._pool.submit(deliver, each) for each in taken}
        return bool(done or new or taken)

    def wait(self) -> bool:
        """Until one of the POSTs under way has ended; False if there is none."""
        wait(self._under_way, return_when=FIRST_COMPLETED)
        return bool(self._under_way)

    def tidy(self) -> None:
        """Give up what was tried for too long, and forget what is old."""
        with database().read() as session:
            if not deliveries.is_any_kept(session):
                return
        with database().write() as session:
            deliveries.give_up_old(session)

    def finish(self) -> None:
        """Wait for what is in hand, and note what came of it."""
        self._pool.shutdown(wait=True, cancel_futures=True)
        ended = [each for each in self._under_way if not each.cancelled()]
        with database().write() as session:
            deliveries.record(session, [*self._to_note, *(each.result() for each in ended)])

    def _is_any_due(self) -> bool:
        with database().read() as session:
            return outbox.is_wanted(session) and deliveries.is_any_due(session)


def deliver(delivery: InHand) -> Tried:
    """Sign it and post it."""
    body = delivery.body
    secrets = endpoints.signing(delivery.endpoint_id, delivery.secret_number, delivery.rotated_at)
    now = clock.now()
    headers = headers_of(delivery.event_id, body, secrets, now)
    return Tried(delivery, now, posting.post(delivery.url, body.encode(), headers))


def headers_of(event_id: str, body: str, secrets: Sequence[str], now: datetime) -> dict[str, str]:
    """What is sent with a body, signed by each of these secrets (standardwebhooks.com)."""
    signatures = [Webhook(each).sign(event_id, now, body) for each in secrets]
    return {
        "Content-Type": "application/json",
        "User-Agent": "Chairtime",
        "webhook-id": event_id,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": " ".join(signatures),
    }
