"""Deliveries: signed, in order, tried until they are taken, and told to nobody inside the house."""

import base64
import hmac
import socket
from pathlib import Path
from typing import Any

import pytest

from app import connections
from app.db import Database
from app.integrations import deliveries, posting
from app.integrations.courier import headers_of
from app.settings import settings
from tests.conftest import Configure
from tests.integration.conftest import Client
from tests.integration.integrations.conftest import Settle, listen
from tests.integration.integrations.test_events import made
from tests.integration.staff.test_access import PRODUCTION
from tests.support.frozen import FrozenClock
from tests.support.receiver import Receiver

NO_ADDRESS = "This must be an address such as https://example.com/chairtime."
TOO_LONG = "This must be an address of at most 500 plain characters."
NAMED = "This must hold no name or password: the signature says who sends."
PRIVATE = "Its name leads to a private address, which is never connected to."


def logged(api: Client, webhook: str) -> list[dict[str, Any]]:
    address = f"/api/webhooks/{webhook}/deliveries"
    return list(api.get(address, params={"limit": 100}).json()["items"])


def test_what_happens_while_a_receiver_is_down_comes_in_order_once_it_is_back(
    api: Client, receiver: Receiver, settle: Settle, clock: FrozenClock
) -> None:
    webhook = listen(api, receiver, "booking.created", "booking.changed")
    receiver.close()
    bookings = [
        made(api, customerPhone=f"+44770090020{n}", scheduledTime=f"2026-11-24T1{n}:00:00Z")
        for n in range(5)
    ]
    for round in range(12):  # an hour
        for booking in bookings:
            api.patch(f"/api/bookings/{booking['id']}", json={"notes": f"Note {round}"})
        settle()
        clock.move(minutes=5)
    assert receiver.heard == []
    state = api.get(f"/api/webhooks/{webhook}").json()
    assert (state["active"], state["failingSince"]) == (True, "2026-11-23T00:00:00Z")
    first = logged(api, webhook)[-1]
    assert first["problem"] == "It cannot be reached: no such name, or nobody listens there."
    assert (first["state"], first["statusCode"]) == ("pending", None)

    receiver.open()
    clock.move(minutes=5)
    settle()

    assert len(receiver.heard) == 5 * 13
    for booking in bookings:
        told = [each for each in receiver.heard if each.about == booking["id"]]
        notes = [each.body["data"]["booking"]["notes"] for each in told]
        assert notes == [None, *(f"Note {round}" for round in range(12))]
    assert len({each.id for each in receiver.heard}) == 5 * 13
    assert receiver.forged == 0
    assert api.get(f"/api/webhooks/{webhook}").json()["failingSince"] is None
    assert {each["state"] for each in logged(api, webhook)} == {"delivered"}


def test_an_endpoint_that_is_down_is_asked_by_one_delivery_now_and_then(
    sqlite_api: Client, receiver: Receiver, settle: Settle, clock: FrozenClock
) -> None:
    listen(sqlite_api, receiver, "booking.created")
    receiver.status = 503
    for n in range(10):
        made(sqlite_api, customerPhone=f"+44770090030{n}", scheduledTime=f"2026-11-24T1{n}:00:00Z")
    settle()
    assert receiver.tries == 10
    clock.move(minutes=6)
    settle()
    assert receiver.tries == 11


def test_one_event_that_is_never_taken_keeps_up_its_own_booking_alone_and_is_given_up(
    sqlite_api: Client, receiver: Receiver, settle: Settle, clock: FrozenClock
) -> None:
    webhook = listen(sqlite_api, receiver, "booking.created", "booking.changed")
    receiver.status = 500
    stuck = made(sqlite_api, scheduledTime="2026-11-30T10:00:00Z")
    settle()
    receiver.status = 200
    real = receiver.take

    def picky(headers: dict[str, str], body: bytes) -> int:
        is_it = stuck["id"].encode() in body and b"booking.created" in body
        return 500 if is_it else real(headers, body)

    receiver.take = picky  # type: ignore[method-assign]
    sqlite_api.patch(f"/api/bookings/{stuck['id']}", json={"notes": "Fade"})
    for n in range(50):
        if n < 5:
            made(
                sqlite_api,
                customerPhone=f"+44770090040{n}",
                scheduledTime=f"2026-11-30T1{n + 1}:00:00Z",
            )
        settle()
        clock.move(hours=1)
    assert receiver.types == ["booking.created"] * 5 + ["booking.changed"]
    states = [each["state"] for each in logged(sqlite_api, webhook)]
    assert sorted(states) == ["delivered"] * 6 + ["failed"]
    assert sqlite_api.get(f"/api/webhooks/{webhook}").json()["active"]


