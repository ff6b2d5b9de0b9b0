"""The exchange with a customer: what staff see of replies, and what they answer."""

import re
from datetime import timedelta
from html import unescape
from urllib.parse import quote

import pytest
from litestar.testing import TestClient
from sqlalchemy import select

from app.asgi import create_app
from app.channel import Incoming
from app.conversations import inbound, service
from app.customers import service as customers
from app.db import Database
from app.errors import Conflict, Invalid
from app.messages import delivery
from app.messages.compose import Content
from app.messages.lifecycle import claims, plans
from app.models.booking import Booking
from app.models.conversation import Reply
from app.models.message import Message
from app.models.staff import AuditEvent
from tests import factories
from tests.integration.conftest import Client
from tests.support import lifecycle
from tests.support.frozen import FrozenClock
from tests.support.staff import HTMX, sign_in
from tests.support.valkey import Valkey

NASTY = "<script>alert(1)</script>\"'&"


def wrote(db: Database, clock: FrozenClock, text: str = "Is there parking?") -> str:
    """The id of a booking whose customer has just written this."""
    with db.write() as session:
        booking = factories.booking(session, customer_name="Luis Ortega")
        factories.reply(session, booking, body=text)
        customers.note_written(session, booking.customer_phone, "Luis", clock.now())
        return booking.id


def answers(db: Database) -> list[Message]:
    with db.read() as session:
        return list(session.scalars(select(Message).where(Message.kind == "answer")))


def words(html: str) -> str:
    return unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]+>", "", html)))


def is_open(db: Database) -> list[bool]:
    with db.read() as session:
        return list(session.scalars(select(Reply.needs_attention)))


def test_a_reply_is_seen_on_the_board_in_the_timeline_and_in_the_chat(
    client: Client, shop: Database, clock: FrozenClock
) -> None:
    booking_id = wrote(shop, clock)
    assert "“Is there parking?”" in client.get("/today").text
    page = client.get(f"/bookings/{booking_id}").text
    chat, _, timeline = page.partition('id="timeline"')
    assert "wrote: “Is there parking?”" in timeline
    assert "Is there parking?" in chat
    assert "Answer Luis Ortega" in chat


def test_what_customers_write_is_shown_as_text_and_never_as_html(
    client: Client, shop: Database, clock: FrozenClock
) -> None:
    booking_id = wrote(shop, clock, NASTY)
    with shop.write() as session:
        factories.reply(session, sender=NASTY[:20], profile_name=NASTY, body="", media=2)
    for address in ("/today", f"/bookings/{booking_id}"):
        page = client.get(address).text
        assert "<script>alert" not in page
        assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert "2 pictures or files" in client.get("/today").text


def test_an_answer_goes_out_as_it_was_written_and_the_reply_is_looked_after(
    client: Client, shop: Database, clock: FrozenClock
) -> None:
    booking_id = wrote(shop, clock)
    answer = client.post(f"/bookings/{booking_id}/answer", data={"text": " Yes, {free}!\r\n "})
    assert answer.status_code == 303
    [message] = answers(shop)
    assert (message.id, message.text) == (f"{booking_id}-answer-1", "Yes, {free}!")
    assert is_open(shop) == [False]
    with shop.write() as session:
        claim = claims.claim(session, message.id)
    assert isinstance(claim, claims.Claim)
    with shop.write() as session:
        content = delivery.begin(session, claim)
    assert isinstance(content, Content)
    assert (content.body, content.content_sid) == ("Yes, {free}!", None)
    assert "Our answer" in client.get(f"/bookings/{booking_id}").text


@pytest.mark.parametrize(
    ("text", "problem"),
    [("  \n", "Write something first"), ("x" * 1601, "1600 characters"), ("a\x07b", "cannot be")],
)
def test_an_answer_that_cannot_be_sent_is_shown_again_with_what_is_wrong(
    client: Client, shop: Database, clock: FrozenClock, text: str, problem: str
) -> None:
    booking_id = wrote(shop, clock)
    for headers in ({}, HTMX):
        answer = client.post(f"/bookings/{booking_id}/answer", data={"text": text}, headers=headers)
        assert answer.status_code == 422
        assert problem in answer.text
        assert text.strip()[:20] in answer.text
    assert answers(shop) == []
    assert is_open(shop) == [True]


