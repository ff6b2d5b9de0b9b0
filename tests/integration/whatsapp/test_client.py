import json
import logging
import socket
import socketserver
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from urllib.parse import parse_qs, urlsplit

import pytest

from app import connections
from app.channel import Kind, LookupFailed, Outcome, OutgoingMessage
from app.whatsapp import client as client_module
from app.whatsapp import outcome as outcome_module
from app.whatsapp import transport as transport_module
from app.whatsapp.account import Approval, MessagingService, WhatsAppSender
from app.whatsapp.client import WhatsAppClient, WhatsAppConfig
from app.whatsapp.transport import Transport
from tests.fake_twilio import TEMPLATES, FakeTwilio, Template
from tests.fake_twilio import MessagingService as FakeService

ACCOUNT = "AC" + "a" * 32
TOKEN = "the-auth-token-nobody-may-see"
SENDER = "+15550001111"
CUSTOMER = "+447911123456"
SID = "SM" + "0" * 32
NOW = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)
MESSAGE = OutgoingMessage(
    to=CUSTOMER, body="Hello Zoë! 👋", status_callback="https://shop.example.com/status/1"
)

Answer = bytes | Callable[[socket.socket], None]


class Server(socketserver.ThreadingTCPServer):
    """Gives each request the next of `answers` (the last one again and again), as raw bytes."""

    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 64
    block_on_close = False

    def __init__(self, answers: tuple[Answer, ...]) -> None:
        self.answers = list(answers)
        self.requests: list[tuple[str, str, dict[str, str], str]] = []
        self.connections = 0
        self.lock = threading.Lock()
        super().__init__(("127.0.0.1", 0), Handler)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def next_answer(self) -> Answer:
        with self.lock:
            return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]

    def handle_error(self, *_: object) -> None:
        """The client hanging up is what these tests are about."""


class Handler(socketserver.StreamRequestHandler):
    server: Server

    def handle(self) -> None:
        with self.server.lock:
            self.server.connections += 1
        while line := self.rfile.readline().decode():
            headers = {}
            while (header := self.rfile.readline().decode().strip()) != "":
                name, _, value = header.partition(": ")
                headers[name.lower()] = value
            body = self.rfile.read(int(headers.get("content-length", 0))).decode()
            method, path, _ = line.split()
            with self.server.lock:
                self.server.requests.append((method, path, headers, body))
            answer = self.server.next_answer()
            if not isinstance(answer, bytes):
                answer(self.connection)
                return
            self.connection.sendall(answer)
            if b"Connection: close" in answer:
                return


@contextmanager
def server(*answers: Answer) -> Iterator[Server]:
    with Server(answers) as running:
        threading.Thread(target=running.serve_forever, args=(0.02,), daemon=True).start()
        yield running
        running.shutdown()


@contextmanager
def client(url: str, timeout: float = 2.0) -> Iterator[WhatsAppClient]:
    made = WhatsAppClient(WhatsAppConfig(ACCOUNT, TOKEN, SENDER, url, timeout))
    yield made
    made.close()


