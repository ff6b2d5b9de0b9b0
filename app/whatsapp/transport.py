"""Twilio's HTTP client over connections of our own: no retries, no redirects, a hard limit.

It knows whether a request can have reached Twilio before it failed (docs/adr/0009).
"""

import base64
import http.client
import logging
import re
from collections.abc import Mapping
from urllib.parse import urlencode

import urllib3
from twilio.base.exceptions import TwilioException  # type: ignore[import-untyped]
from twilio.http import HttpClient  # type: ignore[import-untyped]
from twilio.http.response import Response  # type: ignore[import-untyped]
from urllib3.exceptions import HTTPError

from app.channel import Outcome
from app.connections import Bounded, BoundedTls, Exchange, current, pool_manager
from app.settings import TWILIO_API
from app.whatsapp.outcome import failure, refusal

# Below this level it logs URLs, and a URL's query holds customers' numbers.
_HTTP_LOG = logging.getLogger("twilio.http_client")
_HTTP_LOG.setLevel(logging.WARNING)

LONGEST_ANSWER = 2_000_000  # bytes
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
        is_tls = self._base.startswith("https:")
        self._pool = pool_manager(Bounded, BoundedTls, timeout, is_tls=is_tls)

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
        exchange = Exchange(self.timeout)
        current.set(exchange)
        try:
            answer = self._pool.urlopen(
                method, url, body=body, headers=headers, redirect=False, preload_content=False
            )
            exchange.http_status = answer.status
            return answer.status, answer.headers, _read(answer)
        except (HTTPError, http.client.HTTPException, OSError, ValueError) as error:
            detail = f"{type(error).__name__}: {error}"
            outcome = failure(_reason(exchange), http_status=exchange.http_status, detail=detail)
            raise Failed(outcome) from error


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


def _reason(exchange: Exchange) -> str:
    """Why it failed. Until a byte was written, Twilio cannot have accepted anything."""
    if not exchange.is_written:
        return "unreachable"
    return "no_answer" if exchange.http_status is None else "bad_answer"
