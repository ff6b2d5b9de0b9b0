"""The owner's page of the shop's texts: each kind of message, as it will read while it is typed."""

import difflib
import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Annotated, Any

from litestar import Response, Router, get, post
from litestar.params import FromQuery, PathParameter
from sqlalchemy import select
from sqlalchemy.orm import Session

from app import clock, db
from app.dashboard.forms import AS_IT_IS, FormState, saved, submit
from app.dashboard.shell import FormData, PageRequest, page, redirect, toast
from app.forms import line_ends
from app.messages import planned, saved_texts, texts
from app.messages.compose import content_sids, subject_of, values_of
from app.messages.languages import KINDS
from app.messages.saved_texts import OPTIONAL, SavedText
from app.messages.texts import TextError
from app.models.booking import Booking
from app.settings import settings
from app.shop import changes
from app.shop import service as shop_service
from app.shop.service import shop
from app.web import edit_conflicts

HERE = "/settings/texts"

NAMES = {
    "reminder": "Reminder",
    "cancellation": "Cancellation",
    "confirmation": "Confirmation",
    "moved": "New time",
}
MEANINGS = {
    "customerName": "the customer’s name",
    "firstName": "the customer’s first name",
    "formattedDateTime": "day and time",
    "serviceName": "what is booked",
    "barberName": "with whom",
    "timeUntil": "how long until then",
    "shopName": "the shop’s name",
}

Kind = Annotated[
    str, PathParameter(pattern=f"^({'|'.join(KINDS)})$", description="Which kind of message.")
]


@dataclass(frozen=True)
class WrongPart:
    """Where a text is wrong: its line, in three parts, and the place in a browser's own count."""

    before: str
    wrong: str
    after: str
    start: int
    end: int


@dataclass(frozen=True)
class TextPreview:
    """A text as its customer would read it; `of` whom the booking is that it is shown for."""

    text: str
    of: Booking
    is_sample: bool


@get(HERE, opt={"access": "owner"}, sync_to_thread=True)
def first(request: PageRequest) -> Response[str]:
    """The text that is sent most."""
    return _show(request, KINDS[0])


@get(f"{HERE}/{{kind:str}}", opt={"access": "owner"}, sync_to_thread=True)
def show(request: PageRequest, kind: Kind, earlier: FromQuery[int] = 0) -> Response[str]:
    """One text; with `earlier`, an event of its history, that one's old text in the form."""
    with db.database().read() as session:
        shown = edit_conflicts.shown(_fields(saved_texts.read(session, kind)))
        old = [each for each in saved_texts.history(session, kind) if each.event.id == earlier]
    if old and "old" in old[0].event.details:
        shown["text"] = old[0].event.details["old"]
    return _show(request, kind, FormState(typed=shown))


@post(f"{HERE}/{{kind:str}}", opt={"access": "owner"}, sync_to_thread=True)
def save(request: PageRequest, kind: Kind, form: FormData) -> Response[str]:
    """Save the text; with `look`, only show how it would read."""
    text = line_ends(form.get("text", "")).rstrip()
    typed = {**form, "text": text}
    if "look" in form:
        return _show(request, kind, FormState(typed=typed))

    def act(session: Session) -> Response[str]:
        changes.locked(session)
        edit_conflicts.check(typed, _fields(saved_texts.read(session, kind)))
        is_on = kind not in OPTIONAL or "is_on" in form
        is_changed = saved_texts.save(session, kind, text, is_on, request.user.actor)
        return saved(request, f"{HERE}/{kind}", is_changed, "Saved. Messages from now on read so.")

    try:
        return submit(typed, act, partial(_show, request, kind))
    except TextError:
        return _show(request, kind, FormState(422, typed))


@post(f"{HERE}/{{kind:str}}/reset", opt={"access": "owner"}, sync_to_thread=True)
def reset(request: PageRequest, kind: Kind) -> Response[str]:
    """Back to the text that a new shop has."""
    with db.database().write() as session:
        saved_texts.reset(session, kind, request.user.actor)
    return toast(redirect(request, f"{HERE}/{kind}"), "The standard text is back.")


