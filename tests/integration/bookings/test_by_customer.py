"""What is known of a customer from their bookings."""

import pytest

from app.bookings import by_customer
from app.db import Database

pytestmark = pytest.mark.usefixtures("valkey")


def test_a_customer_is_known_from_the_latest_booking(db: Database, booking: str) -> None:
    with db.read() as session:
        known = by_customer.known_customer(session, "+12125550001")
        nobody = by_customer.known_customer(session, "+12125550002")

    assert known == by_customer.KnownCustomer("Luis Ortega", "luis@example.com")
    assert nobody is None