def test_after_a_week_of_failing_it_is_switched_off_and_the_owner_is_told(
    sqlite_api: Client, receiver: Receiver, settle: Settle, clock: FrozenClock
) -> None:
    webhook = listen(sqlite_api, receiver, "booking.created")
    receiver.status = 500
    for day in range(8):
        made(sqlite_api, scheduledTime=f"2026-12-1{day}T10:00:00Z")
        settle()
        clock.move(hours=23, minutes=59)
    made(sqlite_api, scheduledTime="2026-12-20T10:00:00Z")
    settle()
    state = sqlite_api.get(f"/api/webhooks/{webhook}").json()
    assert not state["active"]
    assert state["switchedOffAt"]
    tries = receiver.tries
    made(sqlite_api, scheduledTime="2026-12-21T10:00:00Z")
    clock.move(hours=1)
    settle()
    assert receiver.tries == tries

    receiver.status = 200
    on = sqlite_api.patch(f"/api/webhooks/{webhook}", json={"active": True}).json()
    assert (on["active"], on["switchedOffAt"], on["failingSince"]) == (True, None, None)
    settle()
    assert len(receiver.heard) >= 1


def test_a_receiver_that_is_gone_for_good_is_switched_off_at_once(
    sqlite_api: Client, receiver: Receiver, settle: Settle
) -> None:
    webhook = listen(sqlite_api, receiver)
    receiver.status = 410
    made(sqlite_api)
    settle()
    assert not sqlite_api.get(f"/api/webhooks/{webhook}").json()["active"]


def test_a_delivery_can_be_sent_again_with_the_id_that_it_had(
    sqlite_api: Client, receiver: Receiver, settle: Settle
) -> None:
    webhook = listen(sqlite_api, receiver, "booking.created")
    made(sqlite_api)
    settle()
    [delivery] = logged(sqlite_api, webhook)
    address = f"/api/webhooks/{webhook}/deliveries/{delivery['id']}/resend"
    assert sqlite_api.post(address).status_code == 202
    again = sqlite_api.post(address)
    assert (again.status_code, again.json()["reason"]) == (409, "pending")
    settle()
    first, second = receiver.heard
    assert first.id == second.id
    assert first.body == second.body


def test_for_a_day_after_a_new_secret_both_sign(
    sqlite_api: Client, receiver: Receiver, settle: Settle, clock: FrozenClock
) -> None:
    webhook = listen(sqlite_api, receiver, "booking.created")
    [old] = receiver.secrets
    new = sqlite_api.post(f"/api/webhooks/{webhook}/secret").json()["secret"]
    assert new != old
    steps = ((0, old, 1), (0, new, 2), (25, old, 2), (0, new, 4))  # what is refused comes later
    for day, (hours, secret, heard) in enumerate(steps, start=10):
        clock.move(hours=hours)
        receiver.secrets = [secret]
        made(sqlite_api, scheduledTime=f"2026-12-{day}T10:00:00Z")
        settle()
        clock.move(minutes=6)
        settle()
        assert len(receiver.heard) == heard


def test_no_secret_is_kept_or_shown_again(
    sqlite_api: Client, receiver: Receiver, sqlite_db: Database
) -> None:
    webhook = listen(sqlite_api, receiver)
    [secret] = receiver.secrets
    for address in ("", f"/{webhook}"):
        assert "whsec" not in sqlite_api.get(f"/api/webhooks{address}").text
    path = Path(str(sqlite_db.engine.url.database))
    files = [path, path.with_name(f"{path.name}-wal")]
    assert any(webhook.encode() in file.read_bytes() for file in files)
    assert not any(secret[6:].encode() in file.read_bytes() for file in files)


