"""What Twilio refuses in a POST of a message or a GET of the list, by its published specification.

Stricter than Twilio in two things: what the specification does not name is refused and not
ignored, and a Body beside a ContentSid is refused too.
"""

import json
import re
from collections.abc import Callable, Mapping
from datetime import date, datetime
from functools import partial
from typing import Any
from urllib.parse import urlsplit

from .templates import Template

LONGEST_BODY = 1600
LONGEST_CALLBACK = 4000
_ADDRESS = re.compile(r"whatsapp:\+[1-9][0-9]{6,14}")
_WILD_SPACE = re.compile(r"\s{5,}|\n\s*\n")


class Refused(Exception):
    """Twilio's answer to a request it does not accept."""

    def __init__(self, code: int, message: str, http_status: int = 400) -> None:
        super().__init__(f"{code}: {message}")
        self.code, self.message, self.http_status = code, message, http_status


# --- the forms of the specification ---


def is_callback_url(url: str) -> bool:
    """Whether Twilio would call it back (Twilio error 21609); no underscore in the host."""
    try:
        parts = urlsplit(url)
        host, _port = parts.hostname, parts.port
    except ValueError:
        return False
    plain = url.isascii() and url.isprintable() and " " not in url
    return (
        plain and len(url) <= LONGEST_CALLBACK and parts.scheme in {"http", "https"}
        and bool(host) and "_" not in str(host)
    )  # fmt: skip


def day(text: str) -> date:
    """The day (GMT) of a date or time; the list goes by days alone. Raises ValueError."""
    return datetime.fromisoformat(text).date()


def _is_any(_: str) -> bool:
    return True


def _is_bool(text: str) -> bool:
    return text in {"true", "false"}


def _is_integer(low: int, high: int, text: str) -> bool:
    return re.fullmatch(r"[0-9]{1,9}", text) is not None and low <= int(text) <= high


def _is_one_of(*words: str) -> Callable[[str], bool]:
    return lambda text: text in words


def _is_sid(prefix: str) -> Callable[[str], bool]:
    return lambda text: re.fullmatch(rf"{prefix}[0-9a-fA-F]{{32}}", text) is not None


def _is_day(text: str) -> bool:
    try:
        return bool(day(text))
    except ValueError:
        return False


_RETENTION = {"ContentRetention": "discard", "AddressRetention": "obfuscate"}
PARAMETERS: dict[str, Callable[[str], bool]] = {
    **dict.fromkeys(("To", "From", "FallbackFrom", "Body", "ContentVariables"), _is_any),
    **dict.fromkeys(("StatusCallback", "MediaUrl", "PersistentAction", "SendAt"), _is_any),
    **dict.fromkeys(("ProvideFeedback", "ForceDelivery", "SmartEncoded", "ShortenUrls"), _is_bool),
    **{name: _is_one_of("retain", word) for name, word in _RETENTION.items()},
    "SendAsMms": _is_bool,
    "MaxPrice": _is_any,
    "Attempt": partial(_is_integer, 1, 999_999_999),
    "ValidityPeriod": partial(_is_integer, 1, 36_000),
    "TrafficType": _is_one_of("free"),
    "RiskCheck": _is_one_of("enable", "disable"),
    "ScheduleType": _is_one_of("fixed"),
    "ApplicationSid": _is_sid("AP"),
    "MessagingServiceSid": _is_sid("MG"),
    "ContentSid": _is_sid("HX"),
}
FILTERS: dict[str, Callable[[str], bool]] = {
    **dict.fromkeys(("To", "From", "PageToken"), _is_any),
    **dict.fromkeys(("DateSent", "DateSent<", "DateSent>"), _is_day),
    "PageSize": partial(_is_integer, 1, 999_999_999),  # more than 1000 is taken as 1000
    "Page": partial(_is_integer, 0, 999_999_999),
}
_CODES = {"ContentSid": 21655, "MessagingServiceSid": 21703}


def checked(
    pairs: list[tuple[str, str]], known: Mapping[str, Callable[[str], bool]]
) -> dict[str, str]:
    """The parameters as a dict; raises Refused for one unknown, of a wrong form, or given twice."""
    found = dict(pairs)
    odd = sorted(found.keys() - known.keys())
    if odd or len(found) < len(pairs):
        raise Refused(20001, f"Unknown or repeated parameter: {odd or sorted(found)}")
    for name, value in found.items():
        _require(known[name](value), _CODES.get(name, 20001), f"Parameter '{name}' is not valid")
    return found


