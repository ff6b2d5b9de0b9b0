"""The seam for a channel: what sends messages, as the rest of the program knows it.

A channel is one class that keeps to `Channel`, in a folder of its own, and a row in
app/messages/channels.py. WhatsApp by way of Twilio (app/whatsapp) is the only one (ADR 35).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Literal, Protocol


class Kind(StrEnum):
    """What to do next with a message that was not accepted."""

    TRANSIENT = "transient"
    PERMANENT = "permanent"
    CONFIGURATION = "configuration"
    RATE = "rate"
    UNCERTAIN = "uncertain"
    VERIFY = "verify"


@dataclass(frozen=True)
class Advice:
    """One refusal for staff: `words` say what happened, `advice` what to do about it.

    `opted_out`: the customer wants no more messages. `wrong_number`: another number of the customer
    may cure it. `comes_later`: it is told of accepted messages, so that one is accepted does not
    show that it is cured. The rest is for the kind RATE. `pause`: how many seconds all sending
    waits, unless the channel says another; `pause_if_repeated`: how many if that does not help, 0
    for the same; `until_next_day`: it waits for the next day of UTC instead.
    """

    code: str
    kind: Kind
    words: str
    advice: str
    opted_out: bool = False
    wrong_number: bool = False
    comes_later: bool = False
    pause: float = 5.0
    pause_if_repeated: float = 0.0
    until_next_day: bool = False


@dataclass(frozen=True)
class Outcome:
    """What came of a request: `accepted`, or the kind of failure with its `code` for `explain`.

    `detail` is for administrators: printable, short, phone numbers taken out. `retry_after` is
    the number of seconds that we were asked to wait, if we were.
    """

    kind: Kind | Literal["accepted"]
    sid: str | None = None
    status: str | None = None
    code: str | None = None
    http_status: int | None = None
    detail: str | None = None
    retry_after: float | None = None


class LookupFailed(Exception):
    """The channel could not be asked, so nothing is known; `outcome` says why."""

    def __init__(self, outcome: Outcome) -> None:
        super().__init__(f"{outcome.code}: {outcome.detail}")
        self.outcome = outcome


@dataclass(frozen=True)
class OutgoingMessage:
    """One message to `to` (E.164). With a `content_sid` the template is sent, else `body`.

    `status_callback` is the URL that is told what becomes of it; None: nobody is.
    """

    to: str = field(repr=False)
    body: str = field(repr=False)
    status_callback: str | None
    content_sid: str | None = None
    content_variables: dict[str, str] | None = field(default=None, repr=False)


@dataclass(frozen=True)
class SentMessage:
    """A message of ours as the channel has it; `created_at` is aware, in UTC.

    `status` is one of app/messages/receipt_ranks.py, or says nothing.
    """

    sid: str
    status: str | None
    body: str = field(repr=False)
    created_at: datetime
    error_code: str | None


@dataclass(frozen=True)
class Received:
    """A customer's message as the channel has it. `sender` is as it writes it ("whatsapp:+49…"),
    `media` how many files came with it; `created_at` is aware, in UTC.
    """

    sid: str
    sender: str = field(repr=False)
    body: str = field(repr=False)
    media: int
    created_at: datetime


@dataclass(frozen=True)
class StatusReport:
    """What a receipt says: the `status` of the message `sid`, and `to` whom (E.164) it went.

    Empty strings where it says nothing.
    """

    sid: str
    status: str
    error_code: str = ""
    to: str = field(default="", repr=False)


@dataclass(frozen=True)
class Template:
    """A template: its text, the names of all its variables, and the ids of its reply buttons."""

    body: str
    variables: frozenset[str]
    button_ids: tuple[str, ...]


class Channel(Protocol):
    """What sends, for one sender. May be used by many threads at once; knows no booking."""

    def __hash__(self) -> int:
        """By identity: what one was asked may be remembered."""

    @property
    def webhooks(self) -> str:
        """The path of the door that it calls back at, which has `/status/{attemptId}`."""

    def send(self, message: OutgoingMessage) -> Outcome:
        """Send `message` once, and never again by itself. Raises nothing."""

    def list_sent(self, to: str, since: datetime) -> list[SentMessage]:
        """Our messages to `to` (E.164) created at or after `since` (aware). Raises LookupFailed."""

    def fetch(self, sid: str) -> SentMessage | None:
        """The message `sid`, None if there is no such message. Raises LookupFailed."""

    def list_received(self) -> list[Received]:
        """The newest messages to us, the oldest of them first. Raises LookupFailed."""

    def template(self, content_sid: str) -> Template | None:
        """The template, None if there is none such. Raises LookupFailed."""

    def read_receipt(self, form: Mapping[str, str]) -> StatusReport | None:
        """What it called back with; None if that tells of no message."""

    def explain(self, code: int | str | None, *, asynchronous: bool = False) -> Advice:
        """What a code means; any value is answered, also one nobody has seen before.

        Asynchronous is a code of a receipt: the message was accepted, and is finished with.
        """
