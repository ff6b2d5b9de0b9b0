"""What a customer can send besides text, as Twilio's webhook tells of it."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Thing:
    """`words` name it on the page, `body` is its text, `fields` are what the webhook has more."""

    words: str
    body: str
    fields: dict[str, str]
    quotes_ours: bool = False


THINGS = {
    "thumbs_up": Thing("a reaction 👍", "👍", {"MessageType": "reaction"}, quotes_ours=True),
    "picture": Thing("a picture", "", {
        "MessageType": "image", "NumMedia": "1", "MediaContentType0": "image/jpeg",
    }),
    "voice": Thing("a voice message", "", {
        "MessageType": "audio", "NumMedia": "1", "MediaContentType0": "audio/ogg",
    }),
    "place": Thing("a place", "", {
        "MessageType": "location", "Latitude": "48.2104", "Longitude": "16.3655",
        "Label": "Café Central", "Address": "Herrengasse 14, Wien",
    }),
    "contact": Thing("a contact", "", {
        "MessageType": "contacts", "NumMedia": "1", "MediaContentType0": "text/vcard",
    }),
    "help": Thing("HELP, answered by Twilio", "HELP", {"OptOutType": "HELP"}),
    "edit": Thing("a correction of a message", "At half past ten, I mean", {"MessageType": "edit"}),
    "deletion": Thing("the deletion of a message", "", {"MessageType": "revoke"}),
    "poll": Thing("a poll, which is not passed on", "", {"MessageType": "unsupported"}),
}  # fmt: skip
"""By the name that the page's form sends."""
