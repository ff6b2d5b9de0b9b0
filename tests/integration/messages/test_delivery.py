"""Sending one message, on both databases, against the fake Twilio."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from functools import partial
from types import SimpleNamespace
from typing import Any, cast

import pytest
from sqlalchemy.exc import OperationalError

from app.bookings import service
from app.customers import service as customers
from app.db import Database
from app.messages import booking_codes, delivery, enqueue, gate, rate_limit, templates
from app.messages.channels import channel
from app.messages.compose import content_sids
from app.messages.lifecycle import claims, outcomes
from app.messages.lifecycle.claims import Claim
from app.messages.lifecycle.compare_and_set import booking_of
from app.messages.service import reminders
from app.messages.tick import Process, tick
from app.models.booking import Booking
from app.shop import several
from app.whatsapp.errors import explain
from tests import factories
from tests.conftest import Configure
from tests.fake_twilio import TEMPLATES, FakeTwilio, Fault, Kind
from tests.support.frozen import FrozenClock
from tests.support.lifecycle import (
    HOME,
    at_once,
    attempts,
    book,
    cancel,
    deliver,
    due_message,
    enqueued,
    materialize_due,
    message,
    run,
    sending,
    work,
)
from tests.support.lifecycle import booking as found_booking
from tests.support.valkey import Valkey

pytestmark = pytest.mark.usefixtures("valkey")


@pytest.fixture
def booking(db: Database, clock: FrozenClock, twilio: FakeTwilio) -> str:
    """Booked at 00:00 for 10:00: reminders at 02:00, 04:00, 06:00 and 08:00."""
    return book(db)


def booking_phone(db: Database, job_id: str) -> str:
    return found_booking(db, booking_of(job_id)).customer_phone


def test_a_due_reminder_is_sent_once_however_often_its_task_runs(
    db: Database, clock: FrozenClock, twilio: FakeTwilio, booking: str
) -> None:
    clock.move(hours=2)

    for _ in range(3):
        assert deliver(f"{booking}-reminder-1") is None

    [sent] = twilio.messages()
    row = message(db, f"{booking}-reminder-1")
    assert (row.state, row.sid, row.attempts, row.sent_at) == ("sent", sent.sid, 1, clock.now())
    assert "Your appointment is in 8 hours" in sent.body
    assert sent.status_callback
    assert f"/status/{row.attempt_id}#" in sent.status_callback


def test_a_reminder_is_not_sent_before_its_time(
    db: Database, clock: FrozenClock, twilio: FakeTwilio, booking: str
) -> None:
    clock.move(hours=1, minutes=59)

    assert deliver(f"{booking}-reminder-1") is None

    assert twilio.posts() == []
    assert message(db, f"{booking}-reminder-1").state == "pending"


def test_a_transient_error_is_tried_again_at_the_set_delays_and_then_given_up(
    db: Database, clock: FrozenClock, twilio: FakeTwilio, booking: str
) -> None:
    clock.move(hours=2)
    twilio.script("+447700900123", [Fault.error(400, 63012)] * 6)
    delays = []

    while (due := deliver(f"{booking}-reminder-1")) is not None:
        delays.append((due - clock.now()).total_seconds())
        clock.set(due)

    row = message(db, f"{booking}-reminder-1")
    assert delays == [5, 25, 125, 625, 3125]
    assert (row.state, row.reason, row.error_code, row.attempts) == (
        "failed",
        "gave_up",
        "63012",
        6,
    )
    assert len(twilio.posts()) == 6


# --- what Twilio says, and what it costs ---


def test_a_429_costs_no_try_and_pauses_all_sending_for_as_long_as_twilio_says(
    db: Database, clock: FrozenClock, twilio: FakeTwilio, booking: str
) -> None:
    other = due_message(db)
    clock.move(hours=2)
    twilio.script(HOME, [Fault.error(429, 20429, retry_after=7)] * 10)

    for _ in range(10):
        due = deliver(f"{booking}-reminder-1")
        assert due == clock.now() + timedelta(seconds=7)
        assert deliver(other) is None
        clock.set(due)

    row = message(db, f"{booking}-reminder-1")
    assert (row.state, row.tries, row.attempts) == ("pending", 0, 10)
    assert twilio.posts(booking_phone(db, other)) == []
    assert deliver(f"{booking}-reminder-1") is None
    assert deliver(other) is None
    assert len(twilio.messages()) == 2


def test_a_429_without_a_time_pauses_for_as_long_as_its_code_says(
    db: Database, clock: FrozenClock, twilio: FakeTwilio, booking: str
) -> None:
    clock.move(hours=2)
    twilio.script(HOME, [Fault.error(429, 20429)])

    due = deliver(f"{booking}-reminder-1")

    assert due == clock.now() + timedelta(seconds=explain(20429).pause)


def test_a_configuration_error_stops_all_burns_nothing_and_is_probed_at_growing_intervals(
    db: Database, clock: FrozenClock, twilio: FakeTwilio
) -> None:
    job_ids = [due_message(db) for _ in range(3)]
    templates.ask(channel(), content_sids("reminder").values())  # later probes only POST
    right_token, twilio.auth_token = twilio.auth_token, "wrong"
    probes = []

    for _ in range(5):
        before = len(twilio.posts())
        for job_id in job_ids:
            deliver(job_id)
        assert len(twilio.posts()) == before + 1  # one probe, whoever it is
        probe_at = sending(db).probe_at
        assert probe_at is not None
        probes.append((probe_at - clock.now()).total_seconds())
        clock.set(probe_at - timedelta(seconds=1))
        assert [deliver(job_id) for job_id in job_ids] in ([None] * 3, [probe_at, None, None])
        clock.set(probe_at)

    assert probes == [60, 300, 900, 900, 900]
    assert sending(db).breaker_code == "20003"
    assert {message(db, job_id).tries for job_id in job_ids} == {0}

    twilio.auth_token = right_token
    for job_id in job_ids:
        deliver(job_id)

    assert sending(db).breaker_code is None
    assert [message(db, job_id).state for job_id in job_ids] == ["sent"] * 3


def test_of_many_workers_only_one_sends_the_probe(db: Database, clock: FrozenClock) -> None:
    with db.write() as session:
        gate.stop(session, "20003")
    job_ids = [due_message(db) for _ in range(8)]
    clock.move(seconds=60)

    def claimed(job_id: str) -> bool:
        with db.write() as session:
            return isinstance(claims.claim(session, job_id), Claim)

    assert sum(at_once(*[lambda job_id=job_id: claimed(job_id) for job_id in job_ids])) == 1


def test_a_refusal_for_good_fails_at_once_with_its_words_and_closes_the_breaker(
    db: Database, clock: FrozenClock, twilio: FakeTwilio, booking: str
) -> None:
    with db.write() as session:
        gate.stop(session, "20003")
    clock.move(hours=2)
    twilio.script(HOME, [Fault.error(400, 63024)])

    assert deliver(f"{booking}-reminder-1") is None

    row = message(db, f"{booking}-reminder-1")
    assert (row.state, row.reason, row.error_code) == ("failed", "refused", "63024")
    assert sending(db).breaker_code is None  # Twilio knows us
    with db.read() as session:
        [first, *_] = reminders(session, booking)
    assert first.error == "No WhatsApp on this number. " + explain(63024).advice


def test_a_customer_who_unsubscribed_at_twilio_is_opted_out_and_gets_nothing_more(
    db: Database, clock: FrozenClock, twilio: FakeTwilio, booking: str
) -> None:
    clock.move(hours=2)
    twilio.script(HOME, [Fault.error(400, 21610)])

    deliver(f"{booking}-reminder-1")
    clock.move(hours=2)
    deliver(f"{booking}-reminder-2")

    rows = [message(db, f"{booking}-reminder-{number}") for number in (1, 2)]
    assert [(row.state, row.reason) for row in rows] == [
        ("failed", "refused"),
        ("skipped", "opted_out"),
    ]
    assert len(twilio.posts()) == 1


@pytest.mark.parametrize("is_accepted", [False, True])
def test_twilios_own_5xx_keeps_the_delays_and_is_looked_up_before_each_new_post(
    db: Database, clock: FrozenClock, twilio: FakeTwilio, booking: str, is_accepted: bool
) -> None:
    clock.move(hours=2)
    refused, lying = Fault.error(503, 20503), Fault.error(503, 20503, after_accept=is_accepted)
    twilio.script(HOME, [refused, refused, lying])
    delays, lookups = [], []

    while (due := deliver(f"{booking}-reminder-1")) is not None:
        delays.append((due - clock.now()).total_seconds())
        lookups.append(twilio.lookups)
        clock.set(due)

    assert delays == [5, 25, 125]
    assert lookups == [0, 1, 2]
    assert twilio.lookups == 3
    assert len(twilio.posts()) == (3 if is_accepted else 4)
    [sent] = twilio.messages()
    assert message(db, f"{booking}-reminder-1").sid == sent.sid


def test_without_the_look_up_that_it_needs_no_post_is_repeated(
    db: Database, clock: FrozenClock, twilio: FakeTwilio, booking: str
) -> None:
    clock.move(hours=2)
    twilio.script(HOME, [Fault.error(503, 20503)])
    clock.set(cast(datetime, deliver(f"{booking}-reminder-1")))
    twilio.lists_down = True

    for _ in range(3):
        due = deliver(f"{booking}-reminder-1")
        assert due == clock.now() + timedelta(seconds=5)
        clock.set(due)

    assert len(twilio.posts()) == 1
    assert message(db, f"{booking}-reminder-1").tries == 1
    twilio.lists_down = False
    assert deliver(f"{booking}-reminder-1") is None
    assert len(twilio.messages()) == 1


@pytest.mark.parametrize("fault", ["lost_answer", "garbage_201", "null_sid", "half_body"])
def test_no_answer_makes_a_message_uncertain_and_nothing_else_goes_to_its_phone(
    db: Database, clock: FrozenClock, twilio: FakeTwilio, booking: str, fault: Kind
) -> None:
    with db.write() as session:
        of = factories.booking(session, clock.now() + timedelta(hours=9), customer_phone=HOME)
        other = factories.message(session, of, due_at=clock.now() + timedelta(hours=2)).id
    clock.move(hours=2)
    twilio.script(HOME, [Fault(fault)])

    assert deliver(f"{booking}-reminder-1") is None

    row = message(db, f"{booking}-reminder-1")
    assert (row.state, row.tries) == ("uncertain", 1)
    assert row.check_at == clock.now() + timedelta(seconds=120)
    assert deliver(other) == clock.now() + timedelta(seconds=2)
    assert deliver(f"{booking}-reminder-1") is None
    assert len(twilio.posts()) == 1


def test_what_cannot_be_reached_was_not_sent_and_is_tried_again(
    db: Database, clock: FrozenClock, twilio: FakeTwilio, booking: str
) -> None:
    clock.move(hours=2)
    twilio.stop()

    assert deliver(f"{booking}-reminder-1") == clock.now() + timedelta(seconds=5)
    row = message(db, f"{booking}-reminder-1")
    assert (row.state, row.error_code, row.verify_first) == ("pending", "unreachable", False)


# --- before the POST ---


@pytest.mark.parametrize(
    "broken",
    [
        {"reminder_text": "Hello {nobody}"},
        {"reminder_text": "{formattedDateTime}", "locale": "xx_YY"},
        {"time_zone": "Mars/Base"},
    ],
    ids=["placeholder", "locale", "zone"],
)
def test_a_text_that_cannot_be_made_fails_its_message_and_sends_nothing(
    db: Database, clock: FrozenClock, twilio: FakeTwilio, booking: str, broken: dict[str, str]
) -> None:
    with db.write() as session:
        factories.shop(session, **broken)
    clock.move(hours=2)

    assert deliver(f"{booking}-reminder-1") is None

    row = message(db, f"{booking}-reminder-1")
    assert (row.state, row.error_code, row.attempts) == ("failed", "render_error", 0)
    assert twilio.posts() == []


def test_a_message_that_gets_no_turn_goes_back_for_a_moment(
    db: Database,
    clock: FrozenClock,
    twilio: FakeTwilio,
    booking: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(rate_limit, "wait", lambda longest: False)
    clock.move(hours=2)

    assert deliver(f"{booking}-reminder-1") == clock.now() + timedelta(seconds=5)
    row = message(db, f"{booking}-reminder-1")
    assert (twilio.posts(), row.state, row.tries) == ([], "pending", 0)
    assert sending(db).slow_until is None, "all others go on"


def test_a_message_that_lost_its_claim_while_it_waited_for_its_turn_is_due_again_and_not_uncertain(
    sqlite_db: Database, clock: FrozenClock, twilio: FakeTwilio, monkeypatch: pytest.MonkeyPatch
) -> None:
    job_id = due_message(sqlite_db)

    def lose_it(longest: float) -> bool:
        clock.move(seconds=61)
        with sqlite_db.write() as session:
            claims.expire_leases(session)
        return False

    monkeypatch.setattr(rate_limit, "wait", lose_it)

    assert deliver(job_id) == clock.now() + timedelta(seconds=5)
    row = message(sqlite_db, job_id)
    assert (row.state, row.tries, twilio.posts()) == ("pending", 0, [])


def test_a_message_without_a_place_in_the_line_is_not_claimed(
    sqlite_db: Database, clock: FrozenClock, configure: Configure
) -> None:
    configure(WHATSAPP_MAX_PER_SECOND="1", SEND_TIMEOUT="0.2", SEND_LEASE="1")
    job_id = due_message(sqlite_db)

    with rate_limit.line(0):
        assert deliver(job_id) == clock.now() + timedelta(seconds=5)

    assert message(sqlite_db, job_id).attempt_id is None


def test_a_cancel_during_the_wait_in_the_line_stops_the_send(
    db: Database,
    clock: FrozenClock,
    twilio: FakeTwilio,
    booking: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    @contextmanager
    def line(longest: float) -> Iterator[bool]:
        cancel(db, booking)
        yield True

    clock.move(hours=2)
    monkeypatch.setattr(rate_limit, "line", line)

    assert deliver(f"{booking}-reminder-1") is None

    assert twilio.posts() == []
    row = message(db, f"{booking}-reminder-1")
    assert (row.state, row.reason) == ("cancelled", "booking_cancelled")


def test_a_cancel_during_a_long_wait_for_a_turn_stops_the_send(
    db: Database,
    clock: FrozenClock,
    twilio: FakeTwilio,
    booking: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seconds = [0.0]

    def wait(longest: float) -> bool:
        cancel(db, booking)
        seconds[0] = 1.0
        return True

    clock.move(hours=2)
    monkeypatch.setattr(rate_limit, "wait", wait)
    monkeypatch.setattr(delivery, "time", SimpleNamespace(monotonic=lambda: seconds[0]))

    deliver(f"{booking}-reminder-1")

    row = message(db, f"{booking}-reminder-1")
    assert (row.state, row.reason, twilio.posts()) == ("cancelled", "booking_cancelled", [])
    [attempt] = attempts(db, row.id)
    assert attempt.outcome == "not_sent"


def test_a_process_that_stood_still_between_its_start_and_its_post_does_not_send(
    sqlite_db: Database, clock: FrozenClock, twilio: FakeTwilio, monkeypatch: pytest.MonkeyPatch
) -> None:
    job_id = due_message(sqlite_db)
    passed = iter([0.0, 0.0, 31.0])  # at the claim, at the start, before the POST
    monkeypatch.setattr(delivery, "time", SimpleNamespace(monotonic=lambda: next(passed)))

    assert deliver(job_id) == clock.now() + timedelta(seconds=5)
    assert twilio.posts() == []


def test_a_message_says_what_its_booking_is_when_it_goes_out(
    db: Database, clock: FrozenClock, twilio: FakeTwilio, booking: str
) -> None:
    with db.write() as session:
        changes = {"customer_name": "Bo", "barber_id": "barber_2", "service_id": "kids-cut"}
        service.change(session, booking, changes, "system")
    clock.move(hours=2)

    deliver(f"{booking}-reminder-1")

    [sent] = twilio.messages()
    assert "Hello Bo!" in sent.body
    assert "Kids cut" in sent.body
    assert "Alex" in sent.body


# --- templates ---


def test_a_template_gets_values_for_all_the_variables_that_it_has_and_no_others(
    db: Database, clock: FrozenClock, twilio: FakeTwilio, booking: str
) -> None:
    twilio.templates[TEMPLATES["reminder"]] = "Dear {{customerName}}, {{dateTime}} at {{shopName}}."
    with db.write() as session:
        factories.shop(session, name="Fade & Co", reminder_text="Only {serviceName}")
    clock.move(hours=2)

    deliver(f"{booking}-reminder-1")

    [sent] = twilio.messages()
    day = "Monday, November 23, 2026 at 10:00 AM"
    assert sent.body == f"Dear Zoë Ångström, {day} at Fade & Co."
    assert sent.content_sid == TEMPLATES["reminder"]
    assert set(sent.content_variables) == {"customerName", "dateTime", "shopName"}


def test_a_templates_button_sends_back_which_booking_to_cancel(
    db: Database, clock: FrozenClock, twilio: FakeTwilio, booking: str
) -> None:
    clock.move(hours=2)

    deliver(f"{booking}-reminder-1")

    [sent] = twilio.messages()
    assert sent.payload == booking_codes.cancel_payload(booking)
    assert booking_codes.booking_of_payload(str(sent.payload)) == booking
    [post] = twilio.posts()
    assert post.form["ValidityPeriod"] == "900"


@pytest.mark.parametrize("name", ["", "   ", "\u200b\u202e", "👋🏽", "Zoë\n\n\n\t     Å"])
def test_no_value_is_empty_or_of_several_lines_whatever_the_name_is(
    sqlite_db: Database, clock: FrozenClock, twilio: FakeTwilio, name: str
) -> None:
    job_id = due_message(sqlite_db)
    with sqlite_db.write() as session:
        session.get_one(Booking, booking_of(job_id)).customer_name = name

    deliver(job_id)

    [sent] = twilio.messages()  # the fake refuses such values (21656, 63013)
    assert all(sent.content_variables.values())


def test_several_services_are_one_in_the_language_of_the_message_not_as_they_were_booked(
    sqlite_db: Database, twilio: FakeTwilio
) -> None:
    job_id = due_message(sqlite_db)
    with sqlite_db.write() as session:
        both = several.made(session, "haircut+beard-trim")
        session.get_one(Booking, booking_of(job_id)).service_id = both
        factories.shop(session, locale="de_DE")

    deliver(job_id)

    [sent] = twilio.messages()
    assert sent.content_variables["serviceName"] == "Haircut und Beard trim"


@pytest.mark.parametrize(
    ("template", "code"),
    [("Hello {{1}}!", "template_variables"), (None, "21655")],
    ids=["a variable we do not know", "no such template"],
)
def test_a_template_for_reminders_that_cannot_be_sent_stops_all_until_it_is_repaired(
    db: Database, clock: FrozenClock, twilio: FakeTwilio, template: str | None, code: str
) -> None:
    job_ids = [due_message(db) for _ in range(2)]
    right = twilio.templates.pop(TEMPLATES["reminder"])
    if template:
        twilio.templates[TEMPLATES["reminder"]] = template

    probe_at = deliver(job_ids[0])
    assert probe_at == sending(db).probe_at == clock.now() + timedelta(seconds=60)
    assert deliver(job_ids[1]) is None
    assert sending(db).breaker_code == code
    assert [(row.state, row.attempts) for row in map(partial(message, db), job_ids)] == [
        ("pending", 0),
        ("pending", 0),
    ]
    assert twilio.posts() == []

    twilio.templates[TEMPLATES["reminder"]] = right
    clock.set(probe_at)
    for job_id in job_ids:
        deliver(job_id)

    assert [message(db, job_id).state for job_id in job_ids] == ["sent"] * 2
    assert sending(db).breaker_code is None


@pytest.mark.parametrize("is_set", [True, False])
def test_a_template_that_only_cancellations_need_stops_those_alone(
    db: Database, clock: FrozenClock, twilio: FakeTwilio, configure: Configure, is_set: bool
) -> None:
    reminder, other = due_message(db), book(db)
    if is_set:
        twilio.templates[TEMPLATES["cancellation"]] = "Cancelled: {{1}}."
    else:
        configure(WHATSAPP_CANCELLATION_CONTENT_SID=None)
    cancel(db, other)
    work()

    row = message(db, f"{other}-cancellation-1")
    code = "template_variables" if is_set else "63016"
    assert (row.state, row.error_code, row.attempts) == ("failed", code, 0)
    assert deliver(reminder) is None
    assert message(db, reminder).state == "sent"
    assert len(twilio.posts()) == 1


def test_without_a_template_only_who_wrote_within_24_hours_gets_free_text(
    db: Database, clock: FrozenClock, twilio: FakeTwilio, configure: Configure
) -> None:
    configure(WHATSAPP_REMINDER_CONTENT_SID=None)
    job_id, other = due_message(db), due_message(db)
    phone = booking_phone(db, job_id)
    with db.write() as session:
        customers.note_written(session, phone, None, clock.now() - timedelta(hours=23))
    twilio.receive(phone, "Hello?")

    assert deliver(job_id) is None
    assert message(db, job_id).state == "sent"
    assert "Your appointment is in" in twilio.posts()[0].form["Body"]

    assert deliver(other) == sending(db).probe_at
    assert (sending(db).breaker_code, message(db, other).state) == ("63016", "pending")
    assert len(twilio.posts()) == 1


def test_the_simulator_takes_free_text_from_everybody(
    sqlite_db: Database, clock: FrozenClock, twilio: FakeTwilio, configure: Configure
) -> None:
    for name in twilio.environment:
        configure(**{name: None})
    configure(SEND_TIMEOUT="0.2", SEND_LEASE="5")
    job_id = due_message(sqlite_db)

    assert deliver(job_id) == clock.now() + timedelta(seconds=5)  # nobody is at its address
    assert message(sqlite_db, job_id).error_code == "unreachable"


@pytest.mark.parametrize(
    ("is_down", "code"), [(True, "20503"), (False, "unreachable")], ids=["down", "closed"]
)
def test_while_twilio_cannot_be_asked_for_the_template_the_retries_go_on_as_always(
    db: Database, clock: FrozenClock, twilio: FakeTwilio, is_down: bool, code: str
) -> None:
    job_id = due_message(db)
    if is_down:
        twilio.down = True
    else:
        twilio.stop()

    for delay in (5, 25):
        due = deliver(job_id)
        assert due == clock.now() + timedelta(seconds=delay)
        assert (message(db, job_id).error_code, message(db, job_id).verify_first) == (code, False)
        clock.set(due)
    if is_down:
        twilio.down = False
    else:
        twilio.start()
    deliver(job_id)

    assert message(db, job_id).state == "sent"
    assert len(twilio.posts()) == 1


# --- recording the answer ---


def test_an_answer_is_recorded_once_the_database_is_back(
    sqlite_db: Database, clock: FrozenClock, twilio: FakeTwilio, monkeypatch: pytest.MonkeyPatch
) -> None:
    job_id = due_message(sqlite_db)
    accept, pauses = outcomes.accept, []
    away = OperationalError("UPDATE", {}, Exception("the database is away"))

    def fail_twice(*args: Any, **values: Any) -> Any:
        if len(pauses) < 2:
            raise away
        return accept(*args, **values)

    monkeypatch.setattr(outcomes, "accept", fail_twice)
    monkeypatch.setattr(delivery.time, "sleep", pauses.append)

    assert deliver(job_id) is None

    assert pauses == [0.5, 1.0]
    assert message(sqlite_db, job_id).state == "sent"


def test_an_answer_that_could_not_be_recorded_is_found_by_the_look_up_after_the_lease(
    sqlite_db: Database, clock: FrozenClock, twilio: FakeTwilio, monkeypatch: pytest.MonkeyPatch
) -> None:
    job_id = due_message(sqlite_db)

    def fail(*args: Any, **values: Any) -> Any:
        raise OperationalError("UPDATE", {}, Exception("the database is away"))

    with monkeypatch.context() as patch:
        patch.setattr(outcomes, "accept", fail)
        patch.setattr(delivery.time, "sleep", lambda seconds: None)
        with pytest.raises(OperationalError):
            deliver(job_id)
    assert message(sqlite_db, job_id).state == "sending"

    clock.move(seconds=61)
    tick(Process())
    clock.move(seconds=120)
    tick(Process())

    [sent] = twilio.messages()
    assert message(sqlite_db, job_id).sid == sent.sid
    assert len(twilio.posts()) == 1


def test_a_customer_who_is_sent_the_cancellation_of_a_booking_gets_no_more_reminders(
    db: Database, clock: FrozenClock, twilio: FakeTwilio, booking: str
) -> None:
    clock.move(hours=2)
    deliver(f"{booking}-reminder-1")

    cancel(db, booking)
    work()
    clock.move(hours=12)
    tick(Process())
    work()

    bodies = [sent.body for sent in twilio.messages()]
    assert len(bodies) == 2
    assert "has been cancelled" in bodies[1]


# --- the task and its turn ---


def test_the_task_comes_back_when_the_next_try_is_due_if_that_is_soon(
    db: Database, clock: FrozenClock, twilio: FakeTwilio, booking: str
) -> None:
    clock.move(hours=2)
    twilio.script(HOME, [Fault.error(400, 63012)] * 6)

    etas = []
    while (eta := run(f"{booking}-reminder-1")) is not None:
        etas.append((eta - clock.now()).total_seconds())
        clock.set(eta)

    assert etas == [5, 25, 125]  # 625 is for the tick
    assert message(db, f"{booking}-reminder-1").enqueued_at is None


def test_what_huey_carries_is_run_at_its_time_and_again_when_it_asks_for_it(
    sqlite_db: Database, clock: FrozenClock, twilio: FakeTwilio
) -> None:
    job_id = f"{book(sqlite_db)}-reminder-1"
    twilio.script(HOME, [Fault.error(400, 63012)])
    clock.move(hours=2, minutes=-5)
    materialize_due()
    enqueue.enqueue_due()
    assert (work(), enqueued()) == (0, [job_id])
    assert twilio.posts() == []
    clock.move(minutes=5)
    work()
    assert len(twilio.posts()) == 1
    clock.move(seconds=5)
    work()
    assert message(sqlite_db, job_id).state == "sent"
    assert enqueued() == []


def test_turns_are_evenly_spaced_over_all_workers(
    valkey: Valkey, sqlite_db: Database, configure: Configure
) -> None:
    configure(WHATSAPP_MAX_PER_SECOND="20")
    begun = time.monotonic()

    assert all(at_once(*[lambda: all(rate_limit.wait(5) for _ in range(3))] * 7))

    assert time.monotonic() - begun > 1  # for the first of them and twenty more


def test_who_cannot_have_a_turn_soon_enough_takes_none(
    valkey: Valkey, sqlite_db: Database, configure: Configure
) -> None:
    configure(WHATSAPP_MAX_PER_SECOND="1")

    assert rate_limit.wait(0.0)
    assert not any(rate_limit.wait(0.0) for _ in range(3))
    assert rate_limit.wait(1.1)


def test_a_clock_of_the_server_that_was_set_back_stops_nobody(
    valkey: Valkey, sqlite_db: Database, configure: Configure
) -> None:
    configure(WHATSAPP_MAX_PER_SECOND="1")
    assert rate_limit.wait(0.0)
    [key] = valkey.client.keys("limit.*")
    seconds, _ = valkey.client.time()

    valkey.client.set(key, (seconds + 3600) * 1_000_000)  # of when it was an hour later

    assert rate_limit.wait(0.0)
    assert not rate_limit.wait(0.0)


def test_a_queue_that_is_away_limits_nobody(
    valkey: Valkey, sqlite_db: Database, configure: Configure
) -> None:
    configure(WHATSAPP_MAX_PER_SECOND="1")
    valkey.stop()

    assert all(rate_limit.wait(0.0) for _ in range(3))
