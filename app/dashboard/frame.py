"""What surrounds each page: the shop and the time, what is to be done, what keeps messages back."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

from sqlalchemy import bindparam, func, select
from sqlalchemy.orm import Session

from app import clock
from app.bookings import waiting_list
from app.channel import Advice
from app.conversations import service as conversations
from app.customers import budget
from app.customers.budget import Month
from app.db import Database, UtcDateTime
from app.integrations import endpoints
from app.kept import Kept
from app.messages import alarms, failures, gate, statistics
from app.messages.alarms import Wrong
from app.messages.channels import channel
from app.messages.eligibility import UNCOUNTED
from app.messages.statistics import Stats
from app.models.alarm import Alarm
from app.models.booking import Booking
from app.models.conversation import Reply
from app.models.integration import WebhookEndpoint
from app.models.message import DailySent, Message, Sending, Worker
from app.models.plan import Plan
from app.models.shop import Shop
from app.models.staff import User
from app.models.waiting import Waiting
from app.queue import failing
from app.settings import settings
from app.shop import service as shop_service
from app.sql import is_one_of

_TO_COME = (
    is_one_of(Booking.status, "confirmed"),
    Booking.starts_at > bindparam("now", type_=UtcDateTime()),
)
_TODAY = (
    select(func.count())
    .select_from(Booking)
    .where(*_TO_COME, Booking.starts_at < bindparam("midnight", type_=UtcDateTime()))
    .scalar_subquery()
)
_AHEAD = (
    select(Booking.id, Booking.customer_name, Booking.starts_at, _TODAY.label("more"))
    .where(*_TO_COME)
    .order_by(Booking.starts_at, Booking.id)
    .limit(1)
)

MOST_COUNTED = 100
"""A badge says 99+ from here on."""


@dataclass(frozen=True)
class Held:
    """Why a message does not go out at its time, in a word and in a clause: `as sending is paused`.

    `until` is the end of it, None if nobody knows. `skips`: what is due until then is skipped, but
    for the kinds that no budget counts; else it waits.
    """

    word: str
    clause: str
    until: datetime | None = None
    skips: bool = False


class Next(NamedTuple):
    """The booking that begins next."""

    id: str
    customer_name: str
    starts_at: datetime


class Ahead(NamedTuple):
    """How many bookings begin today yet, and the next one, today or later."""

    more: int
    next: Next | None


@dataclass(frozen=True)
class Frame:
    """What surrounds each page: `paused_by` is a name, `stopped` why the breaker is open.

    `open_replies` counts what customers wrote and nobody has looked after, `waiting` who is on the
    waiting list, `to_retry` the failed sends that a retry would help, each as far as MOST_COUNTED.
    `slow_until` is until when a limit of WhatsApp's or the account's holds all sending.
    `wait_until` is the same, and also counts short waits, which staff are not told of.
    `worker_failures` counts how often in a row a worker ended right after its start, if it does.
    `month` is what was sent, if the shop has a budget and it is nearly used up.
    `silent_webhooks` are the hosts of those that were switched off after a week of failing.
    `alarms` are what owners were told of and nothing else here says.
    """

    shop: Shop
    now: datetime
    day: Ahead
    stats: Stats
    open_replies: int
    waiting: int
    to_retry: int
    has_worker: bool
    queue_away_since: datetime | None
    worker_failures: int
    paused_at: datetime | None
    paused_by: str | None
    stopped: Advice | None
    stopped_at: datetime | None
    probe_at: datetime | None
    slow_until: datetime | None
    wait_until: datetime | None
    month: Month | None
    silent_webhooks: Sequence[str] = ()
    alarms: Sequence[Wrong] = ()

    @property
    def counted(self) -> tuple[Ahead, int, int, int]:
        """All that the header and the badges show."""
        return self.day, self.open_replies, self.waiting, self.to_retry

    @property
    def zone(self) -> str:
        """The shop's time zone by its name, for scripts."""
        return shop_service.time_zone(self.shop).key

    @property
    def today(self) -> date:
        """The shop's date."""
        return self.now.astimezone(shop_service.time_zone(self.shop)).date()

    @property
    def calendar(self) -> str:
        """What every page that says when goes by: the day, the clock, the way of writing."""
        return f"{self.today} {self.zone} {self.language}"

    @property
    def held(self) -> Held | None:
        """What keeps messages from going out now, if anything does."""
        if self.paused_at:
            return Held("Paused", "as sending is paused")
        if self.stopped:
            return Held("Stopped", "as sending has stopped")
        if not self.has_worker:
            return Held("No worker", "for a worker")
        if self.worker_failures:
            return Held("No worker", "for the worker to stay up")
        if self.queue_away_since:
            return Held("Queue away", "for the queue")
        if self.wait_until:
            return Held("Slowed", "as a limit is reached", self.wait_until)
        if self.month and self.month.is_used_up:
            clause = "as this month’s messages are used up"
            return Held("Used up", clause, budget.ends_at(), skips=True)
        return None

    def holds(self, message: Message) -> bool:
        """Whether a message will, for all we know, not go out when it is due."""
        held = self.held
        if held is None or (held.skips and message.kind in UNCOUNTED):
            return False
        return held.until is None or message.due_at < held.until

    @property
    def state(self) -> str:
        """A fingerprint of all that the banner depends on."""
        stopped = self.stopped, self.stopped_at, self.probe_at
        worker = self.has_worker, self.worker_failures, self.queue_away_since
        others = tuple(self.silent_webhooks), tuple(self.alarms)
        parts = *worker, self.paused_at, *stopped, self.wait_until, self.month, others
        return hashlib.sha256(repr(parts).encode()).hexdigest()[:12]

    @property
    def language(self) -> str:
        """The shop's language as the web writes it: en-US."""
        return self.shop.locale.replace("_", "-")


