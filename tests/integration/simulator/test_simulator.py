import re
import socket
import sqlite3
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from itertools import count
from pathlib import Path

import httpx
import pytest
from litestar import Litestar
from litestar.testing import TestClient

from app.channel import Outcome, OutgoingMessage, SentMessage
from app.db import Database
from app.messages import booking_codes
from app.messages.compose import as_template
from app.messages.languages import ENGLISH
from app.simulator import buttons, router, store
from app.simulator.faults import Fault, catalog
from app.whatsapp.client import WhatsAppClient
from tests import factories
from tests.conftest import Configure
from tests.support.frozen import FrozenClock
from tests.support.processes import wait_until
from tests.support.simulator import Simulator

TEMPLATE = "HX" + "a" * 32
EVER = datetime(2000, 1, 1, tzinfo=UTC)
_numbers = count(302_555_0100)


@pytest.fixture(scope="module")
def simulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Simulator]:
    """One of two processes for all tests: each uses a number of its own."""
    folder = tmp_path_factory.mktemp("simulator")
    settings = {
        "PUBLIC_URL": "https://shop.example.com",
        "SHOP_TIMEZONE": "Asia/Kathmandu",
        "WHATSAPP_REMINDER_CONTENT_SID": TEMPLATE,
    }
    with Simulator(folder, workers=2, **settings) as running:
        yield running


@pytest.fixture
def client(simulator: Simulator) -> Iterator[WhatsAppClient]:
    made = simulator.client()
    yield made
    made.close()


@pytest.fixture
def number() -> str:
    return f"+1{next(_numbers)}"


def message(simulator: Simulator, to: str, body: str = "Hello Zoë! 👋") -> OutgoingMessage:
    return OutgoingMessage(to=to, body=body, status_callback=callback(simulator, to))


def callback(simulator: Simulator, to: str) -> str:
    return f"{simulator.url}/webhooks/twilio/status/of-{to[1:]}#rc=3&rp=ct,rt,5xx"


def receipts(simulator: Simulator, number: str) -> list[str]:
    """The statuses our webhook was told, every one of them signed."""
    calls = simulator.received(f"/webhooks/twilio/status/of-{number[1:]}")
    assert all(call["signed"] for call in calls)
    return [call["form"]["MessageStatus"] for call in calls]


def post(simulator: Simulator, path: str, **form: str) -> httpx.Response:
    return httpx.post(f"{simulator.url}/simulator{path}", data=form)


def make_fail(simulator: Simulator, fault: str, target: str, times: str = "1") -> None:
    assert post(simulator, "/faults", fault=fault, target=target, times=times).status_code == 303


def chat(simulator: Simulator, number: str) -> str:
    """The chat's page, which has the side effect of reading it."""
    return httpx.get(f"{simulator.url}/simulator/phones/{number[1:]}").text


def bodies(messages: list[SentMessage]) -> list[str]:
    return [one.body for one in messages]


# --- what is accepted ---


def test_an_accepted_message_is_found_by_its_sid_and_in_the_list(
    simulator: Simulator, client: WhatsAppClient, number: str
) -> None:
    sent_at = datetime.now(UTC)
    outcome = client.send(message(simulator, number))
    assert (outcome.kind, outcome.status, outcome.http_status) == ("accepted", "queued", 201)
    assert outcome.sid is not None
    [listed] = client.list_sent(number, since=EVER)
    fetched = client.fetch(outcome.sid)
    assert fetched is not None
    assert listed.sid == fetched.sid == outcome.sid
    assert fetched.body == "Hello Zoë! 👋"
    assert abs((fetched.created_at - sent_at).total_seconds()) < 3


def test_the_account_is_active_and_unknown_things_are_missing(client: WhatsAppClient) -> None:
    assert client.check_credentials().kind == "accepted"
    assert client.fetch("SM" + "0" * 32) is None
    assert client.template("HX" + "0" * 32) is None


def test_a_list_of_more_than_a_page_is_whole_and_newest_first(
    simulator: Simulator, client: WhatsAppClient, number: str
) -> None:
    for turn in range(55):
        client.send(message(simulator, number, f"number {turn}"))
    client.send(message(simulator, f"{number[:-1]}x"))
    assert bodies(client.list_sent(number, EVER)) == [f"number {n}" for n in range(54, -1, -1)]


