"""`chairtime demo`: a believable shop, with messages in every state, for trying out and pictures.

Who books what is made up here; the services do it, with the clock at the time when it was done.
Nothing that it makes is overdue: what is planned goes out from now on, one by one.
"""

import random
import secrets
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from decimal import Decimal

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session
from ulid import ULID

from app import clock
from app.bookings import waiting_list
from app.bookings.availability import calendar
from app.db import forget_callbacks
from app.demo import replies, troubles
from app.demo.builder import Appointment, DemoBuilder, End
from app.models.booking import Booking
from app.models.shop import Barber, Service
from app.models.staff import AuditEvent, User
from app.run.trouble import Trouble
from app.settings import Settings
from app.shop import changes
from app.shop.policy import Policy, of_shop
from app.shop.service import barbers, hold_catalogue, services, shop, time_zone
from app.staff import accounts

_DAYS = range(-3, 8)  # around today
_SEED = 7  # the same shop each time
_CUSTOMERS = """
    Ada Lovelace, Bilal Haddad, Chiara Ferri, Diego Morales, Emma Lindqvist, Femi Adeyemi,
    Grace O’Neill, Hiro Tanaka, Ines Carvalho, Jonas Weber, Kofi Mensah, Léa Dubois, Mateusz Nowak,
    Nadia Petrova, Omar Farouk, Priya Nair, Quinn Baker, Rosa Jiménez, Søren Holm, Tom Ashworth,
    Uma Krishnan, Viktor Novák, Wen Li, Xavier Roux, Yara Khalil, Zoë Ångström
"""
_NAMES = [" ".join(name.split()) for name in _CUSTOMERS.split(",")]
_PHONES = "+4477009{:05d}"  # 900000 to 900999 are kept for fiction (Ofcom)

_PRICES = {
    "haircut": (Decimal(22), "blue"),
    "beard-trim": (Decimal("12.50"), "teal"),
    "cut-and-shave": (Decimal(38), "rust"),
    "kids-cut": (Decimal(16), "pink"),
}

# Name, whether with one barber alone, from when until when, and what staff noted.
_WAITING: Sequence[tuple[str, bool, str, str, Mapping[str, str]]] = (
    ("Hugo Blanc", False, "14:00", "18:00", {}),
    ("Ida Sørensen", True, "", "", {"notes": "Rather in the morning"}),
)

_STAFF = {"Maya Okafor": "staff", "Theo Lang": "viewer"}
_WORKED_FOR = timedelta(days=60)

# How often each end is met.
_PAST_ENDS: Sequence[End] = ("completed",) * 8 + ("no_show", "cancelled")
_COMING_ENDS: Sequence[End] = ("confirmed",) * 9 + ("cancelled",)


def fill(session: Session, given: Settings, *, add: bool) -> int:
    """Add some days of bookings around today; returns how many.

    Raises Trouble in production, without the simulator (the numbers are nobody's), and when there
    are bookings already and not `add`.
    """
    there = session.scalar(select(func.count()).select_from(Booking)) or 0
    check_allowed(given)
    if there and not add:
        raise Trouble(f"there are {there} bookings already: use --add, or another STATE_DIR")
    chance = random.Random(_SEED + there)  # noqa: S311
    _price_services(session)
    hold_catalogue(session)  # each of two thousand messages names its service
    builder = DemoBuilder(session, chance)
    appointments = list(_appointments(session, chance, builder.now))
    actors = _staff(session, builder.now)
    for number, each in enumerate(appointments):
        each.actor = actors[number % len(actors)]
    with _long_intervals(session) as policy:
        builder.add(appointments, policy)
        busy = troubles.happen(builder, appointments)
        if not there:
            replies.write(builder, appointments, actors[0], busy)
        builder.run()
    if not there:
        _wait(session, actors[0])
    forget_callbacks(session)
    return len(appointments)


def check_allowed(given: Settings) -> None:
    """Raise Trouble in production, and where messages would reach people."""
    if given.production or not given.simulator:
        raise Trouble(
            "demo works with the simulator only: unset APP_ENV, WHATSAPP_ACCOUNT_SID, "
            "WHATSAPP_AUTH_TOKEN and WHATSAPP_FROM_NUMBER"
        )


