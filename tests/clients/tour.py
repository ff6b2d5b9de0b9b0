"""A tour through the API by the client that openapi-python-client made; prints what it saw."""

import json
import os
from datetime import UTC, datetime, timedelta

from chairtime_api import AuthenticatedClient
from chairtime_api.api.barbers import list_barbers
from chairtime_api.api.bookings import cancel_booking, change_booking, create_booking, list_bookings
from chairtime_api.api.conversations import get_conversation
from chairtime_api.api.hours import list_free_times
from chairtime_api.api.reminders import list_reminders, retry_reminder
from chairtime_api.models import BookingAnswer, BookingChanges, NewBookingBody, Problem

client = AuthenticatedClient(base_url=os.environ["URL"], token=os.environ["TOKEN"])
now = datetime.now(UTC)
first, last = now + timedelta(days=5), now + timedelta(days=15)
free = list_free_times.sync(
    client=client,
    service_id="haircut",
    barber_id="barber_2",
    from_=first,
    to=last,
).items
body = NewBookingBody(
    customer_name="Pia Python",
    customer_phone="+44 20 7946 0101",
    service_id="haircut",
    barber_id=free[0].barber_id,
    scheduled_time=free[0].starts_at,
)
made, again = (
    create_booking.sync_detailed(client=client, body=body, idempotency_key="pia") for _ in range(2)
)
booking = made.parsed
assert isinstance(booking, BookingAnswer)
moved = change_booking.sync_detailed(
    booking.id,
    client=client,
    body=BookingChanges(scheduled_time=free[1].starts_at, notes=None),
    if_match=made.headers["ETag"],
).parsed
states = [each.state.value for each in list_reminders.sync(booking.id, client=client)]
refused = retry_reminder.sync(booking.id, len(states), client=client)
body.customer_phone = "12"
wrong = create_booking.sync(client=client, body=body)
assert isinstance(wrong, Problem)
found = list_bookings.sync(client=client, q="Pia").items
print(
    json.dumps(
        {
            "barbers": [each.id for each in list_barbers.sync(client=client).items],
            "statuses": [made.status_code, again.status_code],
            "is same": again.parsed.id == booking.id,
            "is moved": moved.scheduled_time == free[1].starts_at,
            "found": [
                each.customer_name for each in list_bookings.sync(client=client, q="Pia").items
            ],
            "states": sorted(set(states)),
            "refused": refused.reason,
            "wrong": [each.field for each in wrong.errors],
            "said": len(get_conversation.sync(booking.id, client=client).items),
            "cancelled": cancel_booking.sync(booking.id, client=client).status.value,
        }
    )
)
