"""Twilio's HTTP client over connections of our own: no retries, no redirects, a hard limit.

It knows whether a request can have reached Twilio before it failed (docs/adr/0009).
"""

import base64
import http.client
import io
import logging
import re
import socket
import ssl
import time
from collections.abc import Mapping
from contextvars import ContextVar
from typing import Any
from urllib.parse import urlencode

import certifi
import urllib3
from twilio.base.exceptions import TwilioException  # type: ignore[import-untyped]
from twilio.http import HttpClient  # type: ignore[import-untyped]
from twilio.http.response import Response  # type: ignore[import-untyped]
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import ConnectTimeoutError, HTTPError, NewConnectionError
from urllib3.util.connection import create_connection

from app.channel import Outcome
from app.settings import TWILIO_API
from app.whatsapp.outcome import failure, refusal

# Below these levels both libraries log URLs, and a URL's query holds customers' numbers.
_HTTP_LOG = logging.getLogger("twilio.http_client")
_HTTP_LOG.setLevel(logging.WARNING)
logging.getLogger("urllib3.connectionpool").setLevel(logging.ERROR)
logging.getLogger("urllib3.connection").setLevel(logging.ERROR)

LONGEST_ANSWER = 2_000_000  # bytes
LONGEST_IDLE = 15.0  # seconds; see _Bounded.is_connected
_TWILIO_HOST = re.compile(r"https://(?:api|content|messaging)\.twilio\.com(?=/)")


class Failed(TwilioException):  # type: ignore[misc]
    """Anything but a 2xx answer that was read to its end; `outcome` says what it was."""

    def __init__(self, outcome: Outcome) -> None:
        super().__init__(f"{outcome.code}: {outcome.detail}")
        self.outcome = outcome


class Transport(HttpClient):  # type: ignore[misc]
    """Twilio's HTTP client over one pool: no retries, no redirects, no proxies, a hard limit.

    `base` is where everything goes, Twilio's own or another; `timeout` is in seconds. Raises
    Failed for whatever is not a whole 2xx answer.
    """

    def __init__(self, base: str, timeout: float) -> None:
        super().__init__(_HTTP_LOG, is_async=False, timeout=timeout)
        self._base = base.rstrip("/")
        self._pool = urllib3.PoolManager(
            maxsize=32,
            block=False,
            timeout=urllib3.Timeout(connect=timeout, read=timeout),
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
        url = self.url_of(uri) + (f"?{urlencode(params, doseq=True)}" if params else "")
        sent_headers = {**(headers or {}), **_basic(auth)}
        http_status, got_headers, text = self._exchange(method, url, _form(data), sent_headers)
        if not 200 <= http_status < 300:
            raise Failed(refusal(http_status, got_headers, text))
        return Response(http_status, text, got_headers)

    def close(self) -> None:
        """Close the idle connections."""
        self._pool.clear()

    def url_of(self, uri: str) -> str:
        """`uri` at our base. A `next_page_url` elsewhere would carry our credentials there."""
        match = _TWILIO_HOST.match(uri)
        if match is None:
            raise Failed(failure("wrong_address", detail="a link that leaves Twilio"))
        return uri if self._base == TWILIO_API else self._base + uri[match.end() :]

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
            outcome = failure(exchange.reason, http_status=exchange.http_status, detail=detail)
            raise Failed(outcome) from error


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
        raise Failed(failure("render_error", detail=error.reason)) from None


def _read(answer: urllib3.BaseHTTPResponse) -> str:
    content = answer.read(LONGEST_ANSWER + 1)
    if len(content) > LONGEST_ANSWER:
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
        is_fresh = time.monotonic() - self._used_at < LONGEST_IDLE
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
            answers = socket.getaddrinfo(self._dns_host, self.port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            raise NewConnectionError(self, f"cannot find the host: {error}") from error
        return [str(address[0]) for *_, address in answers]


class _BoundedTls(_Bounded, HTTPSConnection):
    pass


class _HttpPool(HTTPConnectionPool):
    ConnectionCls = _Bounded


class _HttpsPool(HTTPSConnectionPool):
    ConnectionCls = _BoundedTls
