"""What a booking's customer wrote and was told, over JSON, and staff's own words to them."""

from datetime import datetime
from typing import Annotated, Literal

from litestar import Response, Router, get, post
from litestar.params import JSONBody
from msgspec import Meta, Struct
from sqlalchemy.orm import Session

from app import clock, db
from app.api.once import Key, once
from app.api.reminders import State
from app.bookings import service as bookings
from app.channel import IncomingKind
from app.conversations import service
from app.conversations.service import ChatLine
from app.messages.service import api_state
from app.models.message import Message
from app.staff.guards import ApiRequest, actor_of
from app.web.bodies import Body, JsonBody
from app.web.parameters import BookingId
from app.web.problems import documented

Text = Annotated[
    str,
    Meta(
        description=f"At most {service.MAX_ANSWER} characters, in lines.",
        examples=["See you at six!"],
    ),
]


class NewAnswer(Struct, rename="camel", kw_only=True, forbid_unknown_fields=True):
    """What to write to the customer."""

    text: Text


class LineAnswer(Struct, rename="camel", kw_only=True):
    """One thing that was said; times are in UTC."""

    by: Annotated[Literal["customer", "shop"], Meta(examples=["customer"])]
    at: Annotated[datetime, Meta(examples=["2026-11-23T18:00:00Z"])]
    text: Annotated[str, Meta(description="Empty for a picture alone.", examples=["See you!"])]
    kind: Annotated[
        IncomingKind | None, Meta(description="What the customer sent; null: it is ours.")
    ]
    reply_id: Annotated[
        str | None,
        Meta(description="Of what they wrote.", examples=["SM0123456789abcdef0123456789abcdef"]),
    ]
    job_id: Annotated[
        str | None,
        Meta(
            description="Of our message; null also for an answer that we gave at once.",
            examples=["booking_01JDBV5W3NXJ0V4M0F4Z1T7Q8K-answer-1"],
        ),
    ]
    state: Annotated[State | None, Meta(description="Of our message.")]
    delivery_status: Annotated[str | None, Meta(examples=["read"])]

    @classmethod
    def of(cls, line: ChatLine, now: datetime) -> "LineAnswer":
        message, reply = line.message, line.reply
        return cls(
            by="customer" if reply else "shop",
            at=line.at,
            text=line.text,
            kind=reply.kind if reply else None,  # type: ignore[arg-type]
            reply_id=reply.sid if reply else None,
            job_id=message.id if message else None,
            state=api_state(message, now) if message else None,  # type: ignore[arg-type]
            delivery_status=message.delivery_status if message else None,
        )


class ConversationAnswer(Struct, rename="camel", kw_only=True):
    """What was said about a booking, and by its number about none, the oldest first."""

    items: Annotated[list[LineAnswer], Meta(description=f"The last {service.MOST_LINES} of them.")]
    can_answer: Annotated[bool, Meta(description="Whether WhatsApp takes free text now.")]
    answer_until: Annotated[
        datetime | None,
        Meta(description="24 hours after the customer wrote last; null: they never did."),
    ]


@get("/", opt={"access": "read"}, responses=documented(400, 401, 403, 404), sync_to_thread=True)
def get_conversation(booking_id: BookingId) -> ConversationAnswer:
    """What a booking's customer wrote, and what they were told."""
    now = clock.now()
    with db.database().read() as session:
        chat = service.chat(session, bookings.get(session, booking_id))
        return ConversationAnswer(
            items=[LineAnswer.of(line, now) for line in chat.lines],
            can_answer=chat.is_open,
            answer_until=chat.closes_at,
        )


@post(
    "/",
    status_code=202,
    dto=JsonBody[NewAnswer],
    opt={"access": "write"},
    responses=documented(400, 401, 403, 404, 409, 413, 415, 422),
    sync_to_thread=True,
)
def answer_customer(
    booking_id: BookingId,
    data: JSONBody[Body[NewAnswer]],
    request: ApiRequest,
    idempotency_key: Key = None,
) -> Response[LineAnswer]:
    """Write to a booking's customer, within 24 hours after they wrote."""

    def answer(session: Session) -> LineAnswer:
        text = data.checked(lambda _: ()).text
        job_id = service.answer(session, booking_id, text, actor_of(request))
        session.flush()
        message = session.get_one(Message, job_id)
        return LineAnswer.of(
            ChatLine(message.planned_for, message.text or "", message), clock.now()
        )

    return once(request, idempotency_key, data, answer)


router = Router(
    "/api/bookings/{booking_id:str}/conversation",
    route_handlers=[get_conversation, answer_customer],
    tags=["Conversations"],
    security=[{"bearer": []}],
)
