"""What other programs are told: each event with all that it is about, in the API's own shapes."""

import re
import threading
from http.server import HTTPServer
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.channel import Incoming
from app.conversations import inbound
from app.customers import consent
from app.db import Database
from app.messages import alarms, gate, tick
from app.messages.lifecycle import outcomes, plans
from app.models.integration import WebhookEvent
from app.models.message import DailySent
from app.outbox import TYPES
from tests import factories
from tests.integration.conftest import Client, body
from tests.integration.integrations.conftest import Settle, listen
from tests.support.frozen import FrozenClock
from tests.support.receiver import Receiver

DOCUMENTED = (Path(__file__).parents[3] / "docs" / "webhooks.md").read_text()
EXAMPLE = {"type": "booking.created"}
PHONES = ("+447700900101", "+447700900102", "+447700900103")
NOON = "2026-11-23T12:00:00Z"


def made(api: Client, **fields: Any) -> dict[str, Any]:
    answer = api.post("/api/bookings", json=body(**fields))
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


def test_the_life_of_a_booking_is_told_in_order_and_whole(
    api: Client, receiver: Receiver, settle: Settle, clock: FrozenClock
) -> None:
    listen(api, receiver)
    booking = made(api)
    address = f"/api/bookings/{booking['id']}"
    steps = [
        ("booking.created", booking),
        ("booking.changed", api.patch(address, json={"notes": "Fade 1.5"}).json()),
        ("booking.moved", api.patch(address, json={"scheduledTime": NOON}).json()),
    ]
    clock.move(hours=12, minutes=5)
    steps += [
        ("booking.attended", api.post(f"{address}/attendance", json={"came": came}).json())
        for came in (True, None)
    ]
    settle()
    told = [each for each in receiver.heard if each.body["type"].startswith("booking.")]
    assert [(each.body["type"], each.body["data"]["booking"]) for each in told] == steps
    assert len({each.id for each in told}) == len(told)
    data = told[-1].body["data"]
    assert data["service"] == api.get("/api/services/haircut").json()
    assert data["barber"] == api.get("/api/barbers/barber_1").json()
    assert data["customer"] == api.get("/api/customers").json()["items"][0]
    assert told[0].body["timestamp"] == "2026-11-23T00:00:00Z"
    assert receiver.forged == 0


def test_a_cancellation_and_its_undoing_are_told(
    api: Client, receiver: Receiver, settle: Settle
) -> None:
    listen(api, receiver, "booking.cancelled")
    booking = made(api)
    cancelled = api.delete(f"/api/bookings/{booking['id']}").json()
    api.delete(f"/api/bookings/{booking['id']}")
    settle()
    assert [each.body["data"]["booking"] for each in receiver.heard] == [cancelled]


def test_what_becomes_of_messages_is_told_once(
    api: Client, shop: Database, receiver: Receiver, settle: Settle
) -> None:
    listen(api, receiver, *(each for each in TYPES if each.startswith("message.")))
    with shop.write() as session:
        sent, failed, skipped = (
            factories.message(session, factories.booking(session, customer_phone=phone), state)
            for phone, state in zip(PHONES, ("sending", "sending", "pending"), strict=True)
        )
    sid = "SM" + "1" * 32
    for status in ("queued", "delivered", "delivered", "read"):
        with shop.write() as session:
            outcomes.accept(session, str(sent.attempt_id), sid, status)
    with shop.write() as session:
        outcomes.mark_failed(session, str(failed.attempt_id), "63024")
        plans.skip(session, [skipped.id], "superseded")
    settle()
    told = {each.body["type"]: each.body["data"] for each in receiver.heard}
    assert sorted(receiver.types) == [
        "message.delivered",
        "message.failed",
        "message.sent",
        "message.skipped",
    ]
    assert told["message.sent"]["message"]["deliveryStatus"] == "queued"
    assert told["message.delivered"]["message"]["deliveryStatus"] == "delivered"
    assert told["message.delivered"]["message"]["attempts"][0]["sid"] == sid
    assert told["message.failed"]["message"]["error"]
    assert told["message.skipped"]["message"]["state"] == "skipped"
    assert {each["booking"]["id"] for each in told.values()} == {
        message.booking_id for message in (sent, failed, skipped)
    }


def test_what_is_too_late_to_be_sent_is_told_by_the_tick(
    api: Client, shop: Database, receiver: Receiver, settle: Settle, clock: FrozenClock
) -> None:
    listen(api, receiver, "message.skipped")
    booking = made(api)
    clock.move(hours=11)
    tick.materialize_due()
    tick.skip_ineligible()
    settle()
    assert len(receiver.heard) == 4
    assert {each.about for each in receiver.heard} == {booking["id"]}


def test_replies_and_opt_outs_are_told_with_who_they_are_of(
    api: Client, shop: Database, receiver: Receiver, settle: Settle
) -> None:
    listen(api, receiver, "reply.received", "customer.opted_out")
    booking = made(api)
    with shop.write() as session:
        incoming = Incoming(sid="SM" + "2" * 32, sender="+442079460958", body="STOP")
        inbound.receive(session, incoming)
        inbound.receive(session, incoming)
        consent.opt_out(session, booking["id"], "system")
    settle()
    assert sorted(receiver.types) == ["customer.opted_out", "reply.received"]
    told = {each.body["type"]: each.body["data"] for each in receiver.heard}
    assert told["customer.opted_out"]["customer"]["optedOut"] is True
    assert told["reply.received"]["reply"]["text"] == "STOP"
    assert told["reply.received"]["reply"]["effect"] == "opted_out"
    assert told["reply.received"]["customer"]["phone"] == "+442079460958"


