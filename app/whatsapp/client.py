"""Sending WhatsApp messages with Twilio, and looking up what became of them.

The only module that knows Twilio's client. It knows nothing of bookings, and it never repeats a
request by itself: Twilio has no idempotency key, so a repeated POST may be a second message.
"""

import base64
import http.client
import io
import json
import logging
import re
import socket
import ssl
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Literal, TypeVar
from urllib.parse import urlencode

import certifi
import urllib3
from twilio.base import values  # type: ignore[import-untyped]
from twilio.base.exceptions import TwilioException  # type: ignore[import-untyped]
from twilio.http import HttpClient  # type: ignore[import-untyped]
from twilio.http.response import Response  # type: ignore[import-untyped]
from twilio.rest import Client  # type: ignore[import-untyped]
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import ConnectTimeoutError, HTTPError, NewConnectionError
from urllib3.util.connection import create_connection

from app import clock
from app.settings import TWILIO_API
from app.whatsapp import errors
from app.whatsapp.errors import Kind

_log = logging.getLogger(__name__)
# Below these levels both libraries log URLs, and a URL's query holds customers' numbers.
_HTTP_LOG = logging.getLogger("twilio.http_client")
_HTTP_LOG.setLevel(logging.WARNING)
logging.getLogger("urllib3.connectionpool").setLevel(logging.ERROR)
logging.getLogger("urllib3.connection").setLevel(logging.ERROR)

_VALIDITY = 900  # seconds a message may wait in Twilio's own queue
_PAGE_SIZE = 50
_MOST_PAGES = 20
_LONGEST_ANSWER = 2_000_000  # bytes
_LONGEST_WAIT = 86_400.0  # seconds; the most a Retry-After can make us wait
_LONGEST_IDLE = 15.0  # seconds; see _Bounded.is_connected
_SID = re.compile(r"(SM|MM)[0-9a-f]{32}")
_CODE = re.compile(r"[0-9]{1,9}")
_STATUS = re.compile(r"[a-z_]{1,30}")
_NUMBER = re.compile(r"(?:%2B|(?<![0-9A-Za-z])\+?)[0-9]{7,}(?![0-9A-Za-z])")
_TWILIO_HOST = re.compile(r"https://(?:api|content)\.twilio\.com(?=/)")
_CODE_OF_STATUS = {401: "20003", 403: "20003", 404: "wrong_address", 408: "no_answer"}

T = TypeVar("T")


@dataclass(frozen=True)
class WhatsAppConfig:
    """Whom to send as, and where. `sender` is E.164 without prefix, `timeout` is in seconds.

    `api_url` is Twilio's, or any other base: `http://127.0.0.1:3000/simulator`. `timeout` holds
    for connecting and for each wait on the socket; a whole request gets twice as much.
    """

    account_sid: str
    auth_token: str = field(repr=False)
    sender: str
    api_url: str = TWILIO_API
    timeout: float = 10.0


@dataclass(frozen=True)
class OutgoingMessage:
    """One message to `to` (E.164). With a `content_sid` the template is sent, else `body`.

    No `status_callback`: Twilio does not report what becomes of it.
    """

    to: str = field(repr=False)
    body: str = field(repr=False)
    status_callback: str | None
    content_sid: str | None = None
    content_variables: dict[str, str] | None = field(default=None, repr=False)


@dataclass(frozen=True)
class Outcome:
    """What came of a request: `accepted`, or the kind of failure with its `code` for `explain`.

    `detail` is for administrators: printable, short, phone numbers taken out. `retry_after` is
    the number of seconds Twilio asked us to wait, if it did.
    """

    kind: Kind | Literal["accepted"]
    sid: str | None = None
    status: str | None = None
    code: str | None = None
    http_status: int | None = None
    detail: str | None = None
    retry_after: float | None = None


@dataclass(frozen=True)
class Found:
    """A message as Twilio has it; `created_at` is aware, in UTC."""

    sid: str
    status: str | None
    body: str = field(repr=False)
    created_at: datetime
    error_code: str | None