def test_a_page_of_the_list_is_not_shifted_by_what_arrives_meanwhile(
    simulator: Simulator, client: WhatsAppClient, number: str
) -> None:
    for turn in range(4):
        client.send(message(simulator, number, f"number {turn}"))
    path = f"/2010-04-01/Accounts/{simulator.settings.whatsapp_account_sid}/Messages.json"
    credentials = simulator.settings.whatsapp_account_sid, simulator.settings.whatsapp_auth_token
    base, query = f"{simulator.url}/simulator", {"To": f"whatsapp:{number}", "PageSize": "2"}
    first = httpx.get(base + path, params=query, auth=credentials).json()
    client.send(message(simulator, number, "late"))
    second = httpx.get(base + first["next_page_uri"], auth=credentials).json()
    seen = [row["body"] for page in (first, second) for row in page["messages"]]
    assert seen == ["number 3", "number 2", "number 1", "number 0"]
    assert second["next_page_uri"] is None


def test_a_template_that_the_settings_name_is_sent_with_its_values(
    simulator: Simulator, client: WhatsAppClient, number: str
) -> None:
    values = {"1": "Luis", "2": "Mon 23 Nov"}
    for content_sid, variables, expected in (
        (TEMPLATE, values, "accepted"),
        ("HX" + "b" * 32, values, "21655"),
        (TEMPLATE, {"1": ""}, "21656"),
    ):
        outcome = client.send(
            OutgoingMessage(
                to=number,
                body="unused",
                status_callback=callback(simulator, number),
                content_sid=content_sid,
                content_variables=variables,
            )
        )
        assert (outcome.code or outcome.kind) == expected
    [sent] = client.list_sent(number, EVER)
    assert sent.body == f"Template {TEMPLATE}\n1: Luis\n2: Mon 23 Nov"
    template = client.template(TEMPLATE)
    assert template is not None
    assert template.body == as_template(ENGLISH.texts["reminder"])
    assert template.button_ids == ("{{cancelPayload}}",)
    assert "cancelPayload" in template.variables


# --- what is refused ---


@pytest.mark.parametrize(
    ("to", "body", "status_callback", "code"),
    [
        ("12025550100", "Hello", None, "21211"),
        ("+0202555010", "Hello", None, "21211"),
        ("+12025550100 ", "Hello", None, "21211"),
        ("+15550001111", "Hello", None, "63031"),
        ("+12025550100", "", None, "21619"),
        ("+12025550100", "x" * 1601, None, "21617"),
        ("+12025550100", "Hello", "https://other.example.com/status/1", "21609"),
        ("+12025550100", "Hello", "http://127.0.0.1:1/status/1", "21609"),
        ("+12025550100", "Hello", "http://[oops/status/1", "21609"),
        ("+12025550100", "Hello", "ftp://127.0.0.1/status/1", "21609"),
    ],
)
def test_a_bad_message_is_refused_with_twilios_code_and_not_kept(
    simulator: Simulator,
    client: WhatsAppClient,
    to: str,
    body: str,
    status_callback: str | None,
    code: str,
) -> None:
    url = status_callback or callback(simulator, "+12025550100")
    outcome = client.send(OutgoingMessage(to=to, body=body, status_callback=url))
    assert (outcome.code, outcome.http_status) == (code, 400)
    assert client.list_sent(to, EVER) == []


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"auth_token": "wrong"}, "20003"),
        ({"account_sid": "AC" + "f" * 32}, "20003"),
        ({"sender": "+15550009999"}, "63007"),
        ({"sender": "nobody"}, "21212"),
    ],
)
def test_a_wrong_login_or_sender_is_refused(
    simulator: Simulator, number: str, changes: dict[str, str], code: str
) -> None:
    outcome = simulator.client(**changes).send(message(simulator, number))
    assert outcome.code == code


def test_another_accounts_path_is_refused_in_spite_of_our_login(simulator: Simulator) -> None:
    env = simulator.settings
    url = f"{simulator.url}/simulator/2010-04-01/Accounts/AC{'f' * 32}.json"
    answer = httpx.get(url, auth=(env.whatsapp_account_sid, env.whatsapp_auth_token))
    assert (answer.status_code, answer.json()["code"]) == (401, 20003)


