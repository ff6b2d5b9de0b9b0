"""The fake of Twilio, driven with Twilio's own client library: tests rest on what it says."""

import json
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl

import httpx
import pytest
import requests
from twilio.base.exceptions import TwilioException, TwilioRestException
from twilio.http.http_client import TwilioHttpClient
from twilio.request_validator import RequestValidator
from twilio.rest import Client

from tests.fake_twilio import (
    SANDBOX,
    TEMPLATES,
    FakeTwilio,
    Fault,
    Kind,
    MessagingService,
    Template,
)

TO = "+15550002222"
OTHER = "+15550003333"
TEMPLATE = "HX" + "a" * 32
HTTP = httpx.Client(trust_env=False, limits=httpx.Limits(max_keepalive_connections=0))
NO_ANSWER = (requests.ConnectionError, requests.Timeout)


class Rewriting(TwilioHttpClient):
    """Twilio's own HTTP client, at another address."""

    def __init__(self, base: str, timeout: float) -> None:
        super().__init__(timeout=timeout)
        self._base = base

    def request(self, method: str, url: str, *args: Any, **kwargs: Any) -> Any:
        path = url.partition(".twilio.com")[2]
        return super().request(method, self._base + path, *args, **kwargs)


@pytest.fixture
def twilio() -> Iterator[FakeTwilio]:
    with FakeTwilio() as fake:
        yield fake


def client_of(twilio: FakeTwilio, token: str | None = None, timeout: float = 5) -> Client:
    http = Rewriting(twilio.url, timeout)
    return Client(twilio.account_sid, token or twilio.auth_token, http_client=http)


def send(twilio: FakeTwilio, to: str = TO, timeout: float = 5, **fields: str) -> Any:
    given = {"from_": f"whatsapp:{twilio.sender}", "body": "Hello 👋"} | fields
    return client_of(twilio, timeout=timeout).messages.create(to=f"whatsapp:{to}", **given)


def post(twilio: FakeTwilio, **changes: str | None) -> httpx.Response:
    fields = {"To": f"whatsapp:{TO}", "From": f"whatsapp:{twilio.sender}", "Body": "Hi"} | changes
    return HTTP.post(
        f"{twilio.url}/2010-04-01/Accounts/{twilio.account_sid}/Messages.json",
        data={name: value for name, value in fields.items() if value is not None},
        auth=(twilio.account_sid, twilio.auth_token),
    )


# --- what it accepts, and shows ---


def test_an_accepted_message_is_answered_written_down_listed_and_fetched(
    twilio: FakeTwilio,
) -> None:
    twilio.callback_delay = 60.0  # until it fails, as nobody has written
    started_at = datetime.now(UTC)
    sent = send(twilio, status_callback="http://127.0.0.1:9/cb#rc=3")
    [message] = twilio.messages(TO)
    assert (message.sid, message.to, message.sender) == (sent.sid, TO, twilio.sender)
    assert (message.body, message.status) == ("Hello 👋", "queued")
    assert message.status_callback == "http://127.0.0.1:9/cb#rc=3"
    assert started_at <= message.at <= datetime.now(UTC)
    assert twilio.posts()[0].sid == sent.sid

    [listed] = client_of(twilio).messages.list(to=f"whatsapp:{TO}")
    fetched = client_of(twilio).messages(sent.sid).fetch()
    assert (listed.sid, listed.body, listed.direction) == (sent.sid, "Hello 👋", "outbound-api")
    assert abs(fetched.date_created - message.at) <= timedelta(seconds=1)
    assert (fetched.to, fetched.date_sent) == (f"whatsapp:{TO}", None)
    assert (twilio.lookups, twilio.fetches) == (1, 1)


def test_the_list_is_newest_first_filtered_and_paged_even_while_messages_arrive(
    twilio: FakeTwilio,
) -> None:
    sids = [send(twilio).sid for _ in range(5)]
    send(twilio, OTHER)
    listing = {"to": f"whatsapp:{TO}", "from_": f"whatsapp:{twilio.sender}", "page_size": 2}
    page = client_of(twilio).messages.page(**listing)
    seen = [row.sid for row in page]
    send(twilio)
    while (page := page.next_page()) is not None:
        seen += [row.sid for row in page]
    assert seen == sids[::-1]
    assert twilio.lookups == 3