def http(status: int, body: object, *headers: str) -> bytes:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    lines = [f"HTTP/1.1 {status} X", f"Content-Length: {len(content)}", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + content


def problem(status: int, code: object, message: str = "said Twilio", *headers: str) -> bytes:
    return http(status, {"code": code, "message": message, "status": status}, *headers)


CREATED = http(201, {"sid": SID, "status": "queued"})


def send_to(*answers: Answer, timeout: float = 2.0) -> Outcome:
    """One send to a server that answers like this; fails if it was POSTed more than once."""
    with server(*answers) as running, client(running.url, timeout) as whatsapp:
        outcome = whatsapp.send(MESSAGE)
        assert len(running.requests) == 1
        return outcome


def hang_up(_: socket.socket) -> None:
    """Close without an answer."""


def reset(connection: socket.socket) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    connection.close()


def trickle(start: bytes) -> Callable[[socket.socket], None]:
    def answer(connection: socket.socket) -> None:
        connection.sendall(start)
        for _ in range(200):
            connection.sendall(b"a")
            time.sleep(0.05)

    return answer


def say_nothing(connection: socket.socket) -> None:
    connection.recv(1)  # until the client hangs up


# --- what is sent ---


def test_an_accepted_message_has_its_sid_and_was_sent_as_whatsapp() -> None:
    with server(CREATED) as running, client(running.url) as whatsapp:
        outcome = whatsapp.send(MESSAGE)
    assert (outcome.kind, outcome.sid, outcome.status) == ("accepted", SID, "queued")
    assert (outcome.http_status, outcome.code, outcome.detail) == (201, None, None)
    method, path, headers, body = running.requests[0]
    assert (method, path) == ("POST", f"/2010-04-01/Accounts/{ACCOUNT}/Messages.json")
    assert headers["authorization"].startswith("Basic ")
    assert parse_qs(body) == {
        "To": ["whatsapp:" + CUSTOMER],
        "From": ["whatsapp:" + SENDER],
        "Body": [MESSAGE.body],
        "StatusCallback": [f"{MESSAGE.status_callback}#rc=3&rp=ct,rt,5xx"],
        "ValidityPeriod": ["900"],
    }


def test_a_template_is_sent_with_its_variables_and_without_a_body() -> None:
    message = OutgoingMessage(CUSTOMER, "rendered", "https://x.example", "HX1", {"1": "Zoë 👋"})
    with server(CREATED) as running, client(running.url) as whatsapp:
        assert whatsapp.send(message).kind == "accepted"
    fields = parse_qs(running.requests[0][3])
    assert fields["ContentSid"] == ["HX1"]
    assert json.loads(fields["ContentVariables"][0]) == {"1": "Zoë 👋"}
    assert "Body" not in fields


def test_the_base_url_may_have_a_path() -> None:
    with server(CREATED) as running, client(running.url + "/simulator/") as whatsapp:
        assert whatsapp.send(MESSAGE).kind == "accepted"
    assert running.requests[0][1].startswith("/simulator/2010-04-01/Accounts/")


def test_an_mms_sid_and_a_200_are_accepted_too() -> None:
    outcome = send_to(http(200, {"sid": "MM" + "f" * 32, "status": 7}))
    assert (outcome.kind, outcome.sid, outcome.status) == ("accepted", "MM" + "f" * 32, None)


def test_proxies_and_regions_of_the_environment_are_not_used(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.setenv("TWILIO_REGION", "ie1")
    monkeypatch.setenv("TWILIO_EDGE", "dublin")
    assert send_to(CREATED).kind == "accepted"


def test_many_threads_send_at_once_over_a_few_connections() -> None:
    with server(CREATED) as running, client(running.url) as whatsapp:
        with ThreadPoolExecutor(16) as threads:
            outcomes = list(threads.map(lambda _: whatsapp.send(MESSAGE), range(160)))
        assert {outcome.kind for outcome in outcomes} == {"accepted"}
        assert len(running.requests) == 160
        assert running.connections <= 16


# --- nothing was sent ---


def test_a_refused_connection_is_transient() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
    with client(f"http://127.0.0.1:{port}") as whatsapp:
        outcome = whatsapp.send(MESSAGE)
    assert (outcome.kind, outcome.code) == (Kind.TRANSIENT, "unreachable")
    assert "refused" in str(outcome.detail)


@pytest.mark.parametrize("host", ["nowhere.invalid", "a..b", "x" * 64 + ".invalid"])
def test_an_unknown_host_is_transient(host: str) -> None:
    with client(f"http://{host}") as whatsapp:
        outcome = whatsapp.send(MESSAGE)
    assert (outcome.kind, outcome.code) == (Kind.TRANSIENT, "unreachable")


def test_a_connect_timeout_is_transient_and_shared_by_all_addresses(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(0)
        address = listening.getsockname()
        queued = [socket.socket() for _ in range(4)]
        for filler in queued:  # a full queue leaves the next connection without an answer
            filler.setblocking(False)
            filler.connect_ex(address)
        addresses = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", address)] * 3
        original = socket.getaddrinfo
        monkeypatch.setattr(
            connections.socket,
            "getaddrinfo",
            lambda host, *args, **kw: (
                addresses if host == "many.test" else original(host, *args, **kw)
            ),
        )
        with client(f"http://many.test:{address[1]}", timeout=0.4) as whatsapp:
            started = time.monotonic()
            outcome = whatsapp.send(MESSAGE)
            took = time.monotonic() - started
        for filler in queued:
            filler.close()
    assert (outcome.kind, outcome.code) == (Kind.TRANSIENT, "unreachable")
    assert 0.35 < took < 1.15  # three times the timeout is 1.2


def test_a_failed_tls_handshake_is_transient() -> None:
    with server(hang_up) as running, client(running.url.replace("http", "https")) as whatsapp:
        outcome = whatsapp.send(MESSAGE)
    assert (outcome.kind, outcome.code) == (Kind.TRANSIENT, "unreachable")


def test_a_connection_made_too_late_is_not_written_to(monkeypatch: pytest.MonkeyPatch) -> None:
    original = socket.getaddrinfo

    def slow(*args: object, **kw: object) -> object:
        time.sleep(0.25)
        return original(*args, **kw)  # type: ignore[arg-type]

    monkeypatch.setattr(connections.socket, "getaddrinfo", slow)
    with server(CREATED) as running, client(running.url, timeout=0.1) as whatsapp:
        outcome = whatsapp.send(MESSAGE)
        assert running.requests == []
    assert (outcome.kind, outcome.code) == (Kind.TRANSIENT, "unreachable")


def test_a_text_that_is_no_text_fails_before_it_is_sent() -> None:
    message = OutgoingMessage(CUSTOMER, "half of a pair: \ud83d", "https://x.example")
    with server(CREATED) as running, client(running.url) as whatsapp:
        outcome = whatsapp.send(message)
        assert running.requests == []
    assert (outcome.kind, outcome.code) == (Kind.PERMANENT, "render_error")


# --- it may have been sent ---


@pytest.mark.parametrize("answer", [hang_up, reset], ids=["closed", "reset"])
def test_a_connection_lost_before_the_answer_is_uncertain(answer: Answer) -> None:
    outcome = send_to(answer)
    assert (outcome.kind, outcome.code) == (Kind.UNCERTAIN, "no_answer")
    assert outcome.http_status is None


def test_no_answer_within_the_timeout_is_uncertain() -> None:
    started = time.monotonic()
    outcome = send_to(say_nothing, timeout=0.3)
    assert (outcome.kind, outcome.code) == (Kind.UNCERTAIN, "no_answer")
    assert 0.25 < time.monotonic() - started < 20


@pytest.mark.parametrize(
    ("start", "code"),
    [
        (b"", "no_answer"),
        (b"HTTP/1.1 201 Created\r\nX-Filler: ", "no_answer"),
        (b"HTTP/1.1 100 Continue\r\n\r\n" * 20, "no_answer"),
        (b'HTTP/1.1 201 Created\r\nContent-Length: 5000\r\n\r\n{"', "bad_answer"),
        (b"HTTP/1.1 201 Created\r\nTransfer-Encoding: chunked\r\n\r\nfff\r\n{", "bad_answer"),
        (b"HTTP/1.1 201 Created\r\n\r\n{", "bad_answer"),
    ],
    ids=["status line", "headers", "continue", "body", "chunk", "body without a length"],
)
def test_a_trickled_answer_is_uncertain_after_twice_the_timeout(start: bytes, code: str) -> None:
    started = time.monotonic()
    outcome = send_to(trickle(start), timeout=0.3)
    assert (outcome.kind, outcome.code) == (Kind.UNCERTAIN, code)
    assert 0.5 < time.monotonic() - started < 20


def test_a_trickle_that_stops_does_not_get_a_whole_new_timeout() -> None:
    def answer(connection: socket.socket) -> None:
        for _ in range(2):
            time.sleep(0.8)
            connection.sendall(b"H")
        connection.recv(1)

    started = time.monotonic()
    assert send_to(answer, timeout=1.0).kind is Kind.UNCERTAIN
    assert time.monotonic() - started < 2.55  # a whole new one would end after 2.6


def raw(text: str) -> Callable[[socket.socket], None]:
    return lambda connection: connection.sendall(text.encode())


HALF = '{"sid": "' + SID


@pytest.mark.parametrize(
    "answer",
    [
        raw(f"HTTP/1.1 201 Created\r\nContent-Length: 500\r\n\r\n{HALF}"),
        raw(f"HTTP/1.1 201 Created\r\n\r\n{HALF}"),
        raw(f"HTTP/1.1 201 Created\r\nTransfer-Encoding: chunked\r\n\r\n200\r\n{HALF}"),
        raw(f"HTTP/1.1 201 Created\r\nTransfer-Encoding: chunked\r\n\r\n2b\r\n{HALF}\r\n"),
        raw("HTTP/1.1 201 Created\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"),
        raw("HTTP/1.1 400 Bad\r\nContent-Length: 500\r\n\r\n{"),
    ],
)
def test_a_reply_with_half_a_body_is_uncertain(answer: Answer) -> None:
    outcome = send_to(answer)
    assert (outcome.kind, outcome.code) == (Kind.UNCERTAIN, "bad_answer")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>Welcome to our hotel's wifi</html>",
        b"\xff\xfe",
        b"[" * 100_000,
        b"null",
        b"[]",
        b'"text"',
        {},
        {"sid": None},
        {"sid": 7},
        {"sid": "SM1"},
        {"sid": SID.replace("SM", "AC")},
        {"sid": SID + "\n"},
        {"sid": SID.upper().replace("0", "F")},
        {"sid": SID, "error_code": {}, "date_created": 7},
    ],
)
def test_a_created_without_a_message_sid_is_uncertain(body: object) -> None:
    outcome = send_to(http(201, body))
    assert (outcome.kind, outcome.code, outcome.sid) == (Kind.UNCERTAIN, "bad_answer", None)


def test_an_endless_answer_is_uncertain_and_its_connection_is_given_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(transport_module, "LONGEST_ANSWER", 1000)
    with server(http(201, b" " * 2000), CREATED) as running, client(running.url) as whatsapp:
        assert whatsapp.send(MESSAGE).code == "bad_answer"
        assert whatsapp.send(MESSAGE).kind == "accepted"
        assert running.connections == 2


@pytest.mark.parametrize("answer", [raw("GARBAGE\r\n\r\n"), raw("HTTP/1.1 abc\r\n\r\n")])
def test_an_answer_that_is_not_http_is_uncertain(answer: Answer) -> None:
    outcome = send_to(answer)
    assert outcome.kind is Kind.UNCERTAIN


@pytest.mark.parametrize("body", [b"", b"<h1>Bad Gateway</h1>", {"message": "x"}, [], {"code": {}}])
@pytest.mark.parametrize("status", [500, 502, 503, 504])
def test_a_5xx_that_is_not_twilios_own_is_uncertain(status: int, body: object) -> None:
    outcome = send_to(http(status, body))
    assert (outcome.kind, outcome.code) == (Kind.UNCERTAIN, "bad_answer")
    assert outcome.http_status == status


# --- Twilio's own errors ---


@pytest.mark.parametrize(("status", "code"), [(500, 20500), (503, 20503), (503, 99999)])
def test_a_5xx_with_twilios_error_is_to_be_verified(status: int, code: int) -> None:
    outcome = send_to(problem(status, code))
    assert outcome.kind is Kind.VERIFY
    assert outcome.code == (str(code) if code < 99999 else "20500")
    assert (outcome.http_status, outcome.detail) == (status, "said Twilio")


def test_errors_in_the_form_of_rfc_9457_are_understood_too() -> None:
    body = {"type": "https://x", "title": "Gone", "status": 200, "code": 21211, "detail": "bad To"}
    outcome = send_to(http(400, body))
    assert (outcome.kind, outcome.code) == (Kind.PERMANENT, "21211")
    assert (outcome.http_status, outcome.detail) == (400, "bad To")
    assert send_to(http(503, {**body, "code": 20503})).kind is Kind.VERIFY


@pytest.mark.parametrize(
    ("status", "code", "kind", "meaning"),
    [
        (400, 21211, Kind.PERMANENT, "21211"),
        (400, "21610", Kind.PERMANENT, "21610"),
        (400, 63016, Kind.CONFIGURATION, "63016"),
        (400, 21611, Kind.RATE, "21611"),
        (400, 21999, Kind.PERMANENT, "21999"),
        (400, None, Kind.PERMANENT, "400"),
        (400, True, Kind.PERMANENT, "400"),
        (400, "bad_answer", Kind.PERMANENT, "400"),
        (400, 10**40, Kind.PERMANENT, "400"),
        (401, 20003, Kind.CONFIGURATION, "20003"),
        (401, None, Kind.CONFIGURATION, "20003"),
        (403, 20006, Kind.CONFIGURATION, "20003"),
        (403, 21610, Kind.PERMANENT, "21610"),
        (404, 20404, Kind.CONFIGURATION, "20404"),
        (429, 20429, Kind.RATE, "20429"),
        (429, None, Kind.RATE, "20429"),
        (429, 21211, Kind.RATE, "20429"),
        (429, 63038, Kind.RATE, "63038"),
    ],
)
def test_a_refusal_has_the_kind_of_its_code(
    status: int, code: object, kind: Kind, meaning: str
) -> None:
    outcome = send_to(problem(status, code))
    assert (outcome.kind, outcome.code, outcome.http_status) == (kind, meaning, status)


@pytest.mark.parametrize(
    ("status", "kind", "code"),
    [
        (301, Kind.CONFIGURATION, "wrong_address"),
        (307, Kind.CONFIGURATION, "wrong_address"),
        (304, Kind.CONFIGURATION, "wrong_address"),
        (401, Kind.CONFIGURATION, "20003"),
        (403, Kind.CONFIGURATION, "20003"),
        (404, Kind.CONFIGURATION, "wrong_address"),
        (408, Kind.UNCERTAIN, "no_answer"),
        (413, Kind.PERMANENT, "413"),
        (429, Kind.RATE, "20429"),
    ],
)
def test_a_refusal_that_is_not_twilios_own_goes_by_its_status(
    status: int, kind: Kind, code: str
) -> None:
    content = b"" if status == 304 else b"<html>"
    outcome = send_to(http(status, content, "Location: http://127.0.0.1:9/"))
    assert (outcome.kind, outcome.code) == (kind, code)


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("7", 7),
        ("1.5", 1.5),
        ("999999999", 86400),
        ("-5", None),
        ("nan", None),
        ("soon", None),
        ("Mon, 23 Nov 2026 10:00:30 GMT", 30),
        ("Mon, 23 Nov 2026 10:00:30 -0000", 30),
        ("Mon, 23 Nov 2026 09:00:00 GMT", 0),
        ("Mon, 99 Nov 9999999 09:00:00 GMT", None),
    ],
)
def test_retry_after_is_read_as_seconds_or_as_a_date(
    header: str, seconds: float | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outcome_module.clock, "now", lambda: NOW)
    outcome = send_to(problem(429, 20429, "slow down", f"Retry-After: {header}"))
    assert (outcome.kind, outcome.retry_after) == (Kind.RATE, seconds)