def frame(session: Session) -> Frame:
    """The frame as it is now."""
    return _look_around(session, None)


def recent(database: Database) -> Frame:
    """The frame as it was less than a second ago, with all that this process has changed."""
    known = _RECENT.known(database, None)
    if known is None:
        with database.read() as session:
            known = _RECENT.of(session, None)
    return replace(known, worker_failures=failing.failures(settings().state_dir))


def _look_around(session: Session, _: None) -> Frame:
    counts = conversations.open_count(MOST_COUNTED), waiting_list.count(session, MOST_COUNTED)
    row = session.execute(select(Sending, *counts).where(Sending.id == 1)).one()
    sending, open_replies, waiting = row
    workers = statistics.workers(session)
    away = [each.queue_away_since for each in workers if each.queue_away_since is not None]
    shop, now = shop_service.shop(session), clock.now()
    return Frame(
        shop=shop,
        now=now,
        day=_ahead(session, now, shop_service.time_zone(shop)),
        stats=statistics.stats(session),
        open_replies=open_replies,
        waiting=waiting,
        to_retry=len(failures.worth_retrying(session, MOST_COUNTED)),
        has_worker=bool(workers),
        queue_away_since=min(away, default=None),
        worker_failures=failing.failures(settings().state_dir),
        paused_at=sending.paused_at,
        paused_by=_name_of(session, sending.paused_by),
        stopped=channel().explain(sending.breaker_code) if sending.breaker_code else None,
        stopped_at=sending.breaker_at,
        probe_at=sending.probe_at,
        slow_until=sending.slow_until if gate.is_limited(sending) else None,
        wait_until=sending.slow_until if gate.is_slowed(sending, clock.now()) else None,
        month=_month(session),
        silent_webhooks=endpoints.given_up(session),
        alarms=alarms.shown(session),
    )


def _ahead(session: Session, now: datetime, zone: ZoneInfo) -> Ahead:
    midnight = clock.midnight(now.astimezone(zone).date() + timedelta(days=1), zone)
    row = session.execute(_AHEAD, {"now": now, "midnight": midnight}).one_or_none()
    return (
        Ahead(row.more, Next(row.id, row.customer_name, row.starts_at)) if row else Ahead(0, None)
    )


def _month(session: Session) -> Month | None:
    if shop_service.shop(session).budget_per_month is None:
        return None
    month = budget.this_month(session)
    return month if month.is_near else None


def _name_of(session: Session, actor: str | None) -> str | None:
    kind, _, user_id = (actor or "").partition(":")
    user = session.get(User, user_id) if kind == "user" else None
    return user.name if user else actor


_RECENT = Kept(
    _look_around,
    Booking,
    Message,
    Plan,
    DailySent,
    Sending,
    Worker,
    Reply,
    Alarm,
    WebhookEndpoint,
    Shop,
    User,
    Waiting,
)
