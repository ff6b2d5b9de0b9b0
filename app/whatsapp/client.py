"""Sending WhatsApp messages with Twilio, and looking up what became of them.

The only module that knows Twilio's client. It knows nothing of bookings, and it never repeats a
request by itself: Twilio has no idempotency key, so a repeated POST may be a second message.
"""

import json
import logging
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Self, TypeVar

from twilio.base import values  # type: ignore[import-untyped]
from twilio.rest import Client  # type: ignore[import-untyped]

from app.channel import (
    Advice,
    Incoming,
    LookupFailed,
    Outcome,
    OutgoingMessage,
    SentMessage,
    StatusReport,
    Template,
)
from app.settings import TWILIO_API, Settings
from app.whatsapp import errors, incoming
from app.whatsapp.account import (
    Approval,
    MessagingService,
    WhatsAppSender,
    approval_of,
    sender_of,
    service_of,
    template_of,
)
from app.whatsapp.outcome import code_of, failure
from app.whatsapp.transport import Failed, Transport

_log = logging.getLogger(__name__)

WEBHOOKS = "/webhooks/twilio"

_CALLBACK_RETRIES = "#rc=3&rp=ct,rt,5xx"
"""Asks Twilio to repeat a callback that we could not take (its webhook connection overrides)."""
_VALIDITY = 900  # seconds a message may wait in Twilio's own queue
_PAGE_SIZE = 50
MOST_PAGES = 20
_MOST_RECEIVED = 200
_MOST_ROWS = 1000  # of what is set up at an account
_LONGEST_SID, _LONGEST_STATUS, _LONGEST_CODE = 34, 32, 32
_SID = re.compile(r"(SM|MM)[0-9a-f]{32}")
_STATUS = re.compile(r"[a-z_]{1,30}")

T = TypeVar("T")


@dataclass(frozen=True)
class WhatsAppConfig:
    """Whom to send as, and where. `sender` is E.164 without prefix, `timeout` is in seconds.

    `api_url` is Twilio's, or any other base: `http://127.0.0.1:3000/simulator`. `timeout` holds
    for connecting and for each wait on the socket; a whole request gets twice as much.
    """

    account_sid: str
    auth_token: str = field(repr=False)
    sender: str
    api_url: str = TWILIO_API
    timeout: float = 10.0

    @classmethod
    def of_settings(cls, environment: Settings) -> Self:
        """Whom the settings say to send as."""
        return cls(
            account_sid=environment.whatsapp_account_sid,
            auth_token=environment.whatsapp_auth_token,
            sender=environment.whatsapp_from_number,
            api_url=environment.whatsapp_api_url,
            timeout=environment.send_timeout,
        )