@pytest.mark.parametrize(
    "query", ["PageSize=many", "PageToken=-1", "PageToken=99999999999999999999"]
)
def test_a_list_that_cannot_be_paged_is_refused(simulator: Simulator, query: str) -> None:
    env = simulator.settings
    path = f"/simulator/2010-04-01/Accounts/{env.whatsapp_account_sid}/Messages.json?{query}"
    credentials = env.whatsapp_account_sid, env.whatsapp_auth_token
    answer = httpx.get(simulator.url + path, auth=credentials)
    assert (answer.status_code, answer.json()["code"]) == (400, 20001)


# --- faults ---


def of_kind(*kinds: str) -> list[Fault]:
    return [fault for fault in catalog().values() if fault.kind in kinds]


@pytest.mark.parametrize("fault", of_kind("refused"), ids=lambda fault: fault.name)
def test_a_refusal_on_demand_reaches_the_client_and_accepts_nothing(
    simulator: Simulator, client: WhatsAppClient, number: str, fault: Fault
) -> None:
    make_fail(simulator, fault.name, number)
    outcome = client.send(message(simulator, number))
    assert (outcome.code, outcome.http_status) == (str(fault.code), fault.http_status)
    assert outcome.retry_after == (1.0 if fault.http_status == 429 else None)
    assert client.list_sent(number, EVER) == []
    assert f"Refused: {fault.code}" in chat(simulator, number)
    assert client.send(message(simulator, number)).kind == "accepted"


def test_a_message_without_an_answer_is_held_until_the_client_gives_up_and_not_accepted(
    simulator: Simulator, client: WhatsAppClient, number: str
) -> None:
    make_fail(simulator, "unanswered", number)
    started = time.monotonic()
    outcome = client.send(message(simulator, number))
    assert time.monotonic() - started >= simulator.settings.send_timeout
    assert (outcome.code, outcome.kind, outcome.http_status) == ("no_answer", "uncertain", None)
    assert client.list_sent(number, EVER) == []
    assert "Not answered" in chat(simulator, number)


def test_a_held_request_outlasts_every_wait_of_the_client(
    simulator: Simulator, number: str
) -> None:
    make_fail(simulator, "unanswered", number)
    patient = simulator.client(timeout=30.0)
    started = time.monotonic()
    outcome = patient.send(message(simulator, number))
    assert time.monotonic() - started > 2 * simulator.settings.send_timeout
    assert outcome.kind == "uncertain"


def test_many_held_requests_keep_nobody_else_waiting(simulator: Simulator, number: str) -> None:
    make_fail(simulator, "unanswered", number, times="")
    with ThreadPoolExecutor(60) as pool:
        patient = simulator.client(timeout=3.0)
        held = [pool.submit(patient.send, message(simulator, number)) for _ in range(60)]
        wait_until(lambda: chat(simulator, number).count("is-note") == 60)
        assert simulator.client().send(message(simulator, "+12025550199")).kind == "accepted"
        assert not any(one.done() for one in held)
        outcomes: list[Outcome] = [one.result() for one in held]
    assert {outcome.code for outcome in outcomes} == {"no_answer"}
    post(simulator, "/faults/clear", target=number)


def test_a_lost_answer_leaves_a_message_with_receipts(
    simulator: Simulator, client: WhatsAppClient, number: str
) -> None:
    make_fail(simulator, "lost", number)
    assert client.send(message(simulator, number)).code == "no_answer"
    assert len(client.list_sent(number, EVER)) == 1
    wait_until(lambda: receipts(simulator, number) == ["sent", "delivered"])


def test_a_lost_answer_without_receipts_shows_in_the_list_alone(
    simulator: Simulator, client: WhatsAppClient, number: str
) -> None:
    make_fail(simulator, "lost_silent", number)
    assert client.send(message(simulator, number)).code == "no_answer"
    wait_until(lambda: client.list_sent(number, EVER)[0].status == "delivered")
    assert receipts(simulator, number) == []


def test_a_phone_that_is_off_gets_no_further_than_sent(
    simulator: Simulator, client: WhatsAppClient, number: str
) -> None:
    make_fail(simulator, "phone_off", number)
    client.send(message(simulator, number))
    wait_until(lambda: receipts(simulator, number) == ["sent"])
    time.sleep(1)
    chat(simulator, number)
    assert receipts(simulator, number) == ["sent"]
    assert client.list_sent(number, EVER)[0].status == "sent"