class LookupFailed(Exception):
    """Twilio could not be asked, so nothing is known; `outcome` says why."""

    def __init__(self, outcome: Outcome) -> None:
        super().__init__(f"{outcome.code}: {outcome.detail}")
        self.outcome = outcome


class WhatsAppClient:
    """One sender at Twilio. May be used by many threads at once."""

    def __init__(self, config: WhatsAppConfig) -> None:
        self._config = config
        self._transport = _Transport(config)
        self._client = Client(
            config.account_sid,
            config.auth_token,
            http_client=self._transport,
            environment={"TWILIO_EDGE": ""},  # else Client reads an edge and a region from ours
        )
        self._messages = self._client.messages

    def send(self, message: OutgoingMessage) -> Outcome:
        """POST `message` once. Raises for nothing that Twilio or the network does.

        Blocks for at most twice the timeout; only a name server that does not answer can make it
        longer, and then nothing is sent any more.
        """
        return _outcome_of(lambda: self._create(message))

    def list_sent(self, to: str, since: datetime) -> list[Found]:
        """Our messages to `to` (E.164) created at or after `since` (aware). Raises LookupFailed.

        No DateSent filter: Twilio sets that date late, and a message still queued must be found.
        """
        with _looking_up():
            page = self._messages.page(
                to=_address(to), from_=_address(self._config.sender), page_size=_PAGE_SIZE
            )
            sent: list[Found] = []
            for _ in range(_MOST_PAGES):
                rows = [(str(row.direction), _found(row)) for row in page]
                newer = [row for row in rows if row[1].created_at >= since]
                sent += [found for direction, found in newer if direction.startswith("outbound")]
                page = page.next_page() if newer else None
                if page is None:
                    return sent
            raise ValueError("the list has no end")

    def fetch(self, sid: str) -> Found | None:
        """The message `sid`, None if Twilio has no such message. Raises LookupFailed."""
        if not _SID.fullmatch(sid):
            return None
        return _unless_missing(lambda: _found(self._messages(sid).fetch()))

    def check_credentials(self) -> Outcome:
        """Ask for our own account: `accepted` if Twilio knows it and it is active."""
        return _outcome_of(self._fetch_account)

    def template(self, content_sid: str) -> dict[str, Any] | None:
        """A template's variables with their samples, None if there is no such template.

        Raises LookupFailed.
        """
        contents = self._client.content.v1.contents
        return _unless_missing(lambda: dict(contents(content_sid).fetch().variables or {}))

    def close(self) -> None:
        """Close the idle connections; requests under way end by themselves."""
        self._transport.close()

    def _create(self, message: OutgoingMessage) -> Outcome:
        answer = self._messages.create_with_http_info(
            to=_address(message.to),
            from_=_address(self._config.sender),
            status_callback=message.status_callback or values.unset,
            validity_period=_VALIDITY,
            **_content(message),
        )
        sid, status = answer.data.sid, answer.data.status
        if not isinstance(sid, str) or not _SID.fullmatch(sid):
            return _failure("bad_answer", http_status=answer.status_code, detail="no message SID")
        return Outcome("accepted", sid, _known_status(status), http_status=answer.status_code)

    def _fetch_account(self) -> Outcome:
        status = self._client.api.v2010.accounts(self._config.account_sid).fetch().status
        if status in {"suspended", "closed"}:
            return _failure("20005", http_status=200, detail=f"the account is {status}")
        if status != "active":
            return _failure("bad_answer", http_status=200, detail="no account")
        return Outcome("accepted", status="active", http_status=200)


def _address(number: str) -> str:
    return f"whatsapp:{number}"


def _content(message: OutgoingMessage) -> dict[str, str]:
    if message.content_sid is None:
        return {"body": message.body}
    variables = json.dumps(message.content_variables or {}, ensure_ascii=False)
    return {"content_sid": message.content_sid, "content_variables": variables}


