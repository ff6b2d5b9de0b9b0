"""What can be asked of the fake alone: senders, services, and WhatsApp's word on templates."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from app.simulator.core import routes
from app.simulator.core.rules import Refused

from . import channels, templates

if TYPE_CHECKING:
    from . import FakeTwilio


def answer(twilio: "FakeTwilio", path: str, query: Mapping[str, str]) -> dict[str, Any]:
    """The resource at `path`; raises Refused if there is none."""
    match path.strip("/").removesuffix(".json").split("/"):
        case ["v1", "Content", sid, "ApprovalRequests"] if template := twilio.template(sid):
            return templates.approval(sid, template)
        case ["v2", "Channels", "Senders", *rest]:
            return _senders(twilio, rest, query)
        case ["v1", "Services", *rest]:
            return _services(twilio, rest)
    return routes.answer(twilio, path, query)


def _senders(twilio: "FakeTwilio", rest: list[str], query: Mapping[str, str]) -> dict[str, Any]:
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
        rows = [channels.service(each) for each in twilio.services]
        return channels.page("services", rows, path)
    for each in twilio.services:
        if rest == [each.sid]:
            return channels.service(each)
        if rest == [each.sid, "ChannelSenders"]:
            rows = [channels.channel_sender(each, twilio.sender)]
            return channels.page("senders", rows, path)
    raise _not_found(path)


def _not_found(path: str) -> Refused:
    return Refused(20404, f"The requested resource {path} was not found", 404)
