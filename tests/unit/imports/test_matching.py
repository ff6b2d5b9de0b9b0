"""Which column holds what, as other programs name them."""

import pytest

from app.imports import matching
from app.imports.matching import Kind, Matching
from app.imports.reading import Row, Table


def table(*columns: str) -> Table:
    return Table("utf-8", ",", columns, [Row(2, ["1/2/2026"] * len(columns))])


@pytest.mark.parametrize(
    ("kind", "columns", "found"),
    [
        (
            "customers",
            ["First Name", "Last Name", "Full Name", "Mobile Number", "Email", "Accepts Marketing"],
            {"first_name": 0, "last_name": 1, "phone": 3, "email": 4, "consent": 5},
        ),
        ("customers", ["Client Name", "Telephone", "Note"], {"name": 0, "phone": 1, "notes": 2}),
        ("customers", ["Vorname", "Nachname", "Handy", "E-Mail"],
         {"first_name": 0, "last_name": 1, "phone": 2, "email": 3}),
        (
            "bookings",
            ["Appointment Date", "Start Time", "Duration (min)", "Service", "Team member",
             "Client", "Client mobile", "Net sales", "Status"],
            {"date": 0, "time": 1, "minutes": 2, "service": 3, "barber": 4, "name": 5, "phone": 6,
             "price": 7, "status": 8},
        ),
        ("bookings", ["Start", "End", "Customer", "Phone", "Provider", "Service"],
         {"date": 0, "ends": 1, "name": 2, "phone": 3, "barber": 4, "service": 5}),
        ("bookings", ["start_time", "end_time", "customer_name", "customer_phone"],
         {"date": 0, "ends": 1, "name": 2, "phone": 3}),
        ("bookings", ["Datum", "Uhrzeit", "Kunde", "Telefon", "Leistung", "Mitarbeiter"],
         {"date": 0, "time": 1, "name": 2, "phone": 3, "service": 4, "barber": 5}),
        ("customers", ["A", "B"], {}),
    ],
)  # fmt: skip
def test_columns_are_guessed_by_their_names(
    kind: Kind, columns: list[str], found: dict[str, int]
) -> None:
    guessed = matching.guess(table(*columns), kind, Matching(), "en_GB")
    assert guessed.columns == {name: columns[place] for name, place in found.items()}


def test_what_was_said_is_not_guessed_and_a_column_that_is_gone_is_forgotten() -> None:
    said = Matching(order="mdy", columns={"name": "Mobile", "phone": "gone"})
    guessed = matching.guess(table("Name", "Mobile"), "customers", said, "en_GB")
    assert (guessed.columns, guessed.order) == ({"name": "Mobile"}, "mdy")


def test_names_mean_whom_they_name_or_nearly_name_and_nobody_if_it_could_be_two() -> None:
    named = {"barber_1": "Sam", "barber_2": "Alex Kim", "barber_3": "Samuel"}
    texts = ["SAM", "Alex", "alex kim (senior)", "Sa", "", "Chris"]
    assert matching.meaning(texts, named) == {
        "SAM": "barber_1",
        "Alex": "barber_2",
        "alex kim (senior)": "barber_2",
    }
    assert matching.meaning(["", "Chris"], {"barber_1": "Sam"}) == {
        "": "barber_1",
        "Chris": "barber_1",
    }
