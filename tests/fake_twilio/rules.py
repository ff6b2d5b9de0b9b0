"""What the fake refuses beyond the simulator, and what WhatsApp does not deliver.

Stricter than Twilio in one thing: what our client has no use for is refused and not ignored.
"""

import re
from collections.abc import Mapping
from urllib.parse import urlsplit

from app.simulator.core.rules import Refused, require, template_values

from .templates import Template

LONGEST_CALLBACK = 4000
PARAMETERS = {
    "To", "From", "Body", "ContentSid", "ContentVariables", "MessagingServiceSid",
    "StatusCallback", "ValidityPeriod",
}  # fmt: skip
FILTERS = {"To", "From", "PageSize", "Page", "PageToken"}
_VALIDITY = re.compile(r"[1-9][0-9]{0,3}|[12][0-9]{4}|3[0-5][0-9]{3}|36000")


def checked(pairs: list[tuple[str, str]], known: set[str]) -> dict[str, str]:
    """The parameters as a dict; raises Refused for one that is unknown or given twice."""
    given = dict(pairs)
    odd = sorted(given.keys() - known)
    if odd or len(given) < len(pairs):
        raise Refused(20001, f"Unknown or repeated parameter: {odd or sorted(given)}")
    validity = given.get("ValidityPeriod", "1")
    require(
        _VALIDITY.fullmatch(validity) is not None, 20001, "ValidityPeriod is 1 to 36000 seconds"
    )
    return given


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


def rendered(form: Mapping[str, str], template: Template | None) -> tuple[str, dict[str, str]]:
    """The text that the customer gets, and the template's values. Raises Refused for a template or
    values that cannot be sent.
    """
    values = template_values(form, template is not None)
    if values is None or template is None:
        return form["Body"], {}
    text = template.rendered(values)
    require(len(text) <= 1024, 63021, "Channel invalid content error: longer than 1024")
    return text, values


_OF_STATUS = {"rejected": 63040, "paused": 63041, "disabled": 63042}


def undeliverable(
    values: Mapping[str, str], template: Template | None, *, is_window_open: bool, has_joined: bool
) -> int | None:
    """The code with which WhatsApp fails a message that Twilio has accepted, if it does.

    `has_joined` is about the sandbox. Outside the customer's 24 hours only an approved template
    is delivered (Twilio error 63016), whose variables have a value each (63028).
    """
    if not has_joined:
        return 63015
    if template is None:
        return None if is_window_open else 63016
    if values.keys() - template.variables.keys():
        return 63028
    if template.status == "approved" or is_window_open:
        return None
    return _OF_STATUS.get(template.status, 63016)