def test_a_template_is_shown_and_its_text_is_rendered(twilio: FakeTwilio) -> None:
    twilio.templates[TEMPLATE] = "Hello {{name}}, in {{2}}"
    content = client_of(twilio).content.v1.contents(TEMPLATE).fetch()
    assert content.variables == {"name": "sample name", "2": "sample 2"}
    created = client_of(twilio).messages.create(
        to=f"whatsapp:{TO}",
        from_=f"whatsapp:{twilio.sender}",
        content_sid=TEMPLATE,
        content_variables=json.dumps({"name": "Zoë", "2": "4 hours"}),
    )
    assert twilio.message(created.sid).body == created.body == "Hello Zoë, in 4 hours"
    with pytest.raises(TwilioRestException) as refused:
        client_of(twilio).content.v1.contents("HX" + "1" * 32).fetch()
    assert (refused.value.status, refused.value.code) == (404, 20404)


def test_a_button_shows_in_the_template_and_sends_back_what_its_variable_was(
    twilio: FakeTwilio,
) -> None:
    twilio.templates[TEMPLATE] = Template("Hello {{name}}!", "{{cancelPayload}}")
    content = client_of(twilio).content.v1.contents(TEMPLATE)
    assert content.fetch().variables == {
        "name": "sample name",
        "cancelPayload": "sample cancelPayload",
    }
    [action] = content.fetch().types["twilio/quick-reply"]["actions"]
    assert (action["type"], action["id"]) == ("QUICK_REPLY", "{{cancelPayload}}")
    assert content.approval_fetch().fetch().whatsapp["status"] == "approved"
    created = client_of(twilio).messages.create(
        to=f"whatsapp:{TO}",
        from_=f"whatsapp:{twilio.sender}",
        content_sid=TEMPLATE,
        content_variables=json.dumps({"name": "Zoë", "cancelPayload": "cancel:1:ab"}),
    )
    assert twilio.message(created.sid).payload == "cancel:1:ab"


def test_a_shops_templates_are_there_and_the_environment_names_them(twilio: FakeTwilio) -> None:
    assert list(TEMPLATES) == ["reminder", "cancellation", "confirmation", "moved"]
    assert twilio.environment["WHATSAPP_MOVED_CONTENT_SID"] == TEMPLATES["moved"]
    shown = client_of(twilio).content.v1.contents(TEMPLATES["reminder"]).fetch()
    assert set(shown.variables) == {
        "firstName", "dateTime", "serviceName", "barberName", "timeUntil", "cancelPayload",
    }  # fmt: skip


def test_the_sender_and_its_messaging_services_are_shown(twilio: FakeTwilio) -> None:
    twilio.inbound_url = "https://shop.example.com/in"
    twilio.services = [MessagingService("A service", "https://shop.example.com/in", defers=False)]
    messaging = client_of(twilio).messaging
    [sender] = messaging.v2.channels_senders.list(channel="whatsapp")
    assert sender.sender_id == f"whatsapp:{twilio.sender}"
    assert sender.fetch().webhook["callback_url"] == twilio.inbound_url
    with pytest.raises(TwilioException):
        messaging.v2.channels_senders.list()
    [service] = messaging.v1.services.list()
    assert (service.friendly_name, service.use_inbound_webhook_on_number) == ("A service", False)
    assert service.fetch().inbound_request_url == twilio.inbound_url
    [member] = messaging.v1.services(service.sid).channel_senders.list()
    assert member.sender == f"whatsapp:{twilio.sender}"
    twilio.sender = SANDBOX
    assert messaging.v2.channels_senders.list(channel="whatsapp") == []


def test_the_dates_follow_the_clock_it_is_given() -> None:
    then = datetime(2027, 3, 28, 1, 0, tzinfo=UTC)
    with FakeTwilio(now=lambda: then) as twilio:
        assert send(twilio).date_created == then
        assert twilio.messages()[0].at == twilio.posts()[0].at == then


