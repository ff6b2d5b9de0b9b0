"""What is kept in a process: known without a look, and right after a change of this process."""

import time

import pytest
from sqlalchemy import select, text, update
from sqlalchemy.orm import Session

from app import kept
from app.db import Database
from app.kept import Kept
from app.models.shop import Barber, Service
from app.rows import past_orm, table_of
from app.shop import service as shop_service
from tests import factories
from tests.integration.conftest import fill
from tests.support.frozen import FrozenClock
from tests.support.statements import counted


def read_names(session: Session, _: None) -> tuple[str, ...]:
    return tuple(session.scalars(select(Service.name).order_by(Service.id)))


@pytest.fixture
def names() -> Kept[None, tuple[str, ...]]:
    return Kept(read_names, Service)


@pytest.fixture
def shop(db: Database, clock: FrozenClock) -> Database:
    with db.write() as session:
        factories.service(session, name="Cut")
        factories.barber(session)
    return db


def of(db: Database, names: Kept[None, tuple[str, ...]]) -> tuple[str, ...]:
    with db.read() as session:
        return names.of(session, None)


def test_it_is_read_once_and_then_known_without_a_session(
    shop: Database, names: Kept[None, tuple[str, ...]]
) -> None:
    assert names.known(shop, None) is None
    found = of(shop, names)
    with counted(shop) as statements:
        assert of(shop, names) == found
        assert names.known(shop, None) == found
    assert statements == []


def test_it_is_read_again_after_a_while(
    shop: Database, names: Kept[None, tuple[str, ...]], monkeypatch: pytest.MonkeyPatch
) -> None:
    of(shop, names)
    monkeypatch.setattr(kept, "FOR", 0.05)
    time.sleep(0.06)
    assert names.known(shop, None) is None


@pytest.mark.parametrize("how", ["object", "new", "statement", "past_orm", "sql"])
def test_a_change_of_this_process_is_known_at_once(
    shop: Database, names: Kept[None, tuple[str, ...]], how: str
) -> None:
    before = of(shop, names)
    with shop.write() as session:
        if how == "object":
            session.get_one(Service, "haircut").name = "Trim"
        elif how == "new":
            factories.service(session, "shave", name="Shave")
        elif how == "statement":
            session.execute(update(Service).values(name="Trim"))
        elif how == "past_orm":
            past_orm(session).execute(update(table_of(Service)).values(name="Trim"))
        else:
            session.execute(text("UPDATE service SET name = 'Trim'"))
        assert names.of(session, None) != before, "a session sees what it has changed itself"
        assert of(shop, names) == before, "nobody else does before it is committed"
    assert of(shop, names) != before


def test_a_session_that_holds_what_it_has_changed_reads_it_once_and_nobody_else_gets_it(
    shop: Database, names: Kept[None, tuple[str, ...]]
) -> None:
    before = of(shop, names)
    with shop.write() as session:
        session.execute(update(Service).values(name="Trim"))
        names.hold(session, None)
        with counted(shop) as statements:
            assert set(names.of(session, None)) == {"Trim"}
        assert statements == []
        assert of(shop, names) == before
    assert set(of(shop, names)) == {"Trim"}


def test_what_is_not_committed_is_forgotten(
    shop: Database, names: Kept[None, tuple[str, ...]]
) -> None:
    before = of(shop, names)

    def fail() -> None:
        with shop.write() as session:
            session.execute(update(Service).values(name="Trim"))
            assert names.of(session, None) != before
            raise InterruptedError

    with pytest.raises(InterruptedError):
        fail()
    assert of(shop, names) == before


def test_a_change_of_another_table_leaves_it_known(
    shop: Database, names: Kept[None, tuple[str, ...]]
) -> None:
    of(shop, names)
    with shop.write() as session:
        session.execute(update(Barber).values(name="Bo"))
    assert names.known(shop, None) is not None


def test_who_began_before_a_change_does_not_keep_what_was_before_it(
    shop: Database, names: Kept[None, tuple[str, ...]]
) -> None:
    with shop.read() as early:
        early.execute(select(1))
        early.execute(select(Barber.id)).all()  # its snapshot is taken
        with shop.write() as session:
            session.get_one(Service, "haircut").name = "Trim"
        names.of(early, None)
    assert "Trim" in of(shop, names)


def test_the_shop_and_its_catalogue_cost_no_statement(shop: Database) -> None:
    fill(shop)
    with shop.read() as session:
        shop_service.shop(session)
        shop_service.services(session)
    with counted(shop) as statements, shop.read() as session:
        assert shop_service.shop(session).name
        assert {each.id for each in shop_service.services(session)} >= {"haircut", "beard-trim"}
        assert [each.id for each in shop_service.barbers(session)] == [
            "barber_1",
            "barber_2",
            "barber_3",
        ]
        assert shop_service.service(session, "haircut")
    assert statements == []


def test_what_is_kept_cannot_be_changed_by_who_gets_it(shop: Database) -> None:
    with shop.read() as session:
        row = shop_service.shop(session)
        with pytest.raises((AttributeError, TypeError)):
            row.name = "Somebody else's"
        with pytest.raises((AttributeError, TypeError)):
            shop_service.services(session)[0].minutes = 5


def test_a_service_that_another_process_has_just_added_can_be_booked(
    shop: Database,
) -> None:
    with shop.read() as session:
        assert shop_service.service(session, "new") is None
    other = Database(shop.engine.url.render_as_string(hide_password=False))
    with other.write() as session:
        factories.service(session, "new")
    other.close()
    with shop.read() as session:
        assert shop_service.service(session, "new")
