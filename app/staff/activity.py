"""The audit log as the owner reads it: who did what to what, the newest first."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session

from app.errors import FieldError, Invalid
from app.models.booking import Booking, short_name
from app.models.conversation import Reply
from app.models.shop import Barber, Service
from app.models.staff import ApiToken, AuditEvent, User

PAGE = 40
"""Lines on a page."""

LOOK_BACK = 30_000
"""Events that are looked through for those of one person: there is no index of who did them."""

WORDS = {
    "booking.created": "Booked",
    "booking.changed": "Changed",
    "booking.rescheduled": "Moved",
    "booking.cancelled": "Cancelled",
    "booking.cancellation_undone": "Cancellation undone",
    "booking.repeated": "Repeated, as a series",
    "booking.reminded": "Reminder asked for",
    "booking.replanned": "Reminders planned by a new rule",
    "booking.completed": "Marked as came",
    "booking.paid": "Marked as paid",
    "booking.no_show": "Marked as no-show",
    "booking.reopened": "Attendance undone",
    "booking.answered": "Answered",
    "message.retried": "Retried",
    "message.dismissed": "Failed send dismissed",
    "message.restored": "Failed send put back",
    "reply.handled": "Marked as done",
    "reply.reopened": "Opened again",
    "customer.agreed": "Agreement to messages noted",
    "customer.declined": "Refusal of messages noted",
    "customer.changed": "Name or email of a customer changed",
    "customer.renumbered": "Number of a customer corrected",
    "customer.noted": "Notes on the customer changed",
    "customer.language": "Language of the customer changed",
    "customer.opted_out": "“No messages any more” noted",
    "customer.opted_in": "“Messages again” noted",
    "sending.paused": "Paused",
    "sending.resumed": "Resumed",
    "session.started": "Signed in",
    "session.ended": "Signed out",
    "session.refused": "Login with a wrong password",
    "session.second_refused": "Login with a wrong second factor",
    "user.added": "Added to staff",
    "user.changed": "Changed",
    "user.disabled": "Disabled",
    "user.enabled": "Enabled again",
    "user.password_reset": "Password reset",
    "user.link_made": "Link for a password made",
    "user.password_changed": "Own password changed",
    "user.sessions_ended": "Signed out everywhere",
    "user.authenticator_added": "Authenticator app added",
    "user.authenticator_removed": "Authenticator app removed",
    "user.passkey_added": "Passkey added",
    "user.passkey_removed": "Passkey removed",
    "user.recovery_codes_made": "New recovery codes made",
    "user.recovery_code_used": "Signed in with a recovery code",
    "user.second_factor_reset": "Second factor reset",
    "token.created": "Made",
    "token.revoked": "Revoked",
    "shop.changed": "Changed",
    "service.added": "Added",
    "service.changed": "Changed",
    "service.deleted": "Deleted",
    "service.moved": "Moved in the list",
    "service.switched_on": "Switched on",
    "service.switched_off": "Switched off",
    "barber.added": "Added",
    "barber.changed": "Changed",
    "barber.deleted": "Deleted",
    "barber.moved": "Moved in the list",
    "barber.switched_on": "Switched on",
    "barber.switched_off": "Switched off",
    "barber.away": "Away",
    "barber.back": "No longer away",
    "shop.closed": "Closed on some days",
    "shop.opened": "Open again on some days",
    "import.started": "Begun",
    "import.undone": "Undone",
    "waiting.added": "Put on the waiting list",
    "waiting.booked": "Booked from the waiting list",
    "waiting.removed": "Taken off the waiting list",
    "waiting.reopened": "Back on the waiting list",
    "text.changed": "Changed",
    "text.switched_on": "Switched on",
    "text.switched_off": "Switched off",
    "calendar.made": "Link of the calendar made",
    "calendar.renewed": "Link of the calendar renewed",
    "calendar.removed": "Link of the calendar removed",
    "webhook.added": "Added",
    "webhook.changed": "Changed",
    "webhook.rotated": "Got a new secret",
    "webhook.resent": "Event sent again",
    "webhook.switched_off": "Switched off after a week of failing",
    "webhook.removed": "Removed",
}
"""Every action that is recorded, as people say it of the line's subject."""