def _found(row: Any) -> Found:
    """A row of Twilio's; raises ValueError for one that cannot serve as evidence."""
    if not isinstance(row.sid, str) or not isinstance(row.date_created, datetime):
        raise ValueError("a message without SID or date")
    status = _known_status(row.status)
    body = str(row.body or "")
    return Found(row.sid, status, body, row.date_created.astimezone(UTC), _code(row.error_code))


def _known_status(status: object) -> str | None:
    return status if isinstance(status, str) and _STATUS.fullmatch(status) else None


# --- what came of a request ---


class _Failed(TwilioException):  # type: ignore[misc]
    """Raised by the transport for everything that is not a 2xx answer read to its end."""

    def __init__(self, outcome: Outcome) -> None:
        super().__init__(f"{outcome.code}: {outcome.detail}")
        self.outcome = outcome


def _outcome_of(ask: Callable[[], Outcome]) -> Outcome:
    try:
        return ask()
    except _Failed as failed:
        return failed.outcome
    except Exception as error:  # Twilio's client reads a 2xx body, which may hold anything
        return _unreadable(error)


@contextmanager
def _looking_up() -> Iterator[None]:
    try:
        yield
    except _Failed as failed:
        raise LookupFailed(failed.outcome) from None
    except Exception as error:
        # Not `from error`: what Twilio's client raises may quote the answer, numbers and all.
        raise LookupFailed(_unreadable(error)) from None


def _unless_missing(ask: Callable[[], T]) -> T | None:
    """None only if Twilio itself says that there is no such thing (Twilio error 20404)."""
    try:
        with _looking_up():
            return ask()
    except LookupFailed as failed:
        if failed.outcome.code == "20404":
            return None
        raise


def _unreadable(error: Exception) -> Outcome:
    _log.warning("unreadable answer from Twilio: %s", type(error).__name__)
    return _failure("bad_answer", detail=f"{type(error).__name__}: {error}")


def _failure(
    code: str,
    *,
    http_status: int | None = None,
    detail: str | None = None,
    retry_after: float | None = None,
) -> Outcome:
    return Outcome(
        kind=errors.explain(code).kind,
        code=code,
        http_status=http_status,
        detail=_tidy(detail) if detail else None,
        retry_after=retry_after,
    )


def _tidy(detail: str) -> str:
    """Printable, short, and without phone numbers: it is stored and may be logged."""
    printable = "".join(letter if letter.isprintable() else " " for letter in detail[:2000])
    return _NUMBER.sub("(number)", printable)[:300]


def _refusal(http_status: int, headers: Mapping[str, str], text: str) -> Outcome:
    """The outcome of an answer other than 2xx."""
    problem = _json_object(text)
    code = _meaning(http_status, _code(problem.get("code")))
    detail = problem.get("message") or problem.get("detail") or problem.get("title")
    return _failure(
        code,
        http_status=http_status,
        detail=str(detail or f"HTTP {http_status}"),
        retry_after=_retry_after(headers.get("Retry-After")),
    )


def _meaning(http_status: int, code: str | None) -> str:
    """The code that explains an answer; `code` is Twilio's, None if Twilio gave none.

    A 5xx with Twilio's own code was most likely not processed; without one a proxy spoke, and
    nobody knows. A 429 never was (Twilio error 20429).
    """
    if http_status == 429:
        return code if code and errors.explain(code).kind is Kind.RATE else "20429"
    if http_status < 300 or (http_status >= 500 and code is None):
        return "bad_answer"
    if http_status >= 500:
        return code if code and errors.explain(code).kind is Kind.VERIFY else "20500"
    if http_status < 400:
        return "wrong_address"
    if code and errors.is_known(code):
        return code
    return _CODE_OF_STATUS.get(http_status, code or str(http_status))


def _json_object(text: str) -> dict[str, Any]:
    try:
        parsed = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return parsed if isinstance(parsed, dict) else {}


