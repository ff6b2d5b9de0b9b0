"""Answers as bytes: the core's JSON, and those that a fault makes of it."""

import json
from collections.abc import Mapping
from typing import Any

from app.simulator.core import resources
from app.simulator.core.rules import Refused

from .faults import Fault
from .ledger import Accepted
from .server import Answer


def as_json(
    content: Mapping[str, Any], status: int = 200, headers: Mapping[str, str] | None = None
) -> Answer:
    return Answer(status, json.dumps(content).encode(), headers or {})


def refusal(refused: Refused) -> Answer:
    headers = {"WWW-Authenticate": 'Basic realm="Twilio API"'} if refused.code == 20003 else {}
    return as_json(resources.error(refused), refused.http_status, headers)


def unavailable() -> Refused:
    return Refused(20503, "Service unavailable", 503)


def to_post(fault: Fault | None, account_sid: str, message: Accepted | None) -> Answer:
    """What a POST is answered with that was not refused."""
    kind = fault.kind if fault else None
    if fault and kind == "error":
        told = {} if fault.retry_after is None else {"Retry-After": str(fault.retry_after)}
        refused = Refused(fault.code, "A scripted error", fault.http_status)
        return as_json(resources.error(refused), fault.http_status, told)
    if fault and kind == "html_503":
        page = b"<html><body><h1>Service Unavailable</h1></body></html>"
        return Answer(fault.http_status, page, content_type="text/html")
    if kind == "garbage_201":
        return Answer(201, b"<?xml version='1.0'?><TwilioResponse/>")
    shown = resources.message(account_sid, message) if message else {}
    return as_json(shown | ({"sid": None} if kind == "null_sid" else {}), 201)
