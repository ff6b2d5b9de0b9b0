"""What the core is told by who stands on it: one account with one WhatsApp sender."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol


@dataclass(frozen=True)
class Accepted:
    """A message that Twilio has: one of ours, or with direction `inbound` a customer's.

    Numbers are E.164, times aware in UTC. `payload` is what a tap on its button sends back.
    """

    sid: str
    to: str
    sender: str
    body: str
    status_callback: str | None
    at: datetime
    status: str = "queued"
    error_code: int | None = None
    updated_at: datetime | None = None
    payload: str | None = None
    direction: str = "outbound-api"
    num_media: str = "0"

    @property
    def sent_at(self) -> datetime | None:
        """Twilio sets the date of sending late: a queued message has none."""
        return None if self.status == "queued" else self.updated_at or self.at


class Account(Protocol):
    """Its credentials, its sender (E.164), its status at Twilio, and what it remembers."""

    account_sid: str
    auth_token: str
    sender: str
    account_status: str

    def find(self, sid: str) -> Accepted | None:
        """The message with this SID."""

    def listed(
        self, to: str | None, sender: str | None, after: str | None, most: int
    ) -> Sequence[Accepted]:
        """Newest first: what these numbers leave, and what is older than the message `after`."""

    def content(self, sid: str) -> dict[str, Any] | None:
        """The template with this SID, as the Content API shows it."""
