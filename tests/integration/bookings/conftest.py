"""A booking to do something with."""

from datetime import timedelta

import pytest

from app.bookings import service
from app.db import Database
from tests.fake_twilio import FakeTwilio
from tests.support.frozen import FrozenClock


@pytest.fixture
def booking(db: Database, clock: FrozenClock, twilio: FakeTwilio) -> str:
    """Booked at 00:00 for 10:00."""
    new = {
        "customer_name": "Luis Ortega",
        "customer_phone": "+12125550001",
        "customer_email": "luis@example.com",
        "service_id": "haircut",
        "barber_id": "barber_1",
        "scheduled_time": clock.now() + timedelta(hours=10),
    }
    with db.write() as session:
        return service.create(session, new, "system")[0].id
