"""What a customer sent, by what Twilio says of it: a text, or something else than a text.

Twilio adds parameters and types without notice, so whatever is not known here counts as a text if
it has one, and else as something that did not get through.
"""

import re
from collections.abc import Mapping

from app.models.conversation import Kind

ASKS = ("text", "media", "edited")
"""What may ask for something, such as CANCEL: what they wrote, and no name of a place."""
NO_WORK = ("reaction", "help", "deleted")
"""What nobody has to look after: HELP, as Twilio has answered it already."""
NO_WORDS = ("reaction", "deleted")
"""What does not count as writing to us: it opens no time for answers, as far as is known."""

_TYPES: dict[str, Kind] = {
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


def kind_of(form: Mapping[str, str]) -> Kind:
    """What these parameters of Twilio's webhook are."""
    if form.get("OptOutType", "").upper() == "HELP":
        return "help"
    if known := _TYPES.get(form.get("MessageType", "").lower()):
        return known
    if _has_place(form):
        return "location"
    if any(each in _CARDS for each in _content_types(form)):
        return "contact"
    return plain_kind(form.get("Body", ""), number_of_files(form))


def plain_kind(body: str, files: int) -> Kind:
    """What a message is of which no more is known."""
    return "media" if files else "text" if body.strip() else "unsupported"


def body_of(form: Mapping[str, str]) -> str:
    """The text; of a place its name, address and coordinates, of a reaction its emoji."""
    body = form.get("Body", "")
    if not _has_place(form):
        return body
    named = [form.get(name, "").strip() for name in ("Label", "Address")]
    at = f"{form['Latitude']}, {form['Longitude']}"
    return ", ".join(dict.fromkeys([*filter(None, [*named, body.strip()]), at]))


def number_of_files(form: Mapping[str, str]) -> int:
    """How many pictures and files came with it."""
    number = form.get("NumMedia", "")
    return int(number) if re.fullmatch("[0-9]{1,3}", number) else 0


def files_of(form: Mapping[str, str]) -> list[str]:
    """What each file is, as far as Twilio says so: picture, voice message, video, sticker, file."""
    if form.get("MessageType", "").lower() == "sticker":
        return ["sticker"]
    return [_MEDIA.get(each.partition("/")[0], "file") for each in _content_types(form)]


def _content_types(form: Mapping[str, str]) -> list[str]:
    number = min(number_of_files(form), _MOST_FILES)
    types = [form.get(f"MediaContentType{turn}", "").lower() for turn in range(number)]
    return [each.partition(";")[0].strip() for each in types if each]


def _has_place(form: Mapping[str, str]) -> bool:
    return bool(form.get("Latitude") and form.get("Longitude"))
