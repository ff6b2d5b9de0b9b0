"""Two who have one form open: who saves second is told what the first has changed.

A form carries in its hidden field `seen` what its fields showed at first, as `pack` writes it.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from app.errors import Conflict

FIELD = "seen"


@dataclass(frozen=True)
class Difference:
    """A field that somebody else has changed: what it was, and what it is."""

    name: str
    was: Any
    now: Any


class ChangedMeanwhile(Conflict):
    """Somebody else has saved this form; `fields` is what to show again."""

    def __init__(self, fields: dict[str, str], differences: list[Difference]) -> None:
        super().__init__("changed_meanwhile", "Somebody else has changed this meanwhile.")
        self.fields = fields
        self.differences = differences


def shown(fields: Mapping[str, str]) -> dict[str, str]:
    """The fields of a form as they are now, with what it is to carry in `seen`."""
    return {**fields, FIELD: pack(fields)}


def pack(shown: Mapping[str, str]) -> str:
    """The fields of a form as they stand there, for its field `seen`."""
    return json.dumps(dict(shown), sort_keys=True)


def merged(
    typed: Mapping[str, str], seen: str, now: Mapping[str, str]
) -> tuple[dict[str, str], list[Difference]]:
    """The form's fields again, and what somebody else has changed since they were `seen`.

    What was typed is kept; what was left alone is as it is now. If `seen` cannot be read, every
    field counts as typed.
    """
    was = _unpacked(seen)
    differences = [
        Difference(name, was[name], value)
        for name, value in now.items()
        if was.get(name, value) != value
    ]
    left_alone = {name for name in now if typed.get(name, "") == was.get(name)}
    fields = {
        name: value if name in left_alone else typed.get(name, "") for name, value in now.items()
    }
    return fields, differences


def check(form: Mapping[str, str], now: Mapping[str, str]) -> None:
    """Raises ChangedMeanwhile if the form is of an older state, and means another than there is.

    Call it where the row is locked. A form that does not say what it showed is taken as it is.
    """
    fields, differences = merged(form, form.get(FIELD, ""), now)
    if differences and any(form.get(name, "") != value for name, value in now.items()):
        raise ChangedMeanwhile({**fields, FIELD: pack(now)}, differences)


def _unpacked(seen: str) -> dict[str, str]:
    """What `pack` wrote; a form may hold anything."""
    try:
        fields = json.loads(seen)
        seen.encode()
        json.dumps(fields, ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        return {}
    if not isinstance(fields, dict) or not all(isinstance(each, str) for each in fields.values()):
        return {}
    return fields