# --- where it does not go ---


@pytest.mark.parametrize(
    "address",
    [
        "10.0.0.1", "172.16.3.4", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0",
        "224.0.0.1", "255.255.255.255", "240.0.0.1", "192.0.2.1", "198.18.0.1", "::", "fe80::1",
        "fe80::1%eth0", "fc00::1", "fec0::1", "ff02::1", "::ffff:10.0.0.1", "::ffff:127.0.0.1",
        "2002:a00:1::", "64:ff9b::a00:1", "64:ff9b:1::a00:1", "2001:0:a00:1::1", "2001:db8::1",
    ],
)  # fmt: skip
def test_an_address_inside_the_house_is_refused(sqlite_api: Client, address: str) -> None:
    assert not posting.is_public(address)
    host = f"[{address}]" if ":" in address else address
    answer = sqlite_api.post("/api/webhooks", json={"url": f"https://{host}/x"})
    assert answer.status_code == 422, answer.text
    assert answer.json()["errors"][0]["field"] == "url"


@pytest.mark.parametrize("address", ["93.184.216.34", "2606:2800:220:1:248:1893:25c8:1946"])
def test_an_address_of_the_internet_is_fine(sqlite_api: Client, address: str) -> None:
    host = f"[{address}]" if ":" in address else address
    assert posting.is_public(address)
    assert sqlite_api.post("/api/webhooks", json={"url": f"https://{host}/x"}).status_code == 201


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("http://example.com/x", "This must begin with https://."),
        ("ftp://example.com/x", NO_ADDRESS),
        ("https://", NO_ADDRESS),
        ("https://[x", NO_ADDRESS),
        ("https://example.com:99999/", NO_ADDRESS),
        ("https://a:b@example.com/", NAMED),
        ("https://intranet/x", "This must be reached from the internet: a private address is not."),
        ("https://example.com/ü", TOO_LONG),
        ("https://example.com/" + "x" * 500, TOO_LONG),
    ],
)
def test_a_wrong_address_is_refused_in_words(sqlite_api: Client, url: str, said: str) -> None:
    answer = sqlite_api.post("/api/webhooks", json={"url": url})
    assert answer.status_code == 422
    assert answer.json()["errors"] == [{"field": "url", "message": said}]


def test_in_production_this_machine_itself_is_refused(
    configure: Configure, receiver: Receiver
) -> None:
    configure(**PRODUCTION, DATABASE_URL="postgresql://127.0.0.1:1/none")
    assert settings().production
    for host in ("localhost", "127.0.0.1", "::1", "x.localhost"):
        assert not posting.may_be_named(host)
    answer = posting.post(receiver.url, b"{}", {})
    assert answer.problem == PRIVATE
    assert receiver.tries == 0


@pytest.mark.parametrize(
    "answers", [["10.0.0.1"], ["93.184.216.34", "10.0.0.1"], ["::ffff:10.0.0.1"]]
)
def test_a_name_that_leads_inside_is_not_connected_to(
    monkeypatch: pytest.MonkeyPatch, answers: list[str]
) -> None:
    def resolve(*_: object, **__: object) -> list[Any]:
        return [(2, 1, 6, "", (each, 443)) for each in answers]

    monkeypatch.setattr(connections.socket, "getaddrinfo", resolve)
    monkeypatch.setattr(connections, "create_connection", lambda *_, **__: pytest.fail("connected"))
    answer = posting.post("https://inside.example.com/x", b"{}", {})
    assert answer.problem == PRIVATE