# --- connections ---


def test_a_connection_is_used_again_also_after_a_refusal() -> None:
    with server(CREATED, problem(400, 21211), CREATED) as running, client(running.url) as whatsapp:
        kinds = [whatsapp.send(MESSAGE).kind for _ in range(3)]
        assert kinds == ["accepted", Kind.PERMANENT, "accepted"]
        assert running.connections == 1


def test_a_pooled_connection_that_the_server_has_closed_is_replaced_before_sending() -> None:
    with (
        server(
            http(201, {"sid": SID}, "Connection: close").replace(b"Connection", b"X-Connection")
        ) as running,
        client(running.url) as whatsapp,
    ):
        assert whatsapp.send(MESSAGE).kind == "accepted"
        time.sleep(0.05)  # let the server's close arrive
        assert whatsapp.send(MESSAGE).kind == "accepted"
        assert (running.connections, len(running.requests)) == (2, 2)


def test_a_connection_that_was_idle_for_long_is_not_used_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(connections, "LONGEST_IDLE", 0.05)
    with server(CREATED) as running, client(running.url) as whatsapp:
        whatsapp.send(MESSAGE)
        whatsapp.send(MESSAGE)
        assert running.connections == 1
        time.sleep(0.06)
        whatsapp.send(MESSAGE)
        assert running.connections == 2


