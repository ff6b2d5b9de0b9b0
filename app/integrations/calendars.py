"""Calendars that phones and other programs read by a private link: of a barber, or of the shop.

    feed = calendars.make(session, "barber_1", actor)
    calendars.path(feed)    # /calendar/calendar_…_….ics

The link's secret follows from SECRET_KEY, as a webhook's does, so that a copy of the database opens
nothing.
"""

import hashlib
import hmac
import re
import secrets
from collections.abc import Mapping, Sequence
from datetime import timedelta
from functools import lru_cache
from typing import Any
from urllib.parse import urlsplit

from icalendar import Calendar, Event
from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session, joinedload

from app import clock
from app.errors import NotFound
from app.models.booking import Booking
from app.models.integration import CalendarFeed
from app.outbox import SHOP
from app.settings import settings
from app.shop import service as shop_service
from app.staff import audit
from app.web import qr as qr_codes

PAST, COMING = timedelta(days=14), timedelta(days=400)
"""What a calendar shows."""
CANCELLED_FOR = timedelta(days=14)
"""How long a cancelled booking is shown as cancelled: whoever reads it late sees it, too."""
MOST = 2_000
"""Bookings in a calendar, those that come first."""
READ_EVERY = timedelta(minutes=15)
"""How often a program is asked to read it again; Google does so every few hours all the same."""
WHOLE_SHOP = "shop"

_SECRET = re.compile(r"(calendar_[0-9a-f]{16})_([0-9a-f]{48})")


def all_feeds(session: Session) -> Mapping[str, CalendarFeed]:
    """By whose they are: a barber's id, or WHOLE_SHOP."""
    return {feed.subject: feed for feed in session.scalars(select(CalendarFeed))}


def make(session: Session, subject: str, actor: str) -> CalendarFeed:
    """A link for a barber's bookings, or all of the shop's; the one that there is, if there is one.

    Raises NotFound.
    """
    known = all_feeds(session).get(subject)
    if known is not None:
        return known
    if subject != WHOLE_SHOP and shop_service.barber(session, subject) is None:
        raise NotFound("There is no such barber.")
    feed = CalendarFeed(
        id=f"calendar_{secrets.token_hex(8)}",
        shop_id=SHOP,
        subject=subject,
        barber_id=None if subject == WHOLE_SHOP else subject,
        secret_number=1,
        made_at=clock.now(),
    )
    session.add(feed)
    session.flush()
    audit.record(session, actor, "calendar.made", _about(subject))
    return feed


def renew(session: Session, subject: str, actor: str) -> CalendarFeed:
    """Another link; the one before leads nowhere from now on. Raises NotFound."""
    feed = _of(session, subject)
    feed.secret_number += 1
    session.flush()
    audit.record(session, actor, "calendar.renewed", _about(subject))
    return feed


def remove(session: Session, subject: str, actor: str) -> None:
    """No link any more. Raises NotFound."""
    session.delete(_of(session, subject))
    audit.record(session, actor, "calendar.removed", _about(subject))


def path(feed: CalendarFeed) -> str:
    """Where it is read, on this install."""
    return f"/calendar/{feed.id}_{_mac(feed)}.ics"


def addresses(feed: CalendarFeed) -> tuple[str, str]:
    """The whole link, and as `webcal:`, by which a phone subscribes at once."""
    link = settings().public_url + path(feed)
    return link, f"webcal://{link.partition('://')[2]}"


@lru_cache(maxsize=64)
def qr(address: str) -> str:
    """The address as a QR code in SVG."""
    return qr_codes.drawn(address)


def find(session: Session, secret: str) -> CalendarFeed:
    """The calendar of this secret. Raises NotFound, whatever is wrong with it."""
    match = _SECRET.fullmatch(secret)
    feed = session.get(CalendarFeed, match[1]) if match else None
    if match is None or feed is None or not hmac.compare_digest(match[2], _mac(feed)):
        raise NotFound("There is no such calendar: its link may have been renewed.")
    return feed


