"""What follows from a customer's message: the rules of CANCEL, STOP and START."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import func, select

from app.channel import Incoming
from app.conversations import inbound
from app.db import Database
from app.messages import booking_codes, planned
from app.models.booking import Booking
from app.models.conversation import Reply
from app.models.customer import Customer
from app.models.message import Attempt, Message
from app.models.shop import Barber, Service
from app.models.staff import AuditEvent
from app.shop import several
from app.whatsapp.incoming import address_of
from tests import factories
from tests.support import lifecycle
from tests.support.frozen import FrozenClock
from tests.support.lifecycle import HOME

pytestmark = pytest.mark.usefixtures("valkey")

OTHER = "+447700900999"
HIDDEN = "whatsapp:US.13491208655302741918"
CANCELLED = (
    "Your appointment at The barbershop on Monday, November 23, 2026 at 10:00 AM is cancelled. "
    "If this was a mistake, please contact us."
)
NO_BOOKING = "We found no upcoming appointment at The barbershop for your number."


def write(db: Database, body: str, sender: str = HOME, late: bool = False, **fields: Any) -> Reply:
    """A message from `sender` (a phone, or an id); returns what was kept of it."""
    incoming = Incoming(fields.pop("sid", factories.sid()), sender, body, **fields)
    with db.write() as session:
        answer = inbound.receive(session, incoming, late=late)
    with db.read() as session:
        kept = session.get_one(Reply, incoming.sid)
    assert kept.answer == answer
    return kept


def status(db: Database, booking_id: str) -> str:
    return lifecycle.booking(db, booking_id).status


def messages(db: Database, booking_id: str) -> Sequence[Message]:
    with db.read() as session:
        return planned.messages_of(session, booking_id)


def events(db: Database) -> list[tuple[str, str]]:
    """What customers did, as (action, subject)."""
    with db.read() as session:
        rows = session.scalars(select(AuditEvent).where(AuditEvent.actor == inbound.ACTOR))
        return [(event.action, event.subject) for event in rows]


def customer(db: Database, address: str = HOME) -> Customer:
    with db.read() as session:
        return session.get_one(Customer, address)


def know(db: Database, address: str = HOME, **values: Any) -> None:
    """What was known of a customer before."""
    with db.write() as session:
        session.add(Customer(person=address, **values))


def sent(db: Database, booking_id: str, to: str = HOME) -> str:
    """The SID of a message about this booking that was sent to `to`."""
    sid = factories.sid()
    with db.write() as session:
        message = factories.message(session, session.get_one(Booking, booking_id), "sent", sid=sid)
        session.get_one(Attempt, str(message.attempt_id)).sent_to = to
    return sid


# --- CANCEL ---


def test_cancel_alone_cancels_the_only_booking_and_says_so_at_once(shop: Database) -> None:
    booking = lifecycle.book(shop)

    reply = write(shop, "Cancel!")

    assert status(shop, booking) == "cancelled"
    assert (reply.effect, reply.booking_id, reply.needs_attention) == ("cancelled", booking, True)
    assert reply.answer == CANCELLED
    assert {row.state for row in messages(shop, booking)} == {"cancelled"}
    assert {row.kind for row in messages(shop, booking)} == {"reminder"}, "the answer has said it"
    assert events(shop) == [("booking.cancelled", booking)]


def test_the_answer_has_the_shops_name_clock_and_language(shop: Database) -> None:
    with shop.write() as session:
        factories.shop(
            session, name="Zum  Stuhl\n& <Söhne>", locale="de_DE", time_zone="Europe/Berlin"
        )
    lifecycle.book(shop)
    assert write(shop, "CANCEL").answer == (
        "Ihr Termin bei Zum Stuhl & <Söhne> am Montag, 23. November 2026 um 11:00 ist abgesagt. "
        "Falls das ein Versehen war, melden Sie sich bitte bei uns."
    )


def test_who_is_written_to_in_another_language_is_answered_in_it_and_cancels_by_its_word(
    shop: Database,
) -> None:
    with shop.write() as session:
        factories.shop(session, name="The Chair", time_zone="Europe/London")
    know(shop, language="fr")
    lifecycle.book(shop)
    expected = "Votre rendez-vous chez The Chair le lundi 23 novembre 2026 à 10:00 est annulé."
    assert str(write(shop, "Annuler").answer).startswith(expected)


def test_an_unknown_language_answers_in_english(shop: Database) -> None:
    with shop.write() as session:
        factories.shop(session, locale="et_EE")
    assert str(write(shop, "CANCEL").answer).startswith(NO_BOOKING)


def test_the_same_message_again_gets_the_same_answer_and_changes_nothing(
    shop: Database, clock: FrozenClock
) -> None:
    booking = lifecycle.book(shop)
    first = write(shop, "CANCEL", sid="SM1")
    clock.move(hours=1)
    lifecycle.book(shop, hours=5)
    again = write(shop, "CANCEL", sid="SM1")
    assert (again.answer, again.received_at) == (first.answer, first.received_at)
    assert events(shop) == [("booking.cancelled", booking)]


def test_a_second_cancel_hears_that_it_was_cancelled_and_leaves_no_second_event(
    shop: Database,
) -> None:
    booking = lifecycle.book(shop)
    write(shop, "CANCEL")
    again = write(shop, "CANCEL")
    assert (again.effect, again.booking_id) == ("already_cancelled", booking)
    assert "was cancelled already" in str(again.answer)
    assert events(shop) == [("booking.cancelled", booking)]


def test_with_several_bookings_nothing_is_cancelled_and_they_are_listed_with_their_codes(
    shop: Database,
) -> None:
    later, sooner = lifecycle.book(shop, hours=34), lifecycle.book(shop, hours=10)
    lifecycle.cancel(shop, lifecycle.book(shop, hours=12))

    reply = write(shop, "cancel")

    assert (reply.effect, reply.booking_id, reply.needs_attention) == ("which_booking", None, False)
    whose = "Zoë Ångström, Haircut, Sam"
    assert reply.answer == (
        "Your appointments at The barbershop:\n"
        f"• Monday, November 23, 2026 at 10:00 AM, {whose}: {booking_codes.code(sooner)}\n"
        f"• Tuesday, November 24, 2026 at 10:00 AM, {whose}: {booking_codes.code(later)}\n\n"
        f"To cancel one, reply CANCEL and its code, like this: CANCEL {booking_codes.code(sooner)}"
    )
    assert [status(shop, each) for each in (later, sooner)] == ["confirmed"] * 2

    reply = write(shop, f"Cancel {booking_codes.code(later).lower()}")
    assert (reply.effect, reply.booking_id) == ("cancelled", later)
    assert status(shop, sooner) == "confirmed"


def test_a_hundred_bookings_still_make_an_answer_that_twilio_takes(shop: Database) -> None:
    for hours in range(1, 101):
        lifecycle.book(shop, hours=hours)
    assert len(str(write(shop, "CANCEL").answer)) < 1600


def test_two_of_a_family_at_the_same_time_are_told_apart(shop: Database) -> None:
    with shop.write() as session:
        session.get_one(Barber, "barber_2").name = "Ada"
    maria = lifecycle.book(shop, customer_name="Maria")
    leo = lifecycle.book(shop, customer_name="Leo", barber_id="barber_2", service_id="beard-trim")

    listed = str(write(shop, "CANCEL").answer).splitlines()
    at = "Monday, November 23, 2026 at 10:00 AM"
    assert set(listed[1:3]) == {
        f"• {at}, Maria, Haircut, Sam: {booking_codes.code(maria)}",
        f"• {at}, Leo, Beard trim, Ada: {booking_codes.code(leo)}",
    }

    reply = write(shop, f"CANCEL {booking_codes.code(leo)}")
    assert f"on {at} (Leo, Beard trim, Ada) is cancelled" in str(reply.answer)


def test_several_services_are_listed_in_the_language_of_the_answer(shop: Database) -> None:
    one, other = lifecycle.book(shop), lifecycle.book(shop, hours=12)
    with shop.write() as session:
        both = several.made(session, "haircut+beard-trim")
        for each in (one, other):
            session.get_one(Booking, each).service_id = both
        factories.shop(session, locale="de_DE")

    listed = str(write(shop, "CANCEL").answer)
    assert "Haircut und Beard t…, Sam" in listed


def test_the_longest_names_still_make_an_answer_that_twilio_takes(shop: Database) -> None:
    with shop.write() as session:
        factories.shop(session, name="S" * 100, locale="de_DE")
        session.get_one(Service, "haircut").name = "H" * 60
        session.get_one(Barber, "barber_1").name = "B" * 60
    for hours in range(1, 12):
        lifecycle.book(shop, hours=hours, customer_name="Z" * 100)
    assert len(str(write(shop, "CANCEL").answer)) < 1600


def test_a_code_that_is_none_of_theirs_cancels_nothing(shop: Database) -> None:
    mine, foreign = lifecycle.book(shop), lifecycle.book(shop, customer_phone=OTHER)
    reply = write(shop, f"CANCEL {booking_codes.code(foreign)}")
    assert (reply.effect, reply.booking_id) == ("which_booking", None)
    assert booking_codes.code(mine) in str(reply.answer)
    assert booking_codes.code(foreign) not in str(reply.answer)
    assert [status(shop, each) for each in (mine, foreign)] == ["confirmed"] * 2


def test_without_a_booking_there_is_nothing_to_cancel_and_staff_are_told(
    shop: Database, clock: FrozenClock
) -> None:
    lifecycle.book(shop, customer_phone=OTHER)
    lifecycle.book(shop, hours=1)
    clock.move(hours=2)
    reply = write(shop, "CANCEL")
    assert (reply.effect, reply.booking_id, reply.needs_attention) == ("no_booking", None, True)
    assert str(reply.answer).startswith(NO_BOOKING)


def test_an_appointment_that_has_begun_is_not_cancelled_and_staff_see_that_they_tried(
    shop: Database, clock: FrozenClock
) -> None:
    booking = lifecycle.book(shop, hours=1)
    clock.move(minutes=70)
    reply = write(shop, "CANCEL")
    assert (reply.effect, reply.booking_id) == ("too_late", booking)
    assert reply.needs_attention
    assert "Please call us" in str(reply.answer)
    assert status(shop, booking) == "confirmed"


def test_a_message_quoted_decides_before_the_code(shop: Database) -> None:
    quoted, coded = lifecycle.book(shop, hours=10), lifecycle.book(shop, hours=20)
    sid = sent(shop, quoted)
    reply = write(shop, f"CANCEL {booking_codes.code(coded)}", replied_to=sid)
    assert (reply.effect, reply.booking_id) == ("cancelled", quoted)
    assert status(shop, coded) == "confirmed"


def test_the_button_decides_before_the_message_quoted(shop: Database) -> None:
    pressed, quoted = lifecycle.book(shop, hours=10), lifecycle.book(shop, hours=20)
    payload = booking_codes.cancel_payload(pressed)
    reply = write(shop, "Cancel appointment", button_payload=payload, replied_to=sent(shop, quoted))
    assert (reply.effect, reply.booking_id) == ("cancelled", pressed)
    assert status(shop, quoted) == "confirmed"


def test_a_quoted_message_that_is_no_cancel_is_for_staff_with_its_booking(shop: Database) -> None:
    next_one, quoted = lifecycle.book(shop, hours=10), lifecycle.book(shop, hours=20)
    reply = write(shop, "Can I come later?", replied_to=sent(shop, quoted))
    assert (reply.effect, reply.booking_id) == ("for_staff", quoted)
    assert [status(shop, each) for each in (next_one, quoted)] == ["confirmed"] * 2


def test_a_quoted_message_of_a_booking_that_belongs_to_another_number_now_is_no_evidence(
    shop: Database,
) -> None:
    foreign = lifecycle.book(shop, customer_phone=OTHER)
    sid = sent(shop, foreign, to=HOME)  # before the number was corrected
    pressed = write(
        shop,
        "Cancel appointment",
        button_payload=booking_codes.cancel_payload(foreign),
        replied_to=sid,
    )
    typed = write(shop, "CANCEL", replied_to=sid)
    assert (pressed.effect, pressed.booking_id) == ("no_booking", None)
    assert (typed.effect, typed.booking_id) == ("no_booking", None)
    assert status(shop, foreign) == "confirmed"


@pytest.mark.parametrize("payload", ["cancel", "cancel:{id}", "cancel:{id}:" + "0" * 32, "\x00"])
def test_a_payload_that_we_did_not_sign_is_a_message_like_any_other(
    shop: Database, payload: str
) -> None:
    booking = lifecycle.book(shop)
    reply = write(shop, "Cancel appointment", button_payload=payload.format(id=booking))
    assert (reply.effect, reply.booking_id) == ("for_staff", booking)
    assert status(shop, booking) == "confirmed"


def test_the_shops_own_word_cancels(shop: Database) -> None:
    with shop.write() as session:
        factories.shop(session, cancel_words="absagen, storno")
    booking = lifecycle.book(shop)
    assert write(shop, "Storno").effect == "cancelled"
    assert status(shop, booking) == "cancelled"


# --- somebody who hides their number ---


def test_somebody_without_a_number_is_kept_and_left_to_staff(shop: Database) -> None:
    lifecycle.book(shop)
    for body in ("CANCEL", "CANCEL ABCDE2", "Hello"):
        reply = write(shop, body, sender=HIDDEN)
        assert (reply.effect, reply.sender, reply.booking_id) == ("for_staff", HIDDEN, None)
        assert (reply.answer, reply.needs_attention) == (None, True)
    assert customer(shop, HIDDEN).written_at is not None


def test_what_they_quote_or_press_says_who_they_are(shop: Database) -> None:
    quoted, pressed = lifecycle.book(shop, hours=10), lifecycle.book(shop, hours=20)
    sid = sent(shop, quoted)
    assert write(shop, "CANCEL", sender=HIDDEN, replied_to=sid).booking_id == quoted
    payload = booking_codes.cancel_payload(pressed)
    assert write(shop, "Cancel", sender=HIDDEN, button_payload=payload).booking_id == pressed
    assert [status(shop, each) for each in (quoted, pressed)] == ["cancelled"] * 2
    assert customer(shop, HOME).written_at is not None


@pytest.mark.parametrize("refused", [1, 2])
def test_what_quotes_nothing_has_nothing_to_do_with_messages_that_never_went_out(
    shop: Database, refused: int
) -> None:
    with shop.write() as session:
        others = factories.booking(session, customer_phone="+442079460001")
        message = factories.message(session, others, "failed")
        for _ in range(refused):
            factories.attempt(session, message, outcome="refused")
    booking = lifecycle.book(shop)

    assert write(shop, "Is there parking?").booking_id == booking
    assert write(shop, "Cancel").effect == "cancelled"
    assert status(shop, booking) == "cancelled"
    assert write(shop, "Cancel", "BSUID.unknown").booking_id is None


def test_a_sender_of_any_kind_and_length_is_kept(shop: Database) -> None:
    for sender in ("whatsapp:", "whatsapp:+", "whatsapp:+12", "x" * 500, "whatsapp:\x00💈\n", "?"):
        kept = write(shop, "hi", sender=address_of(sender)).sender
        assert kept == sender.replace("\x00", "")[:64].strip()


# --- what is for staff ---


@pytest.mark.parametrize(
    "body", ["please cancel", "Don't cancel", "cancel culture", "ca ncel", "", "y" * 1600, "YES"]
)
def test_anything_else_is_for_staff_with_the_next_booking_and_without_an_answer(
    shop: Database, body: str
) -> None:
    lifecycle.book(shop, hours=30)
    booking = lifecycle.book(shop, hours=10)
    lifecycle.cancel(shop, lifecycle.book(shop, hours=5))
    reply = write(shop, body, media=1)
    assert (reply.effect, reply.booking_id, reply.answer) == ("for_staff", booking, None)
    assert (reply.needs_attention, reply.media, reply.body) == (True, 1, body)
    assert status(shop, booking) == "confirmed"


def test_with_no_booking_to_come_it_is_about_the_latest_and_of_a_stranger_about_none(
    shop: Database, clock: FrozenClock
) -> None:
    lifecycle.book(shop, hours=1)
    latest = lifecycle.book(shop, hours=2)
    clock.move(hours=100)
    assert write(shop, "I left my umbrella").booking_id == latest
    assert write(shop, "Hi", sender=OTHER).booking_id is None


def test_what_cannot_be_stored_or_shown_is_left_out_of_what_they_wrote(shop: Database) -> None:
    reply = write(
        shop,
        " a\x00b\r\nc\u202e \ud800 👨‍👩‍👧 " + "x" * 9000,
        profile_name="Ana\x00\n\u202e Silva " + "x" * 300,
        button_payload="\x00" + "p" * 999,
        replied_to="'; DROP",
    )
    assert reply.body.startswith("ab\nc  👨‍👩‍👧 xx")
    assert len(reply.body) <= inbound.LONGEST_BODY
    assert str(reply.profile_name).startswith("Ana Silva x")
    assert len(str(reply.profile_name)) <= 100
    assert (reply.button_payload, reply.replied_to) == ("p" * 256, None)


# --- consent ---


def test_who_writes_agrees_to_be_written_to_if_nothing_else_was_said(
    shop: Database, clock: FrozenClock
) -> None:
    write(shop, "Hello", profile_name="Ana")
    known = customer(shop)
    assert (known.consent, known.consent_how, known.consent_at) == (True, "reply", clock.now())
    assert (known.written_at, known.profile_name) == (clock.now(), "Ana")


def test_who_refused_stays_refused_until_they_write_start(
    shop: Database, clock: FrozenClock
) -> None:
    know(shop, consent=False, consent_at=clock.now(), consent_how="form")
    write(shop, "Hello")
    assert customer(shop).consent is False
    reply = write(shop, "START")
    assert (reply.effect, reply.needs_attention) == ("opted_in", False)
    assert (customer(shop).consent, customer(shop).consent_how) == (True, "reply")


def test_what_was_agreed_before_is_kept_as_it_was(shop: Database, clock: FrozenClock) -> None:
    know(shop, consent=True, consent_at=clock.now(), consent_how="api")
    clock.move(hours=1)
    write(shop, "Hello")
    assert customer(shop).consent_how == "api"


# --- STOP and START ---


def test_stop_ends_all_messages_and_leaves_the_booking(shop: Database, clock: FrozenClock) -> None:
    booking = lifecycle.book(shop)
    reply = write(shop, "Stop.")
    assert (reply.effect, reply.needs_attention) == ("opted_out", False)
    assert "no more messages from The barbershop" in str(reply.answer)
    assert status(shop, booking) == "confirmed"
    known = customer(shop)
    assert (known.opted_out_at, known.opted_out_how) == (clock.now(), "reply")
    assert known.consent is None, "a STOP is no consent"
    assert events(shop) == [("customer.opted_out", reply.sid)]


@pytest.mark.parametrize("word", ["START", "unstop", "Yes"])
def test_start_begins_them_again_and_only_then(shop: Database, word: str) -> None:
    assert write(shop, word).effect == "for_staff"
    write(shop, "STOP")
    reply = write(shop, word)
    assert (reply.effect, reply.needs_attention) == ("opted_in", False)
    assert "messages from The barbershop again" in str(reply.answer)
    assert customer(shop).opted_out_at is None
    assert write(shop, word).effect == "for_staff"


def test_a_second_stop_keeps_the_time_of_the_first(shop: Database, clock: FrozenClock) -> None:
    first = clock.now()
    write(shop, "STOP")
    clock.move(hours=1)
    assert write(shop, "UNSUBSCRIBE").effect == "opted_out"
    assert customer(shop).opted_out_at == first


def test_what_twilio_handled_itself_is_noted_and_not_answered_twice(shop: Database) -> None:
    stopped = write(shop, "Please stop this", handled="stop")
    assert (stopped.effect, stopped.answer) == ("opted_out", None)
    assert customer(shop).opted_out_how == "twilio"
    started = write(shop, "go on", handled="start")
    assert (started.effect, started.answer) == ("opted_in", None)
    helped = write(shop, "help", handled="help")
    assert (helped.effect, helped.answer) == ("for_staff", None)


def test_a_cancel_that_twilio_took_for_an_opt_out_is_both(shop: Database) -> None:
    booking = lifecycle.book(shop)
    reply = write(shop, "CANCEL", handled="stop")
    assert (reply.effect, reply.booking_id) == ("cancelled", booking)
    assert status(shop, booking) == "cancelled"
    assert customer(shop).opted_out_how == "twilio"


# --- what was fetched after an outage ---


def test_a_cancel_that_nobody_could_answer_is_told_by_a_message_of_its_own(
    shop: Database, clock: FrozenClock
) -> None:
    booking = lifecycle.book(shop)
    received_at = clock.now() - timedelta(hours=23)
    reply = write(shop, "CANCEL", late=True, received_at=received_at)
    assert (reply.effect, reply.answer, reply.needs_attention) == ("cancelled", None, True)
    assert status(shop, booking) == "cancelled"
    told = [row for row in messages(shop, booking) if row.kind == "cancellation"]
    assert [row.state for row in told] == ["pending"]
    assert customer(shop).written_at == received_at


def test_a_question_that_nobody_could_answer_is_for_staff(shop: Database) -> None:
    reply = write(shop, "CANCEL", late=True)
    assert (reply.effect, reply.answer, reply.needs_attention) == ("no_booking", None, True)
    for hours in (10, 20):
        lifecycle.book(shop, hours=hours)
    reply = write(shop, "CANCEL", late=True)
    assert (reply.effect, reply.answer, reply.needs_attention) == ("which_booking", None, True)


def test_what_is_older_than_a_day_is_for_staff_alone_but_for_a_stop(
    shop: Database, clock: FrozenClock
) -> None:
    booking = lifecycle.book(shop)
    old = clock.now() - timedelta(hours=24, seconds=1)
    for body in ("CANCEL", "START", "Hello"):
        reply = write(shop, body, late=True, received_at=old)
        assert (reply.effect, reply.booking_id) == ("for_staff", booking)
        assert reply.needs_attention
    assert status(shop, booking) == "confirmed"
    assert write(shop, "STOP", late=True, received_at=old).effect == "opted_out"


def test_a_message_that_was_fetched_first_gets_no_other_answer_by_the_webhook(
    shop: Database,
) -> None:
    lifecycle.book(shop)
    write(shop, "CANCEL", sid="SM1", late=True)
    assert write(shop, "CANCEL", sid="SM1").answer is None
    with shop.read() as session:
        assert session.scalar(select(func.count()).select_from(Reply)) == 1