def test_a_pooled_connection_lost_during_the_send_is_uncertain_and_not_repeated() -> None:
    with server(CREATED, hang_up) as running, client(running.url) as whatsapp:
        assert whatsapp.send(MESSAGE).kind == "accepted"
        assert whatsapp.send(MESSAGE).kind is Kind.UNCERTAIN
        assert (running.connections, len(running.requests)) == (1, 2)


# --- looking up ---


def row(minutes: float, direction: str = "outbound-api", **other: object) -> dict[str, object]:
    created = NOW + timedelta(minutes=minutes)
    return {
        "sid": SID,
        "status": "delivered",
        "body": f"text {minutes}",
        "direction": direction,
        "date_created": format_datetime(created, usegmt=False),
        "error_code": None,
        **other,
    }


def listing(*rows: object, following: str | None = None) -> bytes:
    return http(200, {"messages": rows, "next_page_uri": following, "page_size": 50})


def test_sent_messages_are_listed_until_they_are_too_old() -> None:
    following = f"/2010-04-01/Accounts/{ACCOUNT}/Messages.json?PageSize=50&Page=1&PageToken=PB"
    pages = (
        listing(row(9), row(8, "inbound"), row(8, "outbound-reply"), following=following),
        listing(row(7, error_code=63016), row(-1), following=following),
        listing(row(-2), following=following),
    )
    with server(*pages) as running, client(running.url + "/base") as whatsapp:
        listed = whatsapp.list_sent(CUSTOMER, NOW)
    assert [(one.body, one.error_code) for one in listed] == [("text 9", None), ("text 7", "63016")]
    assert listed[0].created_at == NOW + timedelta(minutes=9)
    assert (listed[0].sid, listed[0].status) == (SID, "delivered")
    assert [request[0] for request in running.requests] == ["GET"] * 3
    first, second, _ = [urlsplit(request[1]) for request in running.requests]
    assert first.path == f"/base/2010-04-01/Accounts/{ACCOUNT}/Messages.json"
    assert parse_qs(first.query) == {
        "To": ["whatsapp:" + CUSTOMER],
        "From": ["whatsapp:" + SENDER],
        "PageSize": ["50"],
    }
    assert f"{second.path}?{second.query}" == "/base" + following


