"""What can be made to go wrong with a message, and how each fault plays out."""

from dataclasses import dataclass
from functools import cache
from typing import Literal

from app.whatsapp import errors

Kind = Literal["refused", "undelivered", "unanswered", "lost", "lost_silent", "phone_off"]

_REFUSALS = {
    21211: 400, 63003: 400, 63016: 400, 21610: 400, 20429: 429, 20500: 500, 20503: 503, 20003: 401,
}  # fmt: skip
_UNDELIVERED = (63003, 63016, 30008)
_OTHER: dict[Kind, str] = {
    "unanswered": "Not accepted, and no answer",
    "lost": "Accepted, but the answer is lost",
    "lost_silent": "Accepted, but answer and receipts are lost",
    "phone_off": "Phone switched off: never delivered",
}


@dataclass(frozen=True)
class Fault:
    """One fault: `name` is what forms and the store keep, `words` are what the page says.

    `code` is Twilio's; `http_status` belongs to a refusal.
    """

    name: str
    kind: Kind
    words: str
    code: int | None = None
    http_status: int = 201

    @property
    def accepts(self) -> bool:
        """Whether the message reaches the list of messages all the same."""
        return self.kind not in {"refused", "unanswered"}

    @property
    def answers(self) -> bool:
        """False for a request that is held until its sender gives up."""
        return self.kind not in {"unanswered", "lost", "lost_silent"}


@cache
def catalog() -> dict[str, Fault]:
    """Every fault by its name, in the order of the page."""
    refusals = [
        Fault(f"refused-{code}", "refused", _words(code), code, http_status)
        for code, http_status in _REFUSALS.items()
    ]
    undelivered = [
        Fault(f"undelivered-{code}", "undelivered", _words(code), code) for code in _UNDELIVERED
    ]
    others = [Fault(kind, kind, words) for kind, words in _OTHER.items()]
    return {fault.name: fault for fault in [*refusals, *undelivered, *others]}


def sentence(name: str) -> str:
    """A fault as a line of the page; any name is answered, also one of an older version."""
    fault = catalog().get(name)
    if fault is None:
        return name
    prefix = {"refused": "Refused: ", "undelivered": "Undelivered: "}.get(fault.kind, "")
    return prefix + fault.words


def _words(code: int) -> str:
    return f"{code} · {errors.explain(code).words}"