_CUSTOMER, _SYSTEM = "customer:reply", "system"
_LONGEST = 80  # characters of a subject
_CURSOR = re.compile("[0-9]{1,18}")
_UNSHOWN = {"was", "starts_at", "old", "new", "id"}  # times are shown as such; texts are too long


@dataclass(frozen=True)
class About:
    """What something was done to: its name, its page (empty: it has none), a booking's time."""

    label: str
    address: str = ""
    at: datetime | None = None


@dataclass(frozen=True)
class ActivityLine:
    """One event in words; `moved` is from when to when."""

    event: AuditEvent
    who: str
    about: About

    @property
    def moved(self) -> tuple[datetime, datetime] | None:
        details = self.event.details
        if "was" not in details:
            return None
        return datetime.fromisoformat(details["was"]), datetime.fromisoformat(details["starts_at"])

    @property
    def notes(self) -> list[str]:
        """What else is worth knowing: `role: staff → owner`, `phone`, `reminder 3`."""
        return [*_notes(self.event.details)]


@dataclass(frozen=True)
class Page:
    """Lines, and the cursor of those before them (None: there are none).

    `is_cut` if no more of somebody were found as far as was looked; the cursor goes on from there.
    """

    lines: Sequence[ActivityLine]
    older: int | None
    is_cut: bool


def words_of(action: str) -> str:
    """An action in words; itself if it is one of an older version."""
    return WORDS.get(action, action)


def words_of_field(name: str) -> str:
    """What a field of a booking is called: `phone`."""
    return short_name(name).replace("_", " ")


def people(session: Session) -> dict[str, str]:
    """Everybody who can have done something, by their actor in the audit log."""
    users = session.execute(select(User.id, User.name).order_by(func.lower(User.name)))
    tokens = session.execute(select(ApiToken.id, ApiToken.name).order_by(ApiToken.name))
    return {
        **{f"user:{id}": name for id, name in users},
        **{f"token:{id}": f"API token {name}" for id, name in tokens},
        _CUSTOMER: "Customer, by reply",
        _SYSTEM: "Chairtime",
    }


def page(session: Session, who: str, about: str, before: str) -> Page:
    """The events of the actor `who` on the subject `about`, before a cursor; empty: any, newest.

    A booking's are also those of its replies. Raises Invalid.
    """
    everybody = people(session)
    _check(who, about, before, everybody)
    end = int(before) if before else (session.scalar(select(func.max(AuditEvent.id))) or 0) + 1
    query = select(AuditEvent).where(AuditEvent.id < end).order_by(AuditEvent.id.desc())
    if about:
        query = query.where(AuditEvent.subject.in_([about, *_replies_of(session, about)]))
    start = end - LOOK_BACK if who and not about else 0
    if who:
        query = query.where(AuditEvent.actor == who, AuditEvent.id >= start)
    events = session.scalars(query.limit(PAGE + 1)).all()
    shown, has_more = events[:PAGE], len(events) > PAGE
    is_cut = not has_more and start > 1
    older = shown[-1].id if has_more else start if is_cut else None
    return Page(_lines(session, shown, everybody), older, is_cut)


def _check(who: str, about: str, before: str, everybody: Iterable[str]) -> None:
    errors = []
    if who and who not in everybody:
        errors.append(FieldError("who", "There is nobody of that id."))
    if len(about) > _LONGEST or not about.isprintable():
        problem = f"This must be an id, of at most {_LONGEST} visible characters."
        errors.append(FieldError("about", problem))
    if before and not _CURSOR.fullmatch(before):
        problem = "This link is too old or incomplete: start from the first page."
        errors.append(FieldError("before", problem))
    if errors:
        raise Invalid(errors)