def test_an_empty_list_is_evidence_that_nothing_was_found() -> None:
    with server(listing()) as running, client(running.url) as whatsapp:
        assert whatsapp.list_sent(CUSTOMER, NOW) == []


@pytest.mark.parametrize(
    "answer",
    [
        hang_up,
        problem(503, 20503),
        problem(401, 20003),
        http(200, b"<html>"),
        http(200, {}),
        http(200, {"messages": None}),
        http(200, {"messages": [{}]}),
        http(204, b""),
        listing(row(1, sid=None)),
        listing(row(1, date_created="yesterday")),
        http(200, {"messages": [row(1)], "meta": {"next_page_url": "http://127.0.0.1:9/steal"}}),
        http(200, {"messages": [row(1)], "meta": {"key": "messages", "next_page_url": "//evil"}}),
    ],
)
def test_a_list_that_cannot_be_read_is_no_evidence(answer: Answer) -> None:
    with (
        server(answer) as running,
        client(running.url) as whatsapp,
        pytest.raises(LookupFailed) as failed,
    ):
        whatsapp.list_sent(CUSTOMER, NOW)
    assert failed.value.outcome.code


def test_a_list_without_an_end_is_no_evidence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client_module, "MOST_PAGES", 3)
    with server(listing(row(1), following="/again")) as running, client(running.url) as whatsapp:
        with pytest.raises(LookupFailed):
            whatsapp.list_sent(CUSTOMER, NOW)
        assert len(running.requests) == 4


