"""What Twilio refuses in a POST of a message, by its published specification.

Stricter than Twilio in one thing: a Body beside a ContentSid is refused.
"""

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

LONGEST_BODY = 1600
_ADDRESS = re.compile(r"whatsapp:\+[1-9][0-9]{6,14}")
_WILD_SPACE = re.compile(r"\s{5,}|\n\s*\n")


class Refused(Exception):
    """Twilio's answer to a request that it does not accept."""

    def __init__(self, code: int, message: str, http_status: int = 400) -> None:
        super().__init__(f"{code}: {message}")
        self.code, self.message, self.http_status = code, message, http_status


def require(condition: bool, code: int, message: str) -> None:
    """Raises Refused unless `condition` holds."""
    if not condition:
        raise Refused(code, message)


def check_message(form: Mapping[str, str], sender: str, may_call: Callable[[str], bool]) -> None:
    """Raises Refused for what Twilio does not send. `sender` is ours (E.164), and `may_call` says
    whether a URL can be a StatusCallback.
    """
    to, sent_from = form.get("To", ""), form.get("From", "")
    require(bool(to), 21604, "A 'To' phone number is required.")
    require(_is_address(to), 21211, f"Invalid 'To' Phone Number: {to}")
    require(bool(sent_from), 21603, "A 'From' phone number is required.")
    require(_is_address(sent_from), 21212, f"Invalid 'From' Number: {sent_from}")
    require(to != sent_from, 63031, "Message cannot have the same To and From")
    known = sent_from == f"whatsapp:{sender}"
    require(known, 63007, "Could not find a Channel with the specified From address")
    require("MessagingServiceSid" not in form, 21705, "The Messaging Service is not known")
    _check_content(form)
    callback = form.get("StatusCallback")
    require(callback is None or may_call(callback), 21609, f"Bad StatusCallback {callback}")


def template_values(form: Mapping[str, str], is_known: bool) -> dict[str, str] | None:
    """The values for the template, None for free text. Raises Refused unless `is_known` and the
    values are an object of strings that WhatsApp takes.
    """
    if "ContentSid" not in form:
        return None
    require(is_known, 21655, "The ContentSid is invalid")
    try:
        values: Any = json.loads(form.get("ContentVariables", "{}"))
    except ValueError:
        values = None
    usable = isinstance(values, dict) and len(values) <= 100 and all(map(_is_value, values.items()))
    require(usable, 21656, "The Content Variables parameter is invalid.")
    wild = any(_WILD_SPACE.search(value) for value in values.values())
    require(not wild, 63013, "A content variable with new lines or more than 4 spaces in a row")
    return dict(values)


def _is_address(text: str) -> bool:
    return _ADDRESS.fullmatch(text) is not None


def _check_content(form: Mapping[str, str]) -> None:
    body, template = form.get("Body"), form.get("ContentSid")
    require(bool(body) or bool(template), 21619, "A text message body or template is required")
    require(body is None or template is None, 20001, "Body and ContentSid exclude each other")
    require(len(body or "") <= LONGEST_BODY, 21617, "The body exceeds the 1600 character limit")
    require("ContentVariables" not in form or bool(template), 21654, "ContentSid is required")


def _is_value(item: tuple[str, Any]) -> bool:
    name, value = item
    return len(name) <= 16 and isinstance(value, str) and 0 < len(value) <= LONGEST_BODY
