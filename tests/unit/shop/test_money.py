"""Prices: what is typed, what is refused, how it reads."""

from decimal import Decimal

import pytest

from app.models.shop import Shop
from app.shop import money
from app.shop.money import Price


@pytest.mark.parametrize(
    ("typed", "currency", "amount"),
    [
        ("25", "GBP", "25"),
        (" 25.5 ", "GBP", "25.5"),
        ("25,50", "EUR", "25.50"),
        ("0", "GBP", "0"),
        ("10000000", "IDR", "10000000"),
        ("4.250", "KWD", "4.250"),
    ],
)
def test_an_amount_is_read_as_people_type_it(typed: str, currency: str, amount: str) -> None:
    assert money.read(typed, currency) == Decimal(amount)
    assert money.read(Price(typed, currency), currency) == Decimal(amount)


@pytest.mark.parametrize(
    ("typed", "currency", "says"),
    [
        ("-1", "GBP", "This must not be less than 0."),
        ("1000000000", "GBP", "This must be at most 10,000,000."),
        ("25.005", "GBP", "This must have at most 2 decimals, such as 25.00."),
        ("25.5", "JPY", "This must have no decimals, such as 25."),
        ("1e9", "GBP", "This must be an amount such as 25.00."),
        ("£25", "GBP", "This must be an amount such as 25.00."),
        ("1.000,00", "EUR", "This must be an amount such as 25.00."),
        ("٢٥", "GBP", "This must be an amount such as 25.00."),
        ("NaN", "GBP", "This must be an amount such as 25.00."),
        ("9" * 400, "GBP", "This must be an amount such as 25.00."),
    ],
)
def test_what_is_no_price_gets_a_clear_answer(typed: str, currency: str, says: str) -> None:
    with pytest.raises(ValueError, match=f"^{says.replace('.', '[.]')}$"):
        money.read(typed, currency)


@pytest.mark.parametrize(
    ("typed", "currency", "amount"),
    [
        ("10%", "GBP", "2.22"),
        ("12,5 %", "GBP", "2.77"),
        ("100%", "GBP", "22.15"),
        ("10%", "JPY", "2"),
        ("0.01%", "GBP", None),
        ("0%", "GBP", None),
        ("4.50", "GBP", "4.50"),
        ("", "GBP", None),
    ],
)
def test_a_discount_is_an_amount_or_a_part_of_the_price(
    typed: str, currency: str, amount: str | None
) -> None:
    off = money.off(money.read_discount(typed, currency), Decimal("22.15"), currency)
    assert off == (amount and Decimal(amount))


@pytest.mark.parametrize("typed", ["101%", "-5%", "%", "1e1%", "5%%", "ten %"])
def test_what_is_no_part_of_a_price_gets_a_clear_answer(typed: str) -> None:
    with pytest.raises(
        ValueError, match=r"^This must be (at most 100%|an amount such as 25.00)\.$"
    ):
        money.read_discount(typed, "GBP")


def test_nothing_is_no_price_and_another_currency_is_refused() -> None:
    assert money.read("", "GBP") is None
    assert money.read(None, "GBP") is None
    with pytest.raises(ValueError, match="This must be in GBP"):
        money.read(Price("25.00", "EUR"), "GBP")
    with pytest.raises(ValueError, match="amount"):
        money.read(Price("", "GBP"), "GBP")


@pytest.mark.parametrize(
    ("amount", "currency", "locale", "words"),
    [
        ("25", "GBP", "en_GB", "£25"),
        ("12.5", "GBP", "en_GB", "£12.50"),
        ("25", "EUR", "de_DE", "25\xa0€"),
        ("1234.5", "EUR", "de_DE", "1.234,50\xa0€"),
        ("3500", "JPY", "ja_JP", "￥3,500"),
    ],
)
def test_a_price_reads_as_one_writes_it_there(
    amount: str, currency: str, locale: str, words: str
) -> None:
    assert money.words(Decimal(amount), currency, locale) == words


@pytest.mark.parametrize(
    ("values", "currency"),
    [
        ({"locale": "en", "country": None}, "USD"),
        ({"locale": "de_AT", "country": None}, "EUR"),
        ({"locale": "en_US", "country": "GB"}, "GBP"),
        ({"locale": "en_US", "country": "GB", "prices_in": "CHF"}, "CHF"),
    ],
)
def test_the_currency_is_the_shops_own_or_that_of_where_it_is(
    values: dict[str, str | None], currency: str
) -> None:
    assert money.currency_of(Shop(**values)) == currency