def test_a_message_is_fetched_by_its_sid() -> None:
    with server(http(200, row(3))) as running, client(running.url) as whatsapp:
        fetched = whatsapp.fetch(SID)
    assert fetched is not None
    assert (fetched.sid, fetched.status, fetched.created_at) == (
        SID,
        "delivered",
        NOW + timedelta(minutes=3),
    )
    assert running.requests[0][1] == f"/2010-04-01/Accounts/{ACCOUNT}/Messages/{SID}.json"


def test_only_twilio_itself_can_say_that_there_is_no_such_message() -> None:
    with server(problem(404, 20404), http(404, b"<html>")) as running:
        with client(running.url) as whatsapp:
            assert whatsapp.fetch(SID) is None
            with pytest.raises(LookupFailed):
                whatsapp.fetch(SID)
            assert whatsapp.fetch("../" + SID) is None
        assert len(running.requests) == 2


@pytest.mark.parametrize(
    ("answer", "kind", "code"),
    [
        (http(200, {"sid": ACCOUNT, "status": "active"}), "accepted", None),
        (http(200, {"sid": ACCOUNT, "status": "suspended"}), Kind.CONFIGURATION, "20005"),
        (http(200, b"<html>"), Kind.UNCERTAIN, "bad_answer"),
        (http(200, {}), Kind.UNCERTAIN, "bad_answer"),
        (problem(401, 20003), Kind.CONFIGURATION, "20003"),
        (hang_up, Kind.UNCERTAIN, "no_answer"),
    ],
)
def test_credentials_are_checked_by_asking_for_the_account(
    answer: Answer, kind: str, code: str | None
) -> None:
    with server(answer) as running, client(running.url) as whatsapp:
        outcome = whatsapp.check_credentials()
    assert (outcome.kind, outcome.code) == (kind, code)
    assert running.requests[0][1] == f"/2010-04-01/Accounts/{ACCOUNT}.json"