def _show(request: PageRequest, kind: str, state: FormState = AS_IT_IS) -> Response[str]:
    """The page; for htmx only what follows from the text, as it is being typed."""
    with db.database().read() as session:
        shown = state.context(edit_conflicts.shown(_fields(saved_texts.read(session, kind))))
        text = shown["typed"]["text"]
        problem, place = _problem(text)
        context: dict[str, Any] = {
            "saved": [saved_texts.read(session, each) for each in KINDS],
            "preview": None if problem else _preview(session, kind, text),
            "history": saved_texts.history(session, kind),
        }
    return page(
        request,
        "settings/texts.html",
        partial="settings/_texts_preview.html",
        **shown,
        kind=kind,
        is_on=kind not in OPTIONAL or bool(shown["typed"]["is_on"]),
        problem=problem,
        place=place,
        most=None if problem else texts.most_characters(text),
        max_text=texts.MAX_TEXT,
        names=NAMES,
        meanings=MEANINGS,
        optional=OPTIONAL,
        lines_of=_lines,
        template_sid=content_sids(kind).get(""),
        needs_template=not settings().simulator,
        **context,
    )


def _fields(text: SavedText) -> dict[str, str]:
    """The form as it shows what is saved."""
    is_on = {"is_on": "1" if text.is_on else ""} if text.kind in OPTIONAL else {}
    return {"text": text.text, **is_on}


def _problem(text: str) -> tuple[str, WrongPart | None]:
    """Why a text cannot be a message, and where; empty if it can."""
    try:
        texts.check_text(text)
    except TextError as error:
        return f"{error}.", _wrong_part(text, error)
    return "", None


def _wrong_part(text: str, error: TextError) -> WrongPart | None:
    if error.position is None:
        return None
    start, end = error.position, error.position + error.length
    line_start = text.rfind("\n", 0, start) + 1
    line_end = text.find("\n", start) if "\n" in text[start:] else len(text)
    return WrongPart(
        before=text[line_start:start],
        wrong=text[start : min(end, line_end)],
        after=text[min(end, line_end) : line_end],
        start=_units(text[:start]),
        end=_units(text[:end]),
    )


def _units(text: str) -> int:
    """Its length as JavaScript counts: an emoji is two."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def _preview(session: Session, kind: str, text: str) -> TextPreview:
    """The text for the next booking, at the time of its next such message; else for a sample."""
    row, now = shop(session), clock.now()
    booking = session.scalars(
        select(Booking)
        .where(Booking.status == "confirmed", Booking.starts_at > now)
        .order_by(Booking.starts_at, Booking.id)
        .limit(1)
    ).one_or_none()
    at = _next_at(session, booking) if booking and kind == "reminder" else None
    of = booking or _sample(session, now)
    locale = saved_texts.locale_of(session, kind, text)
    values = values_of(row, subject_of(session, of), at or now, locale)
    return TextPreview(texts.render(text, values), of, is_sample=booking is None)


def _next_at(session: Session, booking: Booking) -> datetime | None:
    to_go = planned.to_go(session, booking.id)
    return to_go[0].due_at if to_go else None


def _sample(session: Session, now: datetime) -> Booking:
    """A booking as the shop could have one tomorrow."""
    return Booking(
        customer_name="Ana Silva",
        service_id=shop_service.services(session)[0].id,
        barber_id=shop_service.barbers(session)[0].id,
        starts_at=now + timedelta(days=1),
    )


def _lines(old: str, new: str) -> list[tuple[str, str]]:
    """What a change took out (`-`) and put in (`+`), line by line, with what stayed beside it."""
    return [
        (line[0].strip(), line[2:])
        for line in difflib.ndiff(old.split("\n"), new.split("\n"))
        if re.match("[-+ ] ", line) and not (line.startswith("  ") and not line.strip())
    ]


router = Router("/", route_handlers=[first, show, save, reset], include_in_schema=False)
