"""What came of a request to Twilio: its answer, read as one of the kinds of app/channel.py.

Also of no answer at all: `failure` makes an outcome of a reason of our own.
"""

import json
import re
from collections.abc import Mapping
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Any

from app import clock
from app.channel import Kind, Outcome
from app.whatsapp import errors

_LONGEST_WAIT = 86_400.0  # seconds; the most a Retry-After can make us wait
_CODE = re.compile(r"[0-9]{1,9}")
_NUMBER = re.compile(r"(?:%2B|(?<![0-9A-Za-z])\+?)[0-9]{7,}(?![0-9A-Za-z])")
_CODE_OF_STATUS = {401: "20003", 403: "20003", 404: "wrong_address", 408: "no_answer"}


def failure(
    code: str,
    *,
    http_status: int | None = None,
    detail: str | None = None,
    retry_after: float | None = None,
) -> Outcome:
    """The outcome that `code` explains: Twilio's, or a reason of our own."""
    return Outcome(
        kind=errors.explain(code).kind,
        code=code,
        http_status=http_status,
        detail=_tidy(detail) if detail else None,
        retry_after=retry_after,
    )


def refusal(http_status: int, headers: Mapping[str, str], text: str) -> Outcome:
    """The outcome of an answer other than 2xx."""
    problem = _json_object(text)
    code = _meaning(http_status, code_of(problem.get("code")))
    detail = problem.get("message") or problem.get("detail") or problem.get("title")
    return failure(
        code,
        http_status=http_status,
        detail=str(detail or f"HTTP {http_status}"),
        retry_after=_retry_after(headers.get("Retry-After")),
    )


def code_of(value: object) -> str | None:
    """Twilio's code as digits, or None; it is a number or a string, depending on the answer."""
    text = str(value)
    return text if _CODE.fullmatch(text) else None


def _tidy(detail: str) -> str:
    """Printable, short, and without phone numbers: it is stored and may be logged."""
    printable = "".join(letter if letter.isprintable() else " " for letter in detail[:2000])
    return _NUMBER.sub("(number)", printable)[:300]


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