def _replies_of(session: Session, booking_id: str) -> Sequence[str]:
    return session.scalars(select(Reply.sid).where(Reply.booking_id == booking_id)).all()


def _lines(
    session: Session, events: Sequence[AuditEvent], everybody: dict[str, str]
) -> list[ActivityLine]:
    subjects = _subjects(session, {event.subject for event in events}, everybody)
    return [
        ActivityLine(event, _name_of(event.actor, everybody), subjects[event.subject])
        for event in events
    ]


def _name_of(actor: str, everybody: dict[str, str]) -> str:
    kinds = {"user": "A former member", "token": "The API", "customer": "Customer"}
    return everybody.get(actor) or kinds.get(actor.partition(":")[0], actor)


# --- what it was done to ---


def _subjects(session: Session, subjects: set[str], everybody: dict[str, str]) -> dict[str, About]:
    """Each subject as it is called now: a statement for each kind, however many there are."""
    known = {subject: _plain(subject, everybody) for subject in subjects}
    known |= _catalogue(session, subjects)
    bookings = _among(session, select(Booking), Booking.id, subjects)
    known |= {
        row.id: About(row.customer_name, f"/bookings/{row.id}", row.starts_at) for row in bookings
    }
    for reply in _among(session, select(Reply), Reply.sid, subjects):
        address = f"/bookings/{reply.booking_id}#chat" if reply.booking_id else ""
        known[reply.sid] = About(f"A message of {reply.profile_name or 'a customer'}", address)
    return known


def _plain(subject: str, everybody: dict[str, str]) -> About:
    """A subject that needs no look into the database."""
    kind, _, name = subject.partition(":")
    if subject.startswith("user_"):
        label = everybody.get(f"user:{subject}", "A former member")
        return About(label, f"/staff?member={subject}#member")
    if subject.startswith("token_"):
        return About(everybody.get(f"token:{subject}", "An API token"), "/settings/tokens")
    if subject.startswith("customer_"):
        return About("A customer without a booking", "/customers?new=1")
    if subject.startswith("import_"):
        return About("An import", f"/settings/import/{subject}")
    if kind == "text":
        return About(f"The text “{name}”", f"/settings/texts/{name}")
    if subject.startswith("waiting_"):
        return About("Somebody who waits", f"/waiting#{subject}")
    if subject.startswith("webhook_"):
        return About("A webhook", f"/settings/webhooks/{subject}")
    known = {"shop": About("Settings", "/settings"), "sending": About("Sending", "/queue")}
    known["login"] = About("Nobody who is known here")
    return known.get(subject, About(subject))


def _catalogue(session: Session, subjects: set[str]) -> dict[str, About]:
    """Services and barbers: `service:haircut`."""
    items = {}
    for word, table in (("service", Service), ("barber", Barber)):
        ids = {subject.partition(":")[2] for subject in subjects if subject.startswith(f"{word}:")}
        for row in _among(session, select(table), table.id, ids):
            items[f"{word}:{row.id}"] = About(row.name, f"/settings/{word}s#{row.id}")
    return items


def _among(session: Session, query: Select[Any], column: Any, ids: set[str]) -> Sequence[Any]:
    return session.scalars(query.where(column.in_(ids))).all() if ids else []


# --- details ---


def _notes(details: dict[str, Any]) -> Iterable[str]:
    for name, value in details.items():
        if name == "fields":
            yield from (words_of_field(each) for each in value if each not in _UNSHOWN)
        elif name == "job_id":
            yield value.partition("-")[2].replace("-", " ")
        elif name not in _UNSHOWN:
            yield f"{name.replace('_', ' ')}: {_change(value)}"


def _change(value: Any) -> str:
    """`staff → owner` of an old and a new value."""
    values = value if isinstance(value, list) else [value]
    return " → ".join(_word(each) for each in values)


def _word(value: Any) -> str:
    words = {None: "none", True: "yes", False: "no"}
    is_one = value is None or isinstance(value, bool)
    return words[value] if is_one else str(value)
