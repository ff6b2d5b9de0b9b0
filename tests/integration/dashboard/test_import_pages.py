"""The pages that bring another program's file in, and ours out."""

import csv
import io
import re
from datetime import timedelta

import pytest

from app import clock as clocks
from app.db import Database
from app.imports import reading, work
from app.models.customer import Customer
from tests import factories
from tests.integration.conftest import Client
from tests.support.staff import HTMX
from tests.support.web import said

HERE = "/settings/import"
CUSTOMERS = "Name,Mobile,Notes\nAna Silva,020 7946 0958,likes tea\nBo,12,\n"


@pytest.fixture(autouse=True)
def country(sqlite_shop: Database) -> None:
    with sqlite_shop.write() as session:
        factories.shop(session, country="GB", time_zone="Europe/London")


def send(
    owner: Client, content: str | bytes, kind: str = "customers", name: str = "their.csv"
) -> tuple[int, str]:
    """The status, and the import's page or the page that says what is wrong."""
    answer = owner.post(HERE, data={"kind": kind}, files={"file": (name, content)})
    return answer.status_code, answer.headers.get("Location", answer.text)


def uploaded(owner: Client, content: str | bytes, kind: str = "customers") -> str:
    status, address = send(owner, content, kind)
    assert status == 303, address
    while work.take_step():
        pass
    return address


def test_from_a_file_to_customers_and_back(owner: Client) -> None:
    assert "Bring in customers or bookings" in owner.get(HERE).text
    status, address = send(owner, CUSTOMERS)
    assert status == 303
    assert "Checking their.csv" in owner.get(address, headers=HTMX).text
    work.take_step()
    page = owner.get(address).text
    assert "Import 1 customer<" in page
    assert "This is too short for a number of +44." in page
    assert "Bo · 12" in page
    assert re.search(r'<option value="Mobile"\s+selected>Mobile: 020 7946 0958, 12<', page)

    all_or_nothing = owner.post(f"{address}/start", data={"rows": "all"})
    assert said(owner, all_or_nothing) == "1 row is wrong, so nothing was imported."
    assert said(owner, owner.post(f"{address}/start")) == "The import has begun."
    assert "Importing their.csv" in owner.get(address).text
    while work.take_step():
        pass
    assert "1 customer came in, 0 were here already, 1 stayed out." in owner.get(address).text
    listed = owner.get("/customers?new=1").text
    [booking] = re.findall(r'href="(/bookings/new\?customer=customer_\w+)"', listed)
    assert 'value="+442079460958"' in owner.get(booking).text
    assert "Ana Silva" in owner.get("/customers?q=silv").text
    assert "Ana Silva" in owner.get("/customers?q=0958").text

    assert said(owner, owner.post(f"{address}/undo")) == "The import is being undone."
    while work.take_step():
        pass
    assert "1 customer was taken back" in owner.get(address).text
    assert "Nobody without a booking" in owner.get("/customers?new=1").text
    assert said(owner, owner.post(f"{address}/undo")).startswith("This import has gone on")


def test_how_many_messages_bookings_to_come_mean_is_said_before(owner: Client) -> None:
    day = clocks.now() + timedelta(days=1)
    text = f"Date,Client,Phone\n{day:%Y-%m-%d} 10:00,Ana,02079460958\n"
    address = uploaded(owner, text, "bookings")
    page = owner.get(address).text
    assert "1 of these bookings is still to come" not in page  # nobody has said with whom
    assert "Where none is said" in page
    form = {"column-name": "Client", "column-phone": "Phone", "column-date": "Date",
            "service-0": "haircut", "barber-0": "barber_2", "order": "dmy"}  # fmt: skip
    assert said(owner, owner.post(f"{address}/match", data=form)) == "Checking again."
    work.take_step()
    page = " ".join(owner.get(address).text.split())
    assert "1 of these bookings is still to come." in page
    assert "<strong>16 WhatsApp messages</strong> to 1 customer." in page
    owner.post(f"{address}/start", data={"messages": "no"})
    while work.take_step():
        pass
    assert "They get no reminders." in owner.get(address).text


def test_days_that_could_be_read_in_two_ways_are_said_until_somebody_has_chosen(
    owner: Client,
) -> None:
    address = uploaded(owner, "Date,Client,Phone\n04/12/2026 10:00,Ana,02079460958\n", "bookings")
    says = "By your shop’s language they were read “month first: 12/31/2026”."
    assert says in owner.get(address).text
    form = {"column-name": "Client", "column-phone": "Phone", "column-date": "Date", "order": "dmy"}
    owner.post(f"{address}/match", data=form)
    work.take_step()
    page = owner.get(address).text
    assert "could be read in two ways" not in page
    assert re.search(r'value="dmy"\s+selected', page)

    sure = uploaded(owner, "Date,Client,Phone\n24/12/2026 10:00,Ana,02079460958\n", "bookings")
    assert "could be read in two ways" not in owner.get(sure).text


