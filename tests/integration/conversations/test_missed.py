"""Replies that came while our webhook did not answer are fetched from Twilio and handled."""

from collections.abc import Sequence
from pathlib import Path

import httpx
import pytest
from sqlalchemy import select

from app.channel import Incoming
from app.conversations import inbound, missed
from app.db import Database
from app.messages.channels import channel
from app.messages.lifecycle.compare_and_set import booking_of
from app.messages.tick import Process, tick
from app.models.conversation import Reply
from app.models.customer import Customer
from tests.fake_twilio import FakeTwilio
from tests.support.frozen import FrozenClock
from tests.support.lifecycle import HOME, at_once, book, booking, messages, states, work
from tests.support.simulator import Simulator

pytestmark = pytest.mark.usefixtures("clock", "valkey")


def replies(db: Database) -> Sequence[Reply]:
    with db.read() as session:
        return session.scalars(select(Reply).order_by(Reply.received_at)).all()


def test_a_cancel_that_we_missed_cancels_and_is_told_by_a_message_of_its_own(
    db: Database, clock: FrozenClock, twilio: FakeTwilio
) -> None:
    booking_id = book(db)
    twilio.receive(HOME, "Cancel")
    written_at = clock.now()
    clock.move(hours=1)

    tick(Process(), further=[missed.fetch_due])
    work()

    [reply] = replies(db)
    assert (reply.effect, reply.booking_id, reply.received_at) == (
        "cancelled",
        booking_id,
        written_at,
    )
    assert booking(db, booking_id).status == "cancelled"
    assert set(states(db, booking_id)) == {("cancelled", "booking_cancelled")}
    [told] = messages(db, booking_id, "cancellation")
    assert told.state == "sent"
    assert [message.to for message in twilio.messages()] == [HOME]


def test_the_answer_that_cannot_be_given_any_more_is_left_to_staff(
    db: Database, clock: FrozenClock, twilio: FakeTwilio
) -> None:
    for hours in (10, 12):
        book(db, hours)
    twilio.receive(HOME, "CANCEL")
    clock.move(hours=1)

    assert missed.fetch_due() == 1

    [reply] = replies(db)
    assert (reply.effect, reply.answer, reply.needs_attention) == ("which_booking", None, True)


def test_what_is_older_than_a_day_is_for_staff_and_changes_nothing(
    db: Database, clock: FrozenClock, twilio: FakeTwilio
) -> None:
    missed.fetch_due()
    booking_id = book(db, 48)
    twilio.receive(HOME, "Cancel")
    clock.move(hours=25)

    assert missed.fetch_due() == 1

    [reply] = replies(db)
    assert (reply.effect, reply.needs_attention) == ("for_staff", True)
    assert booking(db, booking_id).status == "confirmed"


def test_a_stop_counts_however_late_it_is_found(
    db: Database, clock: FrozenClock, twilio: FakeTwilio
) -> None:
    missed.fetch_due()
    twilio.receive(HOME, "STOP")
    clock.move(days=3)

    assert missed.fetch_due() == 1

    with db.read() as session:
        assert session.get_one(Customer, HOME).opted_out_how == "reply"


def test_what_the_webhook_has_handled_is_not_handled_again(
    db: Database, clock: FrozenClock, twilio: FakeTwilio
) -> None:
    booking_id = book(db)
    twilio.receive(HOME, "Cancel")
    [listed] = client_list(clock)
    with db.write() as session:
        answer = inbound.receive(session, Incoming(listed.sid, HOME, "Cancel"))
    assert answer

    assert missed.fetch_due() == 0

    assert [reply.answer for reply in replies(db)] == [answer]
    assert messages(db, booking_id, "cancellation") == []


def client_list(clock: FrozenClock) -> list[Incoming]:
    """What Twilio lists, once it is old enough to be fetched."""
    clock.move(minutes=5)
    return channel().list_received()


def test_what_has_just_come_is_left_to_the_webhook(
    db: Database, clock: FrozenClock, twilio: FakeTwilio
) -> None:
    twilio.receive(HOME, "Hello?")
    clock.move(seconds=59)
    assert missed.fetch_due() == 0

    clock.move(minutes=5)
    assert missed.fetch_due() == 1