# --- what it refuses ---


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"To": None}, 21604),
        ({"To": TO}, 21211),
        ({"To": "whatsapp:+0555"}, 21211),
        ({"From": None}, 21603),
        ({"From": "whatsapp:12"}, 21212),
        ({"From": "whatsapp:+15550009999"}, 63007),
        ({"To": "whatsapp:+15550001111"}, 63031),
        ({"Body": None}, 21619),
        ({"Body": ""}, 21619),
        ({"Body": "é" * 1601}, 21617),
        ({"ContentSid": TEMPLATE}, 20001),
        ({"Body": None, "ContentSid": "HX" + "1" * 32}, 21655),
        ({"Body": None, "ContentSid": TEMPLATE, "ContentVariables": "{"}, 21656),
        ({"Body": None, "ContentSid": TEMPLATE, "ContentVariables": '["a"]'}, 21656),
        ({"Body": None, "ContentSid": TEMPLATE, "ContentVariables": '{"1": ""}'}, 21656),
        ({"Body": None, "ContentSid": TEMPLATE, "ContentVariables": '{"1": 4}'}, 21656),
        ({"Body": None, "ContentSid": TEMPLATE, "ContentVariables": '{"1": "a\\n\\nb"}'}, 63013),
        ({"StatusCallback": "/webhooks/twilio/status/1"}, 21609),
        ({"StatusCallback": "https://chair_time/cb"}, 21609),
        ({"StatusCallback": "https://shop.example.com:port/cb"}, 21609),
        ({"StatusCallback": "https://shop.example.com/" + "a" * 4000}, 21609),
        ({"Body": None, "ContentSid": "HX1"}, 21655),
        ({"ContentVariables": "{}"}, 21654),
        ({"MessagingServiceSid": "MG" + "0" * 32}, 21705),
        ({"ValidityPeriod": "0"}, 20001),
        ({"ValidityPeriod": "36001"}, 20001),
        ({"ValidityPeriod": "15m"}, 20001),
        ({"SmartEncoded": "yes"}, 20001),
        ({"ScheduleType": "daily"}, 20001),
        ({"IdempotencyKey": "1"}, 20001),
    ],
)
def test_what_twilio_would_refuse_is_refused(
    twilio: FakeTwilio, changes: dict[str, str | None], code: int
) -> None:
    twilio.templates[TEMPLATE] = "Hello {{1}}"
    answer = post(twilio, **changes)
    assert (answer.status_code, answer.json()["code"], answer.json()["status"]) == (400, code, 400)
    assert answer.json()["more_info"].endswith(str(code))
    assert twilio.messages() == []
    assert [attempt.code for attempt in twilio.posts()] == [code]


def test_the_longest_body_and_callback_are_accepted(twilio: FakeTwilio) -> None:
    url = "https://shop.example.com/"
    callback = url + "a" * (4000 - len(url))
    assert post(twilio, Body="é" * 1600, StatusCallback=callback).status_code == 201


def test_a_post_that_is_not_a_form_says_nothing(twilio: FakeTwilio) -> None:
    url = f"{twilio.url}/2010-04-01/Accounts/{twilio.account_sid}/Messages.json"
    auth = (twilio.account_sid, twilio.auth_token)
    answer = HTTP.post(url, json={"To": f"whatsapp:{TO}"}, auth=auth)
    assert (answer.status_code, answer.json()["code"]) == (400, 21604)


def test_somebody_who_opted_out_gets_nothing(twilio: FakeTwilio) -> None:
    twilio.opted_out.add(TO)
    assert post(twilio).json()["code"] == 21610
    assert post(twilio, To=f"whatsapp:{OTHER}").status_code == 201


@pytest.mark.parametrize("query", ["Status=sent", "DateSent=today", "PageSize=x", "Page=-1"])
def test_a_list_by_what_our_client_has_no_use_for_is_refused(
    twilio: FakeTwilio, query: str
) -> None:
    url = f"{twilio.url}/2010-04-01/Accounts/{twilio.account_sid}/Messages.json?{query}"
    answer = HTTP.get(url, auth=(twilio.account_sid, twilio.auth_token))
    assert (answer.status_code, answer.json()["code"]) == (400, 20001)


