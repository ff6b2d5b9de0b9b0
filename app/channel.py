"""The seam for a channel: what sends messages, as the rest of the program knows it.

A channel is one class that keeps to `Channel`, in a folder of its own, and a row in
app/messages/channels.py. WhatsApp by way of Twilio (app/whatsapp) is the only one (ADR 35).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Literal, Protocol

from app import clock

IncomingKind = Literal[
    "text",
    "media",
    "location",
    "contact",
    "reaction",
    "help",
    "edited",
    "deleted",
    "unsupported",
]
"""What a customer sent. What is no more than words and files is called a text."""


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
class Incoming:
    """A customer's message as the channel tells of it.

    `sender` is their number (E.164), or the channel's id of somebody who hides it; `number` is what
    it tells beside such an id, if it does. `replied_to` is the SID of the message that they quote.
    `handled` is what the channel has taken it for and answered by itself. `media` is how many files
    came with it, `media_types` what each of them is, as far as that is known: picture, voice
    message, video, sticker, file. `received_at` is aware, in UTC.
    """

    sid: str
    sender: str = field(repr=False)
    body: str = field(repr=False)
    kind: IncomingKind = "text"
    number: str | None = field(default=None, repr=False)
    profile_name: str | None = None
    button_payload: str | None = None
    replied_to: str | None = None
    handled: Literal["stop", "start", "help"] | None = None
    media: int = 0
    media_types: Sequence[str] = ()
    received_at: datetime = field(default_factory=lambda: clock.now())


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

    def list_received(self) -> list[Incoming]:
        """The newest messages to us, the oldest of them first. Raises LookupFailed."""

    def template(self, content_sid: str) -> Template | None:
        """The template, None if there is none such. Raises LookupFailed."""

    def read_incoming(self, form: Mapping[str, str]) -> Incoming | None:
        """The message that it called us with; None if that is no customer's."""

    def read_receipt(self, form: Mapping[str, str]) -> StatusReport | None:
        """What it called back with; None if that tells of no message."""

    def explain(self, code: int | str | None, *, asynchronous: bool = False) -> Advice:
        """What a code means; any value is answered, also one nobody has seen before.

        Asynchronous is a code of a receipt: the message was accepted, and is finished with.
        """
