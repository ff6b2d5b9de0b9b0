"""`chairtime demo`: a believable shop, with messages in every state, for trying out and pictures.

It writes a past that no service could make today, so it is the one place besides
`messages.lifecycle` that writes the states of messages. Nothing that it makes is overdue: what is
planned goes out from now on, one by one.
"""

import random
import secrets
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session
from ulid import ULID

from app import clock
from app.customers import service as customers
from app.db import insert
from app.demo import replies
from app.demo.builder import DemoBuilder, Setting
from app.models.booking import Booking
from app.models.message import DailySent
from app.models.shop import Barber
from app.models.staff import AuditEvent, User
from app.run.trouble import Trouble
from app.settings import Settings
from app.shop import hours
from app.shop.policy import of_shop
from app.shop.service import barbers, services, shop, time_zone
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

_STAFF = {"Maya Okafor": "staff", "Theo Lang": "viewer"}
_WORKED_FOR = timedelta(days=60)

# How often each end is met.
_PAST_ENDS = ("completed",) * 8 + ("no_show", "cancelled")
_COMING_ENDS = ("confirmed",) * 9 + ("cancelled",)


def fill(session: Session, env: Settings, *, add: bool) -> int:
    """Add some days of bookings around today; returns how many.

    Raises Trouble in production, without the simulator (the numbers are nobody's), and when there
    are bookings already and not `add`.
    """
    there = session.scalar(select(func.count()).select_from(Booking)) or 0
    check_allowed(env)
    if there and not add:
        raise Trouble(f"there are {there} bookings already: use --add, or another STATE_DIR")
    chance = random.Random(_SEED + there)  # noqa: S311
    setting = _setting(session)
    bookings = list(_bookings(session, setting, chance))
    session.add_all(bookings)
    session.flush()
    actors = _staff(session, setting.now)
    builders = [
        DemoBuilder(setting, booking, chance, actors[number % len(actors)])
        for number, booking in enumerate(bookings)
    ]
    for builder in builders:
        builder.build()
    if not there:
        _leave_two_unsettled(builders)
        replies.write(session, setting, builders, actors[0])
    _add(session, builders)
    _count_sent(session, builders)
    return len(bookings)


def _add(session: Session, builders: Sequence[DemoBuilder]) -> None:
    for rows in zip(*(builder.rows_in_order() for builder in builders), strict=True):
        session.add_all(row for group in rows for row in group)
        session.flush()
    events = [event for builder in builders for event in builder.events]
    events.sort(key=lambda event: event.at)
    session.add_all(events)


def check_allowed(env: Settings) -> None:
    """Raise Trouble in production, and where messages would reach people."""
    if env.production or not env.simulator:
        raise Trouble(
            "demo works with the simulator only: unset APP_ENV, WHATSAPP_ACCOUNT_SID, "
            "WHATSAPP_AUTH_TOKEN and WHATSAPP_FROM_NUMBER"
        )


def _setting(session: Session) -> Setting:
    """Intervals of an hour at least: very short ones, as in tests, would make it all reminders."""
    row = shop(session)
    policy = of_shop(row)
    return Setting(
        shop=row,
        policy=replace(policy, every=max(policy.every, timedelta(hours=1))),
        services=services(session),
        barbers=barbers(session),
        now=clock.now(),
    )


def _staff(session: Session, now: datetime) -> list[str]:
    """Who books, as actors: somebody who works here, and the owner, if there is one.

    Nobody knows the passwords of those who are made; the owner may give them others.
    """
    for name, role in _STAFF.items():
        email = f"{name.partition(' ')[0].lower()}@example.com"
        if session.scalar(select(User.id).where(User.email == email)) is None:
            session.add_all(_member(email, name, role, now - _WORKED_FOR))
    session.flush()
    ids = session.scalars(
        select(User.id)
        .where(User.role.in_(("staff", "owner")), User.disabled_at.is_(None))
        .order_by(User.role.desc(), User.created_at)
    )
    return [f"user:{user_id}" for user_id in ids]


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


