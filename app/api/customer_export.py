"""All that is kept of a customer over JSON, in one answer: what they may ask to see."""

from litestar import Router, get
from msgspec import Struct

from app import clock, db
from app.api.bookings import BookingAnswer
from app.api.customers import CustomerAnswer, Id, answers
from app.api.event_data import ReplyAnswer
from app.api.reminders import MessageAnswer
from app.bookings import by_customer
from app.conversations import service as conversations
from app.messages import entries, search
from app.web.problems import documented


class CustomerExport(Struct, rename="camel", kw_only=True):
    """A customer with all that is kept of them."""

    customer: CustomerAnswer
    bookings: list[BookingAnswer]
    messages: list[MessageAnswer]
    replies: list[ReplyAnswer]


@get(
    "/",
    opt={"access": "read"},
    responses=documented(400, 401, 403, 404),
    sync_to_thread=True,
)
def get_customer_export(customer_id: Id) -> CustomerExport:
    """All that is kept of a customer: their bookings, what they were sent, and what they wrote."""
    now = clock.now()
    with db.database().read() as session:
        customer = by_customer.by_id(session, customer_id)
        bookings = by_customer.bookings_of(session, customer.person)
        sent = search.of_bookings(session, [each.id for each in bookings])
        return CustomerExport(
            customer=answers(session, [customer])[0],
            bookings=[BookingAnswer.of(session, each) for each in bookings],
            messages=[MessageAnswer.of(each, now) for each in entries.of_rows(session, sent)],
            replies=[
                ReplyAnswer.of(each) for each in conversations.all_by(session, customer.person)
            ],
        )


router = Router(
    "/api/customers/{customer_id:str}/export",
    route_handlers=[get_customer_export],
    tags=["Customers"],
    security=[{"bearer": []}],
)