@pytest.mark.parametrize("fault", of_kind("undelivered"), ids=lambda fault: fault.name)
def test_an_accepted_message_may_be_reported_undelivered_later(
    simulator: Simulator, client: WhatsAppClient, number: str, fault: Fault
) -> None:
    make_fail(simulator, fault.name, number)
    assert client.send(message(simulator, number)).kind == "accepted"
    wait_until(lambda: receipts(simulator, number) == ["sent", "undelivered"])
    last = simulator.received(f"/webhooks/twilio/status/of-{number[1:]}")[-1]
    assert last["form"]["ErrorCode"] == str(fault.code)
    [listed] = client.list_sent(number, EVER)
    assert (listed.status, listed.error_code) == ("undelivered", str(fault.code))


def test_a_fault_is_used_up_after_so_many_messages(
    simulator: Simulator, client: WhatsAppClient, number: str
) -> None:
    make_fail(simulator, "refused-20503", number, times="2")
    assert "for the next 2 messages" in chat(simulator, number)
    kinds = [client.send(message(simulator, number)).code for _ in range(3)]
    assert kinds == ["20503", "20503", None]
    assert "for the next" not in chat(simulator, number)


def test_a_fault_without_a_number_of_times_lasts_until_it_is_switched_off(
    simulator: Simulator, client: WhatsAppClient, number: str
) -> None:
    make_fail(simulator, "refused-63003", number, times="")
    assert [client.send(message(simulator, number)).code for _ in range(4)] == ["63003"] * 4
    assert post(simulator, "/faults/clear", target=number).status_code == 303
    assert client.send(message(simulator, number)).kind == "accepted"


def test_a_fault_for_all_numbers_hits_those_without_one_of_their_own(
    simulator: Simulator, client: WhatsAppClient, number: str
) -> None:
    other = f"+1{next(_numbers)}"
    make_fail(simulator, "refused-20503", store.EVERYONE)
    make_fail(simulator, "refused-63003", number)
    assert client.send(message(simulator, number)).code == "63003"
    assert client.send(message(simulator, other)).code == "20503"
    assert client.send(message(simulator, other)).kind == "accepted"


def test_a_message_that_twilio_refuses_anyway_uses_no_fault_up(
    simulator: Simulator, client: WhatsAppClient, number: str
) -> None:
    make_fail(simulator, "refused-63003", number)
    assert client.send(message(simulator, number, body="")).code == "21619"
    assert client.send(message(simulator, number)).code == "63003"


# --- receipts ---


def test_receipts_arrive_signed_in_order_and_read_only_when_somebody_looks(
    simulator: Simulator, client: WhatsAppClient, number: str
) -> None:
    outcome = client.send(message(simulator, number))
    wait_until(lambda: receipts(simulator, number) == ["sent", "delivered"])
    form = simulator.received(f"/webhooks/twilio/status/of-{number[1:]}")[-1]["form"]
    assert form["MessageSid"] == outcome.sid
    assert form["AccountSid"] == simulator.settings.whatsapp_account_sid
    assert (form["To"], "ErrorCode" in form) == (f"whatsapp:{number}", False)
    time.sleep(0.5)
    assert len(receipts(simulator, number)) == 2
    chat(simulator, number)
    wait_until(lambda: receipts(simulator, number) == ["sent", "delivered", "read"])
    chat(simulator, number)
    time.sleep(0.3)
    assert len(receipts(simulator, number)) == 3


def test_a_callback_for_the_public_url_is_signed_for_it_and_still_stays_on_this_machine(
    simulator: Simulator, client: WhatsAppClient, number: str
) -> None:
    url = f"https://shop.example.com/webhooks/twilio/status/of-{number[1:]}?x=1%2F2#rc=3"
    sent = OutgoingMessage(to=number, body="Hello", status_callback=url)
    assert client.send(sent).kind == "accepted"
    wait_until(lambda: receipts(simulator, number) == ["sent", "delivered"])


