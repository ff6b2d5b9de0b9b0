"""What customers send besides text: each is kept and shown as what it is."""

import re
from html import unescape

import pytest

from app.customers import service as customers
from app.db import Database
from app.models.conversation import Reply
from tests.fake_twilio import inbound
from tests.integration.api.test_webhook_inbound import message, post
from tests.integration.conftest import Client
from tests.support import lifecycle
from tests.support.lifecycle import HOME
from tests.support.staff import sign_in
from tests.support.web import web_client

PLACE = {"Latitude": "48.2", "Longitude": "16.3", "Label": "Café", "Address": "Herrengasse 14"}


def files(*types: str) -> dict[str, str]:
    named = {f"MediaContentType{turn}": each for turn, each in enumerate(types)}
    return {"NumMedia": str(len(types)), **named}


KINDS = [
    ("unsupported", "", {"MessageType": "unsupported"}, "sent something that WhatsApp does not"),
    ("unsupported", "", {"MessageType": "of tomorrow"}, "sent something that WhatsApp does not"),
    ("location", "", {"MessageType": "location", **PLACE}, "a place: Café, Herrengasse 14"),
    ("location", "", {"Latitude": "48.2", "Longitude": "16.3"}, "sent a place: 48.2, 16.3"),
    ("contact", "", {"MessageType": "contacts"}, "sent a contact"),
    ("contact", "", files("text/vcard"), "sent a contact"),
    ("edited", "At eleven", {"MessageType": "edit"}, "changed a message to “At eleven”"),
    ("media", "", files("image/jpeg"), "sent a picture"),
    ("media", "So?", files("image/png", "image/png", "audio/ogg; codecs=opus"),
     "sent 2 pictures and a voice message: “So?”"),
    ("media", "", files("application/pdf", "video/mp4"), "sent a file and a video"),
    ("media", "", {"MessageType": "sticker", **files("image/webp")}, "sent a sticker"),
    ("media", "", {"NumMedia": "3"}, "sent 3 pictures or files"),
    ("text", "Hello", {"MessageType": "of tomorrow"}, "wrote: “Hello”"),
]  # fmt: skip

NO_WORK = [
    ("reaction", "👍", {"MessageType": "reaction"}, "reacted with 👍"),
    ("reaction", "", {"MessageType": "reaction"}, "took a reaction back"),
    ("deleted", "", {"MessageType": "revoke"}, "deleted a message"),
    ("help", "HELP", {"OptOutType": "HELP"}, "asked for help (“HELP”), which Twilio has answered"),
]


def text_of(html: str) -> str:
    return unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]+>", "", html)))


def page(db: Database, address: str) -> str:
    with web_client() as client:
        sign_in(client, db, "staff")
        return text_of(client.get(address).text)


def kept(db: Database, params: dict[str, str]) -> Reply:
    with db.read() as session:
        return session.get_one(Reply, params["MessageSid"])


@pytest.mark.parametrize(("kind", "body", "fields", "shown"), KINDS)
def test_what_is_no_text_is_for_staff_and_shown_as_what_it_is(
    sqlite_api: Client,
    sqlite_db: Database,
    kind: str,
    body: str,
    fields: dict[str, str],
    shown: str,
) -> None:
    booking_id = lifecycle.book(sqlite_db)
    params = message(body, **fields)
    assert inbound.spoken(post(sqlite_api, params)) == []
    reply = kept(sqlite_db, params)
    assert (reply.kind, reply.effect, reply.needs_attention) == (kind, "for_staff", True)
    timeline = page(sqlite_db, f"/bookings/{booking_id}")
    assert shown in timeline
    today = page(sqlite_db, "/today")
    assert shown.removeprefix("wrote: ") in today
    assert "0 pictures" not in timeline + today


@pytest.mark.parametrize(("kind", "body", "fields", "shown"), NO_WORK)
def test_what_is_no_work_for_anybody_is_kept_and_shown_and_asks_for_nothing(
    api: Client, shop: Database, kind: str, body: str, fields: dict[str, str], shown: str
) -> None:
    booking_id = lifecycle.book(shop)
    params = message(body, **fields)
    assert inbound.spoken(post(api, params)) == []
    reply = kept(shop, params)
    assert (reply.kind, reply.effect, reply.needs_attention) == (kind, "noted", False)
    assert reply.booking_id == booking_id
    assert f"Zoë Ångström {shown}" in page(shop, f"/bookings/{booking_id}")
    assert "All clear." in page(shop, "/today")


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        ("CANCEL", {"MessageType": "reaction"}),
        ("STOP", {"MessageType": "contacts"}),
        ("", {"MessageType": "location", "Latitude": "1", "Longitude": "2", "Label": "Stop"}),
        ("CANCEL", {"MessageType": "revoke"}),
    ],
)
def test_only_what_they_wrote_can_ask_for_something(
    sqlite_api: Client, sqlite_db: Database, body: str, fields: dict[str, str]
) -> None:
    booking_id = lifecycle.book(sqlite_db)
    post(sqlite_api, message(body, **fields))
    assert lifecycle.booking(sqlite_db, booking_id).status == "confirmed"
    with sqlite_db.read() as session:
        known = customers.find(session, HOME)
    assert known is None or known.opted_out_at is None


def test_a_message_that_was_corrected_to_a_cancel_cancels(
    sqlite_api: Client, sqlite_db: Database
) -> None:
    booking_id = lifecycle.book(sqlite_db)
    post(sqlite_api, message("CANCEL", MessageType="edit"))
    assert lifecycle.booking(sqlite_db, booking_id).status == "cancelled"


def test_a_reaction_opens_no_time_for_answers(sqlite_api: Client, sqlite_db: Database) -> None:
    lifecycle.book(sqlite_db)
    post(sqlite_api, message("👍", MessageType="reaction"))
    with sqlite_db.read() as session:
        assert customers.find(session, HOME) is None
