"""A customer's message out of the parameters of Twilio's webhook.

Twilio adds parameters and types without notice, so whatever is not known here counts as a text.
"""

import re
from collections.abc import Mapping
from typing import Literal

from app.channel import Incoming, IncomingKind

_PHONE = re.compile(r"whatsapp:(\+[1-9][0-9]{6,14})")
_TYPES: dict[str, IncomingKind] = {
    "reaction": "reaction",
    "contact": "contact",
    "contacts": "contact",
    "edit": "edited",
    "edited": "edited",
    "revoke": "deleted",
    "revoked": "deleted",
    "delete": "deleted",
    "deleted": "deleted",
    "unsupported": "unsupported",
    "unknown": "unsupported",
}
_CARDS = ("text/vcard", "text/x-vcard", "text/directory")
_MEDIA = {"image": "picture", "audio": "voice message", "video": "video"}
_MOST_FILES = 10
_HANDLED: dict[str, Literal["stop", "start", "help"]] = {
    "STOP": "stop",
    "START": "start",
    "HELP": "help",
}


def of_form(form: Mapping[str, str]) -> Incoming:
    """The message; the form has a MessageSid."""
    handled = _HANDLED.get(form.get("OptOutType", "").upper())
    return Incoming(
        sid=form["MessageSid"],
        sender=address_of(form.get("From", "")),
        body=_body_of(form),
        kind="help" if handled == "help" else _kind_of(form),
        number=_phone(f"whatsapp:+{form.get('WaId', '')}"),
        profile_name=form.get("ProfileName"),
        button_payload=form.get("ButtonPayload"),
        replied_to=form.get("OriginalRepliedMessageSid"),
        handled=handled,
        media=number_of_files(form.get("NumMedia")),
        media_types=_files_of(form),
    )


def address_of(sender: str) -> str:
    """E.164 if it is a phone, else what Twilio sent, as far as it can be stored."""
    return _phone(sender) or "".join(char for char in sender if char.isprintable())[:64]


def number_of_files(number: object) -> int:
    """How many pictures and files came with it, by what Twilio says."""
    return int(number) if isinstance(number, str) and re.fullmatch("[0-9]{1,3}", number) else 0


def _phone(address: str) -> str | None:
    phone = _PHONE.fullmatch(address)
    return phone[1] if phone else None


def _kind_of(form: Mapping[str, str]) -> IncomingKind:
    if known := _TYPES.get(form.get("MessageType", "").lower()):
        return known
    if _has_place(form):
        return "location"
    return "contact" if any(each in _CARDS for each in _content_types(form)) else "text"


def _body_of(form: Mapping[str, str]) -> str:
    """The text; of a place its name, address and coordinates, of a reaction its emoji."""
    body = form.get("Body", "")
    if not _has_place(form):
        return body
    named = [form.get(name, "").strip() for name in ("Label", "Address")]
    at = f"{form['Latitude']}, {form['Longitude']}"
    return ", ".join(dict.fromkeys([*filter(None, [*named, body.strip()]), at]))


def _files_of(form: Mapping[str, str]) -> list[str]:
    if form.get("MessageType", "").lower() == "sticker":
        return ["sticker"]
    return [_MEDIA.get(each.partition("/")[0], "file") for each in _content_types(form)]


def _content_types(form: Mapping[str, str]) -> list[str]:
    number = min(number_of_files(form.get("NumMedia")), _MOST_FILES)
    types = [form.get(f"MediaContentType{index}", "").lower() for index in range(number)]
    return [each.partition(";")[0].strip() for each in types if each]


def _has_place(form: Mapping[str, str]) -> bool:
    return bool(form.get("Latitude") and form.get("Longitude"))
