"""What a shop has set up at Twilio: its templates, its WhatsApp sender, its Messaging Services."""

import json
import re
from dataclasses import dataclass
from typing import Any

from app.channel import Template

_VARIABLE = re.compile(r"\{\{\s*(\w+)\s*\}\}")


@dataclass(frozen=True)
class Approval:
    """WhatsApp's word on a template: "approved" and so on, and "UTILITY" and so on."""

    status: str
    category: str


@dataclass(frozen=True)
class WhatsAppSender:
    """A WhatsApp sender: "ONLINE" and so on, and what Twilio calls when a customer writes."""

    status: str
    inbound_url: str
    inbound_method: str


@dataclass(frozen=True)
class MessagingService:
    """A Messaging Service, and what Twilio calls when a customer writes to one of its senders.

    No `inbound_url`: nothing, unless `defers` leaves it to the sender's own.
    """

    sid: str
    name: str
    inbound_url: str
    defers: bool


def template_of(content: Any) -> Template:
    """A template out of Twilio's Content; raises ValueError for one that cannot be read."""
    types, samples = content.types, content.variables or {}
    if not isinstance(types, dict) or not isinstance(samples, dict):
        raise ValueError("a template without types")
    parts = [part for part in types.values() if isinstance(part, dict)]
    # Twilio lists a variable that has a sample; one without shows in the text alone.
    names = {*samples, *_VARIABLE.findall(json.dumps(types))}
    bodies = [str(part["body"]) for part in parts if part.get("body")]
    actions = [action for part in parts for action in part.get("actions") or []]
    # Of a quick-reply's actions only buttons that answer have an id.
    ids = tuple(str(action["id"]) for action in actions if action.get("id"))
    return Template(bodies[0] if bodies else "", frozenset(names), ids)


def approval_of(fetched: Any) -> Approval:
    """The approval out of Twilio's answer: a template that nobody submitted is "unsubmitted"."""
    approval = fetched.whatsapp or {}
    return Approval(
        str(approval.get("status") or "unsubmitted"), str(approval.get("category") or "")
    )


def sender_of(fetched: Any) -> WhatsAppSender:
    """The sender out of Twilio's answer."""
    webhook = fetched.webhook or {}
    return WhatsAppSender(
        status=str(fetched.status),
        inbound_url=str(webhook.get("callback_url") or ""),
        inbound_method=str(webhook.get("callback_method") or "POST"),
    )


def service_of(row: Any) -> MessagingService:
    """A Messaging Service out of Twilio's list."""
    return MessagingService(
        sid=str(row.sid),
        name=str(row.friendly_name or row.sid),
        inbound_url=str(row.inbound_request_url or ""),
        defers=bool(row.use_inbound_webhook_on_number),
    )
