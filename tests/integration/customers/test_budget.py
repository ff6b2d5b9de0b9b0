"""What messages may come to in a month: the page, the warning, the stop, and what is estimated."""

import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from html import unescape

import pytest
from httpx import Response
from sqlalchemy import select

from app import clock as app_clock
from app.customers import budget
from app.customers import service as customers
from app.db import Database
from app.models.message import DailySent
from app.models.shop import Shop
from app.models.staff import AuditEvent
from tests import factories
from tests.fake_twilio import FakeTwilio
from tests.integration.conftest import Client
from tests.support import lifecycle
from tests.support.frozen import FrozenClock
from tests.support.staff import HTMX, sign_in
from tests.support.valkey import Valkey

HERE = "/settings/customers"
WORDS = "/settings/texts/words"
PHONE = "+447700900123"


def text_of(answer: Response) -> str:
    plain = re.sub(r"\s+", " ", re.sub(r"<[^>]+>", "", answer.text))
    return unescape(plain).replace("\N{NO-BREAK SPACE}", " ")


def typed(**fields: str) -> dict[str, str]:
    names = ("budget_per_customer", "budget_per_month", "message_price", "currency")
    return dict.fromkeys(names, "") | fields


def row(db: Database) -> Shop:
    with db.read() as session:
        return session.get_one(Shop, 1)


def have_sent(db: Database, messages: int, days_ago: int = 0) -> None:
    day = (app_clock.now() - timedelta(days=days_ago)).date()
    with db.write() as session:
        session.add(DailySent(day=day, messages=messages))


def problem(answer: Response, field: str) -> str:
    match = re.search(rf'id="{field}-problem">(.*?)</p>', answer.text, re.DOTALL)
    assert match, field
    return unescape(re.sub(r"<[^>]+>", "", match[1])).strip()


@pytest.mark.parametrize("role", ["staff", "viewer"])
def test_only_the_owner_sees_and_sets_budgets(
    owner: Client, sqlite_db: Database, role: str
) -> None:
    sign_in(owner, sqlite_db, role)
    assert owner.get(HERE).status_code == 403
    assert owner.post(f"{HERE}/budget", data=typed(budget_per_month="5")).status_code == 403
    assert owner.post(WORDS, data={"cancel_words": "no"}).status_code == 403
    assert row(sqlite_db).budget_per_month is None


def test_budgets_and_a_price_are_kept_shown_again_and_audited(
    owner: Client, sqlite_db: Database
) -> None:
    given = typed(
        budget_per_customer=" 30 ", budget_per_month="2000", message_price="0,045", currency="EUR"
    )
    assert owner.post(f"{HERE}/budget", data=given).headers["location"] == HERE
    kept = row(sqlite_db)
    assert (kept.budget_per_customer, kept.budget_per_month) == (30, 2000)
    assert (kept.message_price, kept.currency) == (Decimal("0.045"), "EUR")
    html = owner.get(HERE).text
    for value in ("30", "2000", "0.045"):
        assert f'value="{value}"' in html
    assert re.search(r'value="EUR"\s+selected', html)
    owner.post(f"{HERE}/budget", data=given | {"message_price": "0.0450"})
    assert owner.post(f"{HERE}/budget", data=typed()).status_code == 303
    assert row(sqlite_db).message_price is None
    with sqlite_db.read() as session:
        events = session.scalars(select(AuditEvent).where(AuditEvent.subject == "shop")).all()
    assert [event.action for event in events] == ["shop.changed", "shop.changed"]