def test_several_web_processes_send_each_receipt_once(simulator: Simulator) -> None:
    numbers = [f"+1{next(_numbers)}" for _ in range(30)]
    clients = [simulator.client(timeout=30) for _ in numbers]  # a connection each, and patient
    with ThreadPoolExecutor(6) as pool:
        jobs = zip(clients, numbers, strict=True)
        sent = list(pool.map(lambda job: job[0].send(message(simulator, job[1])), jobs))
    assert {outcome.kind for outcome in sent} == {"accepted"}

    def told() -> list[list[str]]:
        calls = simulator.received("/webhooks/twilio/status/")
        statuses = [(call["form"]["To"], call["form"]["MessageStatus"]) for call in calls]
        return [[each for to, each in statuses if to[9:] == number] for number in numbers]

    wait_until(lambda: all("delivered" in statuses for statuses in told()))
    time.sleep(1)
    assert {tuple(statuses) for statuses in told()} == {("sent", "delivered")}


def test_a_restart_keeps_what_was_accepted_and_sends_the_receipts_that_were_due(
    tmp_path: Path,
) -> None:
    number = "+12025550100"
    with Simulator(tmp_path) as simulator:
        outcome = simulator.client().send(message(simulator, number))
        simulator.stop()
        late = sqlite3.connect(tmp_path / "state" / "simulator.db")
        late.execute("UPDATE entry SET status = 'queued', next_status = 'sent', next_at = 1")
        late.commit()
        late.close()
        before = len(receipts_on_disk(tmp_path))
        simulator.start()
        assert [listed.sid for listed in simulator.client().list_sent(number, EVER)] == [
            outcome.sid
        ]
        chat(simulator, number)
        wait_until(lambda: len(receipts(simulator, number)) >= before + 2)


def receipts_on_disk(folder: Path) -> list[str]:
    path = folder / "state" / "received.jsonl"
    return path.read_text().splitlines() if path.exists() else []


# --- replies ---


def test_a_reply_is_signed_and_shown_as_received(
    simulator: Simulator, client: WhatsAppClient, number: str
) -> None:
    answer = post(simulator, f"/phones/{number[1:]}/replies", body="  running <5 min> late  ")
    assert (answer.status_code, answer.headers["location"]) == (
        303,
        f"/simulator/phones/{number[1:]}#reply",
    )
    wait_until(lambda: "Received by the app" in chat(simulator, number))
    assert "running &lt;5 min&gt; late" in chat(simulator, number)
    [call] = [call for call in inbound(simulator) if call["form"]["WaId"] == number[1:]]
    assert call["signed"]
    assert call["form"]["From"] == f"whatsapp:{number}"
    assert call["form"]["To"] == f"whatsapp:{simulator.settings.whatsapp_from_number}"
    assert call["form"]["Body"] == "running <5 min> late"
    assert not {"OriginalRepliedMessageSid", "ButtonPayload"} & call["form"].keys()
    assert client.list_sent(number, EVER) == []


def inbound(simulator: Simulator) -> list[dict]:  # type: ignore[type-arg]
    return simulator.received("/webhooks/twilio/inbound")


def test_what_the_app_answers_to_a_reply_shows_as_a_message(
    simulator: Simulator, client: WhatsAppClient, number: str
) -> None:
    post(simulator, f"/phones/{number[1:]}/replies", body="Say: It is cancelled & done.")
    wait_until(lambda: "Received by the app" in chat(simulator, number))
    wait_until(lambda: client.list_sent(number, EVER), what="the app's answer")
    [sent] = client.list_sent(number, EVER)
    assert sent.body == "It is cancelled & done."
    assert chat(simulator, number).count("It is cancelled &amp; done.") >= 2


def test_a_reply_that_the_app_refuses_says_so(simulator: Simulator, number: str) -> None:
    post(simulator, f"/phones/{number[1:]}/replies", body="HTTP: 403")
    wait_until(lambda: "The app answered HTTP 403." in chat(simulator, number))


def delivered(simulator: Simulator, client: WhatsAppClient, outgoing: OutgoingMessage) -> str:
    """The SID of a message that has reached its phone."""
    sid = str(client.send(outgoing).sid)
    wait_until(lambda: "delivered" in receipts(simulator, outgoing.to), what="a delivery")
    return sid


