"""What can be asked of the fake by GET: messages, the account, templates, senders, services."""

from collections.abc import Callable, Iterable
from datetime import date
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from . import channels, resources, rules, templates
from .ledger import Accepted, Ledger
from .resources import API_VERSION, sent_on
from .rules import Refused

if TYPE_CHECKING:
    from . import FakeTwilio

_BEFORE: dict[str, Callable[[date, date], bool]] = {
    "DateSent": lambda sent, day: sent == day,
    "DateSent<": lambda sent, day: sent <= day,
    "DateSent>": lambda sent, day: sent >= day,
}


def answer(twilio: "FakeTwilio", ledger: Ledger, path: str, query: str) -> dict[str, Any]:
    """The resource at `path`; raises Refused if there is none."""
    pairs = parse_qsl(query, keep_blank_values=True)
    match path.strip("/").removesuffix(".json").split("/"):
        case [version, "Accounts", sid] if version == API_VERSION and sid == twilio.account_sid:
            return resources.account(sid, twilio.account_status)
        case [version, "Accounts", sid, "Messages", *rest] if (
            version == API_VERSION and sid == twilio.account_sid
        ):
            return _messages(twilio, ledger, rest, pairs)
        case ["v1", "Content", sid, *rest] if template := rules.find(twilio.templates, sid):
            show = {(): templates.content, ("ApprovalRequests",): templates.approval}.get(
                tuple(rest)
            )
            if show:
                return show(twilio.account_sid, sid, template)
        case ["v2", "Channels", "Senders", *rest]:
            return _senders(twilio, rest, dict(pairs))
        case ["v1", "Services", *rest]:
            return _services(twilio, rest)
    raise _not_found(path)


def _messages(
    twilio: "FakeTwilio", ledger: Ledger, rest: list[str], pairs: list[tuple[str, str]]
) -> dict[str, Any]:
    if not rest:
        query = rules.checked(pairs, rules.FILTERS)
        found = _on_days(_between(ledger, query, twilio.list_lag), query)
        return resources.message_page(twilio.account_sid, found, query)
    message = ledger.find(rest[0])
    if len(rest) > 1 or message is None:
        raise _not_found("/".join(rest))
    return resources.message(twilio.account_sid, message)


def _between(ledger: Ledger, query: dict[str, str], lag: float) -> list[Accepted]:
    to, sender = (query[name].removeprefix("whatsapp:") if name in query else None
                  for name in ("To", "From"))  # fmt: skip
    return ledger.listed(to, sender, lag)


def _on_days(found: Iterable[Accepted], query: dict[str, str]) -> list[Accepted]:
    wanted = [(_BEFORE[name], rules.day(query[name])) for name in _BEFORE if name in query]
    return [
        message
        for message in found
        if all((sent := sent_on(message)) and fits(sent, day) for fits, day in wanted)
    ]


def _senders(twilio: "FakeTwilio", rest: list[str], query: dict[str, str]) -> dict[str, Any]:
    ours = channels.sender(twilio.sender, twilio.sender_status, twilio.inbound_url)
    if rest == [channels.SENDER_SID]:
        return ours
    if rest:
        raise _not_found("/".join(rest))
    if query.get("Channel") != "whatsapp":
        raise Refused(20001, "Parameter 'Channel' is not valid")
    rows = [] if twilio.is_sandbox else [ours]
    return channels.page("senders", rows, "/v2/Channels/Senders")


def _services(twilio: "FakeTwilio", rest: list[str]) -> dict[str, Any]:
    path = "/".join(["/v1/Services", *rest])
    if not rest:
        rows = [channels.service(found) for found in twilio.services]
        return channels.page("services", rows, path)
    for found in twilio.services:
        if rest == [found.sid]:
            return channels.service(found)
        if rest == [found.sid, "ChannelSenders"]:
            rows = [channels.channel_sender(found, twilio.sender)]
            return channels.page("senders", rows, path)
    raise _not_found(path)


def _not_found(path: str) -> Refused:
    return Refused(20404, f"The requested resource {path} was not found", 404)
