"""The button "Cancel appointment" under a message: what it sends back."""

import json
from collections.abc import Mapping

from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError

from app import db
from app.messages import booking_codes
from app.messages.compose import CANCEL_PAYLOAD
from app.models.message import Attempt, Message
from app.simulator.core.templates import WITH_BUTTON


def payload_of(form: Mapping[str, str]) -> str | None:
    """What the button under this message sends; None if it has none.

    A template brings its own. Free text has no buttons on WhatsApp; here it gets one all the same,
    so that it can be tried without a template. The attempt in the callback says of which booking.
    """
    if form.get("ContentSid"):
        payload = json.loads(form.get("ContentVariables") or "{}").get(CANCEL_PAYLOAD)
        return str(payload) if payload else None
    attempt_id = form.get("StatusCallback", "").partition("#")[0].rpartition("/")[2]
    try:
        with db.database().read() as session:
            booking_id = session.scalar(
                select(Message.booking_id)
                .join(Attempt, Attempt.message_id == Message.id)
                .where(Attempt.id == attempt_id, Message.kind.in_(WITH_BUTTON))
            )
    except SQLAlchemyError:  # the simulator works while the shop's database does not
        return None
    return booking_codes.cancel_payload(booking_id) if booking_id else None
