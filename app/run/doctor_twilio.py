"""What `chairtime doctor` looks at in the account at Twilio, as far as Twilio's API tells.

What to set up there, and why, is in docs/whatsapp.md.
"""

from collections.abc import Iterator
from urllib.parse import urldefrag

from app.channel import LookupFailed, Template
from app.messages import compose, templates
from app.messages.templates import NotUsable
from app.run.findings import Finding
from app.settings import Settings
from app.whatsapp import errors
from app.whatsapp.account import MessagingService, WhatsAppSender
from app.whatsapp.client import WhatsAppClient

SANDBOX = "+14155238886"
_WORKS = {"ONLINE", "ONLINE:UPDATING"}
_CANCEL_BUTTON = f"{{{{{compose.CANCEL_PAYLOAD}}}}}"


def credentials(env: Settings, client: WhatsAppClient) -> Finding:
    """Whether Twilio, or the simulator, knows our account."""
    outcome = client.check_credentials()
    if outcome.kind == "accepted":
        whom = "the simulator" if env.simulator else "Twilio"
        return Finding("ok", "whatsapp", f"{whom} knows our account")
    if env.simulator:
        text = "the simulator does not answer: it is part of the web app, start `chairtime up`"
        return Finding("FAIL", "whatsapp", text)
    advice = errors.explain(outcome.code)
    variables = "WHATSAPP_ACCOUNT_SID and WHATSAPP_AUTH_TOKEN"
    if outcome.code == "20003":
        return Finding("FAIL", "whatsapp", f"Twilio refuses {variables}: copy both anew")
    if outcome.code == "unreachable":
        text = f"{env.whatsapp_api_url} cannot be reached: check the network and WHATSAPP_API_URL"
        return Finding("FAIL", "whatsapp", text)
    return Finding("FAIL", "whatsapp", f"{advice.words} ({outcome.code}). {advice.advice}")


# --- a template ---


def template(client: WhatsAppClient, kind: str, ours: str, language: str = "") -> Finding:
    """Whether messages of this kind can be sent; `ours` is the shop's text for them, in one more
    `language` or ("") its own.
    """
    subject = f"{kind} template" + (f" ({language})" if language else "")
    variable = f"WHATSAPP_{kind.upper()}_CONTENT_SID"
    sid = compose.content_sids(kind).get(language)
    if sid is None:
        text = f"set {variable}: without a template WhatsApp takes only answers within 24 hours"
        return Finding("FAIL", subject, text)
    try:
        templates.ask(client, [sid])
        there, approval = client.template(sid), client.approval(sid)
    except LookupFailed as failed:
        text = f"Twilio cannot be asked for {sid}: {failed.outcome.detail}"
        return Finding("FAIL", subject, text)
    except NotUsable as error:
        return Finding("FAIL", subject, f"{error}: correct {variable}, or the template at Twilio")
    if approval is None or approval.status != "approved":
        status = approval.status if approval else "unsubmitted"
        text = f"WhatsApp has not approved {sid}: it is {status}, see it in Twilio's console"
        return Finding("FAIL", subject, text)
    if approval.category.upper() != "UTILITY":
        text = f"its category is {approval.category}: WhatsApp may withhold it, ask for UTILITY"
        return Finding("warn", subject, text)
    return _words(subject, there, ours) if there else Finding("FAIL", subject, "it is gone")


def _words(subject: str, there: Template, ours: str) -> Finding:
    """What customers read is the template's."""
    if there.button_ids and _CANCEL_BUTTON not in there.button_ids:
        text = f"its button sends back no booking: give it the id {_CANCEL_BUTTON}"
        return Finding("warn", subject, text)
    if there.body.split() != compose.as_template(ours).split():
        text = (
            "its words are not those of the shop's text, and customers read the template's: "
            "make a template of the text, or reset the text"
        )
        return Finding("warn", subject, text)
    button = ", with a button to cancel" if there.button_ids else ""
    return Finding("ok", subject, f"approved, with the words of our text{button}")


# --- what customers write ---


def replies(env: Settings, client: WhatsAppClient) -> Iterator[Finding]:
    """Whether what a customer writes reaches us, CANCEL too."""
    expected = f"{env.public_url}/webhooks/twilio/inbound"
    try:
        sender, services = client.sender(), client.services()
    except LookupFailed as failed:
        text = f"Twilio cannot be asked for the sender: {failed.outcome.detail}"
        yield Finding("warn", "replies", text)
        return
    yield _sender(env, sender, services, expected)
    yield from map(_opt_out, services)


def _sender(
    env: Settings, sender: WhatsAppSender | None, services: list[MessagingService], expected: str
) -> Finding:
    if sender is None and env.whatsapp_from_number == SANDBOX:
        text = (
            "the sandbox reaches only numbers that have joined it, for a trial; enter "
            f"{expected} in its settings, for when a message comes in"
        )
        return Finding("warn", "replies", text)
    if sender is None:
        text = "WHATSAPP_FROM_NUMBER is no WhatsApp sender of this account: correct it"
        return Finding("FAIL", "replies", text)
    if sender.status not in _WORKS:
        text = f"the WhatsApp sender is {sender.status}: see it in Twilio's console"
        return Finding("FAIL", "replies", text)
    for where, url, method in _called(sender, services):
        if urldefrag(url).url != expected or method != "POST":
            now = f"{method} {urldefrag(url).url}" if url else "nothing"
            text = f"{where} calls {now} for what customers write: enter POST {expected}"
            return Finding("FAIL", "replies", text)
    return Finding("ok", "replies", f"what customers write comes to {expected}")


def _called(sender: WhatsAppSender, services: list[MessagingService]) -> list[tuple[str, str, str]]:
    """Who calls what for a customer's message: a Messaging Service comes before its senders."""
    own = [(f"Messaging Service {one.name!r}", one) for one in services if not one.defers]
    if own:
        return [(name, service.inbound_url, "POST") for name, service in own]
    return [("the WhatsApp sender", sender.inbound_url, sender.inbound_method)]


def _opt_out(service: MessagingService) -> Finding:
    """What the API does not tell: whether the service takes CANCEL for an opt-out."""
    text = (
        f"the sender is in the Messaging Service {service.name!r} ({service.sid}), which may take "
        "a CANCEL for an unsubscription (Twilio error 21610): take the sender out of it, or take "
        "CANCEL out of its opt-out keywords; whether that is done, Twilio does not tell"
    )
    return Finding("warn", "opt-out", text)
