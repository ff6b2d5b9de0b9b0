"""Somebody who walks in: a booking that begins now, without a phone number or any message.

Nothing follows from it but the time in the barber's day. A link or a form made twice is one booking
(`new_id`).
"""

import math
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Select, select
from sqlalchemy.orm import Session
from ulid import ULID

from app import clock
from app.bookings import availability, place, service
from app.bookings.availability import LONGEST, overlapping
from app.bookings.fields import MAX_NOTES, clean_name
from app.bookings.need import NONE, Need
from app.errors import Conflict
from app.forms import Form, field, lines, time_of_day
from app.models.booking import Booking
from app.models.shop import PARTS_JOIN, Barber, Service
from app.shop import several
from app.shop.service import barbers, shop, time_zone

NAME = "Walk-in"
"""Who gave no name."""

_STEP = timedelta(minutes=5)
_SOON = timedelta(hours=2)  # a time that is ahead by less was not meant to be yesterday's
_ID = re.compile("booking_[0-9A-HJKMNP-TV-Z]{26}")


class WalkInForm(Form):
    """The form “Walk-in”; `zone` is the shop's, `now` aware."""

    def __init__(self, given: Mapping[str, str], zone: ZoneInfo, now: datetime) -> None:
        super().__init__(given)
        self._zone, self._now = zone, now

    @field
    def service(self, typed: str) -> str:
        """One, or several in one visit as `shop.several` writes them."""
        return several.key(_chosen(typed, "Choose a service.").split(PARTS_JOIN))

    @field
    def barber(self, typed: str) -> str:
        return _chosen(typed, "Choose a barber.")

    @field
    def began(self, typed: str) -> datetime | None:
        """The last time that the clock showed this; None for now."""
        return _last(time_of_day(typed), self._zone, self._now) if typed.strip() else None

    @field
    def name(self, typed: str) -> str:
        return clean_name(typed) if typed.strip() else NAME

    @field
    def notes(self, typed: str) -> str | None:
        return lines(typed, MAX_NOTES)


@dataclass(frozen=True)
class Chair:
    """A barber now: with `current`, if they are, and their booking after that, if there is one.

    `is_here`: these are hours in which they take bookings.
    """

    barber: Barber
    is_here: bool
    current: Booking | None
    following: Booking | None


def new_id() -> str:
    """The id of a booking that is to be made once, however often its form is sent."""
    return f"booking_{ULID()}"


def chairs(session: Session) -> list[Chair]:
    """Every barber, in the shop's order."""
    now = clock.now()
    rows = session.scalars(
        select(Booking)
        .where(
            Booking.starts_at > now - LONGEST,
            Booking.starts_at < now + LONGEST,
            Booking.ends_at > now,
            Booking.status.in_(("confirmed", "completed")),
        )
        .order_by(Booking.starts_at, Booking.id)
    ).all()
    by_barber: dict[str, list[Booking]] = defaultdict(list)
    for row in rows:
        by_barber[row.barber_id].append(row)
    today = now.astimezone(time_zone(shop(session))).date()
    days = availability.calendar(session, today, today)
    return [
        _chair(each, days.outside(each, now, now) is None, by_barber[each.id], now)
        for each in barbers(session)
    ]


def first_free(chairs: Sequence[Chair]) -> Chair | None:
    """Who is free for longest, or else first; None without barbers."""
    return min(chairs, key=_wait, default=None)


def book(
    session: Session, booking_id: str, typed: Mapping[str, str], actor: str
) -> tuple[Booking, bool]:
    """Put them into the barber's chair; False if this very form has done so already.

    Raises Invalid with all that is wrong, and Conflict `barber_taken` for a booking in the way that
    is not among the ids in `overlap`.
    """
    there = session.get(Booking, booking_id)
    if there is not None:
        return there, False
    chosen, columns = _wanted(session, typed)
    in_the_way = {each.id for each in session.scalars(_overlapping(columns))}
    if in_the_way - set(typed.get("overlap", "").split(",")):
        raise Conflict("barber_taken", "The barber has another booking then.")
    several.made(session, chosen.parts or chosen.id)
    own_id = {"id": booking_id} if _ID.fullmatch(booking_id) else {}
    return service.store(session, {**columns, **own_id}, actor), True


def conflicts(session: Session, typed: Mapping[str, str]) -> Sequence[Booking]:
    """The barber's other bookings then. Raises Invalid."""
    _, columns = _wanted(session, typed)
    return session.scalars(_overlapping(columns)).all()


def _wanted(session: Session, typed: Mapping[str, str]) -> tuple[Service, dict[str, Any]]:
    """The service, which need not be stored yet, and the columns of the booking that is typed; the
    barber is held. Raises Invalid.
    """
    form = WalkInForm(typed, time_zone(shop(session)), clock.now())
    values = form.checked()
    for id in values["service"].split(PARTS_JOIN):
        part, barber = place.choices(session, id, values["barber"])
    offered = several.as_one(session, values["service"]) or part
    starts_at = values["began"] or _begins(session, barber.id)
    columns = {
        "customer_name": values["name"],
        "customer_phone": None,
        "service_id": offered.id,
        "barber_id": barber.id,
        **replace(Need.of_service(offered), before=NONE).columns(starts_at),
        "notes": values["notes"],
        **service.priced(session, None, offered),
    }
    return offered, columns


def _overlapping(columns: Mapping[str, Any]) -> Select[Booking]:
    return overlapping(columns["barber_id"], columns["busy_from"], columns["busy_until"])


def _begins(session: Session, barber_id: str) -> datetime:
    """The last five minutes of the clock, but not before the end of what the barber just did."""
    now = clock.now()
    seconds = int(_STEP.total_seconds())
    at = datetime.fromtimestamp(int(now.timestamp()) // seconds * seconds, UTC)
    ends = [each.ends_at for each in session.scalars(overlapping(barber_id, at, now))]
    return max([at, *(end for end in ends if end <= now)])


def _chair(barber: Barber, is_here: bool, bookings: Sequence[Booking], now: datetime) -> Chair:
    begun = (each for each in bookings if each.starts_at <= now)
    to_come = (each for each in bookings if each.starts_at > now)
    return Chair(barber, is_here, next(begun, None), next(to_come, None))


def _wait(chair: Chair) -> tuple[bool, bool, float]:
    """Less for who is the better choice."""
    if chair.current is not None:
        return not chair.is_here, True, chair.current.ends_at.timestamp()
    return (
        not chair.is_here,
        False,
        -chair.following.starts_at.timestamp() if chair.following else -math.inf,
    )


def _last(at: time, zone: ZoneInfo, now: datetime) -> datetime:
    """The last moment at which the clock showed that time. Raises ValueError for a time to come."""
    today = now.astimezone(zone).date()
    if now < clock.first_moment(today, at, zone) <= now + _SOON:
        raise ValueError("This is still to come. Leave it empty for now.")
    moments = (
        moment(day, at, zone)
        for day in (today, today - timedelta(days=1))
        for moment in (clock.last_moment, clock.first_moment)
    )
    return next(moment for moment in moments if moment <= now)


def _chosen(typed: str, hint: str) -> str:
    if not typed:
        raise ValueError(hint)
    return typed
