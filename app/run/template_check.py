"""The templates at Twilio, looked at when a program starts: a wrong one must not be sent."""

from dataclasses import replace

from app.channel import LookupFailed
from app.db import Database
from app.messages import compose, gate, templates
from app.messages.templates import NotUsable
from app.settings import settings
from app.shop.service import shop
from app.whatsapp.client import WhatsAppClient, WhatsAppConfig

ANSWERS_WITHIN = 3.0  # seconds, for each step of a request


def troubles(database: Database) -> list[str]:
    """What is wrong with the templates, in a line each; stops sending if it is the reminders'.

    If Twilio does not answer soon, a line says so: the first message to be sent asks again.
    """
    if settings().simulator:
        return []
    with database.read() as session:
        kinds = templates.kinds(shop(session))
    client = WhatsAppClient(replace(WhatsAppConfig.of_settings(settings()), timeout=ANSWERS_WITHIN))
    try:
        wrong = {kind: _wrong(client, kind) for kind in kinds}
    except LookupFailed as failed:
        return [f"The templates at Twilio could not be checked: {failed}"]
    finally:
        client.close()
    reminder = wrong["reminder"]
    if reminder is not None and compose.content_sids("reminder"):
        with database.write() as session:
            gate.stop(session, reminder.code)
    return [f"The {kind} template: {error}" for kind, error in wrong.items() if error]


def _wrong(client: WhatsAppClient, kind: str) -> NotUsable | None:
    """Raises LookupFailed."""
    if not compose.content_sids(kind):
        variable = f"WHATSAPP_{kind.upper()}_CONTENT_SID"
        problem = f"{variable} is not set, so only who wrote in the last 24 hours gets the message"
        return NotUsable(templates.NO_TEMPLATE, problem)
    try:
        templates.ask(client, compose.content_sids(kind).values())
    except NotUsable as error:
        return error
    return None
