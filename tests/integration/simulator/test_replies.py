"""A customer answers in the simulator, and the shop hears it: the whole product, no account."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from app.models.conversation import KINDS
from app.simulator.attachments import THINGS
from tests.fake_twilio import FakeTwilio
from tests.support.processes import wait_until
from tests.support.running import RunningShop
from tests.support.valkey import Valkey


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningShop]:
    folder = tmp_path_factory.mktemp("replies")
    valkey, twilio = Valkey(folder / "valkey"), FakeTwilio()
    valkey.start()
    twilio.start()
    no_account = dict.fromkeys(twilio.environment, "")
    twilio.stop()
    with RunningShop(folder, twilio, valkey, REMINDER_EVERY="3000s", **no_account) as running:
        running.sql("UPDATE shop SET count_from = 'appointment'")
        running.wait_for_worker()
        yield running
    valkey.stop()


def book_soon(shop: RunningShop, phone: str) -> dict[str, Any]:
    """A booking whose one reminder is due in two seconds. A machine that took longer to make it
    left it without, as are all that are nearer: then another one.
    """
    while not shop.reminders(booking := shop.book(3_002, phone)):
        pass
    return booking


def chat(shop: RunningShop, booking: dict[str, str]) -> str:
    return httpx.get(phone(shop, booking)).text


def phone(shop: RunningShop, booking: dict[str, str]) -> str:
    return f"{shop.environment['PUBLIC_URL']}/simulator/phones/{booking['customerPhone'][1:]}"


def is_cancelled(shop: RunningShop, booking: dict[str, str]) -> bool:
    return bool(shop.api.get(f"/api/bookings/{booking['id']}").json()["status"] == "cancelled")


def test_the_button_under_a_reminder_cancels_its_booking_and_the_chat_says_so(
    shop: RunningShop,
) -> None:
    other, booking = book_soon(shop, "+12125550177"), book_soon(shop, "+12125550177")
    under = message_of(shop, booking)
    assert f'name="message" value="{under}"' in chat(shop, booking)

    httpx.post(f"{phone(shop, booking)}/presses", data={"message": under})

    wait_until(lambda: is_cancelled(shop, booking), what="a cancelled booking")
    assert not is_cancelled(shop, other)
    wait_until(lambda: "is cancelled. If this was a mistake" in chat(shop, booking))


def test_a_typed_cancel_is_answered_in_the_chat(shop: RunningShop) -> None:
    booking = shop.book(2_000, "+12125550178")
    httpx.post(f"{phone(shop, booking)}/replies", data={"body": "Cancel!"})
    wait_until(lambda: is_cancelled(shop, booking), what="a cancelled booking")
    wait_until(lambda: "is cancelled. If this was a mistake" in chat(shop, booking))
    assert "Received by the app" in chat(shop, booking)


def test_an_answer_to_one_of_several_reminders_cancels_that_one(shop: RunningShop) -> None:
    booking, other = book_soon(shop, "+12125550179"), shop.book(2_000, "+12125550179")
    reply = {"body": "CANCEL", "answered": message_of(shop, booking)}
    httpx.post(f"{phone(shop, booking)}/replies", data=reply)
    wait_until(lambda: is_cancelled(shop, booking), what="a cancelled booking")
    assert not is_cancelled(shop, other)


def message_of(shop: RunningShop, booking: dict[str, str]) -> str:
    """The SID of a reminder of this booking, once it is on the phone."""
    of_it = f"SELECT sid FROM message WHERE booking_id = '{booking['id']}' AND sid IS NOT NULL"
    on_phone = f"{of_it} AND delivery_status IN ('delivered', 'read') LIMIT 1"
    wait_until(lambda: shop.sql(on_phone), what="a message on the phone")
    return str(shop.sql(on_phone)[0][0])


def test_what_is_no_text_arrives_as_what_it_is(shop: RunningShop) -> None:
    booking = shop.book(2_000, "+12125550179")
    assert "a reaction 👍" in chat(shop, booking)
    for thing in THINGS:
        answer = httpx.post(f"{phone(shop, booking)}/things", data={"thing": thing})
        assert answer.status_code == 303
    wait_until(lambda: set(kinds(shop)) >= {*KINDS} - {"text"}, what="one of each kind")
    assert httpx.post(f"{phone(shop, booking)}/things", data={"thing": "x"}).status_code == 422
    assert "(a poll, which is not passed on)" in chat(shop, booking)


def kinds(shop: RunningShop) -> list[str]:
    return [row[0] for row in shop.sql("SELECT kind FROM reply")]
