"""The JSON that Twilio answers with: messages, lists of them, accounts, errors."""

import re
from collections.abc import Mapping
from datetime import datetime
from email.utils import format_datetime
from typing import Any
from urllib.parse import urlencode

from app.simulator.core.account import Accepted, Account
from app.simulator.core.rules import Refused

API_VERSION = "2010-04-01"

_LONGEST_PAGE = 1000
_TOKEN = re.compile(r"PA[A-Z]{2}[0-9a-f]{32}")


def error(refused: Refused) -> dict[str, Any]:
    """What a refusal says."""
    return {
        "code": refused.code,
        "message": refused.message,
        "more_info": f"https://www.twilio.com/docs/errors/{refused.code}",
        "status": refused.http_status,
    }


def account(account: Account) -> dict[str, Any]:
    """An account as GET /Accounts/{Sid} shows it."""
    return {
        "sid": account.account_sid,
        "friendly_name": "A simulated account",
        "status": account.account_status,
        "type": "Full",
    }


def message(account_sid: str, accepted: Accepted) -> dict[str, Any]:
    """Without the StatusCallback: Twilio does not return it."""
    uri = f"/{API_VERSION}/Accounts/{account_sid}/Messages/{accepted.sid}"
    return {
        "sid": accepted.sid,
        "account_sid": account_sid,
        "api_version": API_VERSION,
        "to": f"whatsapp:{accepted.to}",
        "from": f"whatsapp:{accepted.sender}",
        "body": accepted.body,
        "status": accepted.status,
        "direction": accepted.direction,
        "error_code": accepted.error_code,
        "error_message": None,
        "date_created": _date(accepted.at),
        "date_updated": _date(accepted.updated_at or accepted.at),
        "date_sent": _date(accepted.sent_at),
        "messaging_service_sid": None,
        "num_media": accepted.num_media,
        "num_segments": "1",
        "price": None,
        "price_unit": None,
        "uri": f"{uri}.json",
        "subresource_uris": {"media": f"{uri}/Media.json"},
    }


def message_page(account: Account, query: Mapping[str, str]) -> dict[str, Any]:
    """A page of the list, which begins after the last message of the one before, by its SID, so
    that messages which arrive meanwhile shift nothing. Raises Refused.
    """
    size = min(max(_number(query, "PageSize", "50"), 1), _LONGEST_PAGE)
    page, token = _number(query, "Page", "0"), query.get("PageToken")
    if token and not _TOKEN.fullmatch(token):
        raise Refused(20001, "PageToken is that of a page before")
    to, sender = _without_prefix(query.get("To")), _without_prefix(query.get("From"))
    rows = account.listed(to, sender, token[2:] if token else None, size + 1)
    path = f"/{API_VERSION}/Accounts/{account.account_sid}/Messages.json"
    base = {name: query[name] for name in ("To", "From") if name in query} | {"PageSize": size}
    following = base | {"Page": page + 1, "PageToken": f"PA{rows[:size][-1].sid}" if rows else ""}
    return {
        "messages": [message(account.account_sid, row) for row in rows[:size]],
        "page": page,
        "page_size": size,
        "start": page * size,
        "end": max(page * size + len(rows[:size]) - 1, 0),
        "uri": f"{path}?{urlencode(query)}",
        "first_page_uri": f"{path}?{urlencode({**base, 'Page': 0})}",
        "next_page_uri": f"{path}?{urlencode(following)}" if len(rows) > size else None,
        "previous_page_uri": None,
    }


def _number(query: Mapping[str, str], name: str, default: str) -> int:
    text = query.get(name, default)
    if not re.fullmatch(r"[0-9]{1,9}", text):
        raise Refused(20001, f"{name} is a number")
    return int(text)


def _date(at: datetime | None) -> str | None:
    """RFC 2822, whole seconds."""
    return format_datetime(at) if at else None


def _without_prefix(address: str | None) -> str | None:
    return address and address.removeprefix("whatsapp:")
