"""The WhatsApp sender and the Messaging Services of the account, as Twilio's API shows them."""

from dataclasses import dataclass
from typing import Any

SENDER_SID = "XE" + "0" * 32
_HOST = "https://messaging.twilio.com"


@dataclass(frozen=True)
class MessagingService:
    """A Messaging Service with the sender in it; `defers`: it leaves replies to the sender's own
    webhook.
    """

    name: str = "Shop"
    inbound_url: str | None = None
    defers: bool = True
    sid: str = "MG" + "0" * 32


def sender(number: str, status: str, inbound_url: str | None) -> dict[str, Any]:
    return {
        "sid": SENDER_SID,
        "status": status,
        "sender_id": f"whatsapp:{number}",
        "configuration": {"waba_id": "1234567"},
        "webhook": {"callback_url": inbound_url, "callback_method": "POST"},
        "profile": {"name": "Shop"},
        "url": f"{_HOST}/v2/Channels/Senders/{SENDER_SID}",
    }


def service(member: MessagingService) -> dict[str, Any]:
    return {
        "sid": member.sid,
        "friendly_name": member.name,
        "inbound_request_url": member.inbound_url,
        "inbound_method": "POST",
        "use_inbound_webhook_on_number": member.defers,
        "validity_period": 36000,
        "url": f"{_HOST}/v1/Services/{member.sid}",
    }


def channel_sender(member: MessagingService, number: str) -> dict[str, Any]:
    return {
        "sid": SENDER_SID,
        "messaging_service_sid": member.sid,
        "sender": f"whatsapp:{number}",
        "sender_type": "WhatsApp",
        "url": f"{_HOST}/v1/Services/{member.sid}/ChannelSenders/{SENDER_SID}",
    }


def page(key: str, rows: list[dict[str, Any]], path: str) -> dict[str, Any]:
    """A list of the newer APIs, which fits one page here."""
    meta = {
        "key": key,
        "page": 0,
        "page_size": 50,
        "url": f"{_HOST}{path}?PageSize=50&Page=0",
        "first_page_url": f"{_HOST}{path}?PageSize=50&Page=0",
        "next_page_url": None,
        "previous_page_url": None,
    }
    return {key: rows, "meta": meta}