@pytest.mark.parametrize(
    ("fields", "field", "words"),
    [
        ({"budget_per_month": "0"}, "budget_per_month", "a whole number from 1 to 1000000"),
        ({"budget_per_month": "-5"}, "budget_per_month", "a whole number"),
        ({"budget_per_month": "1000001"}, "budget_per_month", "a whole number"),
        ({"budget_per_customer": "2.5"}, "budget_per_customer", "a whole number"),
        ({"budget_per_customer": "9" * 300}, "budget_per_customer", "a whole number"),
        ({"budget_per_customer": "٣"}, "budget_per_customer", "a whole number"),
        ({"message_price": "1e3", "currency": "EUR"}, "message_price", "a price such as 0.045"),
        ({"message_price": "0.00001", "currency": "EUR"}, "message_price", "four decimals"),
        ({"message_price": "1,000.5", "currency": "EUR"}, "message_price", "a price such as"),
        ({"message_price": "0.05"}, "currency", "must be chosen for the price"),
        ({"currency": "EUR"}, "message_price", "must be given with its currency"),
        ({"message_price": "0.05", "currency": "DEM"}, "currency", "one of the list"),
    ],
)
def test_what_is_wrong_stands_beside_its_field_and_what_was_typed_stays(
    owner: Client, sqlite_db: Database, fields: dict[str, str], field: str, words: str
) -> None:
    answer = owner.post(f"{HERE}/budget", data=typed(**fields))
    assert answer.status_code == 422
    assert words in problem(answer, field)
    for name, value in fields.items():
        if name != "currency":
            assert re.search(rf'name="{name}"[^>]*\bvalue="{re.escape(value)}"', answer.text)
    assert row(sqlite_db).message_price is None


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("storno,  Stornieren, Absagen ", "storno, Stornieren"),
        ("cancel, CANCEL!, anular; anular\nAnular", "Anular"),
        (" , ,", None),
        ("", None),
        ("no puedo\x07 ir", "no puedo ir"),
    ],
)
def test_words_that_cancel_are_kept_once_each_beside_cancel(
    owner: Client, sqlite_db: Database, given: str, kept: str | None
) -> None:
    assert owner.post(WORDS, data={"cancel_words": given}).status_code == 303
    assert row(sqlite_db).cancel_words == kept


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("absagen, Stop", "“Stop”, which already means: no messages any more"),
        ("YES!", "“YES!”, which already means: messages again"),
        (",".join(f"word{n}" for n in range(21)), "21 words: 20 at the most"),
        ("x" * 41, "longer than 40 characters"),
    ],
)
def test_words_that_mean_something_else_are_refused(
    owner: Client, sqlite_db: Database, given: str, words: str
) -> None:
    answer = owner.post(WORDS, data={"cancel_words": given})
    assert answer.status_code == 422
    assert words in problem(answer, "cancel_words")
    assert row(sqlite_db).cancel_words is None


def test_the_month_and_its_cost_are_of_this_month_alone(
    owner: Client, sqlite_db: Database, clock: FrozenClock
) -> None:
    have_sent(sqlite_db, 1_000, days_ago=23)  # of October
    have_sent(sqlite_db, 200, days_ago=22)
    have_sent(sqlite_db, 40)
    with sqlite_db.write() as session:
        factories.shop(session, message_price=Decimal("0.045"), currency="EUR", locale="de_DE")
        customers.count_sent(session, PHONE, clock.now(), 1)
        customers.count_sent(session, PHONE, clock.now(), 1)
    shown = text_of(owner.get(HERE))
    assert "240 messages ≈ 10,80 €" in shown
    assert "Most to one customer: 2." in shown


@pytest.mark.parametrize(
    ("sent", "words", "everywhere"),
    [
        (79, "79 % of the budget is used.", None),
        (80, "When it is used up, reminders are skipped.", "at 100 % reminders are skipped."),
        (100, "The budget is used up.", "reminders are skipped now."),
        (130, "130 of 100 messages", "130 % of this month’s messages are used"),
    ],
)
def test_the_shop_is_warned_from_80_percent_on_here_and_on_every_page(
    owner: Client, sqlite_db: Database, sent: int, words: str, everywhere: str | None
) -> None:
    have_sent(sqlite_db, sent)
    assert "of this month’s messages" not in text_of(owner.get("/queue"))
    with sqlite_db.write() as session:
        factories.shop(session, budget_per_month=100)
    assert words in text_of(owner.get(HERE))
    shown = text_of(owner.get("/queue"))
    assert (everywhere or "of this month’s messages are") in shown or everywhere is None
    assert ("of this month’s messages are used" in shown) is (everywhere is not None)


