"""The steps of a first run: kept, skipped, taken up again."""

import pytest
from sqlalchemy import select

from app.db import Database
from app.models.booking import Booking
from app.models.message import Message
from app.models.shop import Barber, Service, Shop
from app.models.staff import User
from app.shop import first_steps
from tests.integration.conftest import Client
from tests.support.staff import HTMX
from tests.support.web import said


@pytest.fixture(autouse=True)
def begun(sqlite_shop: Database) -> None:
    with sqlite_shop.write() as session:
        first_steps.begin(session)


def the_shop(db: Database) -> Shop:
    with db.read() as session:
        return session.get_one(Shop, 1)


def names(db: Database) -> list[str]:
    """Of the services and the barbers."""
    with db.read() as session:
        return [name for of in (Service, Barber) for name in session.scalars(select(of.name))]


def test_the_steps_are_kept_one_after_the_other(owner: Client, sqlite_db: Database) -> None:
    assert "Your shop is not fully set up yet." in owner.get("/today").text
    assert owner.get("/welcome").headers["Location"] == "/welcome/shop"
    place = {"name": "Ann’s", "country": "AT", "time_zone": "Europe/Vienna"}
    assert owner.post("/welcome/shop", data=place).headers["Location"] == "/welcome/hours"
    hours = {"opens": "10:00", "closes": "19:00", "monday": "1", "friday": "1"}
    assert owner.post("/welcome/hours", data=hours).headers["Location"] == "/welcome/services"
    lines = {
        "barber-0-id": "barber_1", "barber-0-name": "Ann",
        "barber-1-id": "barber_2", "barber-1-name": "",
        "barber-2-id": "", "barber-2-name": "Bo",
        "service-0-id": "haircut", "service-0-on": "1", "service-0-name": "Cut",
        "service-0-minutes": "25", "service-0-price": "24,50",
        "service-1-id": "beard-trim", "service-1-name": "Beard", "service-1-minutes": "20",
        "service-2-id": "", "service-2-on": "1", "service-2-name": "Fade",
        "service-2-minutes": "45", "service-2-price": "",
    }  # fmt: skip
    assert owner.post("/welcome/services", data=lines).headers["Location"] == "/welcome/reminders"
    rule = {"choice": "last_day", "every": "3", "unit": "hours", "quiet": "1",
            "quiet_from": "22:00", "quiet_until": "08:00"}  # fmt: skip
    assert owner.post("/welcome/reminders", data=rule).headers["Location"] == "/welcome/people"
    assert owner.get("/welcome").headers["Location"] == "/welcome/people"
    cy = {"name": "Cy", "email": "cy@example.com", "role": "staff", "password": "correct horse bat"}
    again = owner.post("/welcome/people", data={**cy, "more": "1"})
    assert again.headers["Location"] == "/welcome/people"
    assert owner.post("/welcome/people").headers["Location"] == "/welcome/ready"

    row = the_shop(sqlite_db)
    assert (row.name, row.country, row.locale, row.time_zone) == (
        "Ann’s", "AT", "de_AT", "Europe/Vienna",
    )  # fmt: skip
    assert [bool(day) for day in row.weekly_hours] == [
        True,
        False,
        False,
        False,
        True,
        False,
        False,
    ]
    assert (row.reminder_every, row.within, row.quiet_from is None) == (10_800, 86_400, False)
    with sqlite_db.read() as session:
        barbers = session.scalars(select(Barber).order_by(Barber.position)).all()
        services = session.scalars(select(Service).order_by(Service.position)).all()
        assert [each.name for each in barbers] == ["Ann", "Bo"]
        assert [(each.id, each.name, each.minutes) for each in services] == [
            ("haircut", "Cut", 25), ("fade", "Fade", 45),
        ]  # fmt: skip
        assert session.scalar(select(User.name).where(User.email == "cy@example.com")) == "Cy"
    assert owner.post("/welcome/finish").headers["Location"] == "/today"
    assert "not fully set up" not in owner.get("/today").text


