"""The `webhooks` of the OpenAPI document: each event that is posted to a webhook, with its body."""

from collections.abc import Mapping
from typing import Any

import msgspec

from app.api.event_data import ReplyAnswer, SendingAnswer
from app.api.event_examples import EXAMPLES
from app.outbox import TYPES, EventType

_WHEN: Mapping[EventType, str] = {
    "booking.created": "Somebody booked.",
    "booking.changed": "Something but the time of a booking changed.",
    "booking.moved": "A booking has another time.",
    "booking.cancelled": "A booking was cancelled.",
    "booking.attended": "The customer came or did not, or that was taken back: see its status.",
    "message.sent": "Twilio has taken a message.",
    "message.delivered": "A message is on the customer's phone.",
    "message.failed": "A message is given up.",
    "message.skipped": "A message was no longer useful.",
    "reply.received": "A customer wrote.",
    "customer.opted_out": "A customer wants no messages any more.",
    "sending.stopped": "Messages do not go out any more, or soon will not.",
    "sending.resumed": "Messages go out again, unless something else holds them.",
}
_OF_THE_API = ("booking", "service", "barber", "customer", "message")
_, _OWN = msgspec.json.schema_components((ReplyAnswer, SendingAnswer))
_HEADERS = {
    "webhook-id": "The event's id: the same each time that it is sent.",
    "webhook-timestamp": "When it was sent, in seconds since 1970.",
    "webhook-signature": "`v1,` and a signature; two of them, with a space between, while a secret "
    "changes. See standardwebhooks.com.",
}


def webhooks() -> dict[str, Any]:
    """By their types, as OpenAPI 3.1 has them."""
    return {type: {"post": _operation(type)} for type in TYPES}


def _operation(type: EventType) -> dict[str, Any]:
    example = msgspec.to_builtins(EXAMPLES[type])
    body = {
        "type": "object",
        "required": ["type", "timestamp", "data"],
        "properties": {
            "type": {"const": type},
            "timestamp": {"type": "string", "format": "date-time"},
            "data": {
                "type": "object",
                "required": sorted(example),
                "properties": {name: _schema(name) for name in sorted(example)},
            },
        },
        "examples": [{"type": type, "timestamp": "2030-01-15T10:00:01Z", "data": example}],
    }
    first, _, second = type.partition(".")
    return {
        "operationId": first + "".join(each.capitalize() for each in second.split("_")),
        "summary": _WHEN[type],
        "tags": ["Events"],
        "parameters": [
            {
                "name": name,
                "in": "header",
                "required": True,
                "description": words,
                "schema": {"type": "string"},
            }
            for name, words in _HEADERS.items()
        ],
        "requestBody": {"required": True, "content": {"application/json": {"schema": body}}},
        "responses": {"2XX": {"description": "It is taken. Any other answer: it comes again."}},
    }


def _schema(name: str) -> dict[str, Any]:
    if name not in _OF_THE_API:
        own: dict[str, Any] = _OWN[f"{name.capitalize()}Answer"]
        return own
    reference = {"$ref": f"#/components/schemas/{name.capitalize()}Answer"}
    return {"oneOf": [reference, {"type": "null"}]} if name == "customer" else reference
