"""Templates of the Content API, and those of a shop that followed docs/whatsapp.md."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from app.messages import compose, texts

CANCEL_BUTTON = "{{cancelPayload}}"
_VARIABLE = re.compile(r"\{\{(\w{1,16})\}\}")
_WITHOUT_BUTTON = {"cancellation"}


@dataclass(frozen=True)
class Template:
    """`body` with `{{name}}`; with a `button_id`, a quick-reply "Cancel appointment" that sends it.

    `status` and `category` are WhatsApp's: approved, pending, rejected, paused, disabled.
    """

    body: str
    button_id: str | None = None
    status: str = "approved"
    category: str = "UTILITY"

    @property
    def variables(self) -> dict[str, str]:
        """The variables with their samples, which Twilio sends where a value is missing."""
        names = _VARIABLE.findall(self.body + (self.button_id or ""))
        return {name: f"sample {name}" for name in names}

    def rendered(self, values: Mapping[str, str]) -> str:
        """The text with samples for what has no value."""
        return self._filled(self.body, values)

    def payload(self, values: Mapping[str, str]) -> str | None:
        """What a tap on the button sends back."""
        return self._filled(self.button_id, values) if self.button_id else None

    def _filled(self, text: str, values: Mapping[str, str]) -> str:
        return _VARIABLE.sub(lambda found: ({**self.variables, **values})[found[1]], text)


def of_a_shop() -> dict[str, Template]:
    """One for each kind of message, with the default texts, by kind."""
    return {
        kind: Template(_body(text), None if kind in _WITHOUT_BUTTON else CANCEL_BUTTON)
        for kind, text in texts.DEFAULTS.items()
    }


def content(account_sid: str, sid: str, template: Template) -> dict[str, Any]:
    """A template as GET /v1/Content/{Sid} shows it."""
    types: dict[str, Any] = {"twilio/text": {"body": template.body}}
    if template.button_id:
        action = {"type": "QUICK_REPLY", "title": "Cancel appointment", "id": template.button_id}
        types = {"twilio/quick-reply": {"body": template.body, "actions": [action]}}
    return {
        "sid": sid,
        "account_sid": account_sid,
        "friendly_name": "a_fake_template",
        "language": "en",
        "variables": template.variables,
        "types": types,
        "url": f"https://content.twilio.com/v1/Content/{sid}",
        "links": {},
    }


def approval(account_sid: str, sid: str, template: Template) -> dict[str, Any]:
    """A template as GET /v1/Content/{Sid}/ApprovalRequests shows it."""
    return {
        "sid": sid,
        "account_sid": account_sid,
        "url": f"https://content.twilio.com/v1/Content/{sid}/ApprovalRequests",
        "whatsapp": {
            "type": "whatsapp",
            "name": "a_fake_template",
            "category": template.category,
            "content_type": "twilio/text",
            "status": template.status,
            "rejection_reason": "",
            "allow_category_change": True,
        },
    }


def _body(text: str) -> str:
    return re.sub(r"\{(\w+)\}", lambda found: f"{{{{{compose.variable(found[1])}}}}}", text)
