"""What Twilio refuses in a POST of a message, and what it makes of a template.

Stricter than Twilio in one thing: a parameter that this fake does not know is refused, not ignored.
"""

import json
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

LONGEST_BODY = 1600
PARAMETERS = {
    "To", "From", "Body", "ContentSid", "ContentVariables", "StatusCallback", "ValidityPeriod",
    "Attempt",
}  # fmt: skip
FILTERS = {"To", "From", "DateSent", "DateSent<", "DateSent>", "PageSize", "Page", "PageToken"}

_ADDRESS = re.compile(r"whatsapp:\+[1-9]\d{6,14}")
_VARIABLE = re.compile(r"\{\{(\w{1,16})\}\}")
_WILD_SPACE = re.compile(r"\s{5,}|\n\s*\n")


class Refused(Exception):
    """Twilio's answer to a request it does not accept."""

    def __init__(self, code: int, message: str, http_status: int = 400) -> None:
        super().__init__(f"{code}: {message}")
        self.code, self.message, self.http_status = code, message, http_status


def only_known(pairs: list[tuple[str, str]], known: set[str]) -> dict[str, str]:
    """The parameters as a dict; raises Refused for one unknown, or given twice."""
    found = dict(pairs)
    odd = sorted(found.keys() - known)
    if odd or len(found) < len(pairs):
        raise Refused(20001, f"Unknown or repeated parameter: {odd or sorted(found)}")
    return found


def check_message(form: Mapping[str, str], sender: str) -> None:
    """Raises Refused for what Twilio does not send. `sender` is E.164."""
    to, sent_from = form.get("To", ""), form.get("From", "")
    _require(_is_address(to), 21211, f"Invalid 'To' Phone Number: {to}")
    _require(_is_address(sent_from), 21212, f"Invalid 'From' Number: {sent_from}")
    _require(to != sent_from, 63031, "Message cannot have the same To and From")
    known = sent_from == f"whatsapp:{sender}"
    _require(known, 63007, "Could not find a Channel with the specified From address")
    _check_content(form)
    callback = form.get("StatusCallback")
    _require(callback is None or is_callback_url(callback), 21609, f"Bad StatusCallback {callback}")
    _check_number(form, "ValidityPeriod", 36_000)
    _check_number(form, "Attempt", 1_000_000)


def check_filters(query: Mapping[str, str]) -> None:
    """Raises Refused for a list that cannot be paged."""
    _check_number(query, "PageSize", 999_999_999)  # more than 1000 is taken as 1000
    _require(query.get("Page", "0").isdecimal(), 20001, "Page is a number")


def is_callback_url(url: str) -> bool:
    """Whether Twilio would call it back (Twilio error 21609); no underscore in the host."""
    try:
        parts = urlsplit(url)
        host, _port = parts.hostname, parts.port
    except ValueError:
        return False
    plain = url.isascii() and url.isprintable() and " " not in url
    return (
        plain and len(url) <= 4000 and parts.scheme in {"http", "https"}
        and bool(host) and "_" not in str(host)
    )  # fmt: skip


def variables_of(template: str) -> dict[str, str]:
    """A template's variables with their samples, which Twilio sends where a value is missing."""
    return {name: f"sample {name}" for name in _VARIABLE.findall(template)}


def rendered(form: Mapping[str, str], templates: Mapping[str, str]) -> str:
    """The text the customer gets; raises Refused for a template or values that cannot be sent."""
    if "ContentSid" not in form:
        return form["Body"]
    template = templates.get(form["ContentSid"])
    if template is None:
        raise Refused(21655, "The ContentSid is invalid")
    values = variables_of(template) | content_variables(form)
    text = _VARIABLE.sub(lambda match: values[match[1]], template)
    _require(len(text) <= 1024, 63021, "Channel invalid content error: longer than 1024")
    return text


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


def _require(condition: bool, code: int, message: str) -> None:
    if not condition:
        raise Refused(code, message)


def _is_address(text: str) -> bool:
    return _ADDRESS.fullmatch(text) is not None and text.isascii()


def _check_content(form: Mapping[str, str]) -> None:
    body, template = form.get("Body"), form.get("ContentSid")
    _require(bool(body) or bool(template), 21619, "A text message body or template is required")
    _require(body is None or template is None, 20001, "Body and ContentSid exclude each other")
    _require(len(body or "") <= LONGEST_BODY, 21617, "The body exceeds the 1600 character limit")
    _require("ContentVariables" not in form or bool(template), 21654, "ContentSid is required")


def _check_number(form: Mapping[str, str], name: str, most: int) -> None:
    text = form.get(name, "1")
    usable = re.fullmatch(r"[0-9]{1,9}", text) is not None and 1 <= int(text) <= most
    _require(usable, 20001, f"{name} is a number from 1 to {most}")


def _is_value(item: tuple[str, Any]) -> bool:
    name, value = item
    return len(name) <= 16 and isinstance(value, str) and 0 < len(value) <= LONGEST_BODY
