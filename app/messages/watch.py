"""What watches over this install: a thread of every web and every worker process.

So somebody tells when no worker runs. What neither can tell, as both are dead or the database is
away, a program elsewhere sees by the ping that no longer comes (HEARTBEAT_URL).
"""

import logging
import threading
from datetime import timedelta

from redis import RedisError
from sqlalchemy import or_
from sqlalchemy.orm import Session
from urllib3.exceptions import HTTPError

from app import clock
from app.connections import Bounded, BoundedTls, Exchange, current, pool_manager
from app.db import database
from app.mail import postman
from app.messages import alarms
from app.models.install import Install
from app.queue.huey import ping
from app.queue.one_thread import OneThread
from app.rows import set_if
from app.settings import settings

_LOOK_EVERY = 20.0  # seconds
_PING_EVERY = timedelta(seconds=60)
_EARLY = timedelta(seconds=5)
"""So much sooner than after a minute it may be: looks are no exact minute apart."""
_PING_TIMEOUT = 10.0  # seconds

_log = logging.getLogger(__name__)


class Watch(OneThread):
    """The thread that looks. One of a web app also pings, and sends mail while no worker does."""

    name = "watch"

    def __init__(self, is_web: bool) -> None:
        super().__init__()
        self._is_web = is_web

    def run(self, stopping: threading.Event) -> None:
        while not stopping.wait(_LOOK_EVERY):
            try:
                look_around() if self._is_web else alarms.look(database())
            except Exception:
                _log.exception("could not look whether all is well; tried again")


def look_around() -> None:
    """What a web app does at each look."""
    wrong = alarms.look(database())
    if any(each.kind == "no_worker" for each in wrong):
        while postman.send_next():
            pass
    if not wrong and settings().heartbeat_url and _queue_answers() and _is_my_turn():
        _ping_out(settings().heartbeat_url)


def _is_my_turn() -> bool:
    """Whether a minute is over since anybody of this install last pinged."""
    with database().write() as session:
        return _take_turn(session)


def _take_turn(session: Session) -> bool:
    now = clock.now()
    is_time = Install.pinged_at <= now - _PING_EVERY + _EARLY
    was_set_back = Install.pinged_at > now + clock.SKEW
    is_due = or_(Install.pinged_at.is_(None), is_time, was_set_back)
    return set_if(session, Install, is_due, pinged_at=now)


def _queue_answers() -> bool:
    try:
        ping()
    except (RedisError, OSError):
        return False
    return True


def _ping_out(url: str) -> None:
    pools = pool_manager(Bounded, BoundedTls, _PING_TIMEOUT, is_tls=url.startswith("https:"))
    current.set(Exchange(_PING_TIMEOUT))
    try:
        answer = pools.request("GET", url, headers={"User-Agent": "Chairtime"}, redirect=False)
    except HTTPError as error:
        # No URL: who knows it can ping in our place.
        _log.warning("HEARTBEAT_URL cannot be reached: %s", type(error).__name__)
        return
    if answer.status >= 300:
        _log.warning("HEARTBEAT_URL answers with status %s", answer.status)