def test_credentials_are_checked_and_can_be_rotated(twilio: FakeTwilio) -> None:
    account = client_of(twilio).api.v2010.accounts(twilio.account_sid)
    assert account.fetch().status == "active"
    twilio.auth_token = "rotated"
    with pytest.raises(TwilioRestException) as refused:
        account.fetch()
    assert (refused.value.status, refused.value.code) == (401, 20003)
    assert HTTP.get(f"{twilio.url}/v1/Content/{TEMPLATE}").headers["WWW-Authenticate"]
    assert send(twilio).sid


# --- what WhatsApp does not deliver ---


def status_of(twilio: FakeTwilio, sid: str) -> tuple[str, int | None]:
    """A message's status and error code once something has become of it."""
    for _ in range(200):
        message = twilio.message(sid)
        if message.status != "queued":
            break
        time.sleep(0.01)
    return message.status, message.error_code


def test_free_text_fails_after_its_acceptance_unless_the_customer_wrote_within_24_hours() -> None:
    at = [datetime(2027, 3, 28, 1, 0, tzinfo=UTC)]
    with FakeTwilio(now=lambda: at[0]) as twilio:
        twilio.auto_callbacks, twilio.callback_delay = ["sent"], 0.01
        callback = {"status_callback": "http://127.0.0.1:1/away"}
        assert status_of(twilio, send(twilio, **callback).sid) == ("failed", 63016)
        assert status_of(twilio, send(twilio).sid) == ("failed", 63016)
        twilio.receive(TO, "Hello?")
        at[0] += timedelta(hours=23, minutes=59)
        assert status_of(twilio, send(twilio, **callback).sid) == ("sent", None)
        assert status_of(twilio, send(twilio, OTHER, **callback).sid) == ("failed", 63016)
        at[0] += timedelta(minutes=1)
        assert status_of(twilio, send(twilio, **callback).sid) == ("failed", 63016)


@pytest.mark.parametrize(
    ("status", "variables", "code"),
    [
        ("approved", {"1": "Zoë"}, None),
        ("approved", {"1": "Zoë", "2": "x"}, 63028),
        ("pending", {"1": "Zoë"}, 63016),
        ("rejected", {"1": "Zoë"}, 63040),
        ("paused", {"1": "Zoë"}, 63041),
        ("disabled", {"1": "Zoë"}, 63042),
    ],
)
def test_a_template_is_delivered_if_it_is_approved_and_its_variables_fit(
    twilio: FakeTwilio, status: str, variables: dict[str, str], code: int | None
) -> None:
    twilio.callback_delay, twilio.auto_callbacks = 0.01, ["sent"]
    twilio.templates[TEMPLATE] = Template("Hello {{1}}!", status=status)
    fields = {"content_sid": TEMPLATE, "content_variables": json.dumps(variables)}
    sent = client_of(twilio).messages.create(
        to=f"whatsapp:{TO}",
        from_=f"whatsapp:{twilio.sender}",
        status_callback="http://127.0.0.1:1/away",
        **fields,
    )
    expected = ("sent", None) if code is None else ("failed", code)
    assert status_of(twilio, sent.sid) == expected


def test_the_sandbox_reaches_only_those_who_joined(twilio: FakeTwilio) -> None:
    twilio.sender, twilio.callback_delay = SANDBOX, 0.01
    twilio.joined.add(OTHER)
    twilio.receive(OTHER, "join two-words")
    assert status_of(twilio, send(twilio).sid) == ("failed", 63015)
    joined = send(twilio, OTHER).sid
    time.sleep(0.05)
    assert twilio.message(joined).status == "queued"


# --- how it goes wrong ---