class WhatsAppClient:
    """One sender at Twilio, or at the simulator: the Channel of WhatsApp."""

    webhooks = WEBHOOKS

    def __init__(self, config: WhatsAppConfig) -> None:
        self._config = config
        self._transport = Transport(config.api_url, config.timeout)
        self._client = Client(
            config.account_sid,
            config.auth_token,
            http_client=self._transport,
            environment={"TWILIO_EDGE": ""},  # else Client reads an edge and a region from ours
        )
        self._messages = self._client.messages

    @classmethod
    def of_settings(cls, environment: Settings) -> Self:
        """The one that the settings say."""
        return cls(WhatsAppConfig.of_settings(environment))

    def send(self, message: OutgoingMessage) -> Outcome:
        """POST `message` once. Raises for nothing that Twilio or the network does.

        Blocks for at most twice the timeout; only a name server that does not answer can make it
        longer, and then nothing is sent any more.
        """
        return _outcome_of(lambda: self._create(message))

    def list_sent(self, to: str, since: datetime) -> list[SentMessage]:
        """Our messages to `to` (E.164) created at or after `since` (aware). Raises LookupFailed.

        Not what answered a customer by TwiML. No DateSent filter: Twilio sets that date late, and a
        message still queued must be found.
        """
        with _looking_up():
            page = self._messages.page(
                to=_address(to), from_=_address(self._config.sender), page_size=_PAGE_SIZE
            )
            sent: list[SentMessage] = []
            for _ in range(MOST_PAGES):
                rows = [(str(row.direction), _sent(row)) for row in page]
                newer = [row for row in rows if row[1].created_at >= since]
                sent += [message for direction, message in newer if direction == "outbound-api"]
                page = page.next_page() if newer else None
                if page is None:
                    return sent
            raise ValueError("the list has no end")

    def list_received(self) -> list[Incoming]:
        """The newest messages to us, at most 200, the oldest of them first. Raises LookupFailed."""
        with _looking_up():
            page = self._messages.page(to=_address(self._config.sender), page_size=_MOST_RECEIVED)
            rows = [_received(row) for row in page if str(row.direction) == "inbound"]
            rows.reverse()  # the newest come first, and their times are whole seconds
            return sorted(rows, key=lambda row: row.received_at)

    def fetch(self, sid: str) -> SentMessage | None:
        """The message `sid`, None if Twilio has no such message. Raises LookupFailed."""
        if not _SID.fullmatch(sid):
            return None
        return _unless_missing(lambda: _sent(self._messages(sid).fetch()))

    def read_incoming(self, form: Mapping[str, str]) -> Incoming | None:
        """The message; None for what comes from us, or by another channel."""
        sender, ours = form.get("From", ""), _address(self._config.sender)
        return incoming.of_form(form) if sender.startswith("whatsapp:") and sender != ours else None

    def read_receipt(self, form: Mapping[str, str]) -> StatusReport | None:
        """What a status callback tells: values are printable, and as long as ours may be."""
        sid = _text(form.get("MessageSid"), _LONGEST_SID)
        status = _text(form.get("MessageStatus"), _LONGEST_STATUS).lower()
        if not sid or not status:
            return None
        code = _text(form.get("ErrorCode"), _LONGEST_CODE)
        return StatusReport(sid, status, code, form.get("To", "").removeprefix("whatsapp:"))

    def explain(self, code: int | str | None, *, asynchronous: bool = False) -> Advice:
        """What Twilio's code, or a reason of our own, means."""
        return errors.explain(code, asynchronous=asynchronous)

    def check_credentials(self) -> Outcome:
        """Ask for our own account: `accepted` if Twilio knows it and it is active."""
        return _outcome_of(self._fetch_account)

    def template(self, content_sid: str) -> Template | None:
        """The template, None if there is none such. Raises LookupFailed."""
        content = self._client.content.v1.contents(content_sid)
        return _unless_missing(lambda: template_of(content.fetch()))

    def approval(self, content_sid: str) -> Approval | None:
        """WhatsApp's word on a template, None if there is none such. Raises LookupFailed."""
        requests = self._client.content.v1.contents(content_sid).approval_fetch()
        return _unless_missing(lambda: approval_of(requests.fetch()))

    def sender(self) -> WhatsAppSender | None:
        """Our WhatsApp sender, None if it is not one of the account's: the sandbox's is not.

        Raises LookupFailed.
        """
        senders = self._client.messaging.v2.channels_senders
        ours = _address(self._config.sender)
        with _looking_up():
            for row in senders.stream(channel="whatsapp", page_size=_PAGE_SIZE, limit=_MOST_ROWS):
                if row.sender_id == ours:
                    return sender_of(row if row.webhook else senders(row.sid).fetch())
        return None

    def services(self) -> list[MessagingService]:
        """The Messaging Services that our sender is in. Raises LookupFailed."""
        services = self._client.messaging.v1.services
        with _looking_up():
            rows = services.list(page_size=_PAGE_SIZE, limit=_MOST_ROWS)
            return [service_of(row) for row in rows if self._is_in(services(row.sid))]

    def _is_in(self, service: Any) -> bool:
        senders = service.channel_senders.list(page_size=_PAGE_SIZE, limit=_MOST_ROWS)
        return _address(self._config.sender) in {row.sender for row in senders}

    def close(self) -> None:
        """Close the idle connections; requests under way end by themselves."""
        self._transport.close()

    def _create(self, message: OutgoingMessage) -> Outcome:
        answer = self._messages.create_with_http_info(
            to=_address(message.to),
            from_=_address(self._config.sender),
            status_callback=_callback(message) or values.unset,
            validity_period=_VALIDITY,
            **_content(message),
        )
        sid, status = answer.data.sid, answer.data.status
        if not isinstance(sid, str) or not _SID.fullmatch(sid):
            return failure("bad_answer", http_status=answer.status_code, detail="no message SID")
        return Outcome("accepted", sid, _known_status(status), http_status=answer.status_code)

    def _fetch_account(self) -> Outcome:
        status = self._client.api.v2010.accounts(self._config.account_sid).fetch().status
        if status in {"suspended", "closed"}:
            return failure("20005", http_status=200, detail=f"the account is {status}")
        if status != "active":
            return failure("bad_answer", http_status=200, detail="no account")
        return Outcome("accepted", status="active", http_status=200)