# --- a message ---


def check_message(form: Mapping[str, str], sender: str, opted_out: set[str]) -> None:
    """Raises Refused for what Twilio does not send. Numbers are E.164."""
    to, sent_from = form.get("To", ""), form.get("From", "")
    _require(bool(to), 21604, "A 'To' phone number is required.")
    _require(_is_address(to), 21211, f"Invalid 'To' Phone Number: {to}")
    _require(bool(sent_from), 21603, "A 'From' phone number is required.")
    _require(_is_address(sent_from), 21212, f"Invalid 'From' Number: {sent_from}")
    _require(to != sent_from, 63031, "Message cannot have the same To and From")
    known = sent_from == f"whatsapp:{sender}"
    _require(known, 63007, "Could not find a Channel with the specified From address")
    _require("MessagingServiceSid" not in form, 21705, "The Messaging Service is not known")
    _check_content(form)
    callback = form.get("StatusCallback")
    _require(callback is None or is_callback_url(callback), 21609, f"Bad StatusCallback {callback}")
    number = to.removeprefix("whatsapp:")
    _require(number not in opted_out, 21610, "Attempt to send to unsubscribed recipient")


def rendered(form: Mapping[str, str], templates: Mapping[str, Template | str]) -> str:
    """The text the customer gets; raises Refused for a template or values that cannot be sent."""
    if "ContentSid" not in form:
        return form["Body"]
    template = find(templates, form["ContentSid"])
    if template is None:
        raise Refused(21655, "The ContentSid is invalid")
    text = template.rendered(content_variables(form))
    _require(len(text) <= 1024, 63021, "Channel invalid content error: longer than 1024")
    return text


def find(templates: Mapping[str, Template | str], sid: str) -> Template | None:
    """The template with this SID; a text alone is one without a button."""
    found = templates.get(sid)
    return Template(found) if isinstance(found, str) else found


def content_variables(form: Mapping[str, str]) -> dict[str, str]:
    """The values for a template; raises Refused unless it is an object of non-empty strings."""
    try:
        found: Any = json.loads(form.get("ContentVariables", "{}"))
    except ValueError:
        found = None
    usable = isinstance(found, dict) and len(found) <= 100 and all(map(_is_value, found.items()))
    _require(usable, 21656, "The Content Variables parameter is invalid.")
    wild = any(_WILD_SPACE.search(value) for value in found.values())
    _require(not wild, 63013, "A content variable with new lines or more than 4 spaces in a row")
    return dict(found)


_OF_STATUS = {"rejected": 63040, "paused": 63041, "disabled": 63042}


def undeliverable(
    form: Mapping[str, str], template: Template | None, *, is_window_open: bool, has_joined: bool
) -> int | None:
    """The code with which WhatsApp fails a message that Twilio has accepted, if it does.

    `has_joined` is about the sandbox. Outside the customer's 24 hours only an approved template
    is delivered (Twilio error 63016), whose variables have a value each (63028).
    """
    if not has_joined:
        return 63015
    if template is None:
        return None if is_window_open else 63016
    if content_variables(form).keys() - template.variables.keys():
        return 63028
    if template.status == "approved" or is_window_open:
        return None
    return _OF_STATUS.get(template.status, 63016)


def _require(condition: bool, code: int, message: str) -> None:
    if not condition:
        raise Refused(code, message)


def _is_address(text: str) -> bool:
    return _ADDRESS.fullmatch(text) is not None


def _check_content(form: Mapping[str, str]) -> None:
    body, template = form.get("Body"), form.get("ContentSid")
    _require(bool(body) or bool(template), 21619, "A text message body or template is required")
    _require(body is None or template is None, 20001, "Body and ContentSid exclude each other")
    _require(len(body or "") <= LONGEST_BODY, 21617, "The body exceeds the 1600 character limit")
    _require("ContentVariables" not in form or bool(template), 21654, "ContentSid is required")


def _is_value(item: tuple[str, Any]) -> bool:
    name, value = item
    return len(name) <= 16 and isinstance(value, str) and 0 < len(value) <= LONGEST_BODY