def test_24_hours_after_they_wrote_there_is_no_answer_any_more(
    client: Client, shop: Database, clock: FrozenClock
) -> None:
    booking_id = wrote(shop, clock)
    clock.move(hours=24)
    sign_in(client, shop, "staff")  # the session has ended too
    page = client.get(f"/bookings/{booking_id}").text
    assert "The 24 hours for an answer ended" in page
    assert "<textarea" not in page
    for text in ("Yes.", ""):
        with pytest.raises(Conflict, match="more than 24 hours ago"), shop.write() as session:
            service.answer(session, booking_id, text, "user:1")


def test_an_answer_that_waited_too_long_is_skipped_and_one_after_the_appointment_is_not(
    shop: Database, valkey: Valkey, clock: FrozenClock
) -> None:
    booking_id = wrote(shop, clock)
    with shop.write() as session:
        job_id = service.answer(session, booking_id, "Yes.", "user:1")
    clock.move(hours=23)
    with shop.read() as session:
        assert session.get_one(Booking, booking_id).starts_at < clock.now()
        assert plans.ineligible(session, 10) == []
    clock.move(hours=1)
    with shop.read() as session:
        assert list(plans.ineligible(session, 10)) == [(job_id, "window_closed")]


def test_who_wants_no_messages_gets_no_answer(
    client: Client, shop: Database, clock: FrozenClock
) -> None:
    booking_id = wrote(shop, clock)
    with shop.write() as session:
        phone = session.get_one(Booking, booking_id).customer_phone
        customers.opt_out(session, phone, "reply")
    assert "They asked for no more messages" in client.get(f"/bookings/{booking_id}").text
    with pytest.raises(Conflict, match="wants no messages"), shop.write() as session:
        service.answer(session, booking_id, "Yes.", "user:1")


def test_a_cancelled_booking_keeps_its_answer_and_loses_its_reminders(
    shop: Database, valkey: Valkey, clock: FrozenClock
) -> None:
    booking_id = wrote(shop, clock)
    with shop.write() as session:
        factories.message(session, session.get_one(Booking, booking_id))
        service.answer(session, booking_id, "See you.", "user:1")
        plans.cancel_pending(session, booking_id, "booking_cancelled")
        states = session.execute(select(Message.kind, Message.state)).all()
    assert sorted(map(tuple, states)) == [("answer", "pending"), ("reminder", "cancelled")]


def test_a_reply_is_ticked_off_and_put_back(
    client: Client, shop: Database, clock: FrozenClock
) -> None:
    wrote(shop, clock)
    with shop.read() as session:
        sid = session.scalars(select(Reply.sid)).one()
    for _ in range(2):
        assert client.post(f"/replies/{sid}/handled").headers["Location"] == "/today"
        assert is_open(shop) == [False]
        assert "Is there parking?" not in client.get("/today").text
    assert client.post(f"/replies/{sid}/reopen").headers["Location"] == "/today"
    assert "Is there parking?" in client.get("/today").text
    assert is_open(shop) == [True]
    with shop.read() as session:
        actions = session.scalars(select(AuditEvent.action).where(AuditEvent.subject == sid)).all()
    assert actions == ["reply.handled", "reply.reopened"]
    assert client.post("/replies/SMnone/handled").status_code == 404


def test_a_viewer_reads_replies_and_answers_none(
    shop: Database, valkey: Valkey, clock: FrozenClock
) -> None:
    booking_id = wrote(shop, clock)
    with TestClient(create_app(), raise_server_exceptions=False) as client:
        sign_in(client, shop, "viewer")
        page = client.get(f"/bookings/{booking_id}").text
        assert "Is there parking?" in page
        assert "<textarea" not in page
        assert client.post(f"/bookings/{booking_id}/answer", data={"text": "x"}).status_code == 403


def test_a_reply_without_a_booking_is_in_the_chat_of_its_number(
    client: Client, shop: Database, clock: FrozenClock
) -> None:
    booking_id = wrote(shop, clock)
    with shop.write() as session:
        phone = session.get_one(Booking, booking_id).customer_phone
        later = clock.now() + timedelta(seconds=1)
        factories.reply(
            session, sender=phone, body="Hello?", answer="Hello back.", received_at=later
        )
        factories.reply(session, sender="+447700900999", body="Somebody else")
    page = client.get(f"/bookings/{booking_id}").text
    said = re.findall(r'<div class="said-text">([^<]*)</div>', page)
    assert said[-3:] == ["Is there parking?", "Hello?", "Hello back."]


