"""A form that lacks fields, as a program may send it, is shown again as if they were empty."""

import pytest

from app.db import Database
from tests import factories
from tests.integration.conftest import Client
from tests.support.staff import add_user
from tests.support.valkey import Valkey
from tests.support.web import web_client

SHORT = {"strange": "1"}


@pytest.mark.parametrize(
    "path",
    [
        "/bookings",
        "/bookings/BOOKING",
        "/messages/BOOKING-reminder-1/correct",
        "/settings",
        "/settings/barbers",
        "/settings/barbers/barber_1",
        "/settings/reminders",
        "/settings/services",
        "/settings/services/haircut",
        "/settings/texts/reminder",
        "/staff",
        "/staff/USER",
        "/staff/USER/password",
    ],
)
def test_a_form_without_its_fields_is_shown_again(
    owner: Client, sqlite_shop: Database, path: str
) -> None:
    with sqlite_shop.write() as session:
        booking = factories.booking(session)
        factories.message(session, booking, state="failed", error_code="63003")
        path = path.replace("BOOKING", booking.id)
    path = path.replace("USER", add_user(sqlite_shop, "staff").id)
    answer = owner.post(path, data=SHORT)
    assert answer.status_code == 422
    assert f'action="{path}"' in answer.text


def test_the_first_run_without_its_fields_is_shown_again(
    sqlite_db: Database, valkey: Valkey
) -> None:
    with web_client() as browser:
        answer = browser.post("/setup", data=SHORT)
    assert answer.status_code == 422
    assert 'action="/setup"' in answer.text