def test_every_step_can_be_skipped_and_changes_nothing_then(
    owner: Client, sqlite_db: Database
) -> None:
    before = {**vars(the_shop(sqlite_db))}
    for step in first_steps.STEPS:
        assert owner.get("/welcome").headers["Location"] == f"/welcome/{step}"
        assert owner.post(f"/welcome/{step}", data={"skip": "1", "name": ""}).status_code == 303
    assert owner.get("/welcome").headers["Location"] == "/welcome/ready"
    after = vars(the_shop(sqlite_db))
    changed = {name for name in after if after[name] != before.get(name)}
    assert changed - {"_sa_instance_state"} == {"setup_next"}
    owner.post(
        "/welcome/shop", data={"skip": "1"}
    )  # one that was done leads on, and takes nothing back
    assert owner.get("/welcome").headers["Location"] == "/welcome/ready"


@pytest.mark.parametrize(
    ("step", "typed", "says"),
    [
        ("shop", {"name": "", "country": "", "time_zone": ""}, "Choose the country."),
        ("hours", {"opens": "10:00"}, "Choose at least one day."),
        ("services", {"barber-0-name": ""}, "Somebody has to cut: enter a name."),
        (
            "services",
            {"barber-0-name": "Ann", "service-0-on": "1", "service-0-name": "Cut",
             "service-0-minutes": "1000", "service-0-price": "free"},
            "This must be an amount such as 25.00.",
        ),
        ("reminders", {"choice": "every", "every": "0", "unit": "hours"}, "from 1 second to"),
        ("people", {"name": "Cy", "role": "staff"}, "not an email address"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_beside_its_field_and_nothing_is_kept(
    owner: Client, sqlite_db: Database, step: str, typed: dict[str, str], says: str
) -> None:
    before = names(sqlite_db)
    answer = owner.post(f"/welcome/{step}", data=typed)
    assert answer.status_code == 422
    assert says in answer.text
    for value in typed.values():
        assert value in answer.text
    assert names(sqlite_db) == before


def test_a_step_that_is_none_is_not_found(owner: Client) -> None:
    assert owner.get("/welcome/nothing").status_code in {404, 422}


def test_the_browsers_zone_is_proposed_and_what_follows_is_shown(owner: Client) -> None:
    page = owner.get("/welcome/shop?zone=Europe/Berlin").text
    assert '<option value="Europe/Berlin" selected>' in page
    assert '<option value="DE" selected>' in page
    assert "24,50\xa0€ for a cut" in page
    asked = {"name": "x", "country": "US", "time_zone": "America/Chicago"}
    part = owner.get("/welcome/shop", params=asked, headers=HTMX).text
    assert "$24.50 for a cut" in part
    assert "<h1>" not in part
    assert owner.get("/welcome/shop?zone=Mars/Base").status_code == 200


def test_what_a_rule_means_is_shown_as_it_is_typed(owner: Client) -> None:
    typed = {"choice": "once", "every": "2", "unit": "hours"}
    part = owner.get("/welcome/reminders", params=typed, headers=HTMX).text
    assert "1 message" in part
    typed |= {"choice": "own", "own_times": "3 days, 90 minutes"}
    assert "2 messages" in owner.get("/welcome/reminders", params=typed, headers=HTMX).text
    typed |= {"choice": "every", "every": "x"}
    assert (
        "This must be a number" in owner.get("/welcome/reminders", params=typed, headers=HTMX).text
    )


def test_one_books_oneself_and_a_reminder_goes_out_at_once(
    owner: Client, sqlite_db: Database
) -> None:
    refused = owner.post("/welcome/try", data={"name": "Ann", "phone": "12"})
    assert refused.status_code == 422
    assert "This needs its country code" in refused.text
    answer = owner.post("/welcome/try", data={"name": "Ann", "phone": "+44 7700 900123"})
    with sqlite_db.read() as session:
        booking = session.scalars(select(Booking)).one()
        kinds = session.scalars(select(Message.kind).where(Message.asked_for)).all()
    assert kinds == ["reminder"]
    assert booking.customer_phone == "+447700900123"
    assert answer.status_code == 303
    assert the_shop(sqlite_db).setup_next is None


def test_the_demo_fills_an_empty_shop_once(owner: Client, sqlite_db: Database) -> None:
    assert "Fill with demo data" in owner.get("/welcome/ready").text
    assert "bookings of a demo are here" in said(owner, owner.post("/welcome/demo"))
    assert "Fill with demo data" not in owner.get("/welcome/ready").text
    assert "there are" in said(owner, owner.post("/welcome/demo"))
