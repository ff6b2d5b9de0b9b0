"""A customer's message as Twilio delivers it: form-encoded and signed, and again if need be.

params = inbound.message(twilio, "+447700900123", "CANCEL")
answer = inbound.deliver(twilio, f"{shop_url}/webhooks/twilio/inbound", params)
assert inbound.spoken(answer) == ["Your appointment … is cancelled."]
"""

import time
import uuid
from urllib.parse import urldefrag
from xml.etree import ElementTree

import httpx

from app.simulator.core import webhooks
from app.simulator.core.account import Account
from app.simulator.core.webhooks import signature

_http = httpx.Client(timeout=15, trust_env=False, limits=httpx.Limits(max_keepalive_connections=0))


def message(account: Account, sender: str, body: str, **fields: str) -> dict[str, str]:
    """The parameters of a new message of Ana's; `fields` are added or replace others."""
    new = {"sid": "SM" + uuid.uuid4().hex, "sender": sender, "body": body}
    return webhooks.inbound(account, **new, **{"ProfileName": "Ana", **fields})


def deliver(
    account: Account, url: str, params: dict[str, str], retries: int = 3, pause: float = 0.2
) -> httpx.Response:
    """POST it, and again with the same SID while nobody answers, or with a 5xx (`#rp=ct,rt,5xx`).

    Raises httpx.TransportError if nobody answers the last time either.
    """
    url = urldefrag(url).url
    headers = {"X-Twilio-Signature": signature(account.auth_token, url, params)}
    for left in range(retries, -1, -1):
        try:
            answer = _http.post(url, data=params, headers=headers)
        except httpx.TransportError:
            if not left:
                raise
        else:
            if answer.status_code < 500 or not left:
                return answer
        time.sleep(pause)
    raise AssertionError("unreachable")


def spoken(answer: httpx.Response) -> list[str]:
    """The texts that a TwiML answer says: what the customer reads. Raises ParseError."""
    root = ElementTree.fromstring(answer.content)
    assert root.tag == "Response"
    assert {child.tag for child in root} <= {"Message"}, answer.text
    return ["".join(child.itertext()) for child in root]
