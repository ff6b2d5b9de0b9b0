"""A number that is corrected once is right everywhere, and the customer stays one."""

from dataclasses import replace
from datetime import timedelta

import pytest

from app.bookings import by_customer, draft, phone_corrections, service
from app.bookings.draft import Draft
from app.customers import service as customers
from app.db import Database
from app.errors import Conflict, Invalid
from app.models.booking import Booking
from app.models.conversation import Reply
from tests import factories
from tests.fake_twilio import FakeTwilio
from tests.support import lifecycle
from tests.support.frozen import FrozenClock
from tests.support.lifecycle import deliver, messages
from tests.support.staff import sign_in
from tests.support.web import Client

pytestmark = pytest.mark.usefixtures("valkey")

WRONG, RIGHT = "+447700900100", "+447700900200"


@pytest.fixture
def family(shop: Database, clock: FrozenClock) -> dict[str, str]:
    """Maria has three bookings to come, one that is over and one cancelled; Leo has her phone."""
    with shop.write() as session:
        past = factories.booking(
            session, clock.now() - timedelta(days=9), customer_name="Maria", customer_phone=WRONG
        )
        factories.reply(session, past)
    made = {"past": past.id}
    for number, name in enumerate(("first", "second", "third", "cancelled"), start=1):
        made[name] = book(shop, 24 * number, "María")
    lifecycle.cancel(shop, made["cancelled"])
    made["leo"] = book(shop, 24, "Leo", barber_id="barber_2")
    return made


def book(db: Database, hours: float, name: str, **values: str) -> str:
    return lifecycle.book(db, hours, customer_name=name, customer_phone=WRONG, **values)


def phones(db: Database, family: dict[str, str]) -> dict[str, str]:
    with db.read() as session:
        rows = {name: session.get_one(Booking, id) for name, id in family.items()}
        assert all(row.person == row.customer_phone for row in rows.values())
        return {name: row.customer_phone for name, row in rows.items()}


def correct(db: Database, booking: str, scope: phone_corrections.Scope, phone: str = RIGHT) -> None:
    with db.write() as session:
        phone_corrections.correct(session, booking, phone, scope, "system")


def test_all_of_one_name_get_the_number_and_history_stays_one(
    shop: Database, family: dict[str, str]
) -> None:
    correct(shop, family["first"], "name")

    assert phones(shop, family) == {**dict.fromkeys(family, RIGHT), "leo": WRONG}
    with shop.read() as session:
        [maria] = by_customer.summaries(session, [RIGHT])
        assert (maria.bookings, maria.visits) == (5, 1)
        assert {row.person for row in session.query(Reply)} == {RIGHT}


def test_the_whole_family_or_one_booking_alone(shop: Database, family: dict[str, str]) -> None:
    correct(shop, family["second"], "one")
    assert phones(shop, family) == {**dict.fromkeys(family, WRONG), "second": RIGHT}
    correct(shop, family["first"], "all")
    assert set(phones(shop, family).values()) == {RIGHT}


def test_what_is_offered_tells_whose_it_is(shop: Database, family: dict[str, str]) -> None:
    with shop.read() as session:
        offered = phone_corrections.others(session, session.get_one(Booking, family["first"]))
        assert [each.id for each in offered.same_name] == [family["second"], family["third"]]
        assert [each.id for each in offered.other_names] == [family["leo"]]
        assert offered.over == 2


def test_a_stop_and_a_consent_go_with_them_and_stay_with_the_old_number(
    shop: Database, family: dict[str, str]
) -> None:
    with shop.write() as session:
        customers.note_consent(session, WRONG, True, "form")
        customers.opt_out(session, WRONG, "twilio")
    correct(shop, family["first"], "name")
    with shop.read() as session:
        was, now = customers.find(session, WRONG), customers.find(session, RIGHT)
    assert was is not None
    assert now is not None
    assert (was.opted_out_how, now.opted_out_how) == ("twilio", "reply")
    assert now.consent is True