def _address(number: str) -> str:
    return f"whatsapp:{number}"


def _callback(message: OutgoingMessage) -> str | None:
    return message.status_callback and message.status_callback + _CALLBACK_RETRIES


def _text(value: str | None, longest: int) -> str:
    """What can be stored of a value: no NUL (PostgreSQL takes none), no line breaks, not long."""
    return "".join(char for char in (value or "") if char.isprintable())[:longest]


def _content(message: OutgoingMessage) -> dict[str, str]:
    if message.content_sid is None:
        return {"body": message.body}
    content = {"content_sid": message.content_sid}
    if message.content_variables:
        content["content_variables"] = json.dumps(message.content_variables, ensure_ascii=False)
    return content


def _sent(row: Any) -> SentMessage:
    """A row of Twilio's; raises ValueError for one that cannot serve as evidence."""
    if not isinstance(row.sid, str) or not isinstance(row.date_created, datetime):
        raise ValueError("a message without SID or date")
    status = _known_status(row.status)
    body = str(row.body or "")
    return SentMessage(
        row.sid, status, body, row.date_created.astimezone(UTC), code_of(row.error_code)
    )


def _received(row: Any) -> Incoming:
    sent = _sent(row)
    return Incoming(
        sid=sent.sid,
        sender=incoming.address_of(str(row.from_ or "")),
        body=sent.body,
        media=incoming.number_of_files(row.num_media),
        received_at=sent.created_at,
    )


def _known_status(status: object) -> str | None:
    return status if isinstance(status, str) and _STATUS.fullmatch(status) else None


# --- what came of a request ---


def _outcome_of(ask: Callable[[], Outcome]) -> Outcome:
    try:
        return ask()
    except Failed as failed:
        return failed.outcome
    except Exception as error:  # Twilio's client reads a 2xx body, which may hold anything
        return _unreadable(error)


@contextmanager
def _looking_up() -> Iterator[None]:
    try:
        yield
    except Failed as failed:
        raise LookupFailed(failed.outcome) from None
    except Exception as error:
        # Not `from error`: what Twilio's client raises may quote the answer, numbers and all.
        raise LookupFailed(_unreadable(error)) from None


def _unless_missing(ask: Callable[[], T]) -> T | None:
    """None only if Twilio itself says that there is no such thing (Twilio error 20404)."""
    try:
        with _looking_up():
            return ask()
    except LookupFailed as failed:
        if failed.outcome.code == "20404":
            return None
        raise


def _unreadable(error: Exception) -> Outcome:
    _log.warning("unreadable answer from Twilio: %s", type(error).__name__)
    return failure("bad_answer", detail=f"{type(error).__name__}: {error}")
