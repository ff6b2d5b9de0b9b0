"""What Twilio calls us with: forms of receipts and of customers' messages, and their signature."""

from urllib.parse import urldefrag

from twilio.request_validator import RequestValidator  # type: ignore[import-untyped]

from app.simulator.core.account import Accepted, Account
from app.simulator.core.resources import API_VERSION


def signature(auth_token: str, url: str, fields: dict[str, str]) -> str:
    """The X-Twilio-Signature of a POST; the fragment of `url` is not part of what is signed."""
    return str(RequestValidator(auth_token).compute_signature(urldefrag(url).url, fields))


def receipt(account: Account, message: Accepted) -> dict[str, str]:
    """The fields of a status callback with the message's present status."""
    failed = {} if message.error_code is None else {"ErrorCode": str(message.error_code)}
    return {
        "MessageSid": message.sid,
        "MessageStatus": message.status,
        "SmsSid": message.sid,
        "SmsStatus": message.status,
        "AccountSid": account.account_sid,
        "From": f"whatsapp:{message.sender}",
        "To": f"whatsapp:{message.to}",
        "ApiVersion": API_VERSION,
        **failed,
    }


def inbound(account: Account, sid: str, sender: str, body: str, **fields: str) -> dict[str, str]:
    """The fields of a customer's message; `sender` is a phone (E.164), or a whole From.

    `fields` are added or replace others: `ButtonPayload`, `OriginalRepliedMessageSid`, …
    """
    return {
        "MessageSid": sid,
        "SmsMessageSid": sid,
        "SmsSid": sid,
        "SmsStatus": "received",
        "AccountSid": account.account_sid,
        "ApiVersion": API_VERSION,
        "MessageType": "text",
        "ChannelPrefix": "whatsapp",
        "From": f"whatsapp:{sender}" if sender.startswith("+") else sender,
        "To": f"whatsapp:{account.sender}",
        "WaId": sender.removeprefix("+"),
        "ProfileName": "Simulated customer",
        "Body": body,
        "NumMedia": "0",
        "NumSegments": "1",
        **fields,
    }