def test_an_answer_to_one_message_says_which_and_shows_its_beginning(
    simulator: Simulator, client: WhatsAppClient, number: str
) -> None:
    sid = delivered(simulator, client, message(simulator, number, "See you\nat six"))
    path = f"/phones/{number[1:]}"
    assert f'href="/simulator{path}?answer={sid}#reply"' in chat(simulator, number)
    page = httpx.get(f"{simulator.url}/simulator{path}?answer={sid}").text
    assert f'name="answered" value="{sid}"' in page
    assert "See you at six" in page.split('id="replies"')[1]

    post(simulator, f"{path}/replies", body="CANCEL", answered=sid)

    wait_until(lambda: "Received by the app" in chat(simulator, number))
    assert re.search(r'class="bubble-quote">.*See you at six', chat(simulator, number))
    [call] = [call for call in inbound(simulator) if call["form"]["WaId"] == number[1:]]
    assert (call["signed"], call["form"]["OriginalRepliedMessageSid"]) == (True, sid)
    ours = f"whatsapp:{simulator.settings.whatsapp_from_number}"
    assert call["form"]["OriginalRepliedMessageSender"] == ours


def test_the_button_of_a_template_sends_its_payload_and_quotes_its_message(
    simulator: Simulator, client: WhatsAppClient, number: str
) -> None:
    outgoing = OutgoingMessage(
        to=number,
        body="",
        status_callback=callback(simulator, number),
        content_sid=TEMPLATE,
        content_variables={"customerName": "Zoë", "cancelPayload": "cancel:booking_1:f00"},
    )
    sid = delivered(simulator, client, outgoing)
    assert f'name="message" value="{sid}"' in chat(simulator, number)

    answer = post(simulator, f"/phones/{number[1:]}/presses", message=sid)

    assert answer.status_code == 303
    wait_until(lambda: "Received by the app" in chat(simulator, number))
    [call] = [call for call in inbound(simulator) if call["form"]["WaId"] == number[1:]]
    assert call["signed"]
    assert call["form"]["Body"] == call["form"]["ButtonText"] == "Cancel appointment"
    assert call["form"]["ButtonPayload"] == "cancel:booking_1:f00"
    assert call["form"]["OriginalRepliedMessageSid"] == sid


def test_a_message_without_a_button_has_none_to_press_and_nobody_presses_anothers(
    simulator: Simulator, client: WhatsAppClient, number: str
) -> None:
    sid = delivered(simulator, client, message(simulator, number))
    assert 'name="message"' not in chat(simulator, number)
    for phone, of in ((number, sid), (number, ""), (number, "SM0"), ("+12025550100", sid)):
        assert post(simulator, f"/phones/{phone[1:]}/presses", message=of).status_code == 404
    post(simulator, "/phones/12025550198/replies", body="Hi", answered=sid)
    wait_until(lambda: [call for call in inbound(simulator) if call["form"]["WaId"][-3:] == "198"])
    assert "OriginalRepliedMessageSid" not in inbound(simulator)[-1]["form"]


def test_without_a_template_a_reminder_of_a_booking_still_has_its_button(
    db: Database, clock: FrozenClock
) -> None:
    with db.write() as session:
        booking = factories.booking(session)
        reminder = factories.message(session, booking, "sent")
        told = factories.message(session, booking, "sent", kind="cancellation")
    url = "http://127.0.0.1/webhooks/twilio/status/{}#rc=3"
    of_reminder = {"Body": "Hello", "StatusCallback": url.format(reminder.attempt_id)}
    assert buttons.payload_of(of_reminder) == booking_codes.cancel_payload(reminder.booking_id)
    for attempt_id in (told.attempt_id, "nobody", ""):
        assert buttons.payload_of({"StatusCallback": url.format(attempt_id)}) is None
    assert buttons.payload_of({"Body": "Hello"}) is None


def test_a_memory_of_an_older_version_goes_on(configure: Configure, tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "simulator.db") as older:
        columns = re.sub(r"\s+(payload|quoted) TEXT,", "", store.SCHEMA)
        older.executescript(columns)
    older.close()
    configure(STATE_DIR=str(tmp_path))
    store.add("message", "+12025550100", "Hello", "queued", sid="SM1", payload="p")
    assert [entry.payload for entry in store.chat("+12025550100")] == ["p"]


# --- the page ---


@pytest.mark.parametrize(
    ("typed", "location"),
    [
        ("+1 (202) 555-0177", "/simulator/phones/12025550177"),
        (" +44 7911/123456 ", "/simulator/phones/447911123456"),
    ],
)
def test_a_phone_may_be_added_as_people_write_numbers(
    simulator: Simulator, typed: str, location: str
) -> None:
    answer = post(simulator, "/phones", number=typed)
    assert (answer.status_code, answer.headers["location"]) == (303, location)
    assert location in httpx.get(f"{simulator.url}/simulator").text