def test_many_workers_fetch_once_every_five_minutes_and_each_reply_is_handled_once(
    db: Database, clock: FrozenClock, twilio: FakeTwilio
) -> None:
    booking_id = book(db)
    twilio.receive(HOME, "Cancel")
    clock.move(minutes=2)

    assert sum(at_once(*[missed.fetch_due] * 5)) == 1

    assert twilio.lookups == 1
    assert len(messages(db, booking_id, "cancellation")) == 1
    clock.move(minutes=4)
    assert missed.fetch_due() == 0
    clock.move(minutes=1)
    assert missed.fetch_due() == 0
    assert twilio.lookups == 2


def test_while_twilio_cannot_be_asked_it_is_said_and_tried_again_later(
    db: Database, clock: FrozenClock, twilio: FakeTwilio, caplog: pytest.LogCaptureFixture
) -> None:
    twilio.receive(HOME, "Cancel")
    clock.move(minutes=2)
    twilio.down = True
    assert missed.fetch_due() == 0
    assert "missed replies could not be fetched: 20503" in caplog.text

    twilio.down = False
    assert missed.fetch_due() == 0
    clock.move(minutes=5)
    assert missed.fetch_due() == 1


def test_a_reply_that_cannot_be_handled_keeps_no_other_away(
    db: Database,
    clock: FrozenClock,
    twilio: FakeTwilio,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    handle = inbound.receive

    def fail_once(*args: object, **values: object) -> str | None:
        monkeypatch.setattr(inbound, "receive", handle)
        raise ZeroDivisionError

    monkeypatch.setattr(inbound, "receive", fail_once)
    for text in ("one", "two"):
        twilio.receive(HOME, text)
        clock.move(minutes=1)

    assert missed.fetch_due() == 2
    assert [reply.body for reply in replies(db)] == ["two"]
    assert "could not be handled" in caplog.text
    assert HOME not in caplog.text

    clock.move(minutes=5)
    assert missed.fetch_due() == 1
    assert [reply.body for reply in replies(db)] == ["one", "two"]


def test_a_new_shop_need_not_look_after_what_was_written_to_its_number_before(
    db: Database, clock: FrozenClock, twilio: FakeTwilio
) -> None:
    twilio.receive(HOME, "to the shop that had the number before")
    twilio.receive("+447700900124", "STOP")
    clock.move(days=2)
    twilio.receive(HOME, "to us")
    clock.move(hours=1)

    assert missed.fetch_due() == 3

    assert [reply.needs_attention for reply in replies(db)] == [False, False, True]
    with db.read() as session:
        assert session.get_one(Customer, "+447700900124").opted_out_at is not None
    clock.move(minutes=5)
    assert missed.fetch_due() == 0


def test_what_is_older_than_a_week_is_left_where_it_is(
    db: Database, clock: FrozenClock, twilio: FakeTwilio
) -> None:
    missed.fetch_due()
    twilio.receive(HOME, "Hello?")
    clock.move(days=7, seconds=1)

    assert missed.fetch_due() == 0


def test_a_file_without_a_text_and_a_sender_without_a_number_are_kept(
    db: Database, clock: FrozenClock, twilio: FakeTwilio
) -> None:
    twilio.receive("whatsapp:US.13491208655302741918", "", NumMedia="1")
    clock.move(minutes=1)

    assert missed.fetch_due() == 1

    [reply] = replies(db)
    assert (reply.sender, reply.body, reply.effect) == (
        "whatsapp:US.13491208655302741918",
        "",
        "for_staff",
    )


def test_a_wish_to_cancel_that_is_found_in_time_stops_the_reminder_that_is_due(
    db: Database, clock: FrozenClock, twilio: FakeTwilio
) -> None:
    job_id = f"{book(db)}-reminder-1"
    clock.move(hours=1, minutes=58)
    twilio.receive(HOME, "cancel")
    clock.move(minutes=1)
    tick(Process(), further=[missed.fetch_due])
    clock.move(minutes=1)
    work()

    assert states(db, booking_of(job_id))[0] == ("cancelled", "booking_cancelled")
    assert [post.form["ContentSid"] for post in twilio.posts()] == [
        twilio.environment["WHATSAPP_CANCELLATION_CONTENT_SID"]
    ]


def test_the_simulator_lists_replies_that_the_app_did_not_take(tmp_path: Path) -> None:
    with Simulator(tmp_path) as simulator:
        for text in ("HTTP: 503", "HTTP: 502"):
            url = f"{simulator.url}/simulator/phones/12025550100/replies"
            assert httpx.post(url, data={"body": text}).status_code == 303

        listed = simulator.client().list_received()

    assert [(row.sender, row.body, row.media) for row in listed] == [
        ("+12025550100", "HTTP: 503", 0),
        ("+12025550100", "HTTP: 502", 0),
    ]