def test_a_stop_of_the_new_number_is_not_taken_back(shop: Database, family: dict[str, str]) -> None:
    with shop.write() as session:
        customers.note_consent(session, WRONG, True, "form")
        customers.note_consent(session, RIGHT, False, "form")
        customers.opt_out(session, RIGHT, "reply")
    correct(shop, family["first"], "all")
    with shop.read() as session:
        now = customers.find(session, RIGHT)
    assert now is not None
    assert (now.opted_out_how, now.consent) == ("reply", False)


def test_what_cannot_be_corrected_changes_nothing(shop: Database, family: dict[str, str]) -> None:
    lifecycle.book(shop, 48, customer_phone=RIGHT)  # as Maria's second is
    with pytest.raises(Conflict) as conflict:
        correct(shop, family["first"], "name")
    assert conflict.value.reason == "same_booking"
    with pytest.raises(Invalid):
        correct(shop, family["first"], "name", "12")
    assert set(phones(shop, family).values()) == {WRONG}


def test_a_twin_in_history_stays_where_it_is(shop: Database, family: dict[str, str]) -> None:
    with shop.write() as session:
        past = service.get(session, family["past"])
        factories.booking(session, past.starts_at, customer_phone=RIGHT)
    correct(shop, family["first"], "name")
    assert phones(shop, family)["past"] == WRONG


def test_the_form_offers_it_and_does_it(
    client: Client, shop: Database, family: dict[str, str]
) -> None:
    sign_in(client, shop)
    here = f"/bookings/{family['first']}"
    page = client.get(f"{here}/edit").text
    assert "All bookings of María: also 2 to come and 2 before" in " ".join(page.split())
    assert "Leo: " in page
    assert "All that is booked for this number" in page


@pytest.mark.parametrize(("others", "third"), [("name", RIGHT), ("one", WRONG), ("", WRONG)])
def test_the_form_corrects_what_was_chosen(
    shop: Database, family: dict[str, str], others: str, third: str
) -> None:
    with shop.write() as session:
        booking = session.get_one(Booking, family["first"])
        shown = Draft.of_booking(session, booking)
        typed = replace(shown.with_typed(phone=RIGHT, name="Mary"), others=others)
        draft.change(session, booking.id, typed, "system")
        assert (booking.customer_name, booking.customer_phone) == ("Mary", RIGHT)
    assert phones(shop, family)["third"] == third


def test_a_failed_message_is_corrected_for_all_of_that_name(
    client: Client, shop: Database, family: dict[str, str]
) -> None:
    sign_in(client, shop)
    with shop.write() as session:
        message = factories.message(
            session, session.get_one(Booking, family["first"]), "failed", number=90
        )
    form = client.get("/failed").text
    assert "Everywhere that María has this number" in " ".join(form.split())
    done = client.post(f"/messages/{message.id}/correct", data={"phone": RIGHT, "others": "yes"})
    assert done.status_code in {200, 303}
    assert phones(shop, family)["third"] == RIGHT


def test_a_corrected_number_is_kept_and_the_failed_reminder_goes_to_it(
    db: Database, clock: FrozenClock, twilio: FakeTwilio, booking: str
) -> None:
    with db.write() as session:
        row = session.get_one(Booking, booking)
        failed = factories.message(
            session, row, number=9, state="failed", planned_for=clock.now(), due_at=clock.now()
        )
    clock.move(minutes=1)

    with db.write() as session:
        phone_corrections.correct_and_retry(session, failed.id, "+1 212 555 0177", "user:1")
    deliver(failed.id)

    assert [message.to for message in twilio.messages()] == ["+12125550177"]


def test_a_number_that_is_wrong_again_changes_nothing(
    db: Database, clock: FrozenClock, booking: str
) -> None:
    with db.write() as session:
        row = session.get_one(Booking, booking)
        failed = factories.message(session, row, number=9, state="failed")

    with pytest.raises(Invalid), db.write() as session:
        phone_corrections.correct_and_retry(session, failed.id, "12", "user:1")

    assert messages(db, booking)[-1].state == "failed"
