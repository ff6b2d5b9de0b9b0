"""The shop's texts: what each kind of message says, whether it is sent, and who changed it."""

from dataclasses import dataclass

from sqlalchemy.orm import Session

from app.messages import entries, languages, texts
from app.messages.compose import wording_of
from app.messages.entries import EventEntry
from app.models.shop import Shop
from app.shop.service import shop
from app.staff import audit

OPTIONAL = ("confirmation", "moved")
"""Kinds that are sent only if the shop has switched them on."""


@dataclass(frozen=True)
class SavedText:
    """The text of one kind of message; `is_own` if it is not the standard one."""

    kind: str
    text: str
    is_own: bool
    is_on: bool


def read(session: Session, kind: str) -> SavedText:
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
        setattr(row, f"{kind}_text", None if text == _standard(row, kind) else text)
        audit.record(session, actor, "text.changed", _subject(kind), old=old.text, new=text)
    is_switched = kind in OPTIONAL and is_on != old.is_on
    if is_switched:
        setattr(row, f"{kind}_on", is_on)
        action = "text.switched_on" if is_on else "text.switched_off"
        audit.record(session, actor, action, _subject(kind))
    return is_switched or text != old.text


def reset(session: Session, kind: str, actor: str) -> bool:
    """Back to the standard text; whether its messages are sent stays as it is."""
    text = _standard(shop(session), kind)
    return save(session, kind, text, read(session, kind).is_on, actor)


def history(session: Session, kind: str) -> list[EventEntry]:
    """Who changed what of this kind, the newest first: `old` and `new` are in the details."""
    return entries.events(session, _subject(kind))[::-1]


def locale_of(session: Session, kind: str, text: str) -> str:
    """How the dates in a text would be written if it was saved: a standard one has its own way."""
    row = shop(session)
    is_standard = text == _standard(row, kind)
    return (
        languages.locale_of(languages.chosen(row.locale), row.locale) if is_standard else row.locale
    )


def _of(row: Shop, kind: str) -> SavedText:
    wording = wording_of(row, kind)
    is_on = kind not in OPTIONAL or getattr(row, f"{kind}_on")
    return SavedText(kind, wording.text, wording.is_own, is_on)


def _standard(row: Shop, kind: str) -> str:
    """The text that the shop has while it has written none, in its language."""
    return languages.chosen(row.locale).texts[kind]


def _subject(kind: str) -> str:
    return f"text:{kind}"