def test_a_file_that_is_not_wanted_is_forgotten(owner: Client) -> None:
    address = uploaded(owner, CUSTOMERS)
    assert said(owner, owner.post(f"{address}/discard")).startswith("The file is forgotten.")
    assert owner.get(address).status_code == 404


@pytest.mark.parametrize(
    ("content", "name", "says"),
    [
        ("", "", "Choose a CSV file."),
        (b"", "empty.csv", "This file is empty."),
        (b"PK\x03\x04" + b"x" * 50, "all.zip", "This is a zip or an Excel file."),
        (b"\x89PNG\r\n\x1a\n\0\0" + bytes(range(256)), "logo.csv", "This is not a text file."),
        (b"x" * (reading.MOST_BYTES + 1), "big.csv", "larger than 5 MB"),
        (b"a,b\n" * 25_000_000, "huge.csv", "larger than 5 MB"),
    ],
    ids=["none", "empty", "zip", "picture", "big", "100 MB"],
)
def test_what_is_no_table_is_said_beside_the_file(
    owner: Client, content: str | bytes, name: str, says: str
) -> None:
    status, page = send(owner, content, "bookings", name)
    assert status == 422
    assert says in page
    assert re.search(r'value="bookings"\s+checked', page) or name in {"big.csv", "huge.csv"}
    assert "Last imports" not in page


def test_a_column_that_is_not_in_the_file_and_strange_names_are_no_error(owner: Client) -> None:
    address = uploaded(owner, CUSTOMERS)
    form = {"column-name": "Nowhere", "column-phone": "Mobile", "charset": "x", "delimiter": "xx"}
    owner.post(f"{address}/match", data=form)
    work.take_step()
    assert "Choose the column with the name." in owner.get(address).text
    refused = owner.post(f"{address}/start")
    assert said(owner, refused) == "There is nothing in this file to import."


def rows_of(text: str) -> list[dict[str, str]]:
    assert text.startswith("\ufeff")
    return list(csv.DictReader(io.StringIO(text[1:])))


def test_all_of_it_can_be_taken_along_and_no_cell_is_a_formula(
    owner: Client, sqlite_shop: Database
) -> None:
    with sqlite_shop.write() as session:
        factories.booking(
            session, customer_name="=1+1", customer_phone="+447700900001", notes="-x",
            price=25, currency="GBP",
        )  # fmt: skip
        session.add(
            Customer(
                person="+447700900002",
                id="customer_1",
                name="@Bo",
                name_folded="@bo",
                phone="+447700900002",
                consent=False,
                consent_at=clocks.now(),
                consent_how="form",
            )
        )
    answer = owner.get("/settings/export/customers.csv")
    assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert re.search(
        r'attachment; filename="customers-[0-9-]{10}\.csv"', answer.headers["Content-Disposition"]
    )
    assert [(row["Name"], row["Phone"], row["Wants messages"]) for row in rows_of(answer.text)] == [
        ("'=1+1", "+447700900001", ""),
        ("'@Bo", "+447700900002", "no"),
    ]
    [booking] = rows_of(owner.get("/settings/export/bookings.csv").text)
    assert booking["Date"] == "2026-11-23"
    assert (booking["Time"], booking["Price"], booking["Notes"]) == ("10:00", "25.00", "'-x")
    assert (booking["Barber"], booking["Status"], booking["Name"]) == ("Sam", "confirmed", "'=1+1")


def test_what_was_taken_along_can_be_brought_in_again(owner: Client, sqlite_shop: Database) -> None:
    with sqlite_shop.write() as session:
        for number in range(450):
            factories.booking(
                session,
                clocks.now() + timedelta(days=1, minutes=30 * number),
                customer_name="=Ana",
                customer_phone=f"+447700{900000 + number}",
            )
    for kind, fate in (("customers", "Here already"), ("bookings", "Here already")):
        file = owner.get(f"/settings/export/{kind}.csv").content
        page = owner.get(uploaded(owner, file, kind)).text
        assert re.search(rf"{fate}, stays as it is</dt>\s*<dd>\s*450\s*</dd>", page), page


def test_what_becomes_of_each_row_is_a_file_too(owner: Client) -> None:
    address = uploaded(owner, CUSTOMERS)
    assert [list(row.values()) for row in rows_of(owner.get(f"{address}/rows.csv").text)] == [
        ["2", "new", ""],
        ["3", "wrong", "This is too short for a number of +44."],
    ]