def version(session: Session, feed: CalendarFeed) -> str:
    """Changes with anything that the calendar shows; one statement, however many bookings."""
    known = session.execute(
        select(func.count(), func.max(Booking.updated_at)).where(*_shown(feed))
    ).one()
    names = [(each.id, each.name) for each in _named(session)]
    shown = clock.now().date(), feed.id, feed.secret_number, *known, _name(session, feed), names
    return hashlib.sha256(repr(shown).encode()).hexdigest()[:32]


def ics(session: Session, feed: CalendarFeed) -> bytes:
    """The calendar as RFC 5545 has it. Times are in UTC, so no change of clocks moves them."""
    calendar = Calendar()
    calendar.add("prodid", "-//Chairtime//Calendar//EN")
    calendar.add("version", "2.0")
    calendar.add("method", "PUBLISH")
    calendar.add("x-wr-calname", _name(session, feed))
    calendar.add("x-wr-timezone", shop_service.time_zone(shop_service.shop(session)).key)
    calendar.add("refresh-interval", READ_EVERY, parameters={"VALUE": "DURATION"})
    calendar.add("x-published-ttl", "PT15M")  # the same, for Outlook
    for booking in _bookings(session, feed):
        calendar.add_component(_event(booking, is_of_shop=feed.barber_id is None))
    content: bytes = calendar.to_ical()
    return content


def _event(booking: Booking, *, is_of_shop: bool) -> Event:
    is_cancelled = booking.status == "cancelled"
    what = [booking.customer_name, booking.service.name]
    if is_of_shop:
        what.append(booking.barber.name)
    event = Event()
    event.add("uid", f"{booking.id}@{urlsplit(settings().public_url).hostname}")
    event.add("dtstamp", booking.updated_at)
    event.add("created", booking.created_at)
    event.add("last-modified", booking.updated_at)
    event.add("sequence", _sequence(booking))
    event.add("dtstart", booking.starts_at)
    event.add("dtend", booking.ends_at)
    event.add("summary", f"{'Cancelled: ' if is_cancelled else ''}{' · '.join(what)}")
    event.add("status", "CANCELLED" if is_cancelled else "CONFIRMED")
    event.add("transp", "TRANSPARENT" if is_cancelled else "OPAQUE")
    event.add("url", f"{settings().public_url}/bookings/{booking.id}")
    if words := [each for each in (booking.customer_phone, booking.notes) if each]:
        event.add("description", "\n".join(words))
    return event


def _sequence(booking: Booking) -> int:
    """Counts up with each change, as it must: by the seconds since it was made."""
    return max(0, int((booking.updated_at - booking.created_at).total_seconds()))


def _bookings(session: Session, feed: CalendarFeed) -> Sequence[Booking]:
    return session.scalars(
        select(Booking)
        .where(*_shown(feed))
        .options(joinedload(Booking.service), joinedload(Booking.barber))
        .order_by(Booking.starts_at, Booking.id)
        .limit(MOST)
    ).all()


def _shown(feed: CalendarFeed) -> list[ColumnElement[bool]]:
    now = clock.now()
    is_held = (Booking.status != "cancelled") | (Booking.updated_at > now - CANCELLED_FOR)
    shown = [Booking.starts_at > now - PAST, Booking.starts_at < now + COMING, is_held]
    return shown if feed.barber_id is None else [Booking.barber_id == feed.barber_id, *shown]


def _name(session: Session, feed: CalendarFeed) -> str:
    name = shop_service.shop(session).name
    barber = shop_service.barber(session, feed.barber_id) if feed.barber_id else None
    return f"{barber.name} · {name}" if barber else name


def _named(session: Session) -> Sequence[Any]:
    return [*shop_service.services(session), *shop_service.barbers(session)]


def _of(session: Session, subject: str) -> CalendarFeed:
    feed = all_feeds(session).get(subject)
    if feed is None:
        raise NotFound("There is no such link.")
    return feed


def _about(subject: str) -> str:
    """The subject in the audit log."""
    return "shop" if subject == WHOLE_SHOP else f"barber:{subject}"


def _mac(feed: CalendarFeed) -> str:
    key = settings().secret_key.encode()
    about = f"calendar:{feed.id}:{feed.secret_number}".encode()
    return hmac.new(key, about, hashlib.sha256).hexdigest()[:48]
