"""Templates of the Content API: those of a shop that followed docs/whatsapp.md."""

from typing import Any

from app.messages.compose import CANCEL_PAYLOAD, as_template
from app.messages.languages import ENGLISH, Language

CANCEL_LABEL = "Cancel appointment"
CANCEL_BUTTON = f"{{{{{CANCEL_PAYLOAD}}}}}"
WITH_BUTTON = ("reminder", "confirmation", "moved")
"""The kinds of message that have the button."""


def body_and_button(kind: str, language: Language = ENGLISH) -> tuple[str, str | None]:
    """The standard text of a kind of message as a template's body, and the id of its button."""
    return as_template(language.texts[kind]), CANCEL_BUTTON if kind in WITH_BUTTON else None


def content(sid: str, body: str, button_id: str | None) -> dict[str, Any]:
    """A template as GET /v1/Content/{Sid} shows it, without the samples of its variables."""
    types: dict[str, Any] = {"twilio/text": {"body": body}}
    if button_id:
        action = {"type": "QUICK_REPLY", "title": CANCEL_LABEL, "id": button_id}
        types = {"twilio/quick-reply": {"body": body, "actions": [action]}}
    return {
        "sid": sid,
        "friendly_name": "a_simulated_template",
        "language": "en",
        "variables": {},
        "types": types,
        "url": f"https://content.twilio.com/v1/Content/{sid}",
    }