def test_what_is_connected_to_is_the_address_that_was_looked_at(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A name that leads elsewhere a moment later is asked for once alone."""
    asked: list[str] = []
    reached: list[Any] = []

    def resolve(host: str, *_: object, **__: object) -> list[Any]:
        asked.append(host)
        return [(2, 1, 6, "", ("93.184.216.34" if len(asked) == 1 else "10.0.0.1", 443))]

    def connect(address: Any, *_: object, **__: object) -> socket.socket:
        reached.append(address)
        raise OSError("no network here")

    monkeypatch.setattr(connections.socket, "getaddrinfo", resolve)
    monkeypatch.setattr(connections, "create_connection", connect)
    posting.post("https://rebinds.example.com/x", b"{}", {})
    assert asked == ["rebinds.example.com"]
    assert reached == [("93.184.216.34", 443)]


def test_a_redirect_is_not_followed(sqlite_api: Client, receiver: Receiver, settle: Settle) -> None:
    with Receiver() as inside:
        webhook = listen(sqlite_api, receiver, "booking.created")
        receiver.status, receiver.headers = 307, {"Location": inside.url}
        made(sqlite_api)
        settle()
        assert inside.tries == 0
    [delivery] = logged(sqlite_api, webhook)
    assert delivery["statusCode"] == 307
    assert "redirect" in delivery["problem"]


def test_a_signature_is_of_the_standard(clock: FrozenClock) -> None:
    """Written out: HMAC-SHA256 of id, time and body, with points between, by the key's bytes."""
    secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    headers = headers_of("event_1", "{}", [secret], clock.now())
    signed = f"event_1.{headers['webhook-timestamp']}.{{}}".encode()
    by_hand = hmac.digest(base64.b64decode(secret.removeprefix("whsec_")), signed, "sha256")
    assert headers["webhook-signature"] == f"v1,{base64.b64encode(by_hand).decode()}"
    assert headers["webhook-id"] == "event_1"


def test_old_events_are_forgotten(
    sqlite_api: Client, sqlite_db: Database, receiver: Receiver, settle: Settle, clock: FrozenClock
) -> None:
    webhook = listen(sqlite_api, receiver, "booking.created")
    made(sqlite_api)
    settle()
    clock.move(days=10, hours=1)
    with sqlite_db.write() as session:
        deliveries.give_up_old(session)
    assert logged(sqlite_api, webhook) == []


def test_the_log_is_read_page_by_page_and_wrong_words_are_refused(
    sqlite_api: Client, receiver: Receiver, settle: Settle
) -> None:
    webhook = listen(sqlite_api, receiver, "booking.created")
    for n in range(3):
        made(sqlite_api, customerPhone=f"+44770090060{n}", scheduledTime=f"2026-11-24T1{n}:00:00Z")
    settle()
    address = f"/api/webhooks/{webhook}/deliveries"
    first = sqlite_api.get(address, params={"limit": 2}).json()
    rest = sqlite_api.get(address, params={"limit": 2, "cursor": first["nextCursor"]}).json()
    ids = [each["id"] for each in first["items"] + rest["items"]]
    assert ids == sorted(ids, reverse=True)
    assert len(ids) == 3
    assert rest["nextCursor"] is None
    for wrong in ({"limit": 0}, {"cursor": "x"}, {"more": 1}):
        assert sqlite_api.get(address, params=wrong).status_code == 422


def test_a_webhook_is_changed_and_removed_by_its_etag(
    sqlite_api: Client, receiver: Receiver
) -> None:
    webhook = listen(sqlite_api, receiver)
    address = f"/api/webhooks/{webhook}"
    tag = sqlite_api.get(address).headers["ETag"]
    changed = sqlite_api.patch(
        address, json={"events": ["reply.received"]}, headers={"If-Match": tag}
    )
    assert changed.json()["events"] == ["reply.received"]
    stale = sqlite_api.patch(address, json={"active": False}, headers={"If-Match": tag})
    assert stale.status_code == 412
    wrong = sqlite_api.patch(address, json={"events": [], "url": "x", "more": 1})
    assert {each["field"] for each in wrong.json()["errors"]} == {"events", "url", "more"}
    assert sqlite_api.patch(address, json={"events": ["booking.none"]}).status_code == 422
    assert sqlite_api.delete(address).status_code == 204
    assert sqlite_api.get(address).status_code == 404


def test_there_is_an_end_to_how_many_there_are(sqlite_api: Client, receiver: Receiver) -> None:
    for _ in range(20):
        listen(sqlite_api, receiver)
    answer = sqlite_api.post("/api/webhooks", json={"url": receiver.url})
    assert (answer.status_code, answer.json()["reason"]) == (409, "too_many")
