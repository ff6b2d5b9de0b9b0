"""Whom the phone book and WhatsApp call by different numbers is one person, everywhere."""

from typing import Any

import pytest

from app import clock
from app.bookings import by_customer, search, service
from app.bookings.search import Filters
from app.channel import StatusReport
from app.customers import service as customers
from app.db import Database
from app.messages import booking_codes, receipts
from app.messages.lifecycle import claims
from app.messages.reconciliation.uncertain import settle_due
from app.models.booking import Booking
from app.models.identity import person_of, spellings
from app.models.message import Attempt, Message
from tests import factories
from tests.fake_twilio import FakeTwilio, Fault
from tests.integration.conversations.test_inbound import sent, status, write
from tests.support import lifecycle
from tests.support.frozen import FrozenClock
from tests.support.lifecycle import deliver

pytestmark = pytest.mark.usefixtures("valkey")

PAIRS = [  # as booked, as WhatsApp has it
    ("+525587654321", "+5215587654321"),
    ("+5531987654321", "+553187654321"),
    ("+541187654321", "+5491187654321"),
]
BOOKED, AT_WHATSAPP = PAIRS[0]
both_ways = pytest.mark.parametrize(
    ("booked", "writes"), [*PAIRS, *((other, one) for one, other in PAIRS)]
)


@both_ways
def test_cancel_and_stop_from_the_other_spelling_are_theirs(
    shop: Database, booked: str, writes: str
) -> None:
    booking = lifecycle.book(shop, customer_phone=booked)

    assert write(shop, "CANCEL", writes).effect == "cancelled"
    assert write(shop, "STOP", writes).effect == "opted_out"

    assert status(shop, booking) == "cancelled"
    with shop.read() as session:
        known = customers.find(session, booked)
        kept = session.get_one(Booking, booking)
    assert known is not None
    assert known.opted_out_at is not None
    assert kept.customer_phone == booked


def test_what_is_due_after_a_stop_from_the_other_spelling_is_skipped(
    shop: Database, clock: FrozenClock, twilio: FakeTwilio
) -> None:
    booking = lifecycle.book(shop, customer_phone=BOOKED)
    write(shop, "STOP", AT_WHATSAPP)
    clock.move(hours=2)

    deliver(f"{booking}-reminder-1")

    assert twilio.messages() == []
    with shop.read() as session:
        assert session.get_one(Message, f"{booking}-reminder-1").reason == "opted_out"


def test_messages_go_to_the_number_by_which_whatsapp_calls_them_once_they_wrote(
    shop: Database, clock: FrozenClock, twilio: FakeTwilio
) -> None:
    booking = lifecycle.book(shop, customer_phone=BOOKED)
    clock.move(hours=2)
    deliver(f"{booking}-reminder-1")
    write(shop, "Hello", AT_WHATSAPP)
    clock.move(hours=2)
    deliver(f"{booking}-reminder-2")

    assert [message.to for message in twilio.messages()] == [BOOKED, AT_WHATSAPP]
    with shop.read() as session:
        assert customers.sent_this_month(session, BOOKED) == 2


def test_messages_go_to_the_number_that_a_receipt_names(
    shop: Database, clock: FrozenClock, twilio: FakeTwilio
) -> None:
    booking = lifecycle.book(shop, customer_phone=BOOKED)
    clock.move(hours=2)
    deliver(f"{booking}-reminder-1")
    with shop.write() as session:
        attempt = session.get_one(
            Attempt, session.get_one(Message, f"{booking}-reminder-1").attempt_id
        )
        sid = str(attempt.sid)
        receipts.record(session, attempt.id, StatusReport(sid, "delivered", to=AT_WHATSAPP))
        receipts.record(session, attempt.id, StatusReport(sid, "read", to="+447700900000"))
    clock.move(hours=2)
    deliver(f"{booking}-reminder-2")

    assert [message.to for message in twilio.messages()] == [BOOKED, AT_WHATSAPP]


def test_the_number_beside_a_hidden_one_is_theirs(shop: Database) -> None:
    booking = lifecycle.book(shop, customer_phone=BOOKED)

    reply = write(shop, "CANCEL", "whatsapp:MX.1349120865530274", number=AT_WHATSAPP)

    assert (reply.effect, reply.booking_id) == ("cancelled", booking)


@both_ways
def test_one_post_at_a_time_goes_to_a_person(
    shop: Database, clock: FrozenClock, twilio: FakeTwilio, booked: str, writes: str
) -> None:
    jobs = [
        f"{lifecycle.book(shop, customer_phone=number)}-reminder-1" for number in (booked, writes)
    ]
    clock.move(hours=2)
    lifecycle.materialize_due()
    with shop.write() as session:
        first, second = (claims.claim(session, job) for job in jobs)

    assert isinstance(first, claims.Claim)
    assert not isinstance(second, claims.Claim)


