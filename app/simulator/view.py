"""What the page shows, in words: phones, chats, times in the shop's zone, faults."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby
from typing import Any
from zoneinfo import ZoneInfo

from babel.dates import format_timedelta

from app import clock
from app.customers.phones import readable
from app.settings import settings
from app.simulator import faults, store
from app.simulator.attachments import THINGS
from app.simulator.core.templates import CANCEL_LABEL
from app.simulator.store import EVERYONE, ActiveFault, Entry, Phone

HOME = "/simulator"

_GROUPS = {
    "refused": "Twilio refuses it",
    "undelivered": "Twilio accepts it, and reports later",
    "unanswered": "The network fails",
    "phone_off": "The customer",
}
# Status of an entry: the tick that is drawn, and the word beside it.
_MESSAGE = {
    "queued": ("clock", "Queued"),
    "sent": ("one", "Sent"),
    "delivered": ("two", "Delivered"),
    "read": ("read", "Read"),
    "undelivered": ("failed", "Not delivered"),
}
_REPLY = {
    "new": ("clock", "Sending"),
    "sending": ("clock", "Sending"),
    "received": ("two", "Received by the app"),
    "refused": ("failed", "Refused by the app"),
    "unreached": ("failed", "Not received"),
}
_DONE = {"refused": "Refused", "unanswered": "Not answered"}


@dataclass(frozen=True)
class When:
    """A time in the shop's zone: short, exact, and for machines."""

    short: str
    exact: str
    iso: str


@dataclass(frozen=True)
class ChatLine:
    """An entry as the chat shows it. `sid` is that of a message which can be answered, `button`
    what the one under it says, and `quoted` the beginning of what a reply answers.
    """

    kind: str
    body: str
    when: When
    tick: str
    word: str
    remark: str | None
    sid: str | None = None
    button: str | None = None
    quoted: str | None = None


@dataclass(frozen=True)
class Row:
    """A phone in the list."""

    path: str
    name: str
    badge: str
    snippet: str
    when: When | None
    unread: int
    is_open: bool


@dataclass(frozen=True)
class FaultRow:
    """A fault that is switched on."""

    target: str
    whom: str
    words: str
    how_long: str


def board(number: str | None, answered: Entry | None = None) -> dict[str, Any]:
    """Everything the templates need; `number` is the phone that is open, `answered` the message
    that the next reply quotes.
    """
    return {
        "here": path_of(number),
        "number": number,
        "name": readable(number) if number else None,
        "answered": answered,
        "answered_words": shortened(answered) if answered else None,
        "phones": [_row(phone, number) for phone in store.phones()],
        "phones_listed": store.PHONES_LISTED,
        "days": _days(store.chat(number)) if number else [],
        "chat_length": store.CHAT_LENGTH,
        "faults": [_fault_row(fault) for fault in store.active_faults()],
        "fault_groups": _fault_groups(),
        "everyone": EVERYONE,
        "things": [(name, thing.words) for name, thing in THINGS.items()],
        "zone": settings().shop_timezone,
        "curl": _curl(),
        "is_slow": settings().reminder_every > 120,
        "interval": format_timedelta(
            timedelta(seconds=settings().reminder_every), threshold=1.5, locale="en"
        ),
    }


def path_of(number: str | None) -> str:
    """The page's address with this phone open, or none."""
    return f"{HOME}/phones/{number.removeprefix('+')}" if number else HOME


def _row(phone: Phone, opened: str | None) -> Row:
    last = phone.last
    return Row(
        path=path_of(phone.number),
        name=readable(phone.number),
        badge=phone.number[-2:],
        snippet=_snippet(last) if last else "No messages yet",
        when=_when(last.created_at) if last else None,
        unread=phone.unread,
        is_open=phone.number == opened,
    )


def shortened(entry: Entry) -> str:
    """The beginning of what it says, on one line."""
    return " ".join(_text(entry).split())[:80]


def _text(entry: Entry) -> str:
    """What it says; of what says nothing, what it is."""
    thing = THINGS.get(entry.thing or "")
    return entry.body or (f"({thing.words})" if thing else "")


