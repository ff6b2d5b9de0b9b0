"""The description as generators of clients like it: what Litestar makes of the handlers, finished.

Each field has words and an example (`field_words`), a body that takes no unknown fields says so,
and a schema of one alternative is that alternative.
"""

import json
from collections.abc import Iterator
from typing import Any

from msgspec import Struct

from app.api import field_words

_PLAIN = ("string", "integer", "number")


def finished(schema: dict[str, Any]) -> dict[str, Any]:
    """The whole document, changed in place; once more changes nothing."""
    closed = {each.__name__ for each in _structs() if each.__struct_config__.forbid_unknown_fields}
    for name, shape in schema["components"]["schemas"].items():
        _describe(name, shape)
        if name in closed:
            shape["additionalProperties"] = False
            _without_defaults(shape)
    for hook in schema["webhooks"].values():
        for name, shape in _bodies_of(hook["post"]):
            _describe(name, shape)
    for calls in schema["paths"].values():
        calls.pop("head", None)  # what GET is, without its body
        for call in calls.values():
            call["summary"] = call["description"].partition("\n")[0].partition(";")[0].rstrip(".:")
    return schema


def _describe(name: str, shape: dict[str, Any]) -> None:
    for field, given in shape.get("properties", {}).items():
        plain = _plain(given)
        more = field_words.of(name, field)
        limits = {each: more.pop(each) for each in list(more) if each.startswith(("min", "max"))}
        for alternative in (plain, *plain.get("oneOf", ())):
            if alternative.get("type") in _PLAIN and "enum" not in alternative:
                alternative.update(limits)
        shape["properties"][field] = {**more, **plain}


def _plain(given: dict[str, Any]) -> dict[str, Any]:
    """Without alternatives of which there is one; a choice that may be null is two."""
    while len(given.get("oneOf", ())) == 1:
        [only] = given["oneOf"]
        given = {**only, **{key: value for key, value in given.items() if key != "oneOf"}}
    if None not in given.get("enum", ()):
        return dict(given)
    choice = {"type": "string", "enum": [each for each in given["enum"] if each is not None]}
    if isinstance(choice["enum"][0], int):
        choice["type"] = "integer"
    rest = {key: value for key, value in given.items() if key not in ("type", "enum", "oneOf")}
    return {**rest, "oneOf": [choice, {"type": "null"}]}


def _without_defaults(shape: dict[str, Any]) -> None:
    """In a body: generators take a field with a default for one that has to be sent."""
    for given in shape["properties"].values():
        if "default" in given:
            left_out = json.dumps(given.pop("default"))
            given["description"] += f" Left out: {left_out}."


def _bodies_of(operation: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """The shapes that stand in an event's own body, which no other has."""
    body = operation["requestBody"]["content"]["application/json"]["schema"]
    for name, shape in body["properties"]["data"]["properties"].items():
        if "properties" in shape:
            yield f"{name.capitalize()}Answer", shape


def _structs(of: type[Struct] = Struct) -> Iterator[type[Struct]]:
    for each in of.__subclasses__():
        yield each
        yield from _structs(each)