@pytest.mark.parametrize(("booked", "listed_as"), PAIRS)
def test_a_message_that_twilio_lists_under_the_other_spelling_is_seen(
    shop: Database, clock: FrozenClock, twilio: FakeTwilio, booked: str, listed_as: str
) -> None:
    booking = lifecycle.book(shop, customer_phone=booked)
    job = f"{booking}-reminder-1"
    twilio.spelled[booked] = listed_as
    twilio.script(booked, [Fault("lost_answer")])
    clock.move(hours=2)
    deliver(job)
    clock.move(minutes=2)
    settle_due()

    with shop.read() as session:
        assert session.get_one(Message, job).state == "sent"
    assert len(twilio.messages()) == 1


@both_ways
def test_the_same_booking_again_is_the_first_one_in_either_spelling(
    shop: Database, booked: str, writes: str
) -> None:
    first = lifecycle.book(shop, customer_phone=booked)
    assert lifecycle.book(shop, customer_phone=writes) == first


@both_ways
def test_search_and_history_know_one_person(
    shop: Database, clock: FrozenClock, booked: str, writes: str
) -> None:
    with shop.write() as session:
        old = factories.booking(session, clock.now(), customer_phone=booked)
    clock.move(days=1)
    new = lifecycle.book(shop, customer_phone=writes)
    with shop.read() as session:
        for text in (booked, writes, booked[1:9], writes[1:9], writes[-6:]):
            rows, _ = search.search(session, Filters(q=text))
            assert [row.id for row in rows] == [old.id, new], text
        [customer] = by_customer.find(session, writes).customers
        assert (customer.bookings, customer.visits) == (2, 1)
        assert by_customer.before(session, session.get_one(Booking, new)).visits == 1


def test_consent_and_budget_are_one_persons(shop: Database) -> None:
    with shop.write() as session:
        customers.note_consent(session, BOOKED, False, "form")
        customers.count_sent(session, BOOKED, clock.now(), 1)
        customers.count_sent(session, AT_WHATSAPP, clock.now(), 1)
        known = customers.find(session, AT_WHATSAPP)
        assert known is not None
        assert known.consent is False
        assert customers.sent_this_month(session, AT_WHATSAPP) == 2
        customers.opt_out(session, AT_WHATSAPP, "twilio")
    with shop.read() as session:
        assert customers.find_all(session, [BOOKED])[person_of(BOOKED)].opted_out_how == "twilio"


# --- evidence ---


UNKNOWN = "+33612345678"  # a spelling that no rule of ours knows


@pytest.mark.parametrize("evidence", ["button", "quote"])
def test_our_button_and_our_message_count_by_themselves(shop: Database, evidence: str) -> None:
    booking = lifecycle.book(shop)
    lifecycle.book(shop, 20)
    reply = write(shop, "Cancel", UNKNOWN, **_evidence(shop, booking, evidence))
    assert (reply.effect, reply.booking_id) == ("cancelled", booking)


@pytest.mark.parametrize("evidence", ["button", "quote"])
def test_a_stop_with_our_message_holds_for_whom_it_was_for(shop: Database, evidence: str) -> None:
    booking = lifecycle.book(shop)
    fields = _evidence(shop, booking, evidence)
    write(shop, "STOP", UNKNOWN, handled="stop", **fields)
    with shop.read() as session:
        for number in (UNKNOWN, lifecycle.HOME):
            known = customers.find(session, number)
            assert known is not None, number
            assert known.opted_out_at is not None, number


@pytest.mark.parametrize("evidence", ["button", "quote"])
def test_the_owner_of_a_wrong_number_cancels_nothing_once_it_is_corrected(
    shop: Database, evidence: str
) -> None:
    booking = lifecycle.book(shop, customer_phone=UNKNOWN)
    fields = _evidence(shop, booking, evidence, to=UNKNOWN)
    with shop.write() as session:
        service.change(session, booking, {"customer_phone": lifecycle.HOME}, "system")

    reply = write(shop, "Cancel", UNKNOWN, **fields)

    assert reply.effect == "no_booking"
    assert status(shop, booking) == "confirmed"


def _evidence(shop: Database, booking: str, kind: str, to: str = lifecycle.HOME) -> dict[str, Any]:
    sid = sent(shop, booking, to)
    if kind == "quote":
        return {"replied_to": sid}
    return {"button_payload": booking_codes.cancel_payload(booking)}


def test_two_spellings_find_each_other() -> None:
    assert all(set(spellings(one)) == {one, other} for one, other in PAIRS)
