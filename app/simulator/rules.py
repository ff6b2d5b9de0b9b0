"""What Twilio refuses, as far as our own client can run into it.

Free text is taken at any time, as if each customer had written within the last 24 hours.
"""

import json
import re
from collections.abc import Mapping
from urllib.parse import SplitResult, urlsplit

from app.messages import texts
from app.messages.compose import content_sid
from app.settings import settings

LONGEST_BODY = 1600
_ADDRESS = re.compile(r"whatsapp:\+[1-9][0-9]{6,14}")


class Refused(Exception):
    """Twilio's answer to a request that it does not accept."""

    def __init__(self, http_status: int, code: int, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.http_status, self.code, self.message = http_status, code, message


def check_message(form: Mapping[str, str]) -> None:
    """Raises Refused for a POST of a message that Twilio would not send."""
    sender = f"whatsapp:{settings().whatsapp_from_number}"
    _require(_is_address(form.get("To")), 21211, "Invalid 'To' Phone Number")
    _require(_is_address(form.get("From")), 21212, "Invalid 'From' Number")
    _require(form["From"] == sender, 63007, "Could not find a Channel with this From address")
    _require(form["To"] != sender, 63031, "Message cannot have the same To and From")
    body, template = form.get("Body", ""), form.get("ContentSid", "")
    _require(bool(body or template), 21619, "A message body or template is required")
    _require(len(body) <= LONGEST_BODY, 21617, "The body exceeds the 1600 character limit")
    callback = form.get("StatusCallback")
    _require(callback is None or is_ours(callback), 21609, "StatusCallback is not this app's own")


def text_of(form: Mapping[str, str]) -> str:
    """What the customer reads: the body, or the template's values, for we lack its text.

    Raises Refused.
    """
    if not form.get("ContentSid"):
        return form["Body"]
    _require(form["ContentSid"] in templates(), 21655, "The ContentSid is invalid")
    values = _variables(form.get("ContentVariables", "{}"))
    return "\n".join([f"Template {form['ContentSid']}", *(f"{k}: {values[k]}" for k in values)])


def templates() -> dict[str, str]:
    """The templates that the settings name, which are those that "Twilio" has, by their SIDs: the
    kind of message that each is for.
    """
    sids = {kind: content_sid(kind) for kind in texts.DEFAULTS}
    return {sid: kind for kind, sid in sids.items() if sid}


def is_ours(url: str) -> bool:
    """Whether a callback URL leads to this app; the simulator calls nobody else."""
    try:
        return _origin(urlsplit(url)) in {
            _origin(urlsplit(own)) for own in (settings().public_url, settings().local_url)
        }
    except ValueError:
        return False


def _origin(url: SplitResult) -> tuple[str, str | None, int | None]:
    return url.scheme, url.hostname, url.port


def _is_address(text: str | None) -> bool:
    return text is not None and _ADDRESS.fullmatch(text) is not None


def _variables(text: str) -> dict[str, str]:
    try:
        found = json.loads(text)
    except ValueError:
        found = None
    usable = isinstance(found, dict) and all(
        isinstance(value, str) and value for value in found.values()
    )
    _require(usable, 21656, "The Content Variables parameter is invalid")
    return dict(found)


def _require(condition: bool, code: int, message: str) -> None:
    if not condition:
        raise Refused(400, code, message)
