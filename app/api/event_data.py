"""The shapes of what other programs are told: those of the API's answers, and two of their own."""

from datetime import datetime
from typing import Annotated, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

from app.api.bookings import BookingAnswer
from app.api.catalogue import BarberAnswer, ServiceAnswer
from app.api.customers import CustomerAnswer
from app.api.reminders import MessageAnswer
from app.channel import IncomingKind
from app.models.conversation import Reply


class ReplyAnswer(Struct, rename="camel", kw_only=True):
    """What a customer wrote."""

    id: Annotated[str, Meta(examples=["SM0123456789abcdef0123456789abcdef"])]
    kind: IncomingKind
    text: Annotated[str, Meta(description="Empty for a picture alone.", examples=["CANCEL"])]
    received_at: datetime
    effect: Annotated[
        str, Meta(description="What came of it: `cancelled`, `for_staff`, …", examples=["noted"])
    ]
    needs_attention: Annotated[bool, Meta(description="Somebody of the staff has to look.")]

    @classmethod
    def of(cls, reply: Reply) -> "ReplyAnswer":
        return cls(
            id=reply.sid,
            kind=reply.kind,  # type: ignore[arg-type]
            text=reply.body,
            received_at=reply.received_at,
            effect=reply.effect,
            needs_attention=reply.needs_attention,
        )


class SendingAnswer(Struct, rename="camel", kw_only=True):
    """Whether messages go out, or what keeps them back or soon will."""

    state: Annotated[
        Literal["ok", "paused", "stopped", "limited", "budget", "no_worker", "disk", "backlog"],
        Meta(examples=["ok"]),
    ]
    reason: Annotated[str, Meta(description="In words; empty while it is `ok`.")]


class EventData(Struct, rename="camel", kw_only=True):
    """What the event is about, whole, as it was then; what does not belong to it is left out.

    The customer is as of the moment that it was first sent; null for who walked in.
    """

    booking: BookingAnswer | UnsetType = UNSET
    service: ServiceAnswer | UnsetType = UNSET
    barber: BarberAnswer | UnsetType = UNSET
    customer: CustomerAnswer | UnsetType | None = UNSET
    message: MessageAnswer | UnsetType = UNSET
    reply: ReplyAnswer | UnsetType = UNSET
    sending: SendingAnswer | UnsetType = UNSET