def test_a_script_is_used_up_one_fault_per_post_and_only_by_its_number(twilio: FakeTwilio) -> None:
    twilio.script(f"whatsapp:{TO}", [Fault.error(429, 20429, 7), None, Fault("html_503")])
    first, second, third, fourth = (post(twilio) for _ in range(4))
    assert (first.status_code, first.json()["code"]) == (429, 20429)
    assert first.headers["Retry-After"] == "7"
    assert (second.status_code, third.status_code, fourth.status_code) == (201, 503, 201)
    assert third.headers["Content-Type"] == "text/html"
    assert [(x.fault, x.sid is not None) for x in twilio.posts(TO)] == [
        ("error", False),
        (None, True),
        ("html_503", False),
        (None, True),
    ]
    twilio.script(TO, [Fault("html_503")])
    assert post(twilio, To=f"whatsapp:{OTHER}").status_code == 201


@pytest.mark.parametrize(
    ("kind", "accepted", "error"),
    [
        ("reset_before", 0, requests.ConnectionError),
        ("lost_answer", 1, requests.ConnectionError),
        ("garbage_201", 1, json.JSONDecodeError),
        ("half_body", 1, requests.exceptions.ChunkedEncodingError),
        ("hang", 1, requests.ReadTimeout),
        ("hang_before", 0, requests.ReadTimeout),
    ],
)
def test_an_answer_that_goes_wrong_reaches_twilios_client_as_it_would_in_life(
    twilio: FakeTwilio, kind: Kind, accepted: int, error: type[Exception]
) -> None:
    twilio.script(TO, [Fault(kind)])
    with pytest.raises(error):
        send(twilio, timeout=0.3 if kind.startswith("hang") else 30)
    assert len(twilio.messages(TO)) == accepted
    assert len(twilio.posts(TO)) == 1
    assert send(twilio).sid


def test_a_reset_is_a_reset_and_a_lost_answer_a_quiet_close(twilio: FakeTwilio) -> None:
    twilio.script(TO, [Fault("reset_before"), Fault("lost_answer")])
    with pytest.raises(requests.ConnectionError, match="ConnectionResetError"):
        send(twilio)
    with pytest.raises(requests.ConnectionError, match="RemoteDisconnected"):
        send(twilio)


def test_a_message_may_be_accepted_behind_an_error_a_null_sid_or_a_slow_answer(
    twilio: FakeTwilio,
) -> None:
    lie = Fault.error(500, 20500, after_accept=True)
    twilio.script(TO, [lie, Fault("null_sid"), Fault.slow(0.3)])
    with pytest.raises(TwilioRestException):
        send(twilio)
    assert send(twilio).sid is None
    began = time.monotonic()
    assert send(twilio).sid
    assert time.monotonic() - began >= 0.3
    assert len(twilio.messages(TO)) == 3


def test_a_trickled_answer_comes_a_byte_at_a_time(twilio: FakeTwilio) -> None:
    twilio.script(TO, [Fault("trickle", seconds=0.03)])
    fields = {"To": f"whatsapp:{TO}", "From": f"whatsapp:{twilio.sender}", "Body": "Hi"}
    with socket.create_connection(("127.0.0.1", int(twilio.url.rpartition(":")[2]))) as raw:
        raw.sendall(raw_post(twilio, fields))
        pieces = [raw.recv(4096) for _ in range(6)]
    assert b"".join(pieces).startswith(b"HTTP/1")
    assert len(b"".join(pieces)) < 12
    assert len(twilio.messages(TO)) == 1


def raw_post(twilio: FakeTwilio, fields: dict[str, str]) -> bytes:
    """A whole request as bytes: only below the HTTP clients are single bytes seen."""
    url = f"{twilio.url}/2010-04-01/Accounts/{twilio.account_sid}/Messages.json"
    plain = httpx.Request("POST", url, data=fields)
    auth = httpx.BasicAuth(twilio.account_sid, twilio.auth_token)
    request = next(auth.auth_flow(plain))
    head = [f"POST {request.url.path} HTTP/1.1"]
    head += [f"{name}: {value}" for name, value in request.headers.items()]
    return "\r\n".join([*head, "", ""]).encode() + request.read()