# --- what is set up at Twilio ---

BUTTON = {"type": "QUICK_REPLY", "title": "Cancel", "id": "{{payload}}"}
LINK = {"type": "URL", "title": "Map", "url": "https://x.example/{{place}}"}


def content(types: object, variables: object = None) -> bytes:
    return http(200, {"sid": "HX1", "variables": variables, "types": types})


def test_a_template_is_read_from_the_same_base_with_every_variable_it_has() -> None:
    types = {"twilio/quick-reply": {"body": "Hi {{name}}!", "actions": [BUTTON, LINK]}}
    with server(content(types, {"name": "Ada"}), problem(404, 20404), hang_up) as running:
        with client(running.url + "/base") as whatsapp:
            template = whatsapp.template("HX1")
            assert template is not None
            assert (template.body, template.button_ids) == ("Hi {{name}}!", ("{{payload}}",))
            assert template.variables == {"name", "payload", "place"}
            assert whatsapp.template("HX2") is None
            with pytest.raises(LookupFailed):
                whatsapp.template("HX1")
        assert running.requests[0][1] == "/base/v1/Content/HX1"


@pytest.mark.parametrize("answer", [content(None), content([]), content({}, [1]), http(200, b"<")])
def test_a_template_that_cannot_be_read_is_no_evidence(answer: Answer) -> None:
    with server(answer) as running, client(running.url) as whatsapp:
        with pytest.raises(LookupFailed) as failed:
            whatsapp.template("HX1")
        assert failed.value.outcome.code == "bad_answer"


def test_a_template_without_variables_is_sent_without_any() -> None:
    message = OutgoingMessage(CUSTOMER, "rendered", None, "HX1", {})
    with server(CREATED) as running, client(running.url) as whatsapp:
        assert whatsapp.send(message).kind == "accepted"
    assert "ContentVariables" not in parse_qs(running.requests[0][3])


@pytest.fixture
def twilio() -> Iterator[FakeTwilio]:
    with FakeTwilio() as fake:
        yield fake


@pytest.fixture
def account(twilio: FakeTwilio) -> Iterator[WhatsAppClient]:
    """A client of the fake's account."""
    config = WhatsAppConfig(twilio.account_sid, twilio.auth_token, twilio.sender, twilio.url, 2)
    made = WhatsAppClient(config)
    yield made
    made.close()


