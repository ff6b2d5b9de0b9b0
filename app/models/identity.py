"""One person, however their number is written.

Phone books and WhatsApp spell some numbers differently: a number is WhatsApp's as it was when the
account was made, and countries have added digits since, or write one for mobiles that others drop.
Whatever is looked up by a number (bookings, consent, budget, replies) goes by `person_of` it.
"""

import re
from typing import NamedTuple


class _Habit(NamedTuple):
    """Two spellings of the same numbers: which is meant by `other` is kept as `kept`."""

    other: re.Pattern[str]
    to_kept: str
    kept: re.Pattern[str]
    to_other: str


def _habit(other: str, to_kept: str, kept: str, to_other: str) -> _Habit:
    return _Habit(re.compile(other), to_kept, re.compile(kept), to_other)


_HABITS = (
    # Mexico dropped the 1 of mobiles in 2019; WhatsApp has kept it.
    _habit(r"\+521(\d{10})", r"+52\1", r"\+52(\d{10})", r"+521\1"),
    # Argentina writes the 9 of mobiles only from abroad, and WhatsApp always.
    _habit(r"\+549(\d{10})", r"+54\1", r"\+54(\d{10})", r"+549\1"),
    # Brazil put a 9 before mobiles (6 to 9) until 2016; outside of São Paulo, Rio de Janeiro and
    # Espírito Santo WhatsApp has them without it.
    _habit(
        r"\+55(\d\d)([6-9]\d{7})", r"+55\g<1>9\2", r"\+55(\d\d)9([6-9]\d{7})", r"+55\1\2"
    ),
    # Benin put 01 before all numbers in 2024.
    _habit(r"\+229(\d{8})", r"+22901\1", r"\+22901(\d{8})", r"+229\1"),
    # Côte d'Ivoire put the network's two digits before mobiles in 2021, by their second digit.
    _habit(
        r"\+225([04-9][0-3]\d{6})", r"+22501\1", r"\+22501([04-9][0-3]\d{6})", r"+225\1"
    ),
    _habit(
        r"\+225([04-9][4-6]\d{6})", r"+22505\1", r"\+22505([04-9][4-6]\d{6})", r"+225\1"
    ),
    _habit(
        r"\+225([04-9][7-9]\d{6})", r"+22507\1", r"\+22507([04-9][7-9]\d{6})", r"+225\1"
    ),
)  # fmt: skip


def person_of(address: str) -> str:
    """Whom an address belongs to: the same text for each spelling of one number.

    `address` is a number in E.164, the id of somebody who hides theirs, or a person already.
    The answer is not for dialling or sending.
    """
    for habit in _HABITS:
        if match := habit.other.fullmatch(address):
            return match.expand(habit.to_kept)
    return address


def spellings(address: str) -> tuple[str, ...]:
    """All ways to write the number of a person, E.164; `person_of` it is the first."""
    person = person_of(address)
    for habit in _HABITS:
        if match := habit.kept.fullmatch(person):
            return person, match.expand(habit.to_other)
    return (person,)
