"""One person for all spellings of a number, and nobody else's number among them."""

import pytest

from app.models.folding import fold
from app.models.identity import person_of, spellings

SPELLINGS = [
    ("+525587654321", "+5215587654321"),  # Mexico
    ("+541187654321", "+5491187654321"),  # Argentina
    ("+5521987654321", "+552187654321"),  # Brazil
    ("+5531987654321", "+553187654321"),
    ("+2290197123456", "+22997123456"),  # Benin
    ("+2250707123456", "+22507123456"),  # Côte d'Ivoire
    ("+2250544123456", "+22544123456"),
    ("+2250101123456", "+22501123456"),
]


@pytest.mark.parametrize(("one", "other"), SPELLINGS)
def test_a_number_in_each_of_its_spellings_is_one_person(one: str, other: str) -> None:
    assert person_of(one) == person_of(other) == one
    assert spellings(one) == spellings(other) == (one, other)


@pytest.mark.parametrize(
    "address",
    [
        "+447700900123",
        "+5511987654321",
        "+552133334444",  # a landline in Rio: it never had a ninth digit
        "+5521912345678",  # a mobile range that is younger than the ninth digit
        "+2252720123456",  # a landline in Abidjan
        "+52155876543",  # too short to be anything
        "US.13491208655302741918",
    ],
)
def test_any_other_address_is_kept_as_it_is(address: str) -> None:
    assert person_of(address) == address
    assert all(person_of(each) == address for each in spellings(address))


@pytest.mark.parametrize(
    ("name", "folded"),
    [
        ("Zoë Ångström", "zoe angstrom"),
        ("Léa  Dubois", "lea dubois"),
        ("ИВАН Йорданов", "иван иорданов"),
        ("Öz", "oz"),
        ("Straße", "strasse"),
        ("STRASSE", "strasse"),
        ("ﬁona Æsop Cœur", "fiona aesop coeur"),
        ("Łukasz Đorđević", "lukasz dordevic"),
        ("IŞIK ışık İnci", "isik isik inci"),
        ("O’Brien O'Brien O´Brien", "o'brien o'brien o'brien"),
        ("Anna‑Lena", "anna-lena"),
        ("がく", "がく"),  # not かく
        ("김민준", "김민준"),
        ("Ｊｏｈｎ", "john"),
        ("💈", "💈"),
        ("\u0308", ""),
    ],
)
def test_a_name_is_folded_as_people_type_it(name: str, folded: str) -> None:
    assert fold(name) == folded
    assert fold(folded) == folded
