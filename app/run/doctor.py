"""`chairtime doctor`: looks at everything that can be wrong, and says what to do about it."""

import time
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from email.utils import parsedate_to_datetime
from typing import Any

import redis
import urllib3
from sqlalchemy import func, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from app import clock, db, redis_pools
from app.db import Database
from app.mail import smtp
from app.messages import compose, gate, templates
from app.messages.languages import ENGLISH, KINDS
from app.models.message import Sending, Worker
from app.models.shop import Shop
from app.queue import failing
from app.run import doctor_twilio, migrate, preflight
from app.run.findings import Finding, Level
from app.run.trouble import Trouble
from app.settings import TWILIO_API, Settings, SettingsError, settings
from app.shop.service import shop, time_zone
from app.whatsapp import errors
from app.whatsapp.client import WhatsAppClient

WORKER_SEEN_WITHIN = timedelta(seconds=60)
"""A worker writes down that it lives every FEED_EVERY (at most 60) seconds."""
CLOCKS_DIFFER = 5.0
"""Seconds; more than this between two clocks makes reminders visibly early or late."""


def examine() -> Iterator[Finding]:
    """All findings, in the order in which to repair them. Raises nothing that a user can cause."""
    try:
        env = settings()
    except SettingsError as error:
        yield from (Finding("FAIL", "settings", problem) for problem in error.problems)
        return
    yield _settings(env)
    database = list(_database_and_worker(env))
    yield from database
    yield from _queue(env)
    yield from _whatsapp(env, _texts(database[0].level == "ok"))
    yield public_url_finding(env)
    yield mail_finding(env)


def _settings(env: Settings) -> Finding:
    mode = "production" if env.production else "development"
    way_out = "the simulator: nothing reaches a real phone" if env.simulator else "Twilio"
    return Finding("ok", "settings", f"{mode}, state in {env.state_dir}, messages go to {way_out}")


# --- the database, and what it knows ---


def _database_and_worker(env: Settings) -> Iterator[Finding]:
    try:
        database = preflight.connect()
        where = migrate.revisions(database)
    except (Trouble, SQLAlchemyError) as error:
        lines = preflight.explain(error) or [str(error)]
        yield from (Finding("FAIL", "database", line) for line in lines)
        return
    yield _migrations(database, where)
    if where.is_pending:
        return
    with database.read() as session:
        yield _worker(session, env)
        yield _sending(gate.state(session))
        yield _time_zone(session)
    if not database.is_sqlite:
        with database.read() as session:
            at = session.execute(select(func.now())).scalar_one()
            # All go by the database's, so nothing is early or late by this.
            yield clock_finding("the database's", (clock.host() - at).total_seconds(), "warn")


def _migrations(database: Database, where: migrate.Revisions) -> Finding:
    kind = "SQLite" if database.is_sqlite else "PostgreSQL"
    if where.is_pending:
        text = f"{kind}, {where}, {where.newest} is needed: run `chairtime migrate`"
        return Finding("FAIL", "database", text)
    if not where.is_known:
        newer = f"{kind}, {where}, later than {where.newest}: update Chairtime"
        return Finding("warn", "database", newer)
    return Finding("ok", "database", f"{kind}, {where}, the newest")


def _worker(session: Session, env: Settings) -> Finding:
    if times := failing.failures(env.state_dir):
        text = (
            f"it ended {times} times right after its start, and is started again at growing "
            "intervals, a minute at the most: the last lines of `chairtime up` that begin with "
            "`worker |` say why"
        )
        return Finding("FAIL", "worker", text)
    seen = session.scalars(select(Worker.seen_at).order_by(Worker.seen_at.desc())).all()
    now = clock.now()
    alive = [at for at in seen if now - WORKER_SEEN_WITHIN < at < now + clock.SKEW]
    if alive:
        ago = (clock.now() - alive[0]).total_seconds()
        return Finding(
            "ok", "worker", f"{len(alive)} seen in the last minute, {max(ago, 0):.0f} s ago"
        )
    last = f"last seen {seen[0]:%Y-%m-%d %H:%M} UTC" if seen else "none was ever seen"
    return Finding("FAIL", "worker", f"{last}; nothing is sent: start `chairtime worker`")


def _sending(state: Sending) -> Finding:
    if state.paused_at is not None:
        since = f"since {state.paused_at:%Y-%m-%d %H:%M} UTC"
        text = f"paused by staff {since}, so nothing goes out: resume it on the Queue page"
        return Finding("FAIL", "sending", text)
    if state.breaker_code is not None:
        advice = errors.explain(state.breaker_code)
        probe = f"the next probe is at {state.probe_at:%H:%M:%S} UTC"
        text = f"stopped: {advice.words} ({advice.code}); {probe}. {advice.advice}"
        return Finding("FAIL", "sending", text)
    if gate.is_limited(state):
        until = f"until {state.slow_until:%Y-%m-%d %H:%M} UTC"
        return Finding("warn", "sending", f"waits {until}: a limit at WhatsApp or Twilio")
    return Finding("ok", "sending", "neither paused nor stopped")


