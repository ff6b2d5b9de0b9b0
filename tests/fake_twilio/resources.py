"""The JSON that Twilio answers with: messages, lists of them, accounts, templates, errors."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from email.utils import format_datetime
from typing import Any
from urllib.parse import urlencode

from .ledger import Accepted
from .rules import Refused

API_VERSION = "2010-04-01"


@dataclass(frozen=True)
class Answer:
    """A whole HTTP answer."""

    status: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)
    content_type: str = "application/json"


def as_json(content: Mapping[str, Any], status: int = 200, **headers: str) -> Answer:
    """`headers` are named with underscores: `Retry_After`."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Answer(status, json.dumps(content).encode(), named)


def error(http_status: int, code: int, message: str, **headers: str) -> Answer:
    content = {
        "code": code,
        "message": message,
        "more_info": f"https://www.twilio.com/docs/errors/{code}",
        "status": http_status,
    }
    return as_json(content, http_status, **headers)


def refusal(refused: Refused) -> Answer:
    headers = {"WWW_Authenticate": 'Basic realm="Twilio API"'} if refused.code == 20003 else {}
    return error(refused.http_status, refused.code, refused.message, **headers)


def account(account_sid: str, status: str) -> dict[str, Any]:
    return {
        "sid": account_sid,
        "friendly_name": "A fake account",
        "status": status,
        "type": "Full",
        "uri": f"/{API_VERSION}/Accounts/{account_sid}.json",
    }


def message(account_sid: str, found: Accepted) -> dict[str, Any]:
    """Without the StatusCallback: Twilio does not return it."""
    uri = f"/{API_VERSION}/Accounts/{account_sid}/Messages/{found.sid}"
    updated_at = found.updated_at or found.at
    return {
        "sid": found.sid,
        "account_sid": account_sid,
        "api_version": API_VERSION,
        "to": f"whatsapp:{found.to}",
        "from": f"whatsapp:{found.sender}",
        "body": found.body,
        "status": found.status,
        "direction": found.direction,
        "error_code": found.error_code,
        "error_message": None,
        "date_created": _date(found.at),
        "date_updated": _date(updated_at),
        "date_sent": None if found.status == "queued" else _date(updated_at),
        "messaging_service_sid": None,
        "num_media": "0",
        "num_segments": "1",
        "price": None,
        "price_unit": None,
        "uri": f"{uri}.json",
        "subresource_uris": {"media": f"{uri}/Media.json"},
    }


def message_page(
    account_sid: str, found: list[Accepted], query: Mapping[str, str]
) -> dict[str, Any]:
    """One page of `found`. The next page begins after the last message of this one, by its sid,
    so that messages which arrive meanwhile shift nothing.
    """
    size = min(max(int(query.get("PageSize", 50)), 1), 1000)
    number = int(query.get("Page", 0))
    after = query.get("PageToken", "").removeprefix("PA")
    first = next((at + 1 for at, row in enumerate(found) if row.sid == after), 0)
    rows = found[first : first + size]
    path = f"/{API_VERSION}/Accounts/{account_sid}/Messages.json"
    paging = {"PageSize", "Page", "PageToken"}
    filters = {name: value for name, value in query.items() if name not in paging}
    base = {**filters, "PageSize": size}
    following = {**base, "Page": number + 1, "PageToken": f"PA{rows[-1].sid}"} if rows else {}
    has_more = first + size < len(found)
    return {
        "messages": [message(account_sid, row) for row in rows],
        "page": number,
        "page_size": size,
        "start": first,
        "end": max(first + len(rows) - 1, 0),
        "uri": f"{path}?{urlencode(dict(query))}",
        "first_page_uri": f"{path}?{urlencode({**base, 'Page': 0})}",
        "next_page_uri": f"{path}?{urlencode(following)}" if has_more else None,
        "previous_page_uri": None,
    }


def sent_on(found: Accepted) -> date | None:
    """The day (UTC) that the filters DateSent go by."""
    return None if found.status == "queued" else (found.updated_at or found.at).date()


def _date(at: datetime) -> str:
    """RFC 2822, whole seconds."""
    return format_datetime(at)