def test_chaos_of_one_seed_is_the_same_however_its_threads_interleave() -> None:
    odds: dict[Fault | Kind, float] = {"html_503": 0.3, Fault.error(500, 20500): 0.2}

    def faults_of(seed: int, workers: int) -> list[list[str | None]]:
        numbers = [f"+1555000{n}" for n in range(4000, 4012)]
        with FakeTwilio() as twilio, ThreadPoolExecutor(workers) as pool:
            twilio.chaos(seed, odds)
            list(pool.map(lambda to: post(twilio, To=f"whatsapp:{to}"), numbers * 4))
            return [[x.fault for x in twilio.posts(to)] for to in numbers]

    first = faults_of(1, 1)
    assert first == faults_of(1, 6)
    assert first != faults_of(2, 6)
    drawn = [fault for faults in first for fault in faults]
    assert {None, "html_503", "error"} == set(drawn)


@pytest.mark.parametrize("odds", [{"hang": 0.6, "trickle": 0.5}, {"hang": -0.1}, {"typo": 0.1}])
def test_chaos_that_cannot_be_is_refused(twilio: FakeTwilio, odds: dict[Any, float]) -> None:
    with pytest.raises(ValueError, match=r"probabilities|no such fault"):
        twilio.chaos(1, odds)


def test_twilio_may_be_down_its_list_down_or_late_or_the_port_closed(twilio: FakeTwilio) -> None:
    messages = client_of(twilio).messages
    twilio.down = True
    with pytest.raises(TwilioException, match="20503"):
        messages.list()
    with pytest.raises(TwilioRestException) as failed:
        send(twilio)
    assert (failed.value.status, failed.value.code) == (503, 20503)
    twilio.down, twilio.lists_down = False, True
    sid = send(twilio).sid
    assert messages(sid).fetch().sid == sid
    with pytest.raises(TwilioException, match="20503"):
        messages.list()
    twilio.lists_down, twilio.list_lag = False, 60
    assert messages.list() == []
    twilio.list_lag = 0.01
    time.sleep(0.01)
    assert [row.sid for row in messages.list()] == [sid]
    twilio.stop()
    with pytest.raises(NO_ANSWER):
        messages.list()
    twilio.start()
    assert [row.sid for row in messages.list()] == [sid]


def test_a_post_that_breaks_off_is_no_post(twilio: FakeTwilio) -> None:
    fields = {"To": f"whatsapp:{TO}", "From": f"whatsapp:{twilio.sender}", "Body": "Hi"}
    with socket.create_connection(("127.0.0.1", int(twilio.url.rpartition(":")[2]))) as raw:
        raw.sendall(raw_post(twilio, fields)[:-1])
        raw.shutdown(socket.SHUT_WR)
        assert raw.recv(1) == b""
    assert twilio.posts() == []


# --- held answers ---


def test_held_answers_wait_for_the_release_with_their_messages_in_the_ledger(
    twilio: FakeTwilio,
) -> None:
    twilio.hold_after_accept()
    with ThreadPoolExecutor(3) as pool:
        answers = [pool.submit(send, twilio) for _ in range(3)]
        held = twilio.wait_held(3)
        assert {waiting.sid for waiting in held} == {message.sid for message in twilio.messages(TO)}
        assert not any(answer.done() for answer in answers)
        twilio.release()
        assert {answer.result().sid for answer in answers} == {waiting.sid for waiting in held}
    assert send(twilio).sid


def test_a_client_that_dies_while_it_is_held_leaves_its_message_accepted(
    twilio: FakeTwilio,
) -> None:
    twilio.hold_after_accept()
    with pytest.raises(NO_ANSWER):
        send(twilio, timeout=0.2)
    assert len(twilio.wait_held(1)) == 1
    twilio.release()
    assert len(twilio.messages()) == 1
    assert send(twilio).sid


def test_waiting_in_vain_says_what_there_was_instead(twilio: FakeTwilio) -> None:
    twilio.script(TO, [Fault("html_503")])
    post(twilio)
    with pytest.raises(TimeoutError, match=rf"0 of 1 messages(.|\n)*\{TO} html_503"):
        twilio.wait_for(1, timeout=0.05)