def _code(value: object) -> str | None:
    """Twilio's code as digits, or None; it is a number or a string, depending on the answer."""
    text = str(value)
    return text if _CODE.fullmatch(text) else None


def _retry_after(value: str | None) -> float | None:
    """Seconds from a Retry-After header, which holds seconds or a date (RFC 9110 §10.2.3)."""
    if value is None:
        return None
    try:
        if re.fullmatch(r"[0-9]{1,9}(\.[0-9]+)?", value):
            seconds = float(value)
        else:
            date = parsedate_to_datetime(value)
            seconds = (date.replace(tzinfo=date.tzinfo or UTC) - clock.now()).total_seconds()
    except (ValueError, TypeError, OverflowError):
        return None
    return min(max(seconds, 0.0), _LONGEST_WAIT)


# --- the transport ---


class _Transport(HttpClient):  # type: ignore[misc]
    """Twilio's HTTP client over one pool: no retries, no redirects, no proxies, a hard limit.

    Raises _Failed for whatever is not a whole 2xx answer.
    """

    def __init__(self, config: WhatsAppConfig) -> None:
        super().__init__(_HTTP_LOG, is_async=False, timeout=config.timeout)
        self._base = config.api_url.rstrip("/")
        self._pool = urllib3.PoolManager(
            maxsize=32,
            block=False,
            timeout=urllib3.Timeout(connect=config.timeout, read=config.timeout),
            retries=False,
            ssl_context=_tls() if self._base.startswith("https:") else None,
        )
        self._pool.pool_classes_by_scheme = {"http": _HttpPool, "https": _HttpsPool}

    def request(
        self,
        method: str,
        uri: str,
        params: dict[str, object] | None = None,
        data: dict[str, object] | None = None,
        headers: dict[str, str] | None = None,
        auth: tuple[str, str] | None = None,
        **_unused: object,
    ) -> Response:
        url = self._url(uri) + (f"?{urlencode(params, doseq=True)}" if params else "")
        sent_headers = {**(headers or {}), **_basic(auth)}
        http_status, got_headers, text = self._exchange(method, url, _form(data), sent_headers)
        if not 200 <= http_status < 300:
            raise _Failed(_refusal(http_status, got_headers, text))
        return Response(http_status, text, got_headers)

    def close(self) -> None:
        self._pool.clear()

    def _url(self, uri: str) -> str:
        """`uri` at our base. A `next_page_url` elsewhere would carry our credentials there."""
        found = _TWILIO_HOST.match(uri)
        if found is None:
            raise _Failed(_failure("wrong_address", detail="a link that leaves Twilio"))
        return uri if self._base == TWILIO_API else self._base + uri[found.end() :]

    def _exchange(
        self, method: str, url: str, body: bytes | None, headers: dict[str, str]
    ) -> tuple[int, Mapping[str, str], str]:
        exchange = _Exchange(self.timeout)
        _current.set(exchange)
        try:
            answer = self._pool.urlopen(
                method, url, body=body, headers=headers, redirect=False, preload_content=False
            )
            exchange.http_status = answer.status
            return answer.status, answer.headers, _read(answer)
        except (HTTPError, http.client.HTTPException, OSError, ValueError) as error:
            detail = f"{type(error).__name__}: {error}"
            failure = _failure(exchange.reason, http_status=exchange.http_status, detail=detail)
            raise _Failed(failure) from error


def _tls() -> ssl.SSLContext:
    """The system's certificates and certifi's: some Pythons come without the former."""
    context = ssl.create_default_context()
    context.load_verify_locations(certifi.where())
    return context


def _basic(auth: tuple[str, str] | None) -> dict[str, str]:
    if auth is None:
        return {}
    return {"Authorization": "Basic " + base64.b64encode(":".join(auth).encode()).decode()}


def _form(data: dict[str, object] | None) -> bytes | None:
    try:
        return urlencode(data, doseq=True).encode() if data else None
    except UnicodeEncodeError as error:  # half of a surrogate pair in a name
        raise _Failed(_failure("render_error", detail=error.reason)) from None