def test_whatsapps_word_on_a_template_is_asked_for(
    twilio: FakeTwilio, account: WhatsAppClient
) -> None:
    sid = TEMPLATES["moved"]
    assert account.approval(sid) == Approval("approved", "UTILITY")
    twilio.templates[sid] = Template("Hi", status="rejected", category="MARKETING")
    assert account.approval(sid) == Approval("rejected", "MARKETING")
    assert account.approval("HX" + "f" * 32) is None


def test_our_sender_is_found_with_what_it_calls(
    twilio: FakeTwilio, account: WhatsAppClient
) -> None:
    assert account.sender() == WhatsAppSender("ONLINE", "", "POST")
    twilio.inbound_url, twilio.sender_status = "https://shop.example/in", "OFFLINE"
    assert account.sender() == WhatsAppSender("OFFLINE", "https://shop.example/in", "POST")
    twilio.sender = "+15550009999"
    assert account.sender() is None


def test_a_sender_is_asked_for_itself_if_the_list_leaves_out_its_webhook() -> None:
    row = {"sid": "XE1", "sender_id": f"whatsapp:{SENDER}", "status": "ONLINE"}
    whole = {**row, "webhook": {"callback_url": "https://x.example", "callback_method": "PUT"}}
    listed = http(200, {"senders": [row], "meta": {"key": "senders", "next_page_url": None}})
    with server(listed, http(200, whole)) as running, client(running.url) as whatsapp:
        assert whatsapp.sender() == WhatsAppSender("ONLINE", "https://x.example", "PUT")
    paths = [request[1] for request in running.requests]
    assert paths == [
        "/v2/Channels/Senders?Channel=whatsapp&PageSize=50",
        "/v2/Channels/Senders/XE1",
    ]


def test_only_the_messaging_services_with_our_sender_are_ours(
    twilio: FakeTwilio, account: WhatsAppClient
) -> None:
    assert account.services() == []
    service = FakeService("Shop", "https://shop.example/in", defers=False)
    twilio.services = [service]
    ours = MessagingService(service.sid, "Shop", "https://shop.example/in", False)
    assert account.services() == [ours]
    twilio.sender = "+15550009999"
    assert account.services() == []


# --- what may not be seen ---


def test_no_number_text_or_token_reaches_the_log_or_a_detail(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    bad_number = problem(400, 21211, f"The 'To' number whatsapp:{CUSTOMER} is not valid \x00\ud800")
    odd_headers = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nno colon\r\n\r\n{}"
    answers = (CREATED, bad_number, listing(row(1)), odd_headers, http(206, {"to": CUSTOMER}))
    with server(*answers) as running, client(running.url) as whatsapp:
        whatsapp.send(MESSAGE)
        outcome = whatsapp.send(MESSAGE)
        whatsapp.list_sent(CUSTOMER, NOW)
        for _ in range(2):
            with pytest.raises(LookupFailed) as failed:
                whatsapp.list_sent(CUSTOMER, NOW)
            shown = "".join(traceback.format_exception(failed.value))
            assert CUSTOMER[1:] not in shown
    assert outcome.detail == "The 'To' number whatsapp:(number) is not valid   "
    for secret in (CUSTOMER[1:], SENDER[1:], TOKEN, MESSAGE.body):
        assert secret not in caplog.text


def test_nothing_secret_is_in_a_repr() -> None:
    shown = repr(WhatsAppConfig(ACCOUNT, TOKEN, SENDER)) + repr(MESSAGE)
    assert TOKEN not in shown
    assert CUSTOMER not in shown
    assert MESSAGE.body not in shown


def test_twilios_own_hosts_are_used_unless_told_otherwise() -> None:
    transport = Transport(WhatsAppConfig(ACCOUNT, TOKEN, SENDER).api_url, timeout=1)
    for host in ("api", "content", "messaging"):
        assert (
            transport.url_of(f"https://{host}.twilio.com/v1/x") == f"https://{host}.twilio.com/v1/x"
        )
