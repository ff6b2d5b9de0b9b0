"""What the shop's messages may come to in a month, what they have come to, and what they cost.

A month is one of UTC, as the counters are. What goes beyond a budget is skipped, by
`app.messages.eligibility`; this is what is shown of it, and how it is set.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from babel.numbers import format_currency
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app import clock
from app.customers.service import month_of
from app.forms import Form, field, one_of, whole_number
from app.models.customer import MonthlySent
from app.models.message import DailySent
from app.models.shop import Shop
from app.shop.money import currencies
from app.shop.service import shop

NEARLY = 80
"""Percent of the shop's budget from which on it is warned of."""

_SMALL = Decimal("0.1")  # what is less is shown to a part of a cent, as prices are

MOST = 1_000_000
"""Messages in a month that a budget can be of."""

_PRICE = re.compile("[0-9]{1,4}(?:[.,][0-9]{1,4})?")


@dataclass(frozen=True)
class Month:
    """What was sent this month, to all; `budget` is what may be, None for no limit."""

    sent: int
    budget: int | None

    @property
    def percent(self) -> int:
        """How much of the budget is used, 0 without one."""
        return 100 * max(0, self.sent) // self.budget if self.budget else 0

    @property
    def is_near(self) -> bool:
        """Whether it is to be warned of."""
        return self.percent >= NEARLY

    @property
    def is_used_up(self) -> bool:
        """Whether reminders are skipped now."""
        return self.percent >= 100


class BudgetForm(Form):
    """The form “Budget and price”; empty is none."""

    @field
    def budget_per_month(self, typed: str) -> int | None:
        return _limit(typed)

    @field
    def budget_per_customer(self, typed: str) -> int | None:
        return _limit(typed)

    @field
    def message_price(self, typed: str) -> Decimal | None:
        price = typed.strip()
        if price and not _PRICE.fullmatch(price):
            raise ValueError("This must be a price such as 0.045, with four decimals at the most.")
        return Decimal(price.replace(",", ".")) if price else None

    @field
    def currency(self, typed: str) -> str | None:
        return one_of(typed.strip(), {"", *dict(currencies())}) or None

    def wrong_together(self, values: Mapping[str, Any]) -> Mapping[str, str]:
        price, currency = values["message_price"], values["currency"]
        if price is not None and currency is None:
            return {"currency": "This must be chosen for the price."}
        if price is None and currency is not None:
            return {"message_price": "This must be given with its currency."}
        return {}


def this_month(session: Session) -> Month:
    """What was sent since the month began."""
    sent = select(func.coalesce(func.sum(DailySent.messages), 0)).where(
        DailySent.day >= month_of(clock.now())
    )
    return Month(session.scalar(sent) or 0, shop(session).budget_per_month)


def sent_between(session: Session, first: date, last: date) -> int:
    """What was sent on these days (UTC), to all."""
    days = DailySent.day.between(first, last)
    return session.scalar(select(func.sum(DailySent.messages)).where(days)) or 0


def most_to_one(session: Session) -> int:
    """This month's messages to the customer who has had the most of them."""
    most = select(func.max(MonthlySent.messages)).where(MonthlySent.month == month_of(clock.now()))
    return session.scalar(most) or 0


def ends_at() -> datetime:
    """When the month ends, and the counters begin anew."""
    now = clock.now()
    return datetime(now.year + now.month // 12, now.month % 12 + 1, 1, tzinfo=UTC)


def cost(row: Shop, messages: int) -> str:
    """What so many messages cost, in the shop's language; empty while it has set no price."""
    if row.message_price is None or row.currency is None:
        return ""
    amount = row.message_price * messages
    is_small = amount < _SMALL
    return format_currency(
        amount, row.currency, locale=row.locale, decimal_quantization=not is_small
    )


def _limit(typed: str) -> int | None:
    hint = f"This must be a whole number from 1 to {MOST}, or empty for no limit."
    return whole_number(typed, 1, MOST, hint) if typed.strip() else None