def _read(answer: urllib3.BaseHTTPResponse) -> str:
    content = answer.read(_LONGEST_ANSWER + 1)
    if len(content) > _LONGEST_ANSWER:
        answer.close()
        raise HTTPError("an endless answer")
    return content.decode("utf-8", "replace")


class _Exchange:
    """One request under way: how long it may still take, and how far it came."""

    def __init__(self, timeout: float) -> None:
        self.timeout = timeout
        self.is_written = False
        self.http_status: int | None = None
        self._deadline = time.monotonic() + 2 * timeout

    @property
    def left(self) -> float:
        return self._deadline - time.monotonic()

    @property
    def reason(self) -> str:
        """Why it failed. Until a byte was written, Twilio cannot have accepted anything."""
        if not self.is_written:
            return "unreachable"
        return "no_answer" if self.http_status is None else "bad_answer"


_current: ContextVar[_Exchange] = ContextVar("exchange")


class _BoundedReader(io.RawIOBase):
    """Reads from a socket until the exchange's deadline: a timeout of the socket's own begins
    anew with every byte, so that a server which trickles its answer could hold us for hours.
    """

    def __init__(self, raw: io.RawIOBase, sock: socket.socket, exchange: _Exchange) -> None:
        self._raw, self._sock, self._exchange = raw, sock, exchange

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        left = self._exchange.left
        if left <= 0:
            raise TimeoutError("the answer took too long")
        self._sock.settimeout(min(left, self._exchange.timeout))
        return self._raw.readinto(buffer)

    def close(self) -> None:
        self._raw.close()
        super().close()


class _BoundedResponse(http.client.HTTPResponse):
    def __init__(self, sock: socket.socket, *args: Any, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        raw = self.fp.detach()
        self.fp = io.BufferedReader(_BoundedReader(raw, sock, _current.get()))


class _Bounded(HTTPConnection):
    """A connection that keeps to the exchange's deadline and notes when it begins to write."""

    response_class = _BoundedResponse
    _used_at = 0.0

    @property
    def is_connected(self) -> bool:
        """False makes the pool connect anew, which is safe; writing to a connection that the
        server is just closing is not: whether that POST was read is uncertain. So a connection
        that has been idle for a while is not used again.
        """
        is_fresh = time.monotonic() - self._used_at < _LONGEST_IDLE
        return is_fresh and super().is_connected

    def send(self, data: Any) -> None:
        if self.sock is None:
            self.connect()
        exchange = _current.get()
        if exchange.left <= 0:
            raise ConnectTimeoutError(self, "connecting took too long")
        exchange.is_written = True
        self._used_at = time.monotonic()
        super().send(data)

    def _new_conn(self) -> socket.socket:
        """A socket to the first address that answers, all addresses within one timeout."""
        timeout = _current.get().timeout
        give_up = time.monotonic() + timeout
        problem: OSError | None = None
        addresses = self._addresses()
        for position, address in enumerate(addresses):
            share = (give_up - time.monotonic()) / (len(addresses) - position)
            try:
                sock = create_connection(
                    (address, self.port), max(share, 0.01), socket_options=self.socket_options
                )
            except OSError as error:
                problem = error
            else:
                sock.settimeout(timeout)
                return sock
        raise NewConnectionError(self, f"cannot connect: {problem}") from problem

    def _addresses(self) -> list[str]:
        try:
            found = socket.getaddrinfo(self._dns_host, self.port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            raise NewConnectionError(self, f"cannot find the host: {error}") from error
        return [str(address[0]) for *_, address in found]


class _BoundedTls(_Bounded, HTTPSConnection):
    pass


class _HttpPool(HTTPConnectionPool):
    ConnectionCls = _Bounded


class _HttpsPool(HTTPSConnectionPool):
    ConnectionCls = _BoundedTls
