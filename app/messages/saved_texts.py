"""The shop's texts: what each kind of message says, whether it is sent, and who changed it."""

from dataclasses import dataclass

from sqlalchemy.orm import Session

from app.messages import entries, texts
from app.messages.compose import text_of
from app.messages.entries import EventEntry
from app.models.shop import Shop
from app.shop.service import shop
from app.staff import audit

KINDS = tuple(texts.DEFAULTS)

OPTIONAL = ("confirmation", "moved")
"""Kinds that are sent only if the shop has switched them on."""


@dataclass(frozen=True)
class Wording:
    """The text of one kind of message; `is_own` if it is not the default."""

    kind: str
    text: str
    is_own: bool
    is_on: bool


def read(session: Session, kind: str) -> Wording:
    """The text of this kind, one of KINDS."""
    return _of(shop(session), kind)


def save(session: Session, kind: str, text: str, is_on: bool, actor: str) -> bool:
    """Put `text` in the place of the old one; switch its messages on or off if they are OPTIONAL.

    Returns whether that changed anything. Raises texts.TextError. Messages that are planned read
    as the text is when they are sent.
    """
    texts.check_text(text)
    row = session.get_one(Shop, 1, with_for_update=True, populate_existing=True)
    old = _of(row, kind)
    if text != old.text:
        setattr(row, f"{kind}_text", None if text == texts.DEFAULTS[kind] else text)
        audit.record(session, actor, "text.changed", _subject(kind), old=old.text, new=text)
    is_switched = kind in OPTIONAL and is_on != old.is_on
    if is_switched:
        setattr(row, f"{kind}_on", is_on)
        action = "text.switched_on" if is_on else "text.switched_off"
        audit.record(session, actor, action, _subject(kind))
    return is_switched or text != old.text


def reset(session: Session, kind: str, actor: str) -> bool:
    """Back to the default text; whether its messages are sent stays as it is."""
    return save(session, kind, texts.DEFAULTS[kind], read(session, kind).is_on, actor)


def history(session: Session, kind: str) -> list[EventEntry]:
    """Who changed what of this kind, the newest first: `old` and `new` are in the details."""
    return entries.events(session, _subject(kind))[::-1]


def _of(row: Shop, kind: str) -> Wording:
    text = text_of(row, kind)
    is_on = kind not in OPTIONAL or getattr(row, f"{kind}_on")
    return Wording(kind, text, text != texts.DEFAULTS[kind], is_on)


def _subject(kind: str) -> str:
    return f"text:{kind}"