def test_a_long_exchange_is_cut_to_its_end(shop: Database, clock: FrozenClock) -> None:
    booking_id = wrote(shop, clock)
    with shop.write() as session:
        booking = session.get_one(Booking, booking_id)
        for number in range(40):
            at = clock.now() + timedelta(seconds=number)
            factories.reply(session, booking, body=str(number), received_at=at)
        lines = service.chat(session, booking).lines
    assert [line.text for line in lines] == [str(number) for number in range(10, 40)]


def test_an_invalid_text_changes_nothing(
    shop: Database, valkey: Valkey, clock: FrozenClock
) -> None:
    booking_id = wrote(shop, clock)
    with pytest.raises(Invalid), shop.write() as session:
        service.answer(session, booking_id, "", "user:1")
    assert is_open(shop) == [True]


# --- what a customer cancelled ---


def cancelled(db: Database, clock: FrozenClock, hours: float = 34) -> str:
    """Bob cancels his booking by WhatsApp; at 34 it is tomorrow at ten."""
    booking_id = lifecycle.book(db, hours=hours, customer_name="Bob Carter")
    with db.write() as session:
        inbound.receive(session, Incoming("SM1", lifecycle.HOME, "CANCEL"))
    return booking_id


def test_a_customers_own_cancellation_needs_attention_until_somebody_has_seen_it(
    client: Client, shop: Database, clock: FrozenClock
) -> None:
    booking_id = cancelled(shop, clock)
    page = words(client.get("/today").text)
    assert "Bob Carter Place free Cancelled tomorrow 10:00 AM, Sam is free then." in page
    link = "/bookings/new?barber=barber_1&at=2026-11-24T10:00:00Z"
    assert link in client.get("/today").text.replace("&amp;", "&")
    for page in (f"/bookings/{booking_id}", f"/customers/{booking_id}"):
        seen = client.get(page).text
        assert "Not seen yet" in seen
        assert "Not answered" not in seen

    assert client.post("/replies/SM1/handled").headers["location"] == "/today"  # without a script

    page = words(client.get("/today").text)
    assert "Bob Carter" not in page
    assert "All clear." in page
    assert "Not seen yet" not in client.get(f"/bookings/{booking_id}").text
    with shop.read() as session:
        [event] = session.scalars(select(AuditEvent).where(AuditEvent.subject == "SM1"))
    assert (event.action, event.actor.split(":")[0]) == ("reply.handled", "user")


def test_a_place_that_was_taken_since_is_not_called_free(
    client: Client, shop: Database, clock: FrozenClock
) -> None:
    cancelled(shop, clock)
    lifecycle.book(shop, hours=34.25, customer_phone="+442079460958")
    page = words(client.get("/today").text)
    assert "Cancelled tomorrow 10:00 AM. The time is taken again, or closed." in page
    assert "Book this time" not in page


def test_a_place_outside_of_hours_or_while_the_barber_is_away_is_not_called_free(
    client: Client, shop: Database, clock: FrozenClock
) -> None:
    cancelled(shop, clock)
    with shop.write() as session:
        at = clock.now() + timedelta(hours=33)
        factories.absence(session, at, timedelta(hours=2))
    page = words(client.get("/today").text)
    assert "Cancelled tomorrow 10:00 AM. The time is taken again, or closed." in page
    assert "Book this time" not in page


def test_a_place_that_has_passed_is_not_called_free(
    client: Client, shop: Database, clock: FrozenClock
) -> None:
    cancelled(shop, clock, hours=1)
    clock.move(hours=2)
    assert "Cancelled today 1:00 AM. The time has passed." in words(client.get("/today").text)


def test_a_cancel_that_found_no_booking_needs_attention_and_leads_to_the_search(
    client: Client, shop: Database
) -> None:
    with shop.write() as session:
        incoming = Incoming("SM1", lifecycle.HOME, "CANCEL", profile_name="Bob C")
        assert inbound.receive(session, incoming)
    html = client.get("/today").text
    assert "“CANCEL” They want to cancel, and this number has no booking to come." in words(html)
    assert f'href="/bookings?q={quote(lifecycle.HOME)}">Find their booking' in html