def _bookings(session: Session, setting: Setting, chance: random.Random) -> Iterator[Booking]:
    for barber in setting.barbers:
        taken = _taken(session, barber)
        for starts_at in _slots(setting, chance):
            booking = _booking(setting, chance, barber, starts_at)
            if not any(at < booking.ends_at and starts_at < end for at, end in taken):
                yield booking
                taken.append((starts_at, booking.ends_at))


def _taken(session: Session, barber: Barber) -> list[tuple[datetime, datetime]]:
    rows = session.execute(
        select(Booking.starts_at, Booking.ends_at).where(Booking.barber_id == barber.id)
    )
    return [(at, end) for at, end in rows]


def _slots(setting: Setting, chance: random.Random) -> Iterator[datetime]:
    """Half hours of the opening times, fewer of them the farther ahead."""
    zone = time_zone(setting.shop)
    today = setting.now.astimezone(zone).date()
    for offset in _DAYS:
        at, closes = hours.opening(setting.shop, today + timedelta(days=offset))
        while at < closes:
            if chance.random() < 0.4 / (1 + 0.4 * max(offset, 0)):
                yield at
            at += timedelta(minutes=30)


def _booking(
    setting: Setting, chance: random.Random, barber: Barber, starts_at: datetime
) -> Booking:
    customer = chance.randrange(len(_NAMES))
    service = chance.choice(setting.services)
    ends_at = starts_at + timedelta(minutes=service.minutes)
    before = min(starts_at, setting.now)
    created_at = before - timedelta(minutes=chance.randrange(90, 40 * 60))
    status = chance.choice(_PAST_ENDS if ends_at <= setting.now else _COMING_ENDS)
    updated_at = {
        "cancelled": created_at + (before - created_at) * 0.7,
        "confirmed": created_at,
    }
    return Booking(
        id=f"booking_{ULID.from_datetime(created_at)}",
        customer_name=_NAMES[customer],
        customer_phone=_PHONES.format(customer),
        service_id=service.id,
        service=service,
        barber_id=barber.id,
        barber=barber,
        starts_at=starts_at,
        ends_at=ends_at,
        status=status,
        created_at=created_at,
        updated_at=updated_at.get(status, ends_at),  # else staff said then whether they came
    )


def _leave_two_unsettled(builders: list[DemoBuilder]) -> None:
    """One reminder of a coming booking is being tried again, and one looked up."""
    now = clock.now()
    coming = [
        builder for builder in builders if builder.booking.starts_at > now + timedelta(hours=2)
    ]
    confirmed = [builder for builder in coming if builder.booking.status == "confirmed"]
    last = [(builder, sent) for builder in confirmed if (sent := builder.last_sent()) is not None]
    changes: list[dict[str, Any]] = [
        {
            "outcome": "not_sent",
            "state": "pending",
            "due_at": now + timedelta(minutes=10),
            "tries": 4,
            "error_code": "unreachable",
        },
        {
            "outcome": None,
            "state": "uncertain",
            "check_at": now + timedelta(minutes=10),
            "tries": 1,
            "error_code": "no_answer",
        },
    ]
    for (builder, message), values in zip(last, changes, strict=False):
        if values["state"] == "uncertain":
            values["sending_to"] = builder.booking.person
        builder.unsettle(message, **values)


def _count_sent(session: Session, builders: list[DemoBuilder]) -> None:
    sent = [
        (builder.booking.customer_phone, message.sent_at.date())
        for builder in builders
        for message in builder.messages
        if message.sent_at is not None
    ]
    for (phone, day), number in Counter(sent).items():
        customers.count_sent(session, phone, datetime.combine(day, time(), UTC), number)
    for day, number in Counter(day for _, day in sent).items():
        statement = insert(session, DailySent).values(day=day, messages=number)
        session.execute(
            statement.on_conflict_do_update(
                index_elements=["day"], set_={"messages": DailySent.messages + number}
            )
        )