@pytest.mark.parametrize(
    "typed", ["", "07911 123456", "+44", "+1 202 555 0123 x4", "+٤٤٧٩١١١٢٣٤٥٦"]
)
def test_a_number_that_cannot_be_one_is_asked_for_again(simulator: Simulator, typed: str) -> None:
    answer = post(simulator, "/phones", number=typed)
    assert answer.status_code == 422
    assert "Write it with its country code" in answer.text
    assert 'aria-invalid="true"' in answer.text


@pytest.mark.parametrize(
    ("path", "form", "words"),
    [
        ("/phones/12025550166/replies", {"body": " \n "}, "Write something"),
        ("/phones/12025550166/replies", {}, "Write something"),
        ("/phones/12025550166/replies", {"body": "x" * 1601}, "1600 characters at the most"),
        ("/faults", {"fault": "", "target": "*"}, "Choose what goes wrong"),
        ("/faults", {"fault": "lost", "target": "*", "times": "0"}, "A number from 1 to 1000"),
        ("/faults", {"fault": "lost", "target": "*", "times": "1e9"}, "A number from 1 to 1000"),
        ("/faults", {"fault": "lost", "target": "*", "times": "٣"}, "A number from 1 to 1000"),
    ],
)
def test_a_form_that_cannot_be_used_says_what_would_be_right_and_changes_nothing(
    simulator: Simulator, path: str, form: dict[str, str], words: str
) -> None:
    answer = post(simulator, path, **form)
    assert (answer.status_code, words in answer.text) == (422, True)
    assert "Nothing: every message arrives." in answer.text
    assert "is-reply" not in answer.text


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/phones/nobody"),
        ("GET", "/phones/1"),
        ("POST", "/phones/nobody/replies"),
        ("POST", "/faults?x"),
    ],
)
def test_a_phone_that_cannot_exist_is_not_found(
    simulator: Simulator, method: str, path: str
) -> None:
    form = {"fault": "lost", "target": "nobody", "body": "Hello"}
    answer = httpx.request(
        method, f"{simulator.url}/simulator{path}", data=form if method == "POST" else None
    )
    assert answer.status_code == 404


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": "https://evil.example.com"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:1"},
    ],
)
@pytest.mark.parametrize(
    "path", ["/phones", "/faults", "/faults/clear", "/phones/12025550155/replies"]
)
def test_a_form_sent_by_another_site_is_refused(
    simulator: Simulator, headers: dict[str, str], path: str
) -> None:
    form = {"number": "+12025550155", "fault": "lost", "target": "*", "body": "Hello"}
    answer = httpx.post(f"{simulator.url}/simulator{path}", data=form, headers=headers)
    assert answer.status_code == 403
    page = httpx.get(f"{simulator.url}/simulator").text
    assert "12025550155" not in page
    assert "Nothing: every message arrives." in page


def test_a_form_sent_by_the_page_itself_is_accepted(simulator: Simulator) -> None:
    answer = httpx.post(
        f"{simulator.url}/simulator/faults/clear",
        data={"target": "*"},
        headers={"Origin": simulator.url, "Sec-Fetch-Site": "same-origin"},
    )
    assert answer.status_code == 303


def test_a_chat_shows_text_as_text(
    simulator: Simulator, client: WhatsAppClient, number: str
) -> None:
    client.send(message(simulator, number, '<img src=x onerror="alert(1)">\n{{ 7 * 7 }}'))
    page = chat(simulator, number)
    assert "&lt;img src=x onerror=&#34;alert(1)&#34;&gt;\n{{ 7 * 7 }}" in page
    assert "<img src=x" not in page


def test_the_page_has_no_script_or_style_of_its_own(
    simulator: Simulator, client: WhatsAppClient, number: str
) -> None:
    client.send(message(simulator, number))
    for page in (httpx.get(f"{simulator.url}/simulator").text, chat(simulator, number)):
        assert not re.search(r"<style|<[^>]*(\sstyle=|\son\w+=|javascript:|hx-on|js:)", page)
        assert re.findall(r"<script[^>]*>(.*?)</script>", page) == [""]
        assert all(
            url.startswith("/static/")
            for url in re.findall(r'(?:src|<link[^>]*href)="([^"]*)', page)
        )