def test_sending_that_stops_and_goes_on_is_told_as_it_was_then(
    api: Client, shop: Database, receiver: Receiver, settle: Settle
) -> None:
    listen(api, receiver, "sending.stopped", "sending.resumed")
    for act in (
        lambda session: gate.pause(session, "system"),
        lambda session: gate.pause(session, "system"),
        lambda session: gate.resume(session, "system"),
        lambda session: gate.stop(session, "20003"),
        lambda session: gate.go(session),
    ):
        with shop.write() as session:
            act(session)
    settle()
    states = [each.body["data"]["sending"]["state"] for each in receiver.heard]
    assert states == ["paused", "ok", "stopped", "ok"]
    assert receiver.types == ["sending.stopped", "sending.resumed"] * 2


def test_a_budget_that_is_used_up_stops_sending_too(
    sqlite_api: Client,
    sqlite_shop: Database,
    receiver: Receiver,
    settle: Settle,
    clock: FrozenClock,
) -> None:
    listen(sqlite_api, receiver, "sending.stopped", "sending.resumed")
    tick.beat(tick.Process("w"))
    with sqlite_shop.write() as session:
        factories.shop(session, budget_per_month=1)
        session.add(DailySent(day=clock.now().date(), messages=1))
    alarms.look(sqlite_shop)
    settle()
    with sqlite_shop.write() as session:
        factories.shop(session, budget_per_month=None)
    alarms.look(sqlite_shop)
    clock.move(seconds=alarms.CALM.total_seconds())
    tick.beat(tick.Process("w"))
    alarms.look(sqlite_shop)
    settle()
    assert receiver.types == ["sending.stopped", "sending.resumed"]
    assert [each.body["data"]["sending"] for each in receiver.heard] == [
        {"state": "budget", "reason": "This month's messages are used up: reminders are skipped."},
        {"state": "ok", "reason": ""},
    ]


def test_who_walked_in_is_told_of_without_a_customer(
    api: Client, shop: Database, receiver: Receiver, settle: Settle
) -> None:
    listen(api, receiver, "booking.changed")
    with shop.write() as session:
        booking = factories.booking(session, customer_phone=None)
    api.patch(f"/api/bookings/{booking.id}", json={"notes": "Fade"})
    settle()
    [heard] = receiver.heard
    assert heard.body["data"]["customer"] is None


def test_what_is_rolled_back_is_not_told_and_nothing_is_written_where_nobody_listens(
    api: Client, shop: Database, receiver: Receiver, settle: Settle
) -> None:
    made(api)
    with shop.read() as session:
        assert untold(session) == 0
    listen(api, receiver, "booking.created")
    assert api.post("/api/bookings", json=body(serviceId="none")).status_code == 422
    api.delete("/api/bookings/booking_none")
    with shop.read() as session:
        assert untold(session) == 0
    made(api, scheduledTime="2026-11-23T14:00:00Z")
    with shop.read() as session:
        assert untold(session) == 1


def untold(session: Session) -> int:
    return session.scalar(select(func.count()).select_from(WebhookEvent)) or 0


def test_the_receiver_of_the_documentation_takes_what_is_sent_once(
    sqlite_api: Client, receiver: Receiver, settle: Settle, capsys: pytest.CaptureFixture[str]
) -> None:
    [code] = re.findall(r"```python\n(.*?)```", DOCUMENTED, re.DOTALL)
    names: dict[str, Any] = {"__name__": "receiver"}
    exec(compile(code, "docs/webhooks.md", "exec"), names)
    with HTTPServer(("127.0.0.1", 0), names["Receiver"]) as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}/"
        made_webhook = sqlite_api.post("/api/webhooks", json={"url": url}).json()
        address = f"/api/webhooks/{made_webhook['id']}/deliveries"
        names["SECRET"] = made_webhook["secret"]
        made(sqlite_api)
        settle()
        [delivery] = sqlite_api.get(address).json()["items"]
        sqlite_api.post(f"{address}/{delivery['id']}/resend")
        settle()
        names["SECRET"] = "whsec_" + "A" * 32
        api_post = sqlite_api.post(f"/api/webhooks/{made_webhook['id']}/example", json=EXAMPLE)
        assert api_post.status_code == 202
        settle()
        server.shutdown()
    codes = [each["statusCode"] for each in sqlite_api.get(address).json()["items"]]
    assert codes == [400, 204]
    assert capsys.readouterr().out == "booking.created Ana Silva\n"


def test_the_events_of_the_documentation_are_those_that_there_are() -> None:
    [table] = re.findall(r"\| event \| when \|\n(.*?)\n\n", DOCUMENTED, re.DOTALL)
    assert set(re.findall(r"`([a-z]+\.[a-z_]+)`", table)) == set(TYPES)


@pytest.mark.parametrize("type", TYPES)
def test_an_example_of_each_event_can_be_asked_for(
    sqlite_api: Client, receiver: Receiver, settle: Settle, type: str
) -> None:
    webhook = listen(sqlite_api, receiver, "booking.created")
    answer = sqlite_api.post(f"/api/webhooks/{webhook}/example", json={"type": type})
    assert answer.status_code == 202, answer.text
    settle()
    assert receiver.types == [type]
    [delivery] = sqlite_api.get(f"/api/webhooks/{webhook}/deliveries").json()["items"]
    assert (delivery["state"], delivery["statusCode"]) == ("delivered", 200)
    assert delivery["eventId"] == receiver.heard[0].id
