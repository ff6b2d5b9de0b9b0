"""The factories' rows meet the constraints in every state."""

from datetime import timedelta

import pytest

from app import clock
from app.db import Database
from app.models.booking import Booking
from app.models.message import STATES
from tests import factories


@pytest.mark.parametrize("state", STATES)
def test_a_message_can_be_made_in_every_state(db: Database, state: str) -> None:
    with db.write() as session:
        booking = factories.booking(session)
        first, second = (
            factories.message(session, booking, "pending"),
            factories.message(session, booking, state),
        )
    assert (first.number, second.number, second.state) == (1, 2, state)


def test_everything_else_can_be_made_beside_it(db: Database) -> None:
    with db.write() as session:
        factories.shop(session, name="Blade & Co")
        message = factories.message(session, factories.booking(session), "sent")
        receipt = factories.receipt(session, factories.attempt(session, message))
        assert factories.user(session).email != factories.user(session).email
        factories.api_token(session)
        other = factories.booking(session, starts_at=clock.now() + timedelta(days=2))
    with db.read() as session:
        row = session.get_one(Booking, other.id)
        assert row.ends_at - row.starts_at == timedelta(minutes=30)
        assert receipt.attempt_id