def _time_zone(session: Session) -> Finding:
    zone = time_zone(shop(session)).key
    if time.timezone != 0 or time.daylight:
        return Finding("FAIL", "time zone", f"TZ is {time.tzname[0]}: start everything with TZ=UTC")
    return Finding("ok", "time zone", f"the queue keeps UTC, customers read {zone}")


def clock_finding(whose: str, seconds: float, level: Level = "FAIL") -> Finding:
    if abs(seconds) > CLOCKS_DIFFER:
        way = "ahead of" if seconds > 0 else "behind"
        text = f"this clock is {abs(seconds):.0f} s {way} {whose}: set up NTP on both machines"
        return Finding(level, "clock", text)
    return Finding("ok", "clock", f"agrees with {whose}")


# --- the queue ---


def _queue(env: Settings) -> Iterator[Finding]:
    try:
        preflight.check_queue(env)
        pool = redis_pools.pool(env.redis_url)
        pool.connection_kwargs["decode_responses"] = True
        with closing(redis.Redis.from_pool(pool)) as client:
            yield _kept(client)
    except (Trouble, redis.RedisError, OSError) as error:
        lines = preflight.explain(error) or [str(error)]
        yield from (Finding("FAIL", "queue", line) for line in lines)


def _kept(client: Any) -> Finding:
    """Whether it keeps what it holds. What it loses is enqueued again: only warnings."""
    try:
        kept = client.config_get("appendonly").get("appendonly")
        policy = client.config_get("maxmemory-policy").get("maxmemory-policy")
    except redis.ResponseError:
        return Finding("ok", "queue", "answers; it does not let us read its configuration")
    if kept != "yes":
        return Finding("warn", "queue", "answers, but a restart empties it: set `appendonly yes`")
    if policy != "noeviction":
        text = f"answers, but may drop entries ({policy}): set `maxmemory-policy noeviction`"
        return Finding("warn", "queue", text)
    return Finding("ok", "queue", "answers, keeps an append-only file and drops nothing")


# --- WhatsApp ---


def _whatsapp(env: Settings, our_texts: dict[str, dict[str, str]]) -> Iterator[Finding]:
    client = WhatsAppClient.of_settings(env)
    credentials = doctor_twilio.credentials(env, client)
    yield credentials
    if credentials.has_failed or env.simulator:
        return
    yield from _twilio_clock(env)
    for kind, by_language in our_texts.items():
        for language, text in by_language.items():
            yield doctor_twilio.template(client, kind, text, language)
    yield from doctor_twilio.replies(env, client)


def _texts(is_readable: bool) -> dict[str, dict[str, str]]:
    """Our texts of each kind that is sent, by the language of their template ("" is the shop's):
    the shop's own, if the database can be read.
    """
    if not is_readable:
        return {kind: {"": ENGLISH.texts[kind]} for kind in KINDS}
    with db.database().read() as session:
        row = shop(session)
        return {kind: _by_language(row, kind) for kind in templates.kinds(row)}


def _by_language(row: Shop, kind: str) -> dict[str, str]:
    """A text of the shop's own is sent by one template alone."""
    shops = compose.wording_of(row, kind)
    others = [] if shops.is_own else [code for code in compose.content_sids(kind) if code]
    return {"": shops.text} | {code: compose.wording_of(row, kind, code).text for code in others}


def _twilio_clock(env: Settings) -> Iterator[Finding]:
    if env.whatsapp_api_url != TWILIO_API:
        return
    try:
        answer = urllib3.request("HEAD", TWILIO_API, timeout=5, retries=False, redirect=False)
        at = parsedate_to_datetime(answer.headers["Date"])
    except (urllib3.exceptions.HTTPError, LookupError, ValueError, TypeError):
        return
    yield clock_finding("Twilio's", (clock.now() - at).total_seconds())


def public_url_finding(env: Settings) -> Finding:
    if not env.twilio_can_call_back:
        text = (
            f"{env.public_url} cannot be reached by Twilio, so no delivery status arrives: "
            "set PUBLIC_URL to an address that it can reach, such as https://shop.example"
        )
        return Finding("FAIL" if env.production else "warn", "public URL", text)
    if env.production and not env.public_url.startswith("https:"):
        return Finding("warn", "public URL", f"{env.public_url} is not https: passwords show")
    return Finding("ok", "public URL", env.public_url)


def mail_finding(env: Settings) -> Finding:
    if env.smtp_server is None:
        return Finding("ok", "mail", "not set up: SMTP_URL says which server sends it")
    where = f"{env.smtp_server.host}:{env.smtp_server.port}"
    if problem := smtp.check(env.smtp_server, env.mail_domain):
        return Finding("FAIL", "mail", f"{where} lets us send nothing: {problem}")
    return Finding("ok", "mail", f"{where} lets us in")