@pytest.mark.parametrize(
    ("limits", "end"),
    [
        ({}, ("sent", None)),
        ({"budget_per_month": 3, "budget_per_customer": 2}, ("sent", None)),
        ({"budget_per_month": 2}, ("skipped", "budget_shop")),
        ({"budget_per_customer": 1}, ("skipped", "budget_customer")),
    ],
)
def test_what_goes_beyond_a_budget_is_skipped_with_the_reason(
    shop: Database,
    clock: FrozenClock,
    valkey: Valkey,
    twilio: FakeTwilio,
    limits: dict[str, int],
    end: tuple[str, str | None],
) -> None:
    have_sent(shop, 2)
    booking_id = lifecycle.book(shop, hours=3)
    with shop.write() as session:
        factories.shop(session, **limits)
        customers.count_sent(session, lifecycle.HOME, clock.now(), 1)
    clock.move(hours=2)
    lifecycle.run(f"{booking_id}-reminder-1")
    assert lifecycle.states(shop, booking_id) == [end]


def test_a_cancellation_is_told_whatever_the_budget(
    shop: Database, clock: FrozenClock, valkey: Valkey, twilio: FakeTwilio
) -> None:
    have_sent(shop, 2)
    booking_id = lifecycle.book(shop)
    with shop.write() as session:
        factories.shop(session, budget_per_month=1)
    lifecycle.cancel(shop, booking_id)
    lifecycle.run(f"{booking_id}-cancellation-1")
    assert lifecycle.message(shop, f"{booking_id}-cancellation-1").state == "sent"


@pytest.mark.parametrize("month", range(1, 13))
def test_the_counters_begin_anew_with_the_next_month(clock: FrozenClock, month: int) -> None:
    clock.set(datetime(2026, month, 28, 23, tzinfo=UTC))
    ends = budget.ends_at()
    assert ends.day == 1
    assert clock.now() < ends < clock.now() + timedelta(days=5)


@pytest.mark.parametrize(
    ("price", "currency", "locale", "messages", "words"),
    [
        ("0.045", "EUR", "en", 1, "€0.045"),
        ("0.045", "EUR", "en", 10, "€0.45"),
        ("0.045", "EUR", "de_DE", 1000, "45,00 €"),
        ("0.0365", "USD", "en", 1, "$0.0365"),
        ("7", "JPY", "en", 3, "¥21"),
        ("0", "USD", "en", 5, "$0.00"),
    ],
)
def test_a_cost_is_written_as_the_shop_writes_money(
    price: str, currency: str, locale: str, messages: int, words: str
) -> None:
    priced = Shop(message_price=Decimal(price), currency=currency, locale=locale)
    assert budget.cost(priced, messages).replace("\N{NO-BREAK SPACE}", " ") == words


def test_the_booking_form_estimates_what_the_booking_sends(
    owner: Client, sqlite_db: Database
) -> None:
    fields = {
        "phone": PHONE,
        "name": "Ana Silva",
        "service": "haircut",
        "barber": "barber_1",
        "day": "2026-11-23",
        "time": "10:00",
    }

    def preview() -> str:
        return text_of(owner.post("/bookings/preview", data=fields, headers=HTMX))

    assert "4 reminders: " in preview()
    assert "will send" not in preview()
    with sqlite_db.write() as session:
        factories.shop(session, message_price=Decimal("0.05"), currency="USD")
    assert "Altogether this booking will send 4 messages ≈ $0.20." in preview()
    with sqlite_db.write() as session:
        factories.shop(session, confirmation_on=True)
    assert "With the confirmation this booking will send 5 messages ≈ $0.25." in preview()
    assert "91 reminders ≈ $4.55" in text_of(owner.get("/settings/reminders"))