def _snippet(entry: Entry) -> str:
    text = shortened(entry)
    if entry.kind == "note":
        return f"{_DONE.get(entry.status, entry.status)}: {text}"
    return f"You: {text}" if entry.kind == "reply" else text


def _days(entries: list[Entry]) -> list[tuple[str, list[ChatLine]]]:
    zone = _zone()
    today = clock.now().astimezone(zone).date()
    texts = {entry.sid: shortened(entry) for entry in entries if entry.sid}
    return [
        (
            "Today" if day == today else f"{day:%a} {day.day} {day:%b}",
            [_line(e, texts) for e in of_day],
        )
        for day, of_day in groupby(entries, lambda e: e.created_at.astimezone(zone).date())
    ]


def _line(entry: Entry, texts: Mapping[str, str]) -> ChatLine:
    """`texts` is the beginning of each message by its SID."""
    when = _when(entry.created_at)
    if entry.kind == "note":
        word = _DONE.get(entry.status, "")
        return ChatLine("note", entry.body, when, "failed", word, _fault(entry))
    if entry.kind == "reply":
        tick, word = _REPLY.get(entry.status, ("failed", entry.status))
        quoted = texts.get(entry.quoted or "")
        return ChatLine("reply", _text(entry), when, tick, word, _problem(entry), quoted=quoted)
    tick, word = _MESSAGE.get(entry.status, ("failed", entry.status))
    # What has not reached the phone cannot be answered on it.
    sid = entry.sid if entry.status in {"delivered", "read"} else None
    button = CANCEL_LABEL if sid and entry.payload else None
    return ChatLine("message", entry.body, when, tick, word, _fault(entry), sid, button)


def _problem(reply: Entry) -> str | None:
    if reply.status == "unreached":
        return "The app did not answer."
    return f"The app answered HTTP {reply.error_code}." if reply.status == "refused" else None


def _fault(entry: Entry) -> str | None:
    return faults.sentence(entry.fault) if entry.fault else None


def _fault_row(fault: ActiveFault) -> FaultRow:
    left = fault.times_left
    how_long = f"for the next {left} messages" if left else "until switched off"
    return FaultRow(
        target=fault.target,
        whom="All numbers" if fault.target == EVERYONE else readable(fault.target),
        words=faults.sentence(fault.name),
        how_long="for the next message" if left == 1 else how_long,
    )


def _fault_groups() -> list[tuple[str, list[faults.Fault]]]:
    """The catalog in groups; a kind without a group of its own belongs to the one before."""
    groups: list[tuple[str, list[faults.Fault]]] = []
    for fault in faults.catalog().values():
        label = _GROUPS.get(fault.kind)
        if label and (not groups or groups[-1][0] != label):
            groups.append((label, []))
        groups[-1][1].append(fault)
    return groups


def _when(at: datetime) -> When:
    local = at.astimezone(_zone())
    exact = f"{local:%a} {local.day} {local:%b %Y, %H:%M:%S} {settings().shop_timezone}"
    return When(f"{local:%H:%M}", exact, at.isoformat(timespec="milliseconds"))


def _zone() -> ZoneInfo:
    return ZoneInfo(settings().shop_timezone)


def _curl() -> str:
    """How to book something whose first reminder will not be long, as a shell command."""
    ahead = timedelta(seconds=max(3 * settings().reminder_every, 300) + 60)
    at = (clock.now() + ahead).replace(second=0, microsecond=0)
    booking = {
        "customerName": "Luis Ortega",
        "customerPhone": "+12025550123",
        "serviceId": "haircut",
        "barberId": "barber_1",
        "scheduledTime": f"{at:%Y-%m-%dT%H:%M:%SZ}",
    }
    fields = json.dumps(booking, indent=4).replace("\n}", "\n  }")
    return (
        f"curl {settings().public_url}/api/bookings \\\n"
        '  -H "Authorization: Bearer $TOKEN" \\\n'
        '  -H "Content-Type: application/json" \\\n'
        f"  -d '{fields}'"
    )