def _wait(session: Session, actor: str) -> None:
    """Some wait for a place, in the coming days."""
    zone = time_zone(shop(session))
    today = clock.now().astimezone(zone).date()
    offered, there = services(session)[0].id, barbers(session)[0].id
    for number, (name, barber_id, since, until, wish) in enumerate(_WAITING):
        typed = {
            "customer_name": name,
            "customer_phone": _PHONES.format(990 + number),
            "service_id": offered,
            "barber_id": there if barber_id else "",
            "first_day": f"{today + timedelta(days=1)}",
            "last_day": f"{today + timedelta(days=1 + number)}",
            **wish,
            "from_time": since,
            "until_time": until,
        }
        waiting_list.add(session, typed, actor)


@contextmanager
def _long_intervals(session: Session) -> Iterator[Policy]:
    """Reminders at least an hour apart: very short ones, as in tests, would be all there is."""
    row = changes.locked(session)
    own, every = row.reminder_every, max(of_shop(row).every, timedelta(hours=1))
    row.reminder_every = round(every.total_seconds())
    yield of_shop(row)
    row.reminder_every = own


def _price_services(session: Session) -> None:
    """Give those of a new shop a price and a colour, unless somebody has done so."""
    if session.scalar(select(Service.id).where(Service.price.is_not(None)).limit(1)) is not None:
        return
    for service_id, (price, colour) in _PRICES.items():
        values = {"price": price, "colour": colour}
        session.execute(update(Service).where(Service.id == service_id).values(values))


def _staff(session: Session, now: datetime) -> list[str]:
    """Who books, as actors: somebody who works here, and the owner, if there is one.

    Nobody knows the passwords of those who are made; the owner may give them others.
    """
    for name, role in _STAFF.items():
        email = f"{name.partition(' ')[0].lower()}@example.com"
        if session.scalar(select(User.id).where(User.email == email)) is None:
            session.add_all(_member(email, name, role, now - _WORKED_FOR))
    session.flush()
    users = session.scalars(
        select(User.id)
        .where(User.role.in_(("staff", "owner")), User.disabled_at.is_(None))
        .order_by(User.role.desc(), User.created_at)
    )
    return [f"user:{user_id}" for user_id in users]


def _member(email: str, name: str, role: str, since: datetime) -> tuple[User, AuditEvent]:
    user = User(
        id=f"user_{ULID.from_datetime(since)}",
        email=email,
        name=name,
        role=role,
        password_hash=accounts.hash_of(secrets.token_urlsafe(32)),
        created_at=since,
    )
    return user, AuditEvent(
        at=since, actor="system", action="user.added", subject=user.id, details={"role": role}
    )


def _appointments(session: Session, chance: random.Random, now: datetime) -> Iterator[Appointment]:
    offered = services(session)
    for barber in barbers(session):
        taken = _taken(session, barber)
        for starts_at in _slots(session, barber, chance, now):
            each = _appointment(chance, barber, chance.choice(offered), starts_at, now)
            ends_at = starts_at + timedelta(minutes=each.service.minutes)
            if not any(at < ends_at and starts_at < end for at, end in taken):
                yield each
                taken.append((starts_at, ends_at))


def _taken(session: Session, barber: Barber) -> list[tuple[datetime, datetime]]:
    rows = session.execute(
        select(Booking.starts_at, Booking.ends_at).where(Booking.barber_id == barber.id)
    )
    return [(at, end) for at, end in rows]


def _slots(
    session: Session, barber: Barber, chance: random.Random, now: datetime
) -> Iterator[datetime]:
    """Half hours in which the barber takes bookings, fewer of them the farther ahead."""
    today = now.astimezone(time_zone(shop(session))).date()
    for offset in _DAYS:
        day = today + timedelta(days=offset)
        for at, closes in calendar(session, day, day).open_on(barber, day):
            while at < closes:
                if chance.random() < 0.4 / (1 + 0.4 * max(offset, 0)):
                    yield at
                at += timedelta(minutes=30)


def _appointment(
    chance: random.Random, barber: Barber, service: Service, starts_at: datetime, now: datetime
) -> Appointment:
    customer = chance.randrange(len(_NAMES))
    ends_at = starts_at + timedelta(minutes=service.minutes)
    before = min(starts_at, now)
    made_at = before - timedelta(minutes=chance.randrange(90, 40 * 60))
    end = chance.choice(_PAST_ENDS if ends_at <= now else _COMING_ENDS)
    return Appointment(
        name=_NAMES[customer],
        phone=_PHONES.format(customer),
        service=service,
        barber=barber,
        starts_at=starts_at,
        made_at=made_at,
        end=end,
        ended_at=made_at + (before - made_at) * 0.7 if end == "cancelled" else ends_at,
    )