def test_keep_alive_answers_without_a_delay(twilio: FakeTwilio) -> None:
    client = client_of(twilio)
    client.messages.list()
    took = []
    for _ in range(20):
        began = time.monotonic()
        client.messages.list()
        took.append(time.monotonic() - began)
    assert min(took) < 0.035  # with Nagle's algorithm each would take 40 ms


# --- status callbacks ---


class Receiver(ThreadingHTTPServer):
    """An app's webhook: keeps what it got."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Webhook)
        self.got: list[tuple[str, dict[str, str], str]] = []
        self.url = f"http://127.0.0.1:{self.server_address[1]}"


class Webhook(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        form = self.rfile.read(int(self.headers["Content-Length"])).decode()
        signature = self.headers["X-Twilio-Signature"]
        self.server.got.append((self.path, dict(parse_qsl(form)), signature))
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    server = Receiver()
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()


def test_a_callback_is_signed_without_the_fragment_and_changes_the_message(
    twilio: FakeTwilio, receiver: Receiver
) -> None:
    twilio.callback_delay = 60.0  # until it fails, as nobody has written
    sent = send(twilio, status_callback=f"{receiver.url}/status/7?a=1#rc=3&rp=ct,rt,5xx")
    assert twilio.call_back(sent.sid, "undelivered", 63024).status_code == 204
    [(path, form, signature)] = receiver.got
    assert path == "/status/7?a=1"
    assert form["MessageSid"] == sent.sid
    assert (form["MessageStatus"], form["ErrorCode"]) == ("undelivered", "63024")
    assert (form["To"], form["AccountSid"]) == (f"whatsapp:{TO}", twilio.account_sid)
    validator = RequestValidator(twilio.auth_token)
    assert validator.validate(receiver.url + path, form, signature)
    assert twilio.signature(f"{receiver.url}{path}#rc=1", form) == signature
    fetched = client_of(twilio).messages(sent.sid).fetch()
    assert (fetched.status, fetched.error_code) == ("undelivered", 63024)


def test_automatic_callbacks_come_in_order_and_survive_an_app_that_is_away(
    twilio: FakeTwilio, receiver: Receiver
) -> None:
    twilio.auto_callbacks = ["sent", "delivered"]
    twilio.receive(TO, "free text reaches me now")
    send(twilio, status_callback="http://127.0.0.1:1/away")
    send(twilio, status_callback=f"{receiver.url}/status")
    send(twilio, OTHER)
    called = twilio.wait_for_callbacks(4)
    assert [form["MessageStatus"] for _, form, _ in receiver.got] == ["sent", "delivered"]
    assert sorted(str(one.http_status) for one in called) == [
        "204", "204", "None", "None",
    ]  # fmt: skip
    assert [message.status for message in twilio.messages(TO)] == ["delivered", "delivered"]


def test_what_a_customer_writes_is_listed_and_posted_signed_to_the_webhook(
    twilio: FakeTwilio, receiver: Receiver
) -> None:
    assert twilio.receive(TO, "nobody is called") is None
    twilio.inbound_url = f"{receiver.url}/inbound?a=1"
    answer = twilio.receive(TO, "Cancel", ButtonPayload="cancel:1", MessageSid="SM" + "1" * 32)
    assert answer is not None
    assert answer.status_code == 204
    [(path, form, signature)] = receiver.got
    assert path == "/inbound?a=1"
    assert RequestValidator(twilio.auth_token).validate(receiver.url + path, form, signature)
    assert (form["From"], form["To"]) == (f"whatsapp:{TO}", f"whatsapp:{twilio.sender}")
    assert (form["Body"], form["ButtonPayload"]) == ("Cancel", "cancel:1")
    listed = client_of(twilio).messages.list(to=f"whatsapp:{twilio.sender}")
    assert [(row.sid, row.body) for row in listed] == [
        (form["MessageSid"], "Cancel"),
        (listed[1].sid, "nobody is called"),
    ]
    assert {(row.direction, row.status) for row in listed} == {("inbound", "received")}
    assert twilio.messages() == []
