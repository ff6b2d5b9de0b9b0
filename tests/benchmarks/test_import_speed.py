"""A file of 10,000 bookings with 200 wrong rows is checked and imported in less than a minute."""

import time

import pytest

from app.db import Database
from tests.integration.imports.test_imports import checked, counts, fill, many, run
from tests.support.frozen import FrozenClock
from tests.support.valkey import Valkey


@pytest.mark.parametrize("db", ["sqlite"], indirect=True)  # a database is little of the work
def test_10_000_rows_with_200_wrong_ones_take_less_than_a_minute(
    db: Database, clock: FrozenClock, valkey: Valkey
) -> None:
    fill(db)
    began = time.perf_counter()
    import_id = checked(db, many(10_000))
    took_check = time.perf_counter() - began
    assert counts(db, import_id)["wrong"] == 200
    run(db, import_id)
    took = time.perf_counter() - began
    print(f"\n10,000 rows: checked in {took_check:.1f} s, checked and imported in {took:.1f} s")
    assert counts(db, import_id) == {"made": 9_800, "wrong": 200}
    assert took < 60