def test_times_are_in_the_shops_zone_with_the_exact_time_as_title(
    simulator: Simulator, client: WhatsAppClient, number: str
) -> None:
    client.send(message(simulator, number))
    page = chat(simulator, number)
    [iso, title, shown] = re.findall(r'<time datetime="(.*?)" title="(.*?)">(.*?)</time>', page)[-1]
    at = datetime.fromisoformat(iso)
    assert at.utcoffset() == UTC.utcoffset(None)
    minutes = (at.hour * 60 + at.minute + 345) % 1440
    assert shown == f"{minutes // 60:02}:{minutes % 60:02}"
    assert title.endswith(f"{shown}:{at.second:02} Asia/Kathmandu")


def test_htmx_gets_the_board_and_a_browser_the_whole_page(simulator: Simulator) -> None:
    url = f"{simulator.url}/simulator"
    partial, page = httpx.get(url, headers={"HX-Request": "true"}), httpx.get(url)
    assert partial.text.strip().startswith('<div class="simulator')
    assert page.text.startswith("<!DOCTYPE html>")
    assert page.headers["vary"] == partial.headers["vary"] == "HX-Request"


# --- where it is served ---


@pytest.mark.parametrize(
    "path", ["/simulator", "/simulator/v1/Content/HX", "/simulator/phones/12025550100"]
)
def test_with_credentials_of_a_real_account_there_is_no_simulator(configure, path: str) -> None:  # type: ignore[no-untyped-def]
    configure(
        WHATSAPP_ACCOUNT_SID="AC" + "1" * 32,
        WHATSAPP_AUTH_TOKEN="real",
        WHATSAPP_FROM_NUMBER="+14155238886",
    )
    with TestClient(Litestar([router], openapi_config=None)) as browser:
        assert browser.get(path).status_code == 404


def test_every_route_says_who_may_call_it() -> None:
    app = Litestar([router], openapi_config=None)
    handlers = [handler for route in app.routes for handler in getattr(route, "route_handlers", [])]
    assert handlers
    assert {handler.opt.get("access") for handler in handlers} == {"simulator"}


# --- what is remembered ---


@pytest.fixture
def memory(configure, tmp_path: Path, clock) -> Path:  # type: ignore[no-untyped-def]
    configure(STATE_DIR=str(tmp_path))
    return tmp_path / "simulator.db"


@pytest.mark.usefixtures("memory")
def test_only_the_newest_entries_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "KEPT", 5)
    for turn in range(12):
        store.add("message", "+12025550100", f"number {turn}", "queued")
    assert [entry.body for entry in store.chat("+12025550100")] == [
        f"number {n}" for n in range(7, 12)
    ]


@pytest.mark.usefixtures("memory")
def test_an_entry_that_is_due_is_claimed_by_one_of_many(clock) -> None:  # type: ignore[no-untyped-def]
    for turn in range(40):
        store.add(
            "message", "+12025550100", str(turn), "queued", next_status="sent", next_at=clock.now()
        )
    claimed: list[int] = []

    def claim() -> None:
        while entry := store.claim_due():
            claimed.append(entry.id)

    threads = [threading.Thread(target=claim) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(claimed) == len(set(claimed)) == 40
    assert store.next_due() is None


@pytest.mark.usefixtures("memory")
def test_the_last_use_of_a_fault_is_taken_once_by_many() -> None:
    store.set_fault(store.EVERYONE, "lost", 3)
    with ThreadPoolExecutor(8) as pool:
        taken = list(pool.map(store.take_fault, ["+12025550100"] * 40))
    assert sum(name == "lost" for name in taken) == 3


def test_nothing_is_sent_anywhere_but_to_this_app(simulator: Simulator, number: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as elsewhere:
        elsewhere.settimeout(1.5)
        port = elsewhere.getsockname()[1]
        for host in (f"127.0.0.1:{port}", f"127.0.0.1:{simulator.port}@127.0.0.1:{port}"):
            sent = OutgoingMessage(to=number, body="Hello", status_callback=f"http://{host}/status")
            assert simulator.client().send(sent).code == "21609"
        with pytest.raises(TimeoutError):
            elsewhere.accept()
