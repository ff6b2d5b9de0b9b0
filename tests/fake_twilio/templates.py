"""Templates with samples for their variables and WhatsApp's word on them."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from app.messages.languages import KINDS
from app.simulator.core import templates
from app.simulator.core.templates import CANCEL_BUTTON

__all__ = ["CANCEL_BUTTON", "Template", "approval", "content", "of_a_shop"]

_VARIABLE = re.compile(r"\{\{(\w{1,16})\}\}")


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
        return _VARIABLE.sub(lambda match: ({**self.variables, **values})[match[1]], text)


def of_a_shop() -> dict[str, Template]:
    """One for each kind of message, with the default texts, by kind."""
    return {kind: Template(*templates.body_and_button(kind)) for kind in KINDS}


def content(sid: str, template: Template) -> dict[str, Any]:
    """A template as GET /v1/Content/{Sid} shows it."""
    shown = templates.content(sid, template.body, template.button_id)
    return {**shown, "variables": template.variables}


def approval(sid: str, template: Template) -> dict[str, Any]:
    """A template as GET /v1/Content/{Sid}/ApprovalRequests shows it."""
    return {
        "sid": sid,
        "url": f"https://content.twilio.com/v1/Content/{sid}/ApprovalRequests",
        "whatsapp": {
            "type": "whatsapp",
            "name": "a_simulated_template",
            "category": template.category,
            "content_type": "twilio/text",
            "status": template.status,
            "rejection_reason": "",
            "allow_category_change": True,
        },
    }
