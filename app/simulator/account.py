"""Our account at the simulator: the settings' credentials over what the store remembers."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import SplitResult, urlsplit

from app.messages.compose import content_sids
from app.messages.languages import ENGLISH, KINDS, LANGUAGES
from app.settings import settings
from app.simulator import store
from app.simulator.attachments import THINGS
from app.simulator.core import rules, templates
from app.simulator.core.account import Accepted
from app.simulator.store import Entry


@dataclass
class SimulatedAccount:
    """What the core asks (app.simulator.core.account)."""

    account_sid: str = field(default_factory=lambda: settings().whatsapp_account_sid)
    auth_token: str = field(default_factory=lambda: settings().whatsapp_auth_token)
    sender: str = field(default_factory=lambda: settings().whatsapp_from_number)
    account_status: str = "active"

    def find(self, sid: str) -> Accepted | None:
        """The message or reply with this SID."""
        entry = store.find(sid)
        return self.accepted(entry) if entry else None

    def listed(
        self, to: str | None, sender: str | None, after: str | None, most: int
    ) -> list[Accepted]:
        """What is to or from a customer; a filter that names only us leaves the kind."""
        is_sent = to != self.sender and sender in (None, self.sender)
        is_received = sender != self.sender and to in (None, self.sender)
        kinds = [*["message"] * is_sent, *["reply"] * is_received]
        customer = next(
            (number for number in (to, sender) if number not in (None, self.sender)), None
        )
        return [self.accepted(entry) for entry in store.listed(customer, kinds, after, most)]

    def content(self, sid: str) -> dict[str, Any] | None:
        """One of the templates that the settings name, with the text of its kind of message."""
        for kind in KINDS:
            for code, known in content_sids(kind).items():
                if known == sid:
                    language = LANGUAGES.get(code, ENGLISH)
                    return templates.content(sid, *templates.body_and_button(kind, language))
        return None

    def accepted(self, entry: Entry) -> Accepted:
        """A message or a reply as Twilio has it."""
        is_reply = entry.kind == "reply"
        return Accepted(
            sid=entry.sid or "",
            to=self.sender if is_reply else entry.number,
            sender=entry.number if is_reply else self.sender,
            body=entry.body,
            status_callback=entry.callback,
            at=entry.created_at,
            status="received" if is_reply else entry.status,
            error_code=None if is_reply else entry.error_code,
            updated_at=entry.updated_at,
            direction="inbound" if is_reply else "outbound-api",
            num_media=THINGS[entry.thing].fields.get("NumMedia", "0") if entry.thing else "0",
        )


def checked_text(form: Mapping[str, str]) -> str:
    """What the customer reads: the body, or the template's values. Raises Refused for a message
    that Twilio would not send. Free text is taken at any time, as if each customer had written
    within the last 24 hours.
    """
    account = SimulatedAccount()
    rules.check_message(form, account.sender, is_ours)
    values = rules.template_values(form, account.content(form.get("ContentSid", "")) is not None)
    if values is None:
        return form["Body"]
    return "\n".join([f"Template {form['ContentSid']}", *(f"{k}: {values[k]}" for k in values)])


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
